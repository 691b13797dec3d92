//! `dfsq-opt`: what the full-precision network computes is noted, and layers are made that come as near to it as they can.

pub mod compensate;
mod correlation;
mod file;
pub mod gram;
mod targets;

pub use file::{MAX_VARIANTS, Optimized, OptimizedLayer, Variant, check_choices};
pub use targets::{Targets, alone};

use crate::image_io::{self, Picture};
use crate::network::{Layer, Network, Planes};
use crate::parallel::{self, Part, Progress, SideBySide};
use crate::quant::{BitWidth, PointSettings, Recipe};
use crate::{Error, Result};

/// Bytes of targets that are noted at a time. EDSR ×2's take 20 MB for a crop of 48 x 48 pixels.
const NOTED_BYTES: usize = 350 << 20;

/// Bytes of activations and targets, beyond which no more than one layer's targets are noted at a time.
const MOST_BYTES: u64 = 900 << 20;

/// Most bytes of targets that are kept for other bits or recipes.
const KEPT_BYTES: usize = 200 << 20;

/// Bytes of activations of the choices of bits that are optimized side by side.
const WALK_BYTES: u64 = 400 << 20;

/// Most of the work that the full-precision network is, for one choice of bits.
const NOTING: f32 = 0.3;

/// Optimizes one network, and keeps what it noted of it.
pub struct Optimizer {
    /// Bytes of targets that are noted at a time.
    limit: usize,
    /// The last, with the digest of the pictures that they are of.
    noted: Option<(String, Targets)>,
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer::within(NOTED_BYTES)
    }
}

impl Optimizer {
    /// One that notes what the full-precision network computes in about so many bytes. What does not fit is noted when its turn
    /// comes, for which the network runs again from the image on; the result is the same.
    pub fn within(bytes: usize) -> Self {
        Optimizer { limit: bytes, noted: None }
    }

    /// Optimizes the network on these pictures, all of one size, for each of these choices of bits of all layers. What the
    /// full-precision network computes for the same pictures is not computed again, where there was room to keep it.
    ///
    /// # Errors
    /// [`Error::Option`] for no pictures, for layers that are too large to compensate, and for more choices than a file holds;
    /// [`Error::SizeMismatch`] for pictures of several sizes; [`Error::Memory`]; [`Error::Cancelled`]; [`Error::NonFinite`];
    /// what goes wrong in the network. What was noted stays.
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
        let [first, ..] = pictures else { return Err(Error::Option("no image to optimize on".into())) };
        if let Some(other) = pictures.iter().find(|other| other.size() != first.size()) {
            let [[width, height], [columns, rows]] = [first.size(), other.size()];
            return Err(Error::SizeMismatch(format!(
                "pictures to optimize on are of one size: {width} x {height} and {columns} x {rows} pixels"
            )));
        }
        network.check_size(first)?;
        let images: Vec<Planes> =
            pictures.iter().map(|picture| network.convention().to_planes(picture)).collect();
        let of = image_io::digest(pictures);
        let bytes = network.batch_plan(images.len(), [images[0].height, images[0].width])?.walk_bytes();
        let side_by_side = (WALK_BYTES / bytes.max(1)).max(1) as usize;
        let limit = self.limit.min(MOST_BYTES.saturating_sub(bytes) as usize);
        let full_precision = |bits: &Vec<_>| Variant { bits: bits.clone(), layers: vec![None; bits.len()] };
        let mut variants: Vec<Variant> = choices.iter().map(full_precision).collect();
        let total = Layer::quantized(network.layers()).count();
        let share = |layers: usize| layers as f32 / total as f32;
        let mut past = 0;
        while past < total {
            let is_next =
                |(known, targets): &(String, Targets)| *known == of && targets.stretch().start == past;
            if !self.noted.as_ref().is_some_and(is_next) {
                self.noted = None;
                let part = Part { whole: progress, start: share(past), share: NOTING * share(total - past) };
                let targets = Targets::note(network, &images, past, limit, &part)?;
                self.noted = Some((of.clone(), targets));
            }
            let Some((_, targets)) = &self.noted else { break };
            let stretch = targets.stretch();
            let start = share(past) + NOTING * share(stretch.len());
            let part = Part { whole: progress, start, share: (1.0 - NOTING) * share(stretch.len()) };
            let shares = SideBySide::new(&part, choices.len());
            let mut further = Vec::with_capacity(variants.len());
            for some in variants.iter().enumerate().collect::<Vec<_>>().chunks(side_by_side) {
                further.extend(parallel::try_map(some, |(index, variant)| {
                    let variant = Variant::clone(variant);
                    targets.optimize(network, &images, settings, recipe, variant, &shares.of(*index))
                })?);
            }
            variants = further;
            past = stretch.end;
        }
        let is_kept =
            |(_, targets): &(_, Targets)| targets.stretch() == (0..total) && targets.bytes() <= KEPT_BYTES;
        self.noted = self.noted.take().filter(is_kept);
        Ok(variants)
    }
}
