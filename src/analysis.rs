//! Distributions of every channel of every quantized layer, as plain figures to draw or export.

use crate::Result;
use crate::calibrate::Calibration;
use crate::network::{Layer, Network, Observer, Tap};
use crate::quant::{Granularity, Histogram, Normalization, Normalizer, PointSettings, Summary};
use serde::Serialize;
use std::ops::ControlFlow;

/// Bins of [`ChannelSummary::histogram`] over [-1, 1].
pub const HISTOGRAM_BINS: usize = 128;

/// Quartiles are taken from at most this many evenly spaced positions; extremes, mean and histogram from all.
const QUARTILE_SAMPLES: usize = 4096;

/// One channel of one layer's input for one sample.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct ChannelSummary {
    /// Minimum, lower quartile, median, upper quartile, maximum.
    pub five: [f32; 5],
    /// What normalization subtracts.
    pub mean: f32,
    /// What normalization divides by.
    pub range: f32,
    /// Counts of the normalized values in equal bins over [-1, 1].
    pub histogram: Vec<u32>,
}

/// One sample: for each layer of the network its channels, empty where the layer is not quantized.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SampleAnalysis {
    /// By layer, then channel.
    pub layers: Vec<Vec<ChannelSummary>>,
}

/// Watches a full-precision run and summarizes what it sees.
pub struct Analyzer<'n> {
    network: &'n Network,
    granularity: Granularity,
    /// By layer.
    normalizers: Vec<Normalizer>,
    sample: SampleAnalysis,
}

/// The normalization of a layer's inputs: as the calibration has it, where it is made from ranges.
pub fn layer_normalizer(
    settings: &PointSettings,
    calibration: Option<&Calibration>,
    layer: &Layer,
) -> Normalizer {
    let known = calibration.and_then(|calibration| calibration.layers.get(&layer.name));
    settings.normalizer(layer.after_relu, known.map_or([-1.0, 1.0], |known| known.range))
}

impl<'n> Analyzer<'n> {
    /// Normalizes as `settings` say, with ranges of the calibration where there is no normalization.
    pub fn new(network: &'n Network, settings: PointSettings, calibration: Option<&Calibration>) -> Self {
        let sample = SampleAnalysis { layers: vec![Vec::new(); network.layers().len()] };
        let normalizer = |layer| layer_normalizer(&settings, calibration, layer);
        let normalizers = network.layers().iter().map(normalizer).collect();
        Analyzer { network, granularity: settings.granularity, normalizers, sample }
    }

    /// What was seen.
    pub fn finish(self) -> SampleAnalysis {
        self.sample
    }
}

impl Observer for Analyzer<'_> {
    fn taps(&self, layer: usize) -> bool {
        self.network.layers()[layer].quantized
    }

    fn tap(&mut self, tap: Tap<'_>) -> Result<ControlFlow<()>> {
        let normalizer = self.normalizers[tap.layer];
        let common = match self.granularity {
            Granularity::Channel => None,
            Granularity::Layer => {
                let mut all = Summary::EMPTY;
                tap.each(&mut |_, values| {
                    all = all.with(&Summary::of(values));
                    Ok(())
                })?;
                normalizer.normalization(&all)
            }
        };
        tap.each(&mut |channel, values| {
            let summary = common
                .or_else(|| normalizer.measure(values))
                .and_then(|norm| summarize(values, norm))
                .ok_or_else(|| self.network.non_finite(tap.layer, channel))?;
            self.sample.layers[tap.layer].push(summary);
            Ok(())
        })?;
        Ok(ControlFlow::Continue(()))
    }
}

/// Smallest and largest value of all channels.
pub fn range(channels: &[ChannelSummary]) -> (f32, f32) {
    let low = channels.iter().map(|c| c.five[0]).fold(f32::INFINITY, f32::min);
    let high = channels.iter().map(|c| c.five[4]).fold(f32::NEG_INFINITY, f32::max);
    (low, high)
}

/// Summarizes one channel; `None` for no values, NaN or infinity.
fn summarize(values: &[f32], norm: Normalization) -> Option<ChannelSummary> {
    let (low, high) = crate::quant::uniform::range(values)?;
    let mut few: Vec<f32> = values.iter().copied().step_by(values.len().div_ceil(QUARTILE_SAMPLES)).collect();
    few.sort_unstable_by(f32::total_cmp);
    let quartile = |quarter: usize| few[(few.len() - 1) * quarter / 4];
    let mut histogram = Histogram::default();
    histogram.add(values.iter().map(|x| norm.normalize(*x))).ok()?;
    Some(ChannelSummary {
        five: [low, quartile(1), quartile(2), quartile(3), high],
        mean: norm.mean,
        range: norm.range,
        histogram: histogram.grouped(HISTOGRAM_BINS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn literal_summary() {
        let values: Vec<f32> = (0..=100).rev().map(|v| v as f32).collect();
        let own = |values: &[f32]| summarize(values, Normalization::measure(values, true)?);
        let summary = own(&values).unwrap();
        assert_eq!(summary.five, [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!((summary.mean, summary.range), (50.0, 50.0));
        assert_eq!(summary.histogram.iter().sum::<u32>(), 101);
        assert_eq!(own(&[]), None);
        assert_eq!(own(&[1.0, f32::NAN]), None);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn quartiles_of_many_values_stay_near() {
        let values: Vec<f32> = (0..100_000).map(|v| (v * 7919 % 100_000) as f32).collect();
        let [low, q1, q2, q3, high] = summarize(&values, Normalization::covering(1e5)).unwrap().five;
        assert_eq!((low, high), (0.0, 99_999.0));
        for (quartile, want) in [(q1, 25e3), (q2, 50e3), (q3, 75e3)] {
            assert!((quartile - want).abs() < 1500.0);
        }
    }
}
