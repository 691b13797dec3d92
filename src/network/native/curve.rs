//! Functions of one value, the same bit for bit natively and in a browser: of additions, multiplications and divisions without
//! branches, which compilers put into vectors; the few that are rare by `libm`, which is the same code everywhere.
//!
//! Polynomials are least-maximum fits, made in double precision; how far they are off is tested below.

use fearless_simd::{Level, Simd, dispatch};

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
        match self {
            Curve::Sigmoid => each(values, sigmoid),
            Curve::Tanh => each(values, tanh),
            Curve::Hard { slope, offset, gates } => each(values, |x| {
                let share = (slope * x + offset).clamp(0.0, 1.0);
                if gates { x * share } else { share }
            }),
            Curve::Gelu => each(values, |x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))),
            // (1 + tanh(y)) / 2 is the sigmoid of 2 y.
            Curve::GeluByTanh => {
                const TWICE: f32 = 2.0 * 0.797_884_6;
                each(values, |x| x * sigmoid(TWICE * (x + 0.044_715 * x * x * x)));
            }
            Curve::Softplus => each(values, |x| x.max(0.0) + libm::log1pf(libm::expf(-x.abs()))),
            // tanh(ln(1 + e)) without the logarithm.
            Curve::Mish => each(values, |x| {
                let power = exp(x.clamp(-EXPONENT, 20.0));
                let share = power * (power + 2.0);
                x * (share / (share + 2.0))
            }),
            Curve::Erf => each(values, erf),
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

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp((-x).clamp(-EXPONENT, EXPONENT)))
}

/// Where [`exp`] is to stay finite and positive.
const EXPONENT: f32 = 87.0;

/// The exponential of what lies within [`EXPONENT`]; NaN stays.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Added and taken away again, it leaves the nearest whole number, and its low bits are that number.
    const WHOLE: f32 = 12_582_912.0;
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let shifted = x * std::f32::consts::LOG2_E + WHOLE;
    let whole = shifted - WHOLE;
    let r = x - whole * LN_2[0] - whole * LN_2[1];
    let p = 1.979_014e-4;
    let p = p * r + 1.394_486_9e-3;
    let p = p * r + 8.333_499e-3;
    let p = p * r + 4.166_629_2e-2;
    let p = p * r + 1.666_666_6e-1;
    let p = p * r + 0.5;
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (p * r * r + r + 1.0) * power
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    let (size, z) = (x.abs(), x * x);
    let p = 2.147_536_9e-3;
    let p = p * z - 8.182_674e-3;
    let p = p * z + 2.170_296_7e-2;
    let p = p * z - 5.394_720_4e-2;
    let p = p * z + 1.333_321e-1;
    let p = p * z - 3.333_333_1e-1;
    let near = x + x * z * p;
    let far = (1.0 - 2.0 / (exp((2.0 * size).clamp(0.0, EXPONENT)) + 1.0)).copysign(x);
    if size < 0.625 { near } else { far }
}

#[inline(always)]
fn erf(x: f32) -> f32 {
    // Beyond, it is 1.
    let x = x.clamp(-4.0, 4.0);
    let (size, z) = (x.abs(), x * x);
    let p = 7.853_858e-5;
    let p = p * z - 8.010_193e-4;
    let p = p * z + 5.188_327_6e-3;
    let p = p * z - 2.685_381_2e-2;
    let p = p * z + 1.128_358_5e-1;
    let p = p * z - 3.761_262_6e-1;
    let near = x * (p * z + 1.128_379_2);
    // What is left to 1 is an exponential.
    let q = -1.879_725_5e-4;
    let q = q * size + 2.964_014_3e-3;
    let q = q * size - 2.190_650_8e-2;
    let q = q * size + 1.032_562_7e-1;
    let q = q * size + 6.379_649e-1;
    let q = q * size + 1.127_202_3;
    let q = q * size + 3.124_597_5e-4;
    let far = (1.0 - exp(-q)).copysign(x);
    if size < 1.0 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest distance from the function, in steps of f32 at what it gives, but no smaller ones than `least`.
    fn worst(curve: Curve, least: f64, exact: impl Fn(f64) -> f64) -> f64 {
        let inputs: Vec<f32> = (-60_000..=60_000).map(|at| at as f32 * 2e-3 + 1e-4).collect();
        let near = (0..100_000).map(|at| (at as f32 * 1e-4 - 20.0).exp() * if at % 2 == 0 { 1.0 } else { -1.0 });
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
        println!("{found:?}");
        assert!(found.iter().all(|steps| *steps < 4.0), "{found:?}");
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for curve in [Curve::Sigmoid, Curve::Tanh, Curve::Erf, Curve::Mish, Curve::Gelu, Curve::GeluByTanh] {
            let mut values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0];
            curve.apply(&mut values);
            assert!(values[0].is_nan() && !values[1].is_nan() && !values[3].is_nan(), "{curve:?}: {values:?}");
        }
    }
}
