//! One vector, quantized as a channel is.

use super::points::Scaled;
use super::{BitWidth, Histogram, MeanMode, Normalization, PointSettings, Points, Summary};
use crate::{Error, Result};

/// A vector that was rounded to points chosen for it.
#[derive(Debug, Clone)]
pub struct QuantizedVector {
    /// The values, quantized and dequantized.
    pub values: Vec<f32>,
    /// The points, on the normalized axis [-1, 1].
    pub points: Points,
    /// Mean and range that the axis is in units of.
    pub normalization: Normalization,
}

impl PointSettings {
    /// Quantizes a vector as DFSQ does a channel: normalizes it (eq. 1), chooses `2^bits` points for it, rounds each value to
    /// the nearest and brings it back (eq. 3). With [`MeanMode::Auto`] the mean is subtracted unless no value is below 0.
    ///
    /// ```
    /// use dfsq::quant::{BitWidth, PointSettings};
    /// let quantized = PointSettings::EXACT.quantize(&[0.1, 0.2, 0.4, 0.8], BitWidth::new(2)?)?;
    /// assert_eq!(quantized.points.values().len(), 4);
    /// # Ok::<(), dfsq::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`] for no values, NaN, infinity, and 32 bits; as [`PointSettings::select`].
    pub fn quantize(&self, values: &[f32], bits: BitWidth) -> Result<QuantizedVector> {
        let wrong = || Error::Option("a vector to quantize is of finite numbers, at least one".into());
        let levels = bits.levels().ok_or_else(|| Error::Option("32 bits have no points".into()))?;
        let subtract = match self.mean {
            MeanMode::Auto => values.iter().any(|value| *value < 0.0),
            mean => mean.subtracts(false),
        };
        let normalization = Normalization::measure(values, subtract).ok_or_else(wrong)?;
        let mut histogram = Histogram::new(self.universal());
        histogram.add(values.iter().map(|value| normalization.normalize(*value)))?;
        let chosen = self.select(&histogram.cumulative(), levels, 0)?;
        let universal = self.universal().values();
        let points = Points::new(chosen.iter().map(|index| universal[usize::from(*index)]).collect())?;
        let mut values = values.to_vec();
        let summary = Summary::of(&values);
        Scaled::new(&points, normalization, normalization, &summary).apply(&mut values);
        Ok(QuantizedVector { values, points, normalization })
    }
}
