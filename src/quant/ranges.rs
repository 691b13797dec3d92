//! Ranges of a uniform grid, found on the values that are quantized: the estimators that quantization toolkits offer.

mod spread;

use super::pixels::Pixels;
use super::{BitWidth, Granularity, Normalization, Points, Summary};
use crate::choice::choices;
use crate::{Error, Result};
use spread::Spread;

choices! {
    /// How the ends of a uniform grid are found.
    pub enum RangeEstimator: MinMax {
        /// Minimum and maximum.
        MinMax = "min-max",
        /// The 0.05 and 99.95 percentiles: 99.9 % of the values lie between them.
        Percentile999 = "percentile-99.9",
        /// The 0.005 and 99.995 percentiles.
        Percentile9999 = "percentile-99.99",
        /// Least squared error.
        Mse = "mse",
        /// Least relative entropy of what is rounded, against what was there (as TensorRT calibrates).
        Entropy = "entropy",
        /// Mean and standard deviation, with the step that is best for a normal distribution (DAQ, arXiv 2012.11230).
        Deviation = "mean-deviation",
    }
}

impl RangeEstimator {
    /// What it is called in tables and on the page.
    pub fn title(self) -> &'static str {
        match self {
            RangeEstimator::MinMax => "minimum and maximum",
            RangeEstimator::Percentile999 => "percentile 99.9",
            RangeEstimator::Percentile9999 => "percentile 99.99",
            RangeEstimator::Mse => "least squared error",
            RangeEstimator::Entropy => "entropy",
            RangeEstimator::Deviation => "mean and deviation",
        }
    }
}

/// Finds the range of a layer's input, or of each of its channels, on the input itself, and maps to a uniform grid over it.
#[derive(Debug, Clone)]
pub struct EstimatedRange {
    estimator: RangeEstimator,
    granularity: Granularity,
    bits: BitWidth,
    /// The grid between -1 and 1.
    pub(super) points: Points,
}

/// Where values come from: whoever takes them is told the first channel, the number of channels, and the pixels.
pub type Visit<'v> = dyn Fn(&mut dyn FnMut(usize, usize, Pixels<'_>)) + 'v;

impl EstimatedRange {
    /// A grid of so many bits.
    ///
    /// # Errors
    /// [`Error::Option`] in full precision.
    pub fn new(estimator: RangeEstimator, granularity: Granularity, bits: BitWidth) -> Result<Self> {
        let levels = bits.levels().ok_or_else(|| Error::Option("full precision has no grid".into()))?;
        let last = (levels - 1) as f32;
        let points = (0..levels).map(|code| 2.0 * code as f32 / last - 1.0).collect();
        Ok(EstimatedRange { estimator, granularity, bits, points: Points::new(points)? })
    }

    /// How the ends are found, and of what.
    pub fn found(&self) -> (RangeEstimator, Granularity) {
        (self.estimator, self.granularity)
    }

    /// Ranges of the channels, or a single one of all, of values with these summaries: as what maps them to -1..1.
    pub(super) fn ranges(&self, channels: &[Summary], values: &Visit<'_>) -> Vec<Normalization> {
        let whole = channels.iter().fold(Summary::EMPTY, Summary::with);
        let groups = if self.granularity == Granularity::Channel { channels } else { &[whole] };
        if self.estimator == RangeEstimator::MinMax {
            return groups.iter().map(|group| between([group.low, group.high])).collect();
        }
        let mut spreads: Vec<Spread> = groups.iter().map(Spread::new).collect();
        values(&mut |first, count, pixels| {
            for pixel in pixels.iter(count) {
                for (channel, value) in pixel.iter().enumerate() {
                    let last = spreads.len() - 1;
                    spreads[(first + channel).min(last)].add(*value);
                }
            }
        });
        spreads.iter().map(|spread| between(spread.range(self.estimator, self.bits))).collect()
    }
}

fn between([low, high]: [f32; 2]) -> Normalization {
    // Halves first: their sum may be infinite.
    let (low, high) = (low / 2.0, high / 2.0);
    Normalization { mean: low + high, range: (high - low).max(f32::MIN_POSITIVE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choice;
    use crate::quant::ActivationQuantizer;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn every_estimator_maps_to_as_many_values_and_takes_what_is_constant() {
        let channels = 3;
        // One channel in 3 with a value that lies far from the others.
        let mut rng = fastrand::Rng::with_seed(3);
        let mut input: Vec<f32> = (0..3 * 500).map(|i| if i == 7 { 9.0 } else { rng.f32() - 0.4 }).collect();
        input[500..1000].fill(2.5);
        for estimator in RangeEstimator::ALL {
            for granularity in Granularity::ALL {
                let range = EstimatedRange::new(*estimator, *granularity, BitWidth::new(3).unwrap()).unwrap();
                let mut quantized = input.clone();
                ActivationQuantizer::Estimated(range).apply(&mut quantized, channels).unwrap();
                for (channel, values) in quantized.chunks(500).enumerate() {
                    let mut distinct: Vec<u32> = values.iter().map(|x| x.to_bits()).collect();
                    distinct.sort_unstable();
                    distinct.dedup();
                    assert!(distinct.len() <= 8 && values.iter().all(|x| x.is_finite()));
                    if channel == 1 && *granularity == Granularity::Channel {
                        assert!(values.iter().all(|x| *x == 2.5), "{estimator}: {}", values[0]);
                    }
                }
            }
        }
    }
}
