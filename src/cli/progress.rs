//! How far a longer work is: bars on standard error, and nothing where that is not a terminal.

use super::interrupt;
use dfsq::parallel::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::ControlFlow;

const STEPS: f32 = 1000.0;

/// A bar for so many things; it is gone when it is dropped.
pub fn counted(length: usize, what: &str) -> Count {
    let bar = ProgressBar::new(length as u64).with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    Count(bar)
}

/// Counts things that are done.
pub struct Count(ProgressBar);

impl Count {
    pub fn one_more(&self) {
        self.0.inc(1);
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar for a share that is done; it is gone when it is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    pub fn new(what: &str) -> Self {
        let bar = ProgressBar::new(STEPS as u64).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent} % {eta}") {
            bar.set_style(style);
        }
        Bar(bar)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn report(&self, done: f32) -> ControlFlow<()> {
        self.0.set_position((STEPS * done) as u64);
        interrupt::checkpoint()
    }
}

/// Shows nothing, and gives up when the program is interrupted.
pub struct Quiet;

impl Progress for Quiet {
    fn report(&self, _: f32) -> ControlFlow<()> {
        interrupt::checkpoint()
    }
}
