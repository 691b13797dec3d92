//! Functions of one value, the same bit for bit natively and in a browser: by `libm`, which is the same code everywhere.

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
        match self {
            Curve::Sigmoid => each(values, sigmoid),
            Curve::Tanh => each(values, libm::tanhf),
            Curve::Hard { slope, offset, gates } => each(values, |x| {
                let share = (slope * x + offset).clamp(0.0, 1.0);
                if gates { x * share } else { share }
            }),
            Curve::Gelu => {
                each(values, |x| 0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2)))
            }
            Curve::GeluByTanh => each(values, |x| {
                const FACTOR: f32 = 0.797_884_6;
                0.5 * x * (1.0 + libm::tanhf(FACTOR * (x + 0.044_715 * x * x * x)))
            }),
            Curve::Softplus => each(values, softplus),
            Curve::Mish => each(values, |x| x * libm::tanhf(softplus(x))),
            Curve::Erf => each(values, libm::erff),
            Curve::Exp => each(values, libm::expf),
            Curve::Abs => each(values, f32::abs),
            Curve::Square => each(values, |x| x * x),
            Curve::Sqrt => each(values, f32::sqrt),
            Curve::Round => each(values, f32::round_ties_even),
        }
    }
}

fn each(values: &mut [f32], change: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|value| *value = change(*value));
}

fn softplus(x: f32) -> f32 {
    x.max(0.0) + libm::log1pf(libm::expf(-x.abs()))
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}
