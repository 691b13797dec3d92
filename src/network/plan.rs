//! A network made ready for images of one size.

use super::{Network, Runner, engine};
use crate::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Plans kept at a time; a folder of images often has a few sizes.
const PLANS: usize = 4;

/// A network laid out for one input size.
pub struct Plan {
    pub(super) executor: Executor,
    /// Output positions of each layer.
    pub(super) areas: Vec<usize>,
    /// Share of the multiply-accumulates that lie before each layer.
    pub(super) progress: Vec<f32>,
    /// Channels, rows and columns of what comes out.
    pub(super) output: [usize; 3],
    /// Of values that are alive at the same time.
    pub(super) peak_bytes: u64,
}

impl Plan {
    /// Bytes of activations that a run holds at most.
    pub(crate) fn bytes(&self) -> u64 {
        self.peak_bytes
    }
}

/// Most bytes that a run may hold: in a browser, what a program can have at all, less what else it holds.
const MAX_BYTES: u64 = if cfg!(target_arch = "wasm32") { 3500 << 20 } else { 64 << 30 };

/// As what runs it takes it.
pub(super) enum Executor {
    Own(engine::Plan),
    #[cfg(feature = "tract")]
    Tract(super::tract::Runnable),
}

impl Network {
    /// The plan for images of this height and width, built on first use.
    ///
    /// # Errors
    /// [`Error::Network`] where the network cannot take this size, [`Error::Memory`] where it would take too much.
    pub fn plan(&self, size: [usize; 2]) -> Result<Arc<Plan>> {
        self.batch_plan(1, size)
    }

    pub(super) fn batch_plan(&self, batch: usize, [height, width]: [usize; 2]) -> Result<Arc<Plan>> {
        let key = [batch, height, width];
        let known = |plans: MutexGuard<'_, Vec<([usize; 3], Arc<Plan>)>>| {
            plans.iter().find(|(k, _)| *k == key).map(|(_, plan)| plan.clone())
        };
        if let Some(plan) = known(lock(&self.plans)) {
            return Ok(plan);
        }
        let plan = Arc::new(self.build(batch, [height, width])?);
        let mut plans = lock(&self.plans);
        if plans.len() >= PLANS {
            plans.remove(0);
        }
        plans.push((key, plan.clone()));
        Ok(plan)
    }

    fn build(&self, batch: usize, size: [usize; 2]) -> Result<Plan> {
        let channels = self.convention.colour.channels();
        let (executor, areas, output, peak_bytes) = match &self.runner {
            Runner::Own(own) => {
                let plan = own.plan(&self.layers, size, channels)?;
                let bytes = within_memory(plan.bytes(), size)?;
                let (areas, output) = (own.areas(&plan), own.output(&plan));
                (Executor::Own(plan), areas, output, bytes)
            }
            #[cfg(feature = "tract")]
            Runner::Tract(tract) => {
                let (runnable, areas) = tract.plan(&self.layers, [batch, channels, size[0], size[1]])?;
                let (output, bytes) = (runnable.output()?, within_memory(runnable.peak_bytes()?, size)?);
                (Executor::Tract(runnable), areas, output, bytes)
            }
        };
        #[cfg(not(feature = "tract"))]
        let _ = batch; // Ours lays out each image by itself.
        let work = self.layers.iter().zip(&areas).map(|(layer, area)| layer.macs() as f64 * *area as f64);
        let work: Vec<f64> = work.collect();
        let total: f64 = work.iter().sum();
        let progress = work.iter().scan(0.0, |done, w| Some(std::mem::replace(done, *done + w) / total));
        let progress = progress.map(|p| p as f32).collect();
        Ok(Plan { executor, areas, progress, output, peak_bytes })
    }
}

fn within_memory(bytes: u64, [height, width]: [usize; 2]) -> Result<u64> {
    if bytes > MAX_BYTES { Err(Error::Memory { width, height, megabytes: bytes >> 20 }) } else { Ok(bytes) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
