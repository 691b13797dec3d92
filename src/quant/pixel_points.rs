//! Pixels with all their channels, each value mapped to the nearest point of its channel.

use super::error::{QuantizationError, add_lanes};
use super::pixels::Pixels;
use super::points::{LANES, Scaled, look_up};
use super::thresholds::Thresholds;
use fearless_simd::{Level, Simd, dispatch};

/// Pixels that are compared together.
const SIDE_BY_SIDE: usize = 4;

/// Points for all channels of pixels, whose values lie side by side.
pub struct PixelPoints<'s> {
    channels: usize,
    /// The first of [`LANES`] channels, and their points, where they are few.
    few: Vec<(usize, Thresholds)>,
    /// And where they cannot.
    looked_up: Vec<(usize, [&'s Scaled<'s>; LANES])>,
    /// Channels that are left.
    rest: &'s [Scaled<'s>],
}

impl<'s> PixelPoints<'s> {
    /// One for each channel.
    pub fn new(channels: &'s [Scaled<'s>]) -> Self {
        let (lanes, rest) = channels.as_chunks::<LANES>();
        let mut points =
            PixelPoints { channels: channels.len(), few: Vec::new(), looked_up: Vec::new(), rest };
        for (index, lanes) in lanes.iter().enumerate() {
            let lanes = lanes.each_ref();
            match Thresholds::new(lanes) {
                Some(thresholds) => points.few.push((index * LANES, thresholds)),
                None => points.looked_up.push((index * LANES, lanes)),
            }
        }
        points
    }

    /// Writes the nearest point of its channel for every value of pixels: `to` is `[pixels, channels]`. Counts the errors of
    /// each channel.
    pub fn apply(&self, from: Pixels<'_>, to: &mut [f32], mut errors: Option<&mut [QuantizationError]>) {
        if !self.few.is_empty() {
            dispatch!(Level::new(), simd => self.compare(simd, from, to, errors.as_deref_mut()));
        }
        for (first, lanes) in &self.looked_up {
            let from = Pixels { values: &from.values[*first..], ..from };
            let to = &mut to[*first..];
            let [noise, signal] = look_up(*lanes, from, to, self.channels);
            if let Some(errors) = errors.as_deref_mut() {
                add_lanes(&mut errors[*first..], &noise, &signal);
            }
        }
        for (index, scaled) in self.rest.iter().enumerate() {
            let channel = self.channels - self.rest.len() + index;
            let values = from.values[channel..].iter().step_by(from.stride);
            for (value, to) in values.zip(to[channel..].iter_mut().step_by(self.channels)) {
                *to = scaled.of(*value);
                if let Some(errors) = errors.as_deref_mut() {
                    errors[channel].add_one(*value, *to);
                }
            }
        }
    }

    /// What has ladders, a few pixels with all their channels at a time, which lie together.
    #[inline(always)]
    fn compare<S: Simd>(
        &self,
        simd: S,
        from: Pixels<'_>,
        to: &mut [f32],
        errors: Option<&mut [QuantizationError]>,
    ) {
        let measured = if errors.is_some() { self.few.len() } else { 0 };
        let mut sums = vec![[[0.0; LANES]; 2]; measured];
        let pixels = to.len() / self.channels;
        let together = pixels - pixels % SIDE_BY_SIDE;
        for at in (0..together).step_by(SIDE_BY_SIDE) {
            from.skip(at + SIDE_BY_SIDE).fetch(SIDE_BY_SIDE, self.channels);
            self.climb_by::<S, SIDE_BY_SIDE>(simd, at, from, to, &mut sums);
        }
        for at in together..pixels {
            self.climb_by::<S, 1>(simd, at, from, to, &mut sums);
        }
        if let Some(errors) = errors {
            for ((first, _), [noise, signal]) in self.few.iter().zip(&sums) {
                add_lanes(&mut errors[*first..], noise, signal);
            }
        }
    }

    /// So many pixels from this one on.
    #[inline(always)]
    fn climb_by<S: Simd, const PIXELS: usize>(
        &self,
        simd: S,
        at: usize,
        from: Pixels<'_>,
        to: &mut [f32],
        sums: &mut [[[f32; LANES]; 2]],
    ) {
        let (from, stride, to) =
            (&from.values[at * from.stride..], from.stride, &mut to[at * self.channels..]);
        for (index, (first, thresholds)) in self.few.iter().enumerate() {
            let (from, to) = ((&from[*first..], stride), (&mut to[*first..], self.channels));
            thresholds.quantize::<S, PIXELS>(simd, from, to, sums.get_mut(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{Normalization, Points, Summary, UniversalSet, WordSets};
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn pixels_are_mapped_as_channels_are() {
        let mut rng = fastrand::Rng::with_seed(3);
        for (channels, count, sets, spread) in
            [(1, 16, 4, 1.0), (5, 16, 4, 1.0), (8, 4, 4, 1.0), (19, 16, 4, 1.0), (19, 40, 4, 1.0)]
                .into_iter()
                .chain([(24, 3, 2, 1.0), (16, 16, 3, 1.0), (16, 16, 4, 40.0)])
                .chain([(24, 200, 4, 1.0), (16, 200, 4, 40.0), (16, 40, 3, 1.0)])
        {
            let universal = UniversalSet::of(WordSets::new(sets).unwrap()).values();
            let mut draw = || {
                Points::new((0..count).map(|_| universal[rng.usize(..universal.len())]).collect()).unwrap()
            };
            let sets: Vec<Points> = (0..channels).map(|_| draw()).collect();
            let values: Vec<f32> = (0..channels * 77).map(|_| (rng.f32() * 2.0 - 1.0) * spread).collect();
            let every = |values: &[f32], channel: usize| -> Vec<f32> {
                values.iter().copied().skip(channel).step_by(channels).collect()
            };
            let scale = |(channel, points)| {
                let norm = Normalization { mean: rng.f32() - 0.5, range: rng.f32() + 0.1 };
                Scaled::new(points, norm, norm, &Summary::of(&every(&values, channel)))
            };
            let scaled: Vec<Scaled> = sets.iter().enumerate().map(scale).collect();
            let mut mapped = values.clone();
            let mut errors = vec![QuantizationError::default(); channels];
            let pixels = Pixels { values: &values, stride: channels };
            PixelPoints::new(&scaled).apply(pixels, &mut mapped, Some(&mut errors));
            for (channel, error) in errors.iter().enumerate() {
                let mut expected = QuantizationError::default();
                let pairs = every(&values, channel).into_iter().zip(every(&mapped, channel));
                pairs.for_each(|(x, q)| expected.add_one(x, q));
                assert!((error.noise / expected.noise - 1.0).abs() < 1e-5, "{error:?}, {expected:?}");
                assert!((error.signal / expected.signal - 1.0).abs() < 1e-5, "{error:?}, {expected:?}");
            }
            for (channel, scaled) in scaled.iter().enumerate() {
                let mut alone = every(&values, channel);
                scaled.apply(&mut alone);
                assert_eq!(every(&mapped, channel), alone);
            }
        }
    }
}
