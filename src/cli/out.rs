//! What the program says. A reader who has gone away (`dfsq eval ... | head`) ends it without a word.

use anyhow::Result;
use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr, stdout};

/// A line on standard output.
pub fn line(text: impl Display) -> Result<()> {
    Ok(writeln!(stdout(), "{text}")?)
}

/// A line on standard error. Where that is closed, nobody is to be told.
pub fn note(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}

/// Whether it is this that ended the work: whoever read the output reads no more.
pub fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
