//! Per-sample, per-channel normalization (paper, eq. 1 and 3).

use super::{Points, uniform};
use multiversion::multiversion;
use serde::{Deserialize, Serialize};

/// Keeps the division defined for a constant channel (paper, eq. 1).
const EPSILON: f32 = 1e-8;

/// When normalization subtracts the channel's mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::ValueEnum))]
pub enum MeanMode {
    /// Unless the input comes straight from a ReLU (the reference code).
    #[default]
    Auto,
    /// Always (the paper's text).
    Always,
    /// Never.
    Never,
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
        let mean = if subtract_mean && !channel.is_empty() { mean(channel) } else { 0.0 };
        let (low, high) = if channel.is_empty() { (mean, mean) } else { uniform::range(channel)? };
        let largest = (high - mean).max(mean - low);
        largest.is_finite().then_some(Normalization { mean, range: largest + EPSILON })
    }

    /// The normalized value of `x`.
    #[inline(always)]
    pub fn normalize(&self, x: f32) -> f32 {
        (x - self.mean) / self.range
    }

    /// Replaces every value by the de-normalized nearest point (eq. 3).
    pub fn quantize(&self, channel: &mut [f32], points: &Points) {
        let mut table = [0.0f32; 256];
        for (slot, q) in table.iter_mut().zip(points.values()) {
            *slot = q * self.range + self.mean;
        }
        points.map(channel, self, &table);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
fn mean(channel: &[f32]) -> f32 {
    let (chunks, rest) = channel.as_chunks::<8>();
    let mut sums = [0.0f64; 8];
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*x);
        }
    }
    let rest: f64 = rest.iter().map(|x| f64::from(*x)).sum();
    ((sums.iter().sum::<f64>() + rest) / channel.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let zero = Points::new(vec![0.0]);
        for channel in [vec![2.5; 9], vec![0.0; 4], vec![-7.0], vec![]] {
            let mut quantized = channel.clone();
            Normalization::measure(&channel, true).unwrap().quantize(&mut quantized, &zero);
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
}
