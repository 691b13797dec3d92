//! `dfsq-opt`: what the full-precision network computes is noted, and layers are made that come as near to it as they can.

pub mod compensate;
mod correlation;
mod file;
pub mod gram;
mod targets;

pub use file::{MAX_VARIANTS, Optimized, OptimizedLayer, Variant, check_choices};
pub use targets::{Targets, alone};

use crate::image_io::{self, Picture};
use crate::network::Network;
use crate::parallel::{self, Part, Progress, SideBySide};
use crate::quant::{BitWidth, PointSettings, Recipe};
use crate::{Error, Result};

/// Most bytes of targets that are kept for other bits or recipes; EDSR ×2's take 101 MB.
const KEPT_BYTES: usize = 200 << 20;

/// Most of the work that the full-precision network is, for one choice of bits.
const NOTING: f32 = 0.3;

/// Optimizes one network, and keeps what it noted of it.
#[derive(Default)]
pub struct Optimizer {
    /// Of the last optimization, with the digest of the pictures that they are of.
    targets: Option<(String, Targets)>,
}

impl Optimizer {
    /// Optimizes the network on these pictures, all of one size, for each of these choices of bits of all layers. What the
    /// full-precision network computes for the same pictures is not computed again.
    ///
    /// # Errors
    /// [`Error::Option`] for no pictures, for layers that are too large to compensate, and for more choices than a file holds;
    /// [`Error::SizeMismatch`] for pictures of several sizes; [`Error::Cancelled`]; [`Error::NonFinite`]; what goes wrong in the
    /// network. What was noted stays.
    pub fn optimize(
        &mut self,
        network: &Network,
        pictures: &[Picture],
        choices: &[Vec<[BitWidth; 2]>],
        settings: PointSettings,
        recipe: Recipe,
        progress: &dyn Progress,
    ) -> Result<Vec<Variant>> {
        check_choices(network.layers(), &settings, choices)?;
        if let Some(other) = pictures.iter().find(|other| other.size() != pictures[0].size()) {
            let [[width, height], [columns, rows]] = [pictures[0].size(), other.size()];
            return Err(Error::SizeMismatch(format!(
                "pictures to optimize on are of one size: {width} x {height} and {columns} x {rows} pixels"
            )));
        }
        let of = image_io::digest(pictures);
        if self.targets.as_ref().is_none_or(|(known, _)| *known != of) {
            self.targets = None;
            let images = pictures.iter().map(|picture| {
                network.check_size(picture)?;
                Ok(network.convention().to_planes(picture))
            });
            let images = images.collect::<Result<_>>()?;
            let part = Part { whole: progress, start: 0.0, share: NOTING };
            let targets = Targets::note(network, images, &part)?;
            self.targets = Some((of, targets));
        }
        let Some((_, targets)) = &self.targets else { return Ok(Vec::new()) };
        let rest = Part { whole: progress, start: NOTING, share: 1.0 - NOTING };
        let shares = SideBySide::new(&rest, choices.len());
        let indexed: Vec<_> = choices.iter().enumerate().collect();
        let variants = parallel::try_map(&indexed, |(index, bits)| {
            targets.optimize(network, settings, bits, recipe, &shares.of(*index))
        })?;
        if targets.bytes() > KEPT_BYTES {
            self.targets = None;
        }
        Ok(variants)
    }
}
