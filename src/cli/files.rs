//! Image files in folders.

use super::out;
use super::passed_over;
use anyhow::{Context, Result, anyhow, ensure};
use dfsq::image_io::{Decoded, Picture};
use dfsq::pairing::Kind;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The images right in a folder, sorted by name; a file stands for itself. Images of kinds that cannot be read are passed over
/// by name.
pub fn images(path: &Path) -> Result<Vec<PathBuf>> {
    gather(path, 0)
}

/// The same with those in folders within the folder, where it holds none itself.
pub fn images_below(path: &Path) -> Result<Vec<PathBuf>> {
    match images(path) {
        Ok(files) => Ok(files),
        Err(_) if path.is_dir() => gather(path, 3),
        Err(error) => Err(error),
    }
}

/// From folders so deep.
fn gather(path: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let file = entry?.path();
        if depth > 0 && file.is_dir() {
            files.extend(gather(&file, depth - 1).unwrap_or_default());
            continue;
        }
        match Kind::of(&file.to_string_lossy()) {
            Kind::Picture if file.is_file() => files.push(file),
            Kind::Unreadable => {
                passed_over::add(&file, anyhow!("{}: only PNG, JPEG and WebP can be read", file.display()))?;
            }
            _ => {}
        }
    }
    ensure!(!files.is_empty(), "{} holds no PNG, JPEG or WebP image", path.display());
    files.sort();
    Ok(files)
}

/// Reads one image.
pub fn read(path: &Path) -> Result<Picture> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let Decoded { picture, profile } =
        Decoded::from_bytes(&bytes).with_context(|| path.display().to_string())?;
    if let Some(profile) = profile {
        out::note(format_args!("{}: its colour profile ({profile}) is not applied", path.display()));
    }
    Ok(picture)
}

/// Whether files that are there may be written over.
#[derive(clap::Args)]
pub struct Overwriting {
    /// Write over files that are there
    #[arg(long)]
    force: bool,
}

impl Overwriting {
    /// Refuses a file that is there, or could not be written, before any work is done.
    pub fn check(&self, path: &Path) -> Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        ensure!(!path.is_dir(), "{} is a folder", path.display());
        ensure!(folder.is_none_or(Path::is_dir), "there is no folder for {}", path.display());
        self.check_there(path, path.is_file())
    }

    /// Refuses a folder that holds something.
    pub fn check_folder(&self, path: &Path) -> Result<()> {
        let empty = || std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        self.check_there(path, path.exists() && !empty())
    }

    fn check_there(&self, path: &Path, there: bool) -> Result<()> {
        ensure!(self.force || !there, "{} is there already; --force writes over it", path.display());
        Ok(())
    }
}

/// Writes a file, whole or not at all; what is no file, such as a terminal, byte by byte.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.exists() && !path.is_file() {
        return std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()));
    }
    // A link stays one.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The file's name without its ending.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where a command writes the file that it makes, and whether it says so in JSON.
pub struct Output<'o> {
    pub path: &'o Path,
    pub json: bool,
}

impl Output<'_> {
    /// Writes the file and says so, with other facts about it.
    pub fn write(&self, bytes: &[u8], facts: &[(&str, usize)]) -> Result<()> {
        write(self.path, bytes)?;
        if self.json {
            let mut report = json!({"output": self.path, "bytes": bytes.len()});
            for (name, value) in facts {
                report[name] = json!(value);
            }
            out::line(format_args!("{report}"))?;
        } else {
            let facts: String = facts.iter().map(|(name, value)| format!(", {value} {name}")).collect();
            out::line(format_args!("{}: {} bytes{facts}", self.path.display(), bytes.len()))?;
        }
        Ok(())
    }
}
