//! How the inputs of a layer are quantized: measured first, then mapped channel by channel or pixel by pixel.

use super::points::{PixelPoints, Points, Scaled};
use super::{BitWidth, NonFiniteChannel, Normalization, Normalizer, Quantizer, Summary, UniformGrid};
use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x8};

/// Values whose errors are added up in f32 before they go into f64.
const BLOCK: usize = 256;

/// How the inputs of one layer are quantized.
#[derive(Debug, Clone)]
pub enum ActivationQuantizer {
    /// DFSQ (paper, eq. 1 to 5): each channel is normalized on the fly and mapped to its own points.
    Subset {
        /// One set of points a channel, or a single one for all of them together.
        points: Vec<Points>,
        /// In front of the points.
        normalizer: Normalizer,
        /// Bits of the means and ranges that points are de-normalized with.
        denormalization_bits: BitWidth,
    },
    /// One uniform grid over the minimum and maximum of this very input.
    DynamicMinMax(BitWidth),
    /// One uniform grid over a calibrated range.
    StaticMinMax(UniformGrid),
}

impl ActivationQuantizer {
    /// Quantizes and dequantizes `values` in place, shape `[channels, values.len() / channels]`.
    ///
    /// # Errors
    /// [`NonFiniteChannel`] for NaN or infinity; `values` is then unchanged.
    pub fn apply(&self, values: &mut [f32], channels: usize) -> Result<(), NonFiniteChannel> {
        let pixels = values.len() / channels.max(1);
        if pixels == 0 {
            return Ok(());
        }
        let summaries: Vec<Summary> = values.chunks_exact(pixels).map(Summary::of).collect();
        let mapping = self.fit(&summaries)?;
        for (channel, values) in values.chunks_exact_mut(pixels).enumerate() {
            mapping.apply(channel, values);
        }
        Ok(())
    }

    /// What this quantizer does to an input with these channels.
    ///
    /// # Errors
    /// [`NonFiniteChannel`] where a channel holds NaN or infinity.
    pub fn fit(&self, channels: &[Summary]) -> Result<Mapping<'_>, NonFiniteChannel> {
        let mut whole = Summary::EMPTY;
        for (channel, summary) in channels.iter().enumerate() {
            summary.range().ok_or(NonFiniteChannel(channel))?;
            whole = whole.with(summary);
        }
        Ok(match self {
            ActivationQuantizer::Subset { points, normalizer, denormalization_bits } => {
                let groups = if points.len() == channels.len() { channels } else { &[whole] };
                let measure =
                    |(group, summary)| normalizer.normalization(summary).ok_or(NonFiniteChannel(group));
                let inputs = groups.iter().enumerate().map(measure).collect::<Result<Vec<_>, _>>()?;
                let mut outputs = inputs.clone();
                let own = matches!(normalizer, Normalizer::Sample { .. });
                if own && *denormalization_bits != BitWidth::FULL {
                    Normalization::round_all(&mut outputs, *denormalization_bits);
                }
                let scaled = points.iter().zip(inputs).zip(outputs);
                Mapping::Points(scaled.map(|((points, i), o)| Scaled::new(points, i, &o)).collect())
            }
            ActivationQuantizer::DynamicMinMax(bits) => {
                Mapping::Grid(UniformGrid::spanning(whole.low, whole.high, *bits))
            }
            ActivationQuantizer::StaticMinMax(grid) => Mapping::Grid(*grid),
        })
    }
}

/// A quantizer made ready for one sample.
pub enum Mapping<'a> {
    /// By channel, or one for all of them together.
    Points(Vec<Scaled<'a>>),
    /// The same for all channels.
    Grid(UniformGrid),
}

impl Mapping<'_> {
    /// Quantizes and dequantizes values of one channel.
    pub fn apply(&self, channel: usize, values: &mut [f32]) {
        match self {
            Mapping::Points(groups) => groups[channel.min(groups.len() - 1)].apply(values),
            Mapping::Grid(grid) => grid.apply(values),
        }
    }

    /// The same for pixels with all their channels.
    pub fn of_pixels(&self) -> PixelMapping<'_> {
        match self {
            Mapping::Points(groups) => match &groups[..] {
                [all] => PixelMapping::All(all),
                each => PixelMapping::Each(PixelPoints::new(each)),
            },
            Mapping::Grid(grid) => PixelMapping::Grid(*grid),
        }
    }
}

/// A [`Mapping`] for values that lie `[pixels, channels]`.
pub enum PixelMapping<'m> {
    /// The same points for all channels.
    All(&'m Scaled<'m>),
    /// By channel.
    Each(PixelPoints<'m>),
    /// The same grid for all channels.
    Grid(UniformGrid),
}

impl PixelMapping<'_> {
    /// Quantizes and dequantizes whole pixels.
    pub fn apply(&self, values: &mut [f32]) {
        match self {
            PixelMapping::All(points) => points.apply(values),
            PixelMapping::Each(points) => points.apply(values),
            PixelMapping::Grid(grid) => grid.apply(values),
        }
    }
}

/// What a layer's quantizer did to its input during one run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct QuantizationError {
    /// Sum of squared differences between input and quantized input.
    pub noise: f64,
    /// Sum of squares of the input.
    pub signal: f64,
}

impl QuantizationError {
    /// Signal-to-noise ratio in dB; infinite where quantization changed nothing.
    pub fn decibels(&self) -> f64 {
        if self.noise == 0.0 { f64::INFINITY } else { 10.0 * (self.signal / self.noise).log10() }
    }

    /// Both together.
    pub fn with(self, other: &Self) -> Self {
        QuantizationError { noise: self.noise + other.noise, signal: self.signal + other.signal }
    }

    /// Counts values, and what they were quantized to.
    pub fn add(&mut self, originals: &[f32], quantized: &[f32]) {
        dispatch!(Level::new(), simd => self.add_lanes(simd, originals, quantized));
    }

    #[inline(always)]
    fn add_lanes<S: Simd>(&mut self, simd: S, originals: &[f32], quantized: &[f32]) {
        for (xs, qs) in originals.chunks(BLOCK).zip(quantized.chunks(BLOCK)) {
            let (mut noise, mut signal) = (f32x8::splat(simd, 0.0), f32x8::splat(simd, 0.0));
            let ((xs, x_rest), (qs, q_rest)) = (xs.as_chunks::<8>(), qs.as_chunks::<8>());
            for (x, q) in xs.iter().zip(qs) {
                let (x, q) = (f32x8::from_slice(simd, x), f32x8::from_slice(simd, q));
                noise += (q - x) * (q - x);
                signal += x * x;
            }
            let sum = |lanes: f32x8<S>| lanes.as_slice().iter().map(|lane| f64::from(*lane)).sum::<f64>();
            self.noise += sum(noise);
            self.signal += sum(signal);
            for (x, q) in x_rest.iter().zip(q_rest) {
                let (x, q) = (f64::from(*x), f64::from(*q));
                self.noise += (q - x) * (q - x);
                self.signal += x * x;
            }
        }
    }
}
