//! Optimization as page and command line do it: note what the full-precision network computes, optimize, and keep.

use super::{Session, digest};
use crate::image_io::Picture;
use crate::optimize::Targets;
use crate::optimized::{Optimized, check_choices};
use crate::parallel::{self, Part, Progress, SideBySide};
use crate::quant::{BitWidth, PointSettings, Recipe};
use crate::{Error, Result};

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
        check_choices(self.network.layers(), &settings, choices)?;
        if let Some(other) = pictures.iter().find(|other| other.size() != pictures[0].size()) {
            let [[width, height], [columns, rows]] = [pictures[0].size(), other.size()];
            return Err(Error::SizeMismatch(format!(
                "pictures to optimize on are of one size: {width} x {height} and {columns} x {rows} pixels"
            )));
        }
        let of = digest(pictures);
        if self.targets.as_ref().is_none_or(|(known, _)| *known != of) {
            self.targets = None;
            let images = pictures.iter().map(|picture| {
                self.check_size(picture)?;
                Ok(self.network.convention().to_planes(picture))
            });
            let images = images.collect::<Result<_>>()?;
            let part = Part { whole: progress, start: 0.0, share: NOTING };
            let targets = Targets::note(&self.network, images, &part)?;
            self.targets = Some((of, targets));
        }
        let Some((_, targets)) = &self.targets else { return Ok(&self.optimized) };
        let rest = Part { whole: progress, start: NOTING, share: 1.0 - NOTING };
        let shares = SideBySide::new(&rest, choices.len());
        let indexed: Vec<_> = choices.iter().enumerate().collect();
        let variants = parallel::try_map(&indexed, |(index, bits)| {
            targets.optimize(&self.network, settings, bits, recipe, &shares.of(*index))
        })?;
        if targets.bytes() > KEPT_BYTES {
            self.targets = None;
        }
        if !self.optimized.takes(settings, recipe) {
            self.optimized = Optimized::empty(self.hash.clone(), settings, recipe);
        }
        let layers = self.network.layers();
        variants.into_iter().for_each(|variant| self.optimized.insert(layers, variant));
        Ok(&self.optimized)
    }
}
