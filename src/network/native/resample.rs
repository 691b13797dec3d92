//! Rows and columns of an image from those of another, each a weighted sum of some of them: Resize, Pad and Slice, along one axis
//! after the other.

use super::numbers::{Computed, Number};
use super::place::Shape;
use crate::network::limits::MAX_RESIZED;

/// Most rows or columns that a border adds.
const MAX_BORDER: i64 = 256;

/// One axis of a value that is made from another's.
#[derive(Debug, Clone, PartialEq)]
pub enum Axis {
    Resized {
        size: Size,
        interpolation: Interpolation,
    },
    /// So many more before and after, or fewer.
    Bordered {
        before: Number,
        after: Number,
        border: Border,
    },
    /// From this one on, up to the other, which count from the end where they are negative.
    Cut {
        start: Number,
        end: Number,
    },
}

/// How long an axis becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    Times(f32),
    To(Number),
}

/// What lies beyond the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    Zeros,
    /// The outermost again and again.
    Edge,
    /// What lies within, without the outermost.
    Mirrored,
}

/// How values between pixels are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interpolation {
    pub kernel: Kernel,
    pub coordinates: Coordinates,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    Nearest(Rounding),
    Linear,
    /// With this coefficient.
    Cubic(f32),
}

/// Which pixel is the nearest to a place between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    HalfDown,
    HalfUp,
    Floor,
    Ceil,
}

/// Where a pixel of the new image lies in the old one, as ONNX names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfHalfPixelForNn,
}

/// A row or column of the new image: rows or columns of the old one, and their weights.
pub type Taps = Vec<(usize, f32)>;

impl Axis {
    /// How long an axis of this length becomes.
    ///
    /// # Errors
    /// In words, where it cannot be done.
    pub fn length(
        &self,
        length: usize,
        numbers: &mut Computed<'_>,
        shapes: &[Shape],
    ) -> Result<usize, String> {
        let old = i64::try_from(length).map_err(|_| "a side that is too long")?;
        let new = match self {
            Axis::Resized { size: Size::Times(scale), .. } => (old as f32 * scale).floor() as i64,
            Axis::Resized { size: Size::To(number), .. } => numbers.get(*number, shapes)?,
            Axis::Bordered { before, after, border } => {
                let pads = [numbers.get(*before, shapes)?, numbers.get(*after, shapes)?];
                let most = if *border == Border::Mirrored { MAX_BORDER.min(old - 1) } else { MAX_BORDER };
                if let Some(pad) = pads.iter().find(|pad| **pad > most) {
                    return Err(format!("a border of {pad} around {length}"));
                }
                pads.iter().try_fold(old, |sum, pad| sum.checked_add(*pad)).unwrap_or(0)
            }
            Axis::Cut { start, end } => {
                let [start, end] = [numbers.get(*start, shapes)?, numbers.get(*end, shapes)?];
                place(end, old) - place(start, old)
            }
        };
        match usize::try_from(new) {
            Ok(side) if (1..=MAX_RESIZED).contains(&(side as u64)) => Ok(side),
            _ => Err(format!("{new} rows or columns of {length}")),
        }
    }

    /// What each row or column is made of, of `new` that are made of `old`. `numbers` are those that [`Axis::length`] computed.
    pub fn taps(&self, [old, new]: [usize; 2], numbers: &[i64]) -> Vec<Taps> {
        let last = old as i64 - 1;
        match self {
            Axis::Resized { size, interpolation } => {
                let scale = match size {
                    Size::Times(scale) => *scale,
                    Size::To(_) => new as f32 / old as f32,
                };
                (0..new).map(|at| interpolation.taps(at, scale, [old, new])).collect()
            }
            Axis::Bordered { before, border, .. } => {
                let from = |at: usize| {
                    let at = at as i64 - numbers[*before];
                    match border {
                        _ if (0..=last).contains(&at) => Some(at),
                        Border::Zeros => None,
                        Border::Edge => Some(at.clamp(0, last)),
                        Border::Mirrored => Some(if at < 0 { -at } else { 2 * last - at }),
                    }
                };
                (0..new).map(|at| from(at).map(|at| (at as usize, 1.0)).into_iter().collect()).collect()
            }
            Axis::Cut { start, .. } => {
                let first = place(numbers[*start], old as i64) as usize;
                (first..first + new).map(|at| vec![(at, 1.0)]).collect()
            }
        }
    }
}

/// A place in a list of this length, which may be counted from its end.
pub fn place(at: i64, length: i64) -> i64 {
    (if at < 0 { at.saturating_add(length) } else { at }).clamp(0, length)
}

impl Interpolation {
    fn taps(self, at: usize, scale: f32, [old, new]: [usize; 2]) -> Taps {
        let (place, last) = (self.coordinates.place(at as f32, scale, [old, new]), old as i64 - 1);
        let within = |at: i64| at.clamp(0, last) as usize;
        match self.kernel {
            Kernel::Nearest(rounding) => vec![(within(rounding.round(place) as i64), 1.0)],
            Kernel::Linear => {
                let place = place.clamp(0.0, last as f32);
                let first = place as i64;
                let part = place - first as f32;
                vec![(within(first), 1.0 - part), (within(first.saturating_add(1)), part)]
            }
            Kernel::Cubic(a) => {
                let first = place.floor();
                let part = place - first;
                let near = |x: f32| ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
                let far = |x: f32| ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a;
                let weights = [far(1.0 + part), near(part), near(1.0 - part), far(2.0 - part)];
                (-1..3)
                    .zip(weights)
                    .map(|(tap, weight)| (within((first as i64).saturating_add(tap)), weight))
                    .collect()
            }
        }
    }
}

