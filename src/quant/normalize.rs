//! Per-sample, per-channel normalization (paper, eq. 1 and 3).

use super::{BitWidth, Quantizer, Summary, UniformGrid, uniform};
use crate::choice::choices;

/// Keeps the division defined for a constant channel (paper, eq. 1).
const EPSILON: f32 = 1e-8;

choices! {
    /// When normalization subtracts the channel's mean.
    pub enum MeanMode: Auto {
        /// Unless the input comes straight from a ReLU (the reference code).
        Auto = "auto",
        /// Always (the paper's text).
        Always = "always",
        /// Never.
        Never = "never",
    }
}

impl MeanMode {
    /// Whether a layer whose input does or does not come from a ReLU has its mean subtracted.
    pub fn subtracts(self, after_relu: bool) -> bool {
        match self {
            MeanMode::Auto => !after_relu,
            MeanMode::Always => true,
            MeanMode::Never => false,
        }
    }
}

choices! {
    /// What is normalized together and gets points of its own.
    pub enum Granularity: Channel {
        /// Each channel (the paper).
        Channel = "channel",
        /// All channels of a layer.
        Layer = "layer",
    }
}

impl Granularity {
    /// Number of groups that a layer's channels form; each is a stretch of its values.
    pub fn groups(self, channels: usize) -> usize {
        match self {
            Granularity::Channel => channels,
            Granularity::Layer => 1,
        }
    }
}

choices! {
    /// Where mean and range come from.
    pub enum NormalizationMode: Sample {
        /// From the very values that are quantized (the paper).
        Sample = "sample",
        /// No normalization: the mean is 0, and the range a power of two that covers the layer's values in calibration, so
        /// that dividing by it is a shift.
        None = "none",
    }
}

/// The normalization in front of a quantizer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Normalizer {
    /// Measured on the values.
    Sample {
        /// Whether the mean is subtracted.
        subtract_mean: bool,
    },
    /// Always this one.
    Fixed(Normalization),
}

impl Normalizer {
    /// The normalization of one group of values; `None` if one is NaN or infinite.
    pub fn measure(&self, values: &[f32]) -> Option<Normalization> {
        self.normalization(&Summary::of(values))
    }

    /// The normalization of one group of values of which this is known; `None` if one is NaN or infinite.
    pub fn normalization(&self, summary: &Summary) -> Option<Normalization> {
        match *self {
            Normalizer::Sample { subtract_mean } => Normalization::of(summary, subtract_mean),
            Normalizer::Fixed(fixed) => summary.range().map(|_| fixed),
        }
    }
}

/// Mean and range of one channel of one sample: `y = (x - mean) / range`, in [-1, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// The channel's mean, or 0 where it is not subtracted.
    pub mean: f32,
    /// `max |x - mean| + 1e-8`, above 0.
    pub range: f32,
}

impl Normalization {
    /// Measures one channel; `None` if a value is NaN or infinite. An empty channel has mean 0.
    pub fn measure(channel: &[f32], subtract_mean: bool) -> Option<Self> {
        Self::of(&Summary::of(channel), subtract_mean)
    }

    fn of(summary: &Summary, subtract_mean: bool) -> Option<Self> {
        let mean = if subtract_mean { summary.mean() } else { 0.0 };
        let (low, high) = if summary.count == 0 { (mean, mean) } else { summary.range()? };
        let largest = (high - mean).max(mean - low);
        largest.is_finite().then_some(Normalization { mean, range: largest + EPSILON })
    }

    /// Mean 0, and the least power of two that is not below `largest`.
    pub fn covering(largest: f32) -> Self {
        let mut range = 1.0;
        while range < largest && range < f32::MAX / 2.0 {
            range *= 2.0;
        }
        while range / 2.0 >= largest && range > EPSILON {
            range /= 2.0;
        }
        Normalization { mean: 0.0, range }
    }

    /// The normalized value of `x`.
    #[inline(always)]
    pub fn normalize(&self, x: f32) -> f32 {
        (x - self.mean) / self.range
    }

    /// Rounds means and ranges to `bits` each, on uniform grids over those of all channels of one sample: low-bit
    /// de-normalization (paper, section 5).
    pub fn round_all(all: &mut [Normalization], bits: BitWidth) {
        let round = |value: fn(&mut Normalization) -> &mut f32, all: &mut [Normalization]| {
            let mut values: Vec<f32> = all.iter_mut().map(|norm| *value(norm)).collect();
            let Some((low, high)) = uniform::range(&values) else { return };
            UniformGrid::spanning(low, high, bits).apply(&mut values);
            for (norm, rounded) in all.iter_mut().zip(values) {
                *value(norm) = rounded;
            }
        };
        round(|norm| &mut norm.mean, all);
        round(|norm| &mut norm.range, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{Points, points::Scaled};
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn literal_values() {
        let n = Normalization::measure(&[1.0, 2.0, 3.0, 6.0, 3.0], true).unwrap();
        assert_eq!((n.mean, n.range), (3.0, 3.0));
        assert_eq!([0.0, 3.0, 6.0].map(|x| n.normalize(x)), [-1.0, 0.0, 1.0]);
        let n = Normalization::measure(&[1.0, -4.0], false).unwrap();
        assert_eq!((n.mean, n.normalize(-4.0)), (0.0, -1.0));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn constant_zero_single_and_empty_channels_come_back_unchanged() {
        let zero = Points::new(vec![0.0]).unwrap();
        for channel in [vec![2.5; 9], vec![0.0; 4], vec![-7.0], vec![]] {
            let mut quantized = channel.clone();
            let norm = Normalization::measure(&channel, true).unwrap();
            Scaled::new(&zero, norm, norm, &Summary::of(&quantized)).apply(&mut quantized);
            assert_eq!(quantized, channel);
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn nan_and_infinity_are_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for subtract_mean in [true, false] {
                assert_eq!(Normalization::measure(&[1.0, bad, 2.0], subtract_mean), None);
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_covering_range_is_the_least_power_of_two() {
        for (largest, range) in [(1.0, 1.0), (1.01, 2.0), (130.0, 256.0), (0.3, 0.5), (0.25, 0.25)] {
            assert_eq!(Normalization::covering(largest), Normalization { mean: 0.0, range });
        }
        assert!(
            Normalization::covering(0.0).range > 0.0 && Normalization::covering(f32::MAX).range.is_finite()
        );
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn means_and_ranges_are_rounded_to_a_grid_over_all_channels() {
        let norm = |mean, range| Normalization { mean, range };
        let all = [norm(0.0, 1.0), norm(0.9, 2.9), norm(3.0, 4.0), norm(2.1, 1.4)];
        let mut rounded = all;
        Normalization::round_all(&mut rounded, BitWidth::new(2).unwrap());
        assert_eq!(rounded, [norm(0.0, 1.0), norm(1.0, 3.0), norm(3.0, 4.0), norm(2.0, 1.0)]);
        let mut same = all;
        Normalization::round_all(&mut same, BitWidth::FULL);
        assert_eq!(same, all);
    }
}
