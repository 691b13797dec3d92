//! Optimization as page and command line do it: note what the full-precision network computes, optimize, and keep.

use super::{Session, digest};
use crate::Result;
use crate::image_io::{self, Picture};
use crate::optimize::Targets;
use crate::optimized::Optimized;
use crate::parallel::{self, Progress};
use crate::quant::{BitWidth, PointSettings, Recipe};
use std::sync::Mutex;

/// Most bytes of targets that are kept for other bits or recipes; EDSR ×2's take 101 MB.
const KEPT_BYTES: usize = 200 << 20;

/// Most of the work that the full-precision network is, for one choice of bits.
const NOTING: f32 = 0.3;

impl Session {
    /// Optimizes the network on these pictures, all of one size, for each of these choices of bits of all layers, and uses
    /// the results from now on, beside those that were made in the same way. What the full-precision network computes for
    /// the same pictures is not computed again.
    ///
    /// # Errors
    /// [`Error::Option`](crate::Error::Option) for no pictures and for layers that are too large to compensate; [`Error::Cancelled`](crate::Error::Cancelled);
    /// [`Error::NonFinite`](crate::Error::NonFinite); what goes wrong in the network. What was noted, and the layers before, stay.
    pub fn optimize(
        &mut self,
        pictures: &[Picture],
        choices: &[Vec<[BitWidth; 2]>],
        settings: PointSettings,
        recipe: Recipe,
        progress: &dyn Progress,
    ) -> Result<&Optimized> {
        let of = digest(pictures);
        if self.targets.as_ref().is_none_or(|(known, _)| *known != of) {
            self.targets = None;
            let convention = self.network.convention();
            let images = pictures.iter().map(|picture| {
                self.check_size(picture)?;
                Ok(image_io::to_planes(picture, convention))
            });
            let images = images.collect::<Result<_>>()?;
            let targets = Targets::note(&self.network, images, &mut |done| progress.report(NOTING * done))?;
            self.targets = Some((of, targets));
        }
        let Some((_, targets)) = &self.targets else { return Ok(&self.optimized) };
        let shares = Mutex::new(0.0f32);
        let variants = parallel::try_map(choices, |bits| {
            let mut last = 0.0;
            targets.optimize(&self.network, settings, bits, recipe, &mut |done| {
                let mut sum = shares.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *sum += (done - last) / choices.len() as f32;
                last = done;
                progress.report(NOTING + (1.0 - NOTING) * *sum)
            })
        })?;
        if targets.bytes() > KEPT_BYTES {
            self.targets = None;
        }
        if !self.optimized.takes(settings, recipe) {
            self.optimized = Optimized::empty(self.hash.clone(), settings, recipe);
        }
        variants.into_iter().for_each(|variant| self.optimized.insert(variant));
        Ok(&self.optimized)
    }
}
