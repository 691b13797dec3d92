//! Whole numbers that a network computes from the sizes of its images: what Pad adds, what Slice leaves, what Resize makes. They
//! are kept as what they are computed by, and known once an image's size is.

use super::graph::Value;
use super::place::Shape;

/// Index of a number.
pub type Number = usize;

/// How a number comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Constant(i64),
    /// Rows of a value, or columns.
    Side(Value, usize),
    /// Of two numbers before it.
    Of(Arithmetic, [Number; 2]),
}

/// Arithmetic of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    /// Towards zero.
    Divide,
    /// With the sign of the divisor.
    Modulo,
    Least,
    Greatest,
}

impl Arithmetic {
    /// Of an ONNX operator.
    pub fn named(op_type: &str) -> Option<Self> {
        Some(match op_type {
            "Add" => Arithmetic::Add,
            "Sub" => Arithmetic::Subtract,
            "Mul" => Arithmetic::Multiply,
            "Div" => Arithmetic::Divide,
            "Mod" => Arithmetic::Modulo,
            "Min" => Arithmetic::Least,
            "Max" => Arithmetic::Greatest,
            _ => return None,
        })
    }

    /// None where it cannot be computed.
    fn of(self, a: i64, b: i64) -> Option<i64> {
        match self {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide => a.checked_div(b),
            Arithmetic::Modulo => {
                let rest = a.checked_rem(b)?;
                Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
            }
            Arithmetic::Least => Some(a.min(b)),
            Arithmetic::Greatest => Some(a.max(b)),
        }
    }
}

/// All numbers of a graph, each after those that it is computed from.
#[derive(Debug, Clone, Default)]
pub struct Numbers(Vec<Source>);

impl Numbers {
    /// Adds a number, or computes it where that can be done now.
    pub fn add(&mut self, source: Source) -> Number {
        let source = match source {
            Source::Of(arithmetic, [a, b]) => {
                let known = self.constant(a).zip(self.constant(b));
                known.and_then(|(a, b)| arithmetic.of(a, b)).map_or(source, Source::Constant)
            }
            other => other,
        };
        // Sizes are asked for many times.
        self.0.iter().rposition(|other| *other == source).unwrap_or_else(|| {
            self.0.push(source);
            self.0.len() - 1
        })
    }

    /// A number that is the same for all sizes.
    pub fn constant(&self, number: Number) -> Option<i64> {
        match self.0.get(number) {
            Some(Source::Constant(value)) => Some(*value),
            _ => None,
        }
    }

    /// Whether one is a side of this value.
    pub fn read(&self, value: Value) -> bool {
        self.0.iter().any(|source| matches!(source, Source::Side(of, _) if *of == value))
    }

    /// What was a side of one value is one of another of the same size.
    pub fn rename(&mut self, from: Value, to: Value) {
        for source in &mut self.0 {
            if let Source::Side(value, _) = source
                && *value == from
            {
                *value = to;
            }
        }
    }
}

/// Numbers for one size of the image, computed as far as somebody asked.
pub struct Computed<'n> {
    numbers: &'n Numbers,
    /// None where it cannot be computed, which does no harm where nobody asks for it.
    values: Vec<Option<i64>>,
}

impl<'n> Computed<'n> {
    pub fn new(numbers: &'n Numbers) -> Self {
        Computed { numbers, values: Vec::with_capacity(numbers.0.len()) }
    }

    /// A number, where the shapes of all values that it is computed from are known.
    ///
    /// # Errors
    /// In words, where there is none.
    pub fn get(&mut self, number: Number, shapes: &[Shape]) -> Result<i64, String> {
        for source in &self.numbers.0[self.values.len().min(number + 1)..=number] {
            let value = match *source {
                Source::Constant(value) => Some(value),
                Source::Side(value, axis) => i64::try_from(shapes[value].size()[axis]).ok(),
                Source::Of(arithmetic, [a, b]) => {
                    self.values[a].zip(self.values[b]).and_then(|(a, b)| arithmetic.of(a, b))
                }
            };
            self.values.push(value);
        }
        let computed = self.values[number];
        Ok(computed.ok_or("a size that is computed by dividing by zero, or too large")?)
    }

    /// All that were asked for.
    pub fn into_values(self) -> Vec<i64> {
        self.values.into_iter().map(Option::unwrap_or_default).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn numbers_are_computed_from_sizes_and_constants_at_once() {
        let mut numbers = Numbers::default();
        let (four, rows) = (numbers.add(Source::Constant(4)), numbers.add(Source::Side(1, 0)));
        let minus = numbers.add(Source::Constant(-7));
        let of = |numbers: &mut Numbers, arithmetic, pair| numbers.add(Source::Of(arithmetic, pair));
        let rest = of(&mut numbers, Arithmetic::Modulo, [minus, four]);
        assert_eq!(numbers.constant(rest), Some(1), "it has the sign of the divisor");
        let missing = of(&mut numbers, Arithmetic::Subtract, [four, rows]);
        let padded = of(&mut numbers, Arithmetic::Modulo, [missing, four]);
        assert_eq!(numbers.add(Source::Side(1, 0)), rows, "it is there once");
        let zero = numbers.add(Source::Constant(0));
        let none = of(&mut numbers, Arithmetic::Divide, [rows, zero]);
        let shape = |height| Shape { channels: 1, height, width: 1 };
        let mut computed = Computed::new(&numbers);
        assert_eq!(computed.get(padded, &[shape(3), shape(10)]), Ok(2));
        assert!(computed.get(none, &[shape(3), shape(10)]).unwrap_err().contains("zero"));
        assert!(numbers.read(1) && !numbers.read(0));
    }
}