impl Rounding {
    fn round(self, place: f32) -> f32 {
        match self {
            Rounding::HalfDown => (place - 0.5).ceil(),
            Rounding::HalfUp => (place + 0.5).floor(),
            Rounding::Floor => place.floor(),
            Rounding::Ceil => place.ceil(),
        }
    }
}

impl Coordinates {
    fn place(self, at: f32, scale: f32, [old, new]: [usize; 2]) -> f32 {
        let half = (at + 0.5) / scale - 0.5;
        match self {
            Coordinates::HalfPixel => half,
            Coordinates::HalfPixelSymmetric => {
                let [old, new] = [old as f32, new as f32];
                old / 2.0 * (1.0 - new / (scale * old)) + half
            }
            Coordinates::PytorchHalfPixel => {
                if new > 1 {
                    half
                } else {
                    0.0
                }
            }
            Coordinates::AlignCorners if new == 1 => 0.0,
            Coordinates::AlignCorners => at * (old as f32 - 1.0) / (new as f32 - 1.0),
            Coordinates::Asymmetric => at / scale,
            Coordinates::TfHalfPixelForNn => (at + 0.5) / scale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// What onnxruntime 1.32 makes of the rows 0, 1, 4, 9 and 16.
    #[wasm_bindgen_test(unsupported = test)]
    #[rustfmt::skip]
    fn every_kind_of_resize_is_as_in_onnxruntime() {
        use Coordinates::{AlignCorners, Asymmetric, HalfPixel, HalfPixelSymmetric, PytorchHalfPixel, TfHalfPixelForNn};
        let nearest = Kernel::Nearest;
        let cases: [(Kernel, Coordinates, &[f32]); 19] = [
            (nearest(Rounding::HalfDown), HalfPixel, &[0.0, 0.0, 1.0, 4.0, 4.0, 9.0, 16.0, 16.0]),
            (nearest(Rounding::HalfDown), AlignCorners, &[0.0, 1.0, 1.0, 4.0, 4.0, 9.0, 9.0, 16.0]),
            (nearest(Rounding::HalfDown), Asymmetric, &[0.0, 1.0, 1.0, 4.0, 4.0, 9.0, 16.0, 16.0]),
            (nearest(Rounding::HalfDown), TfHalfPixelForNn, &[1.0, 4.0, 16.0]),
            (nearest(Rounding::HalfUp), Asymmetric, &[0.0, 1.0, 1.0, 4.0, 9.0, 9.0, 16.0, 16.0]),
            (nearest(Rounding::HalfUp), TfHalfPixelForNn, &[1.0, 9.0, 16.0]),
            (nearest(Rounding::Floor), HalfPixel, &[0.0, 0.0, 1.0, 1.0, 4.0, 4.0, 9.0, 16.0]),
            (nearest(Rounding::Floor), PytorchHalfPixel, &[0.0]),
            (nearest(Rounding::Floor), Asymmetric, &[0.0, 1.0, 9.0]),
            (nearest(Rounding::Ceil), HalfPixel, &[0.0, 1.0, 4.0, 4.0, 9.0, 9.0, 16.0, 16.0]),
            (nearest(Rounding::Ceil), HalfPixelSymmetric, &[1.0, 4.0, 16.0]),
            (Kernel::Linear, HalfPixel, &[0.0, 0.4375, 1.1875, 3.0625, 5.5625, 8.6875, 12.9375, 16.0]),
            (Kernel::Linear, HalfPixelSymmetric, &[0.3333, 4.0, 13.6667]),
            (Kernel::Linear, AlignCorners, &[0.0, 0.5714, 1.4286, 3.1429, 5.4286, 8.2857, 12.0, 16.0]),
            (Kernel::Linear, AlignCorners, &[0.0]),
            (Kernel::Linear, Asymmetric, &[0.0, 0.625, 1.75, 3.625, 6.5, 9.875, 14.25, 16.0]),
            (Kernel::Cubic(-0.75), HalfPixel, &[-0.0928, 0.1876, 1.1765, 2.6194, 5.4417, 8.4714, 13.3951, 16.6498]),
            (Kernel::Cubic(-0.75), Asymmetric, &[0.0, 2.5556, 11.7593]),
            (Kernel::Cubic(-0.5), AlignCorners, &[0.0, 0.379, 1.3061, 2.9388, 5.2245, 8.1633, 12.2274, 16.0]),
        ];
        let rows = [0.0, 1.0, 4.0, 9.0, 16.0];
        for (kernel, coordinates, wanted) in cases {
            let axis = Axis::Resized { size: Size::To(0), interpolation: Interpolation { kernel, coordinates } };
            let taps = axis.taps([rows.len(), wanted.len()], &[]);
            let found = taps.iter().map(|taps| taps.iter().map(|(at, weight)| rows[*at] * weight).sum::<f32>());
            for (found, wanted) in found.zip(wanted) {
                assert!((found - wanted).abs() < 1e-3, "{kernel:?} {coordinates:?}: {found}, not {wanted}");
            }
        }
    }
}
