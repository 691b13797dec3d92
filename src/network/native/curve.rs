//! Functions of one value, the same bit for bit natively and in a browser: of additions, multiplications and divisions without
//! branches, which compilers put into vectors; the few that are rare by `libm`, which is the same code everywhere.
//!
//! Polynomials and their quotients are least-maximum fits, made in double precision; how far they are off is tested below.

use fearless_simd::{Level, Simd, dispatch};
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LOG2_E};

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Curve {
    Sigmoid,
    Tanh,
    /// `x * min(max(slope x + offset, 0), 1)`, or without the factor `x`.
    Hard {
        slope: f32,
        offset: f32,
        gates: bool,
    },
    /// `x / 2 (1 + erf(x / sqrt(2)))`.
    Gelu,
    /// The same by tanh: `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
    GeluByTanh,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x tanh(softplus(x))`.
    Mish,
    Erf,
    Exp,
    Abs,
    Square,
    Sqrt,
    /// To the nearest whole number, halves to even ones.
    Round,
}

impl Curve {
    pub fn apply(self, values: &mut [f32]) {
        dispatch!(Level::new(), simd => self.vectorized(simd, values));
    }

    /// With the instructions of this level.
    #[inline(always)]
    fn vectorized<S: Simd>(self, _: S, values: &mut [f32]) {
        // Browsers make constant vectors anew wherever they are met: from memory, they are taken into registers before a loop.
        let Polynomials { exp, tanh, erf } = std::hint::black_box(&POLYNOMIALS);
        match self {
            Curve::Sigmoid => each(values, |x| sigmoid(exp, x)),
            Curve::Tanh => each(values, |x| odd(tanh, TANH, x)),
            Curve::Hard { slope, offset, gates } => each(values, |x| {
                let share = (slope * x + offset).clamp(0.0, 1.0);
                if gates { x * share } else { share }
            }),
            Curve::Gelu => each(values, |x| 0.5 * x * (1.0 + odd(erf, ERF, x * FRAC_1_SQRT_2))),
            // (1 + tanh(y)) / 2 is the sigmoid of 2 y.
            Curve::GeluByTanh => {
                const TWICE: f32 = 2.0 * 0.797_884_6;
                each(values, |x| x * sigmoid(exp, TWICE * (x + 0.044_715 * x * x * x)));
            }
            Curve::Softplus => each(values, |x| x.max(0.0) + libm::log1pf(libm::expf(-x.abs()))),
            // tanh(ln(1 + e)) without the logarithm.
            Curve::Mish => each(values, |x| {
                let power = self::exp(exp, x.clamp(-EXPONENT, 20.0));
                let share = power * (power + 2.0);
                x * (share / (share + 2.0))
            }),
            Curve::Erf => each(values, |x| odd(erf, ERF, x)),
            Curve::Exp => each(values, libm::expf),
            Curve::Abs => each(values, f32::abs),
            Curve::Square => each(values, |x| x * x),
            Curve::Sqrt => each(values, f32::sqrt),
            Curve::Round => each(values, f32::round_ties_even),
        }
    }
}

#[inline(always)]
fn each(values: &mut [f32], change: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|value| *value = change(*value));
}

/// Coefficients, those of the highest powers first.
struct Polynomials {
    exp: Exp,
    tanh: [[f32; 5]; 2],
    erf: [[f32; 6]; 2],
}

/// What [`exp`] is made of.
struct Exp {
    log2_e: f32,
    /// Added and taken away again, it leaves the nearest whole number, and the low bits of the sum are that number.
    whole: f32,
    /// In two parts, of which the first has few digits.
    ln_2: [f32; 2],
    /// `(exp(r) - 1 - r) / r²`.
    rest: [f32; 6],
}

static POLYNOMIALS: Polynomials = Polynomials {
    exp: Exp {
        log2_e: LOG2_E,
        whole: 12_582_912.0,
        ln_2: [0.693_359_4, -2.121_944_4e-4],
        rest: [1.979_014e-4, 1.394_486_9e-3, 8.333_499e-3, 4.166_629e-2, 1.666_666_6e-1, 0.5],
    },
    tanh: [
        [1.335_439_5e-8, 2.060_888_4e-5, 3.495_576e-3, 1.338_101_6e-1, 1.0],
        [7.776_447_4e-7, 3.285_615_2e-4, 2.587_693_6e-2, 4.671_432_8e-1, 1.0],
    ],
    erf: [
        [1.986_771_9e-6, 2.845_643e-4, 3.883_321_5e-3, 5.310_167_4e-2, 1.935_447e-1, FRAC_2_SQRT_PI],
        [3.741_998e-5, 1.185_563_6e-3, 1.520_720_8e-2, 1.153_498_3e-1, 5.048_570_6e-1, 1.0],
    ],
};

/// From where on these are 1.
const TANH: f32 = 9.0;
const ERF: f32 = 3.92;

/// A function that is odd, and 1 from `end` on: x times a quotient of polynomials of x². NaN stays.
#[inline(always)]
fn odd<const TERMS: usize>([over, under]: &[[f32; TERMS]; 2], end: f32, x: f32) -> f32 {
    let near = x * polynomial(over, x * x) / polynomial(under, x * x);
    if x.abs() < end || x.is_nan() { near } else { 1.0f32.copysign(x) }
}

#[inline(always)]
fn polynomial<const TERMS: usize>(coefficients: &[f32; TERMS], x: f32) -> f32 {
    coefficients[1..].iter().fold(coefficients[0], |sum, coefficient| sum * x + coefficient)
}

/// Where [`exp`] is to stay finite and positive.
const EXPONENT: f32 = 87.0;

/// The exponential of what lies within [`EXPONENT`]; NaN stays.
#[inline(always)]
fn exp(parts: &Exp, x: f32) -> f32 {
    let shifted = x * parts.log2_e + parts.whole;
    let whole = shifted - parts.whole;
    let r = x - whole * parts.ln_2[0] - whole * parts.ln_2[1];
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (polynomial(&parts.rest, r) * r * r + r + 1.0) * power
}

#[inline(always)]
fn sigmoid(parts: &Exp, x: f32) -> f32 {
    1.0 / (1.0 + exp(parts, (-x).clamp(-EXPONENT, EXPONENT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest distance from the function, in steps of f32 at what it gives, but no smaller ones than `least`.
    fn worst(curve: Curve, least: f64, exact: impl Fn(f64) -> f64) -> f64 {
        let inputs: Vec<f32> = (-60_000..=60_000).map(|at| at as f32 * 2e-3 + 1e-4).collect();
        let near =
            (0..100_000).map(|at| (at as f32 * 1e-4 - 20.0).exp() * if at % 2 == 0 { 1.0 } else { -1.0 });
        let inputs: Vec<f32> = inputs.into_iter().chain(near).collect();
        let mut outputs = inputs.clone();
        curve.apply(&mut outputs);
        let off = |(x, y): (&f32, &f32)| {
            let exact = exact(f64::from(*x));
            (f64::from(*y) - exact).abs() / (exact.abs().max(least) * f64::from(f32::EPSILON))
        };
        inputs.iter().zip(&outputs).map(off).fold(0.0, f64::max)
    }

    #[test]
    fn curves_are_near_those_of_double_precision() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let gelu = |x: f64| 0.5 * x * (1.0 + libm::erf(x / 2.0f64.sqrt()));
        let by_tanh = |x: f64| {
            let factor = (2.0 / std::f64::consts::PI).sqrt();
            0.5 * x * (1.0 + (factor * (x + 0.044715 * x.powi(3))).tanh())
        };
        let found = [
            worst(Curve::Sigmoid, 1e-30, sigmoid),
            worst(Curve::Tanh, 0.0, f64::tanh),
            worst(Curve::Erf, 0.0, libm::erf),
            worst(Curve::Mish, 1e-3, |x| x * (x.exp().ln_1p()).min(60.0).tanh()),
            worst(Curve::Gelu, 1.0, gelu),
            worst(Curve::GeluByTanh, 1.0, by_tanh),
        ];
        let most = [2.0, 3.0, 3.0, 3.0, 8.0, 2.0];
        assert!(found.iter().zip(most).all(|(steps, most)| *steps < most), "{found:?}");
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for curve in [Curve::Sigmoid, Curve::Tanh, Curve::Erf, Curve::Mish, Curve::Gelu, Curve::GeluByTanh] {
            let mut values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0];
            curve.apply(&mut values);
            assert!(
                values[0].is_nan() && !values[1].is_nan() && !values[3].is_nan(),
                "{curve:?}: {values:?}"
            );
        }
    }
}
