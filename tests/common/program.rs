//! The program, run in a folder of its own. Not a part of `common`: only integration tests have the program.
#![allow(dead_code, reason = "each test file uses its own part")]

use super::common::{gradient, stated_edsr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that is gone afterwards.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A fresh folder with a network and two pictures.
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dfsq-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("hr")).unwrap();
        std::fs::write(folder.join("net.onnx"), stated_edsr()).unwrap();
        for (name, size) in [("b.png", 48), ("a.png", 40)] {
            std::fs::write(folder.join("hr").join(name), gradient(size, size, 110).encode_png().unwrap())
                .unwrap();
        }
        Folder(folder)
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dfsq")).current_dir(&self.0).args(arguments).output().unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "bars vanish where there is no terminal");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs what must fail, with an error that says this.
    pub fn fails(&self, arguments: &[&str], words: &str) {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty() && text.contains(words), "{text}");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn has(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.len() > 0)
}

/// What is chosen on small crops, since the pictures are small.
pub const SMALL: [&str; 4] = ["--crop-size", "16", "--crops", "4"];

/// Options of how points are chosen, with values that are not by default.
pub const POINTS: [&str; 8] = [
    "--selection exact",
    "--word-sets 3",
    "--granularity layer",
    "--normalization none",
    "--mean always",
    "--preset paper",
    "--restarts 1",
    "--seed 3",
];
/// Options of what they are chosen on.
pub const CROPS: [&str; 3] = ["--crops 3", "--crop-size 12", "--low-resolution"];

/// A command line, given as words.
pub fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}
