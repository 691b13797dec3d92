//! What quantizers must know of the values before they map the first of them.

use super::pixels::Pixels;
use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x8, f64x4, i32x8};

/// Values that are looked at side by side.
const LANES: usize = 8;

/// Extremes and sum of one channel, or of several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Infinite while there is no value.
    pub low: f32,
    /// Minus infinite while there is no value.
    pub high: f32,
    /// Infinite or NaN where a value is.
    pub sum: f64,
    /// Number of values.
    pub count: usize,
}

impl Summary {
    /// Of no values.
    pub const EMPTY: Summary = Summary { low: f32::INFINITY, high: f32::NEG_INFINITY, sum: 0.0, count: 0 };

    /// Of one channel's values.
    pub fn of(values: &[f32]) -> Self {
        let (whole, rest) = values.split_at(values.len() - values.len() % LANES);
        let mut lanes = ChannelSummaries::new(LANES);
        lanes.add(Pixels { values: whole, stride: LANES });
        let rest = rest.iter().fold(Summary::EMPTY, |sum, value| sum.with(&Summary::of_one(*value)));
        lanes.finish().iter().fold(rest, Summary::with)
    }

    fn of_one(value: f32) -> Self {
        Summary { low: value, high: value, sum: f64::from(value), count: 1 }
    }

    /// Both together.
    pub fn with(self, other: &Self) -> Self {
        Summary {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            sum: self.sum + other.sum,
            count: self.count + other.count,
        }
    }

    /// Minimum and maximum; `None` if a value is NaN or infinite or there is none.
    pub fn range(&self) -> Option<(f32, f32)> {
        (self.sum.is_finite() && self.low <= self.high).then_some((self.low, self.high))
    }

    /// 0 if there is no value.
    pub fn mean(&self) -> f32 {
        if self.count == 0 { 0.0 } else { (self.sum / self.count as f64) as f32 }
    }
}

/// Summaries of the channels of pixels, which are added one after another: sums run from pixel to pixel, so that they do not
/// depend on the machine.
pub struct ChannelSummaries {
    channels: usize,
    lanes: Vec<Lanes>,
    /// Number of pixels.
    count: usize,
}

/// Of a few channels.
#[derive(Clone)]
struct Lanes {
    /// As [`ordered`] integers.
    low: [i32; LANES],
    high: [i32; LANES],
    sum: [f64; LANES],
}

/// Bits of numbers so that they compare as integers, and back: in browsers, extremes of integers take one instruction and
/// those of numbers eight. NaN lies beyond the infinities.
fn ordered(bits: i32) -> i32 {
    bits ^ ((bits >> 31) & i32::MAX)
}

impl ChannelSummaries {
    /// Without pixels yet.
    pub fn new(channels: usize) -> Self {
        let bits = |value: f32| ordered(value.to_bits() as i32);
        let (low, high) = ([bits(Summary::EMPTY.low); LANES], [bits(Summary::EMPTY.high); LANES]);
        let lanes = vec![Lanes { low, high, sum: [0.0; LANES] }; channels.div_ceil(LANES)];
        ChannelSummaries { channels, lanes, count: 0 }
    }

    /// Adds the first channels of pixels.
    #[inline(never)] // Once in the program is enough.
    pub fn add(&mut self, pixels: Pixels<'_>) {
        dispatch!(Level::new(), simd => self.add_with(simd, pixels));
    }

    #[inline(always)]
    fn add_with<S: Simd>(&mut self, simd: S, pixels: Pixels<'_>) {
        for (index, lanes) in self.lanes.iter_mut().enumerate() {
            let first = index * LANES;
            let count = LANES.min(self.channels - first);
            let from = Pixels { values: pixels.values.get(first..).unwrap_or_default(), ..pixels };
            if count == LANES {
                lanes.add(simd, from);
                continue;
            }
            for channels in from.iter(count) {
                let mut values = [0.0; LANES];
                values[..count].copy_from_slice(channels);
                lanes.add(simd, Pixels { values: &values, stride: LANES });
            }
        }
        self.count += pixels.values.len().div_ceil(pixels.stride);
    }

    /// By channel.
    pub fn finish(&self) -> Vec<Summary> {
        let summary = |channel: usize| {
            let (Lanes { low, high, sum }, lane) = (&self.lanes[channel / LANES], channel % LANES);
            let value = |bits: i32| f32::from_bits(ordered(bits) as u32);
            Summary { low: value(low[lane]), high: value(high[lane]), sum: sum[lane], count: self.count }
        };
        (0..self.channels).map(summary).collect()
    }
}

impl Lanes {
    #[inline(always)]
    fn add<S: Simd>(&mut self, simd: S, pixels: Pixels<'_>) {
        let Lanes { low: lowest, high: highest, sum } = self;
        let (mut low, mut high) = (i32x8::from_slice(simd, lowest), i32x8::from_slice(simd, highest));
        let mut first = f64x4::from_slice(simd, &sum[..LANES / 2]);
        let mut second = f64x4::from_slice(simd, &sum[LANES / 2..]);
        for values in pixels.values.chunks(pixels.stride).filter_map(|pixel| pixel.first_chunk::<LANES>()) {
            let values = f32x8::from_slice(simd, values);
            let bits = values.bitcast::<i32x8<S>>();
            let bits = bits ^ ((bits >> 31) & i32::MAX);
            (low, high) = (low.min(bits), high.max(bits));
            let (left, right) = simd.widen_f32x8(values);
            (first, second) = (first + left, second + right);
        }
        low.store_slice(lowest);
        high.store_slice(highest);
        first.store_slice(&mut sum[..LANES / 2]);
        second.store_slice(&mut sum[LANES / 2..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn noise(count: usize) -> Vec<f32> {
        let mut rng = fastrand::Rng::with_seed(count as u64);
        (0..count).map(|_| rng.f32() * 3.0 - 1.0).collect()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn channels_of_pixels_are_summed_up_as_by_themselves() {
        for channels in [1, 3, 8, 20] {
            let rows = noise(14 * channels);
            let mut found = ChannelSummaries::new(channels);
            rows.chunks(7 * channels).for_each(|row| found.add(Pixels { values: row, stride: channels }));
            for (channel, found) in found.finish().iter().enumerate() {
                let values: Vec<f32> = rows.iter().copied().skip(channel).step_by(channels).collect();
                let of = Summary::of(&values);
                assert_eq!((found.range(), found.count), (of.range(), 14));
                assert!((found.sum - of.sum).abs() < 1e-12 && (of.mean() - found.mean()).abs() < 1e-6);
                let mut sorted = values.clone();
                sorted.sort_by(f32::total_cmp);
                assert_eq!(of.range(), Some((sorted[0], sorted[13])));
                let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / 14.0;
                assert!((f64::from(of.mean()) - mean).abs() < 1e-6);
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_is_not_finite_leaves_no_range() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 7, 8, 10] {
                let mut values = noise(11);
                values[at] = bad;
                assert_eq!(Summary::of(&values).range(), None);
            }
        }
        let both = [f32::MAX, f32::MAX, -f32::MAX];
        assert_eq!(Summary::of(&both).range(), Some((-f32::MAX, f32::MAX)));
        assert_eq!((Summary::of(&[]).range(), Summary::of(&[]).mean()), (None, 0.0));
    }
}
