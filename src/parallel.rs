//! Several things at a time where there are threads: natively, with the `cli` feature; one after another elsewhere.

#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
mod threads {
    use rayon::prelude::*;

    /// What several threads may use at once.
    pub trait Shared: Sync {}
    impl<T: Sync + ?Sized> Shared for T {}

    pub fn try_map<T: Sync, R: Send, E: Send>(
        items: &[T],
        work: impl Fn(&T) -> Result<R, E> + Sync + Send,
    ) -> Result<Vec<R>, E> {
        items.par_iter().map(work).collect()
    }

    pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
        items.par_iter().map(work).collect()
    }

    pub fn for_each_mut<T: Send>(items: &mut [T], work: impl Fn(usize, &mut T) + Sync + Send) {
        items.par_iter_mut().enumerate().for_each(|(index, item)| work(index, item));
    }

    pub fn threads() -> usize {
        rayon::current_num_threads()
    }
}

#[cfg(not(all(feature = "cli", not(target_arch = "wasm32"))))]
mod threads {
    /// What several threads could use at once, if there were several.
    pub trait Shared {}
    impl<T: ?Sized> Shared for T {}

    pub fn try_map<T, R, E>(items: &[T], work: impl Fn(&T) -> Result<R, E>) -> Result<Vec<R>, E> {
        items.iter().map(work).collect()
    }

    pub fn map<T, R>(items: &[T], work: impl Fn(&T) -> R) -> Vec<R> {
        items.iter().map(work).collect()
    }

    pub fn for_each_mut<T>(items: &mut [T], work: impl Fn(usize, &mut T)) {
        items.iter_mut().enumerate().for_each(|(index, item)| work(index, item));
    }

    pub fn threads() -> usize {
        1
    }
}

pub use threads::Shared;
pub(crate) use threads::{for_each_mut, map, threads, try_map};

/// Told of the share of a longer work that is done, in 0..1, by whichever thread did it.
pub trait Progress: Shared {
    /// `false` cancels the work.
    fn report(&self, done: f32) -> bool;
}

/// Watches nothing, cancels nothing.
impl Progress for () {
    fn report(&self, _: f32) -> bool {
        true
    }
}

/// A stretch of a longer work.
pub(crate) struct Part<'p> {
    /// The whole.
    pub whole: &'p dyn Progress,
    /// Where the stretch begins, in 0..1.
    pub start: f32,
    /// How much of the whole it is.
    pub share: f32,
}

impl Progress for Part<'_> {
    fn report(&self, done: f32) -> bool {
        self.whole.report(self.start + self.share * done)
    }
}
