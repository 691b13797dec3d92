//! Several things at a time where there are threads: natively, with the `rayon` feature; one after another elsewhere.

use crate::{Error, Result};
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(all(feature = "rayon", not(target_arch = "wasm32")))]
mod threads {
    use rayon::prelude::*;

    /// What several threads may use at once.
    pub trait Shared: Sync {}
    impl<T: Sync + ?Sized> Shared for T {}

    pub fn try_map<T: Sync, R: Send, E: Send>(
        items: &[T],
        work: impl Fn(&T) -> Result<R, E> + Sync + Send,
    ) -> Result<Vec<R>, E> {
        // One stays where it is: what another thread frees, this one's allocator does not see.
        if items.len() == 1 {
            return items.iter().map(work).collect();
        }
        items.par_iter().map(work).collect()
    }

    pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
        items.par_iter().map(work).collect()
    }

    pub fn for_each_mut<T: Send>(items: &mut [T], work: impl Fn(usize, &mut T) + Sync + Send) {
        items.par_iter_mut().enumerate().for_each(|(index, item)| work(index, item));
    }

    pub fn share_out<S: Send, T: Send>(
        states: &mut [S],
        items: &mut [T],
        work: impl Fn(&mut S, &mut T) + Sync + Send,
    ) {
        if states.len() == 1 || items.len() == 1 {
            states.iter_mut().take(1).for_each(|state| items.iter_mut().for_each(|item| work(state, item)));
            return;
        }
        let left = std::sync::Mutex::new(items.iter_mut());
        let next = || left.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
        states.par_iter_mut().with_max_len(1).for_each(|state| {
            while let Some(item) = next() {
                work(state, item);
            }
        });
    }

    pub fn threads() -> usize {
        rayon::current_num_threads()
    }
}

#[cfg(not(all(feature = "rayon", not(target_arch = "wasm32"))))]
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

    pub fn share_out<S, T>(states: &mut [S], items: &mut [T], work: impl Fn(&mut S, &mut T)) {
        states.iter_mut().take(1).for_each(|state| items.iter_mut().for_each(|item| work(state, item)));
    }

    pub fn threads() -> usize {
        1
    }
}

pub use threads::Shared;
pub(crate) use threads::{for_each_mut, map, share_out, threads, try_map};

/// What a cell holds, made where it is empty. Nobody waits for whoever makes it: a thread that waits inside for parts of its work takes
/// on others meanwhile, which may need the same cell, and would wait for itself. So several may make it at once; the first counts.
pub(crate) fn once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    match cell.get() {
        Some(known) => known,
        None => {
            let made = make();
            #[allow(clippy::disallowed_methods, reason = "nothing is done inside")]
            cell.get_or_init(|| made)
        }
    }
}

/// Told of the share of a longer work that is done, in 0..1, by whichever thread did it.
pub trait Progress: Shared {
    /// `Break` gives the work up.
    fn report(&self, done: f32) -> ControlFlow<()>;
}

impl dyn Progress + '_ {
    /// The same for work that ends in an error when it is given up.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn step(&self, done: f32) -> Result<()> {
        match self.report(done) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }
}

/// Watches nothing, gives nothing up.
impl Progress for () {
    fn report(&self, _: f32) -> ControlFlow<()> {
        ControlFlow::Continue(())
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
    fn report(&self, done: f32) -> ControlFlow<()> {
        self.whole.report(self.start + self.share * done)
    }
}

/// One of several works that are done side by side, each an equal share of the whole.
pub(crate) struct SideBySide<'p> {
    whole: &'p dyn Progress,
    /// Of each.
    done: Vec<AtomicU32>,
}

impl<'p> SideBySide<'p> {
    /// So many works.
    pub fn new(whole: &'p dyn Progress, count: usize) -> Self {
        SideBySide { whole, done: (0..count).map(|_| AtomicU32::new(0)).collect() }
    }

    /// The progress of one of them.
    pub fn of(&self, index: usize) -> impl Progress + '_ {
        One { all: self, index }
    }
}

struct One<'p> {
    all: &'p SideBySide<'p>,
    index: usize,
}

impl Progress for One<'_> {
    fn report(&self, done: f32) -> ControlFlow<()> {
        let SideBySide { whole, done: all } = self.all;
        all[self.index].store(done.to_bits(), Ordering::Relaxed);
        let sum: f32 = all.iter().map(|done| f32::from_bits(done.load(Ordering::Relaxed))).sum();
        whole.report(sum / all.len() as f32)
    }
}

#[cfg(test)]
#[cfg(all(feature = "rayon", not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Where threads wait for a cell while it is made, this stands still.
    #[test]
    fn what_is_made_in_parts_is_had_by_all_threads() {
        let (done, waits) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
            for _ in 0..50 {
                let cell = OnceLock::new();
                let parts: Vec<u64> = (0..64).collect();
                let make = || {
                    map(&parts, |part| {
                        std::thread::sleep(Duration::from_micros(50));
                        *part
                    })
                };
                let sums = pool.install(|| map(&parts, |_| once(&cell, make).iter().sum::<u64>()));
                assert!(sums.iter().all(|sum| *sum == 63 * 32));
            }
            done.send(()).unwrap();
        });
        waits.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}
