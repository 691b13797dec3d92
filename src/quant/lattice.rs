//! The lattice on which points of the 4-set universal set lie, and the midpoints of any two of them: normalized values in
//! whole numbers of 16 bits. `y > m` for a midpoint `m = k / 2048` if and only if `ceil(2048 y) > k`, and 2048 y is exact.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x8, i16x8};

/// What points are whole multiples of the inverse of.
pub const POINT_UNITS: f32 = 1024.0;
/// And their midpoints.
pub const MIDPOINT_UNITS: f32 = 2048.0;
/// Farthest from 0 that a value may be, so that it fits into 16 bits in these units.
pub const FARTHEST: f32 = 15.0;
/// Added to a whole number of at most 22 bits, this makes its two's complement the low bits of the sum.
const WHOLE: f32 = 12_582_912.0;

/// Whether points lie on the lattice, and no farther from 0 than this.
pub fn holds(points: &[f32], farthest: f32) -> bool {
    points.iter().all(|point| (point * POINT_UNITS).fract() == 0.0 && point.abs() <= farthest)
}

/// The next whole numbers that are not below these, which must be no farther from 0 than [`FARTHEST`] of [`MIDPOINT_UNITS`].
#[inline(always)]
pub fn steps<S: Simd>(values: f32x8<S>) -> i16x8<S> {
    let (low, high) = (values.ceil() + WHOLE).split();
    low.to_bits().narrow(high.to_bits()).bitcast()
}

/// Steps from -1 to 1.
const COUNT: usize = 2 * MIDPOINT_UNITS as usize + 1;

/// The nearest of points in [-1, 1] for every step.
#[derive(Debug, Clone)]
pub struct Table(Box<[u8; COUNT]>);

impl Table {
    /// From points, ascending and at most 256, and what lies between them.
    pub fn new(points: &[f32], midpoints: &[f32]) -> Option<Self> {
        let mut table = Box::new([0; COUNT]);
        let mut start = 0;
        for (index, midpoint) in midpoints.iter().enumerate().take(points.len()) {
            let end = if midpoint.is_finite() { Self::at(*midpoint) + 1 } else { COUNT };
            table.get_mut(start..end)?.fill(index as u8);
            start = end;
        }
        Some(Table(table))
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        COUNT
    }

    fn at(y: f32) -> usize {
        // A float-to-integer `as` saturates, and makes 0 of NaN.
        (((y * MIDPOINT_UNITS).ceil() + MIDPOINT_UNITS) as usize).min(COUNT - 1)
    }

    /// Index of the point nearest to `y`; of two equally near, the lower. NaN gives the first point.
    pub fn nearest(&self, y: f32) -> usize {
        usize::from(self.0[Self::at(y)])
    }

    /// The same for a place, which is from [`places`].
    #[inline(always)]
    pub fn look_up(&self, place: i16) -> usize {
        usize::from(self.0[place as usize])
    }
}

/// Where [`steps`] are in a table; those beyond an end are taken for it.
#[inline(always)]
pub fn places<S: Simd>(steps: i16x8<S>) -> i16x8<S> {
    let end = MIDPOINT_UNITS as i16;
    steps.max(-end).min(end) + end
}
