//! Sets of points that are not chosen for what they quantize: those of other number formats.

use super::{BitWidth, Points};
use crate::choice::choices;
use crate::{Error, Result};

choices! {
    /// Where DFSQ's points are from.
    pub enum PointSource: Calibrated {
        /// Chosen for each channel by calibration.
        Calibrated = "calibrated",
        /// Powers of two, and 0.
        PowersOfTwo = "powers-of-two",
        /// Sums of few powers of two (APoT, Li et al., ICLR 2020).
        Apot = "apot",
        /// The 4-bit floating-point format E2M1.
        Fp4 = "fp4",
        /// Quantiles of a normal distribution (NF4, Dettmers et al., 2023).
        Nf4 = "nf4",
    }
}

/// Magnitudes of E2M1.
const E2M1: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

impl PointSource {
    /// What it is called on the page and in tables.
    pub fn title(self) -> &'static str {
        match self {
            PointSource::Calibrated => "chosen by calibration",
            PointSource::PowersOfTwo => "powers of two",
            PointSource::Apot => "APoT",
            PointSource::Fp4 => "FP4 (E2M1)",
            PointSource::Nf4 => "NF4",
        }
    }

    /// The only bits that it has, where it has no others.
    pub fn only_bits(self) -> Option<u8> {
        matches!(self, PointSource::Fp4 | PointSource::Nf4).then_some(4)
    }

    /// The points of so many bits in -1..1, or in 0..1 where no value is below 0 and the format has such points; those with a sign
    /// spend a bit on it. None where they are chosen by calibration.
    ///
    /// # Errors
    /// [`Error::Option`] where the format has other widths.
    pub fn points(self, bits: BitWidth, signed: bool) -> Result<Option<Points>> {
        let width = usize::from(bits.bits());
        let of_magnitudes = |magnitudes: fn(usize) -> Vec<f32>| {
            if signed { with_signs(&magnitudes(width - 1)) } else { magnitudes(width) }
        };
        if let Some(only) = self.only_bits().filter(|only| *only != bits.bits()) {
            return Err(Error::Option(format!("{} has {only} bits, not {width}", self.title())));
        }
        if bits == BitWidth::FULL {
            return Err(Error::Option("32 bits have no points".into()));
        }
        let values = match self {
            PointSource::Calibrated => return Ok(None),
            PointSource::Fp4 => with_signs(&E2M1.map(|value| value / 6.0)),
            PointSource::Nf4 => NF4.to_vec(),
            PointSource::Apot => of_magnitudes(additive),
            PointSource::PowersOfTwo => of_magnitudes(powers),
        };
        Points::new(values).map(Some)
    }
}

fn with_signs(magnitudes: &[f32]) -> Vec<f32> {
    magnitudes.iter().flat_map(|value| [-value, *value]).map(|value| value + 0.0).collect()
}

/// 0, and powers of two from 1 downwards: `2^bits` numbers, of which f32 cannot tell those below 2^-126 from 0.
fn powers(bits: usize) -> Vec<f32> {
    let count = 1 << bits;
    [0.0].into_iter().chain((0..count - 1).map(|i| 0.5f32.powi(i))).collect()
}

/// `2^bits` sums of one number of each of several sets, the largest of which is 1. A set of two bits has 0 and three powers of
/// two, one of one bit, where the number is odd, 0 and one; powers are dealt out in turn, the largest first.
fn additive(bits: usize) -> Vec<f32> {
    let pairs = bits / 2;
    let mut sets = vec![vec![0.0f32]; bits.div_ceil(2)];
    let mut power = 1.0;
    let mut deal = |sets: &mut [Vec<f32>]| {
        for set in sets {
            set.push(power);
            power /= 2.0;
        }
    };
    deal(&mut sets[..pairs]);
    deal(&mut sets[..pairs]);
    deal(&mut sets[pairs..]);
    deal(&mut sets[..pairs]);
    let sums = sets.iter().fold(vec![0.0], |sums, set| {
        sums.iter().flat_map(|sum| set.iter().map(move |value| sum + value)).collect()
    });
    let largest = sums.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    sums.iter().map(|sum| sum / largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choice;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn points(source: PointSource, bits: u8, signed: bool) -> Vec<f32> {
        source.points(BitWidth::new(bits).unwrap(), signed).unwrap().unwrap().values().to_vec()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn literal_points() {
        use PointSource::*;
        assert_eq!(points(PowersOfTwo, 2, false), [0.0, 0.25, 0.5, 1.0]);
        assert_eq!(points(PowersOfTwo, 3, true), [-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]);
        assert_eq!(points(Apot, 2, false), [0.0, 0.25, 0.5, 1.0]);
        // {0, 1/2, 1/4, 1/16} and {0, 1/8}, over 5/8.
        assert_eq!(points(Apot, 3, false), [0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0]);
        // {0, 1/2, 1/8, 1/32} and {0, 1/4, 1/16, 1/64}, over 3/4.
        let sums = [0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48].map(|n| n as f32 / 48.0);
        assert_eq!(points(Apot, 4, false).len(), 16);
        for (ours, sum) in points(Apot, 4, false).iter().zip(sums) {
            assert!((ours - sum).abs() < 1e-6, "{ours} {sum}");
        }
        assert_eq!(points(Fp4, 4, true).len(), 15);
        assert_eq!(points(Fp4, 4, false)[9..], [1.0 / 6.0, 0.25, 1.0 / 3.0, 0.5, 2.0 / 3.0, 1.0]);
        assert_eq!(points(Nf4, 4, true), NF4);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn there_are_as_many_as_bits_can_name_and_other_widths_are_refused() {
        for source in PointSource::ALL {
            for bits in BitWidth::quantized() {
                for signed in [false, true] {
                    match source.points(bits, signed) {
                        Ok(None) => assert_eq!(*source, PointSource::Calibrated),
                        Ok(Some(points)) => {
                            let values = points.values();
                            assert!(values.len() <= bits.levels().unwrap(), "{source}, {bits:?}");
                            assert!(values.iter().all(|value| value.abs() <= 1.0));
                            assert!(values.contains(&0.0));
                            assert!(bits.bits() == 1 || values.last() == Some(&1.0));
                        }
                        Err(error) => assert!(
                            matches!(source, PointSource::Fp4 | PointSource::Nf4) && bits.bits() != 4,
                            "{error}"
                        ),
                    }
                }
            }
        }
    }
}
