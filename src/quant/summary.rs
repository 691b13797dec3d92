//! What quantizers must know of the values before they map the first of them.

use super::pixels::Pixels;
use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x8, f64x4};

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
        let mut lanes = [Summary::EMPTY; LANES];
        let (whole, rest) = values.split_at(values.len() - values.len() % LANES);
        dispatch!(Level::new(), simd => add_lanes(simd, &mut lanes, whole, LANES));
        rest.iter().for_each(|value| lanes[0].add(*value));
        lanes.iter().fold(Summary::EMPTY, Summary::with)
    }

    /// Of the first channels of pixels that are `pixel` values apart, row by row. Sums run from pixel to pixel, so that
    /// they do not depend on the machine.
    pub fn of_pixels<'r>(rows: impl Iterator<Item = &'r [f32]>, channels: usize, pixel: usize) -> Vec<Self> {
        let mut summaries = vec![Summary::EMPTY; channels];
        for row in rows {
            Pixels { values: row, apart: pixel }.fetch(usize::MAX, channels);
            let (lanes, rest) = summaries.as_chunks_mut::<LANES>();
            for (index, lanes) in lanes.iter_mut().enumerate() {
                dispatch!(Level::new(), simd => add_lanes(simd, lanes, &row[index * LANES..], pixel));
            }
            for (index, summary) in rest.iter_mut().enumerate() {
                let values = row.iter().skip(lanes.len() * LANES + index).step_by(pixel);
                values.for_each(|value| summary.add(*value));
            }
        }
        summaries
    }

    fn add(&mut self, value: f32) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        self.sum += f64::from(value);
        self.count += 1;
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

/// Adds the first values of each pixel to as many summaries; pixels are `pixel` values apart.
#[inline(always)]
fn add_lanes<S: Simd>(simd: S, summaries: &mut [Summary; LANES], values: &[f32], pixel: usize) {
    let vector = |of: fn(&Summary) -> f32| f32x8::simd_from(simd, summaries.each_ref().map(of));
    let (mut low, mut high) = (vector(|summary| summary.low), vector(|summary| summary.high));
    let sum = summaries.each_ref().map(|summary| summary.sum);
    let mut first = f64x4::from_slice(simd, &sum[..LANES / 2]);
    let mut second = f64x4::from_slice(simd, &sum[LANES / 2..]);
    let mut count = 0;
    for values in values.chunks(pixel).filter_map(|pixel| pixel.first_chunk::<LANES>()) {
        let values = f32x8::from_slice(simd, values);
        // NaN stays in the sum, so that these do not matter where one is.
        (low, high) = (low.min(values), high.max(values));
        let (left, right) = simd.widen_f32x8(values);
        (first, second) = (first + left, second + right);
        count += 1;
    }
    for (lane, summary) in summaries.iter_mut().enumerate() {
        let half = if lane < LANES / 2 { first } else { second };
        let (low, high, sum) = (low[lane], high[lane], half[lane % (LANES / 2)]);
        *summary = Summary { low, high, sum, count: summary.count + count };
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
            let found = Summary::of_pixels(rows.chunks(7 * channels), channels, channels);
            for (channel, found) in found.iter().enumerate() {
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
