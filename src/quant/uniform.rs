//! Uniform quantization: min-max grids for activations and kernel-wise weights (paper, eq. 6 and 7).

use super::{BitWidth, NonFiniteChannel, Quantizer};

/// `2^b` equally spaced values: `x' = (clamp(round(x / s) - z, 0, 2^b - 1) + z) s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UniformGrid {
    /// Step `s`; 0 where the range is empty, which leaves values as they are.
    pub scale: f32,
    /// `z = round(min / s)`, a whole number.
    pub zero_point: f32,
    /// `2^b - 1`; infinite in full precision.
    pub steps: f32,
}

impl UniformGrid {
    /// The grid over `[min, max]`, both finite, `min <= max`.
    pub fn new(min: f32, max: f32, bits: BitWidth) -> Self {
        let steps = bits.levels().map_or(f32::INFINITY, |levels| (levels - 1) as f32);
        let scale = (max - min) / steps;
        let zero_point = if scale > 0.0 { round(min / scale) } else { 0.0 };
        UniformGrid { scale, zero_point, steps }
    }

    /// The grid's values, ascending. One value where the range is empty, none in full precision.
    pub fn values(&self) -> Vec<f32> {
        match self.steps {
            steps if !steps.is_finite() => Vec::new(),
            _ if self.scale <= 0.0 => vec![self.zero_point],
            steps => (0..=steps as usize).map(|i| (i as f32 + self.zero_point) * self.scale).collect(),
        }
    }
}

impl Quantizer for UniformGrid {
    #[inline]
    fn quantize_dequantize(&self, value: f32) -> f32 {
        if self.scale > 0.0 {
            // Clamping first is the same, since rounding keeps order and the limits are whole numbers.
            round((value / self.scale).clamp(self.zero_point, self.zero_point + self.steps)) * self.scale
        } else {
            value
        }
    }
}

/// Rounds to the nearest whole number, a half to the even one.
///
/// Adding and taking away 1.5 * 2^23 leaves no fraction bits; unlike `round_ties_even`, which x86-64 without SSE 4.1
/// calls as a function, this is vectorized on every target. Numbers from 2^22 up go the slow way.
#[inline]
fn round(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    if x.abs() < 4_194_304.0 { (x + MAGIC) - MAGIC } else { x.round_ties_even() }
}

/// Minimum and maximum; `None` if a value is NaN or infinite or there is none.
pub fn range(values: &[f32]) -> Option<(f32, f32)> {
    let (mut low, mut high, mut finite) = (f32::INFINITY, f32::NEG_INFINITY, true);
    for &v in values {
        low = if v < low { v } else { low };
        high = if v > high { v } else { high };
        finite &= v.abs() < f32::INFINITY;
    }
    (finite && low <= high).then_some((low, high))
}

/// Quantizes weights kernel by kernel (output channel by output channel), in place.
///
/// `weights` has shape `[kernels, weights.len() / kernels]`.
///
/// # Errors
/// [`NonFiniteChannel`] names the kernel that holds NaN or infinity.
pub fn quantize_kernels(weights: &mut [f32], kernels: usize, bits: BitWidth) -> Result<(), NonFiniteChannel> {
    if bits == BitWidth::FULL || weights.is_empty() {
        return Ok(());
    }
    let size = weights.len() / kernels.max(1);
    for (index, kernel) in weights.chunks_exact_mut(size).enumerate() {
        let (min, max) = range(kernel).ok_or(NonFiniteChannel(index))?;
        UniformGrid::new(min, max, bits).apply(kernel);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equations 6 and 7 word for word, in f64.
    fn naive(x: f64, min: f64, max: f64, bits: u8) -> f64 {
        let top = f64::from(2u32.pow(u32::from(bits)) - 1);
        let s = (max - min) / top;
        let z = (min / s).round_ties_even();
        (((x / s).round_ties_even() - z).clamp(0.0, top) + z) * s
    }

    #[test]
    fn equals_the_equations() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let bits = rng.u8(2..=8);
            let (min, width) = (rng.f32() * 4.0 - 2.0, rng.f32() + 0.01);
            let grid = UniformGrid::new(min, min + width, BitWidth(bits));
            let x = min + width * (rng.f32() * 1.4 - 0.2);
            let (got, want) =
                (grid.quantize_dequantize(x), naive(x.into(), min.into(), (min + width).into(), bits));
            // A tie may fall the other way in f32: then the two are one step apart and equally near.
            let same = (f64::from(got) - want).abs() < 1e-5;
            let tie = ((f64::from(got) - f64::from(x)).abs() - (want - f64::from(x)).abs()).abs() < 1e-5;
            assert!(same || tie, "{x} on {grid:?}: {got}, not {want}");
        }
    }

    #[test]
    fn literal_values() {
        let grid = UniformGrid::new(-1.0, 2.0, BitWidth(2));
        assert_eq!(grid.values(), [-1.0, 0.0, 1.0, 2.0]);
        assert_eq!([-5.0, -0.6, 0.4, 0.5, 1.5, 9.0].map(|x| grid.quantize_dequantize(x)), [-1.0, -1.0, 0.0, 0.0, 2.0, 2.0]);
    }

    #[test]
    fn empty_ranges_and_full_precision_leave_values_alone() {
        assert_eq!(UniformGrid::new(3.0, 3.0, BitWidth(4)).quantize_dequantize(3.0), 3.0);
        let mut weights = [0.3, -0.7, 0.5, 0.5];
        quantize_kernels(&mut weights, 2, BitWidth::FULL).unwrap();
        assert_eq!(weights, [0.3, -0.7, 0.5, 0.5]);
        quantize_kernels(&mut weights, 2, BitWidth(2)).unwrap();
        assert_eq!(weights[2..], [0.5, 0.5]);
    }

    #[test]
    fn rounding_is_to_even_at_every_size() {
        for x in [0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 4_194_303.5, 4_194_304.5, 1e20, -3e9] {
            assert_eq!(round(x), x.round_ties_even(), "{x}");
        }
    }

    #[test]
    fn a_bad_weight_is_named() {
        let mut weights = [0.0, 1.0, f32::NAN, 1.0];
        assert_eq!(quantize_kernels(&mut weights, 2, BitWidth(4)), Err(NonFiniteChannel(1)));
    }
}
