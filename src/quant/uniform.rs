//! Uniform quantization: min-max grids for activations and kernel-wise weights (paper, eq. 6 and 7).

use super::{BitWidth, NonFiniteChannel, Quantizer, Summary};
use fearless_simd::{Level, dispatch};

/// `2^b` equally spaced values: `x' = clamp(round((x - origin) / scale), first, first + steps) * scale + origin`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UniformGrid {
    /// Distance of neighbours; 0 where the range is empty, which leaves values as they are.
    pub scale: f32,
    /// The value of code 0.
    pub origin: f32,
    /// The lowest code, a whole number.
    pub first: f32,
    /// `2^b - 1`; infinite in full precision.
    pub steps: f32,
}

impl UniformGrid {
    /// The grid whose ends are `min` and `max`, both finite, `min <= max`: min-max quantization of activations.
    ///
    /// With the zero point rounded as [`UniformGrid::with_zero_point`] does, the paper's 4-bit figure is missed by
    /// 0.04 dB; with this grid it is met.
    pub fn spanning(min: f32, max: f32, bits: BitWidth) -> Self {
        let (scale, steps) = step(min, max, bits);
        UniformGrid { scale, origin: min, first: 0.0, steps }
    }

    /// The grid with a whole zero point `z = round(min / scale)` (paper, eq. 6 and 7), on which 0 is a value: weights.
    pub fn with_zero_point(min: f32, max: f32, bits: BitWidth) -> Self {
        let (scale, steps) = step(min, max, bits);
        let first = if scale > 0.0 { (min / scale).round_ties_even() } else { 0.0 };
        UniformGrid { scale, origin: 0.0, first, steps }
    }

    /// Index among [`UniformGrid::values`] of the nearest one.
    pub fn index(&self, value: f32) -> usize {
        let code = ((value - self.origin) / self.scale).round_ties_even();
        (code.clamp(self.first, self.first + self.steps) - self.first) as usize
    }

    /// The grid's values, ascending. None where the range is empty or in full precision.
    pub fn values(&self) -> Vec<f32> {
        if self.scale > 0.0 && self.steps.is_finite() {
            (0..=self.steps as usize).map(|i| (i as f32 + self.first) * self.scale + self.origin).collect()
        } else {
            Vec::new()
        }
    }
}

fn step(min: f32, max: f32, bits: BitWidth) -> (f32, f32) {
    let steps = bits.levels().map_or(f32::INFINITY, |levels| (levels - 1) as f32);
    ((max - min) / steps, steps)
}

impl Quantizer for UniformGrid {
    fn quantize_dequantize(&self, value: f32) -> f32 {
        let mut values = [value];
        self.apply(&mut values);
        values[0]
    }

    fn apply(&self, values: &mut [f32]) {
        if self.scale <= 0.0 {
            return;
        }
        if (self.first.abs() + self.steps) < ROUNDS_BELOW {
            dispatch!(Level::new(), _simd => snap_to_grid(values, self));
        } else {
            // Codes beyond 2^22 need a range that is 2^14 times as far from 0 as it is wide.
            for x in values {
                *x = ((*x - self.origin) / self.scale)
                    .clamp(self.first, self.first + self.steps)
                    .round_ties_even()
                    * self.scale
                    + self.origin;
            }
        }
    }
}

#[inline(always)]
fn snap_to_grid(values: &mut [f32], grid: &UniformGrid) {
    let last = grid.first + grid.steps;
    for x in values {
        // Clamping first is the same, since rounding keeps order and the limits are whole numbers. Comparisons, because
        // `max` and `min` are functions in WebAssembly.
        let code = (*x - grid.origin) / grid.scale;
        let code = if code > grid.first { code } else { grid.first };
        let code = if code < last { code } else { last };
        *x = ((code + ROUNDER) - ROUNDER) * grid.scale + grid.origin;
    }
}

