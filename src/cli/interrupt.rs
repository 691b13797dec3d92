//! Ctrl-C: the first ends the work where it stands, the second the program.

use anyhow::Result;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What a shell expects of a program that was interrupted.
pub const STATUS: u8 = 130;

/// Takes note of interrupts from now on.
pub fn watch() {
    // Without a handler an interrupt ends the program at once; files are written whole or not at all.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(STATUS.into());
        }
    });
}

/// Whether it is this that ended the work.
pub fn is(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(dfsq::Error::Cancelled))
}

/// Ends work that reports no progress.
pub fn check() -> Result<()> {
    if checkpoint().is_break() { Err(dfsq::Error::Cancelled.into()) } else { Ok(()) }
}

/// Whether the work is to go on.
pub fn checkpoint() -> ControlFlow<()> {
    if INTERRUPTED.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
