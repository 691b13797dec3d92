//! Files of a folder that could not be used: the others are, and the program says so at its end.

use super::interrupt;
use super::out;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static FILES: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

fn files() -> MutexGuard<'static, BTreeMap<PathBuf, String>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes note of a file, and why it could not be used.
///
/// # Errors
/// Where the work was interrupted, which is no fault of the file.
pub fn add(file: &Path, error: anyhow::Error) -> Result<()> {
    if interrupt::is(&error) {
        return Err(error);
    }
    files().insert(file.to_owned(), format!("{error:#}"));
    Ok(())
}

/// Names them; whether there are any.
pub fn report() -> bool {
    let files = files();
    files.values().for_each(|error| out::note(format_args!("passed over: {error}")));
    !files.is_empty()
}