/// Adding and taking away 1.5 * 2^23 rounds to the nearest whole number, a half to the even one. Unlike
/// `round_ties_even`, which x86-64 without SSE 4.1 calls as a function, it is vectorized on every target.
const ROUNDER: f32 = 12_582_912.0;
/// What is below 2^22 in size can be rounded so.
const ROUNDS_BELOW: f32 = 4_194_304.0;

/// Minimum and maximum; `None` if a value is NaN or infinite or there is none.
pub fn range(values: &[f32]) -> Option<(f32, f32)> {
    Summary::of(values).range()
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
        UniformGrid::with_zero_point(min, max, bits).apply(kernel);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// Equations 6 and 7 word for word, in f64; without the rounding of the zero point for a spanning grid.
    fn naive(x: f64, min: f64, max: f64, bits: u8, whole: bool) -> f64 {
        let top = f64::from(2u32.pow(u32::from(bits)) - 1);
        let s = (max - min) / top;
        if whole {
            let z = (min / s).round_ties_even();
            (((x / s).round_ties_even() - z).clamp(0.0, top) + z) * s
        } else {
            ((x - min) / s).round_ties_even().clamp(0.0, top) * s + min
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn equals_the_equations() {
        let mut rng = fastrand::Rng::with_seed(1);
        for round in 0..4000 {
            let (bits, whole) = (rng.u8(2..=8), round % 2 == 0);
            let min = rng.f32() * 4.0 - 2.0;
            let max = min + rng.f32() + 0.01;
            let make = if whole { UniformGrid::with_zero_point } else { UniformGrid::spanning };
            let grid = make(min, max, BitWidth(bits));
            let x = min + (max - min) * (rng.f32() * 1.4 - 0.2);
            let (got, want) = (
                f64::from(grid.quantize_dequantize(x)),
                naive(x.into(), min.into(), max.into(), bits, whole),
            );
            // A tie may fall the other way in f32: then the two are equally near.
            let tie = ((got - f64::from(x)).abs() - (want - f64::from(x)).abs()).abs() < 1e-5;
            assert!((got - want).abs() < 1e-5 || tie, "{x} on {grid:?}: {got}, not {want}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn literal_values() {
        let grid = UniformGrid::with_zero_point(-1.0, 2.0, BitWidth(2));
        assert_eq!(grid.values(), [-1.0, 0.0, 1.0, 2.0]);
        let quantized = [-5.0, -0.6, 0.4, 0.5, 1.5, 9.0].map(|x| grid.quantize_dequantize(x));
        assert_eq!(quantized, [-1.0, -1.0, 0.0, 0.0, 2.0, 2.0]);
        assert_eq!(UniformGrid::spanning(0.5, 3.5, BitWidth(2)).values(), [0.5, 1.5, 2.5, 3.5]);
        assert_eq!(UniformGrid::with_zero_point(0.6, 3.6, BitWidth(2)).values(), [1.0, 2.0, 3.0, 4.0]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn empty_ranges_and_full_precision_leave_values_alone() {
        assert_eq!(UniformGrid::spanning(3.0, 3.0, BitWidth(4)).quantize_dequantize(3.0), 3.0);
        let mut weights = [0.3, -0.7, 0.5, 0.5];
        quantize_kernels(&mut weights, 2, BitWidth::FULL).unwrap();
        assert_eq!(weights, [0.3, -0.7, 0.5, 0.5]);
        quantize_kernels(&mut weights, 2, BitWidth(2)).unwrap();
        assert_eq!(weights[2..], [0.5, 0.5]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_narrow_range_far_from_zero_is_rounded_too() {
        let grid = UniformGrid::with_zero_point(5e6, 5e6 + 3.0, BitWidth(2));
        assert_eq!(
            [5e6, 5e6 + 1.5, 5e6 + 9.0].map(|x| grid.quantize_dequantize(x)),
            [5e6, 5e6 + 2.0, 5e6 + 3.0]
        );
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_bad_weight_is_named() {
        let mut weights = [0.0, 1.0, f32::NAN, 1.0];
        assert_eq!(quantize_kernels(&mut weights, 2, BitWidth(4)), Err(NonFiniteChannel(1)));
    }
}
