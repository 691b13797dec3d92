//! A sorted set of quantization points with constant-time nearest-point search.

use super::lattice::{self, FARTHEST, MIDPOINT_UNITS, Table};
use super::pixels::Pixels;
use super::{Normalization, Quantizer, Summary};
use crate::{Error, Result};
use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x8};

/// Most cells of the look-up table over [-1, 1]. Their width, 2^-10, is the least distance of two values of the 4-set
/// universal set, so that no cell holds two midpoints of points chosen from it, and one comparison is enough.
const MAX_CELLS: usize = 2048;
const MIN_CELLS: usize = 32;

/// Most points for which comparing with one threshold after another is faster than looking up.
pub(super) const FEW: usize = 16;
/// Values that are normalized side by side.
pub(super) const LANES: usize = 8;
/// Pixels, or so many times [`LANES`] values of a channel, that are searched for together: all but the look-up itself is
/// vectorized.
const STRIP: usize = 32;

/// Up to 256 distinct quantization points, ascending, on the normalized axis [-1, 1].
///
/// The nearest point is found through a table over [-1, 1]. Any f32 is accepted.
#[derive(Debug, Clone)]
pub struct Points {
    values: Box<[f32]>,
    /// `midpoints[i]` lies between points i and i + 1; infinite from the last point on.
    pub(super) midpoints: Box<[f32]>,
    search: Search,
}

/// How the nearest point is found.
#[derive(Debug, Clone)]
enum Search {
    /// At once: of many points on the lattice.
    Table(Table),
    /// A cell names the lowest point that is nearest to any value in it, and a fixed few comparisons with the midpoints finish
    /// the search. There are as many cells as it takes for one comparison to do, up to 2048: some hundred bytes for 16 points.
    Cells { first: Box<[u8]>, comparisons: usize },
}

/// The cell of a value, of so many. Rounding keeps order and the cells' edges are exact, so a value can at most be taken for
/// the lower edge of the cell above its own; what lies outside [-1, 1] falls into the outer cells.
fn cell(y: f32, count: usize) -> usize {
    // A float-to-integer `as` saturates; the bound is for the upper end.
    (((y + 1.0) * (count / 2) as f32) as usize).min(count - 1)
}

impl Points {
    /// Sorts `values` and drops repetitions.
    ///
    /// # Errors
    /// [`Error::Option`] for no value, for NaN and infinity, and for more than 256 distinct values.
    pub fn new(mut values: Vec<f32>) -> Result<Self> {
        if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
            return Err(Error::Option("quantization points are finite numbers, at least one".into()));
        }
        values.sort_unstable_by(f32::total_cmp);
        values.dedup();
        if values.len() > Self::MOST {
            return Err(Error::Option(format!(
                "{} quantization points are more than {}",
                values.len(),
                Self::MOST
            )));
        }
        Ok(Self::of_sorted(values))
    }

    /// Most points: those of 8 bits.
    pub const MOST: usize = 256;

    /// Of at most [`Points::MOST`] finite values, ascending and distinct. None is the single point 0.
    pub(super) fn of_sorted(mut values: Vec<f32>) -> Self {
        if values.is_empty() {
            values.push(0.0);
        }
        let middle = |pair: &[f32]| ((f64::from(pair[0]) + f64::from(pair[1])) / 2.0) as f32;
        let midpoints: Vec<f32> = values.windows(2).map(middle).chain([f32::INFINITY]).collect();
        let table =
            (values.len() > FEW && lattice::holds(&values, 1.0)).then(|| Table::new(&values, &midpoints));
        let search = match table.flatten() {
            Some(table) => Search::Table(table),
            None => Self::cells(&values, &midpoints),
        };
        Points { values: values.into(), midpoints: midpoints.into(), search }
    }

    fn cells(values: &[f32], midpoints: &[f32]) -> Search {
        let nearest = midpoints.windows(2).map(|pair| pair[1] - pair[0]).fold(f32::INFINITY, f32::min);
        let wanted = if nearest > 0.0 { (2.0 / nearest).ceil() as usize } else { MAX_CELLS };
        let cells = wanted.clamp(MIN_CELLS, MAX_CELLS).next_power_of_two();
        let mut first = vec![0; cells];
        let (mut low, mut comparisons) = (0, 0);
        for (cell, slot) in first.iter_mut().enumerate() {
            *slot = low as u8;
            let next = (cell + 1) as f32 / (cells / 2) as f32 - 1.0;
            let start = low;
            while low + 1 < values.len() && (midpoints[low] < next || cell + 1 == cells) {
                low += 1;
            }
            comparisons = comparisons.max(low - start);
        }
        Search::Cells { first: first.into(), comparisons }
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        let search = match &self.search {
            Search::Table(table) => table.bytes(),
            Search::Cells { first, .. } => first.len(),
        };
        size_of::<Self>() + size_of_val(&*self.values) + size_of_val(&*self.midpoints) + search
    }

    /// The points, ascending.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Index of the point nearest to `y`; of two equally near, the lower. NaN gives the first point.
    #[inline]
    pub fn nearest(&self, y: f32) -> usize {
        match &self.search {
            Search::Table(table) => table.nearest(y),
            Search::Cells { first, comparisons } => {
                let mut index = first[cell(y, first.len())];
                for _ in 0..*comparisons {
                    index += u8::from(y > self.midpoints[usize::from(index)]);
                }
                usize::from(index)
            }
        }
    }
}

/// Points for one channel of one sample.
pub struct Scaled<'p> {
    pub(super) points: &'p Points,
    /// In front of the points.
    pub(super) input: Normalization,
    /// Behind them: the same, or what it was rounded to.
    pub(super) output: Normalization,
    /// How far from 0 normalized values are.
    pub(super) farthest: f32,
}

impl<'p> Scaled<'p> {
    /// Points between two normalizations, for a channel with these extremes.
    pub fn new(points: &'p Points, input: Normalization, output: Normalization, values: &Summary) -> Self {
        let farthest = input.normalize(values.low).abs().max(input.normalize(values.high).abs());
        Scaled { points, input, output, farthest }
    }

    /// Replaces every value of a channel by the nearest point (paper, eq. 3).
    pub fn apply(&self, channel: &mut [f32]) {
        let whole = channel.len() - channel.len() % LANES;
        let (lanes, rest) = channel.split_at_mut(whole);
        for to in lanes.chunks_mut(STRIP * LANES) {
            let mut from = [0.0; STRIP * LANES];
            let from = &mut from[..to.len()];
            from.copy_from_slice(to);
            let from = Pixels { values: from, stride: LANES };
            look_up([self; LANES], from, to, LANES);
        }
        rest.iter_mut().for_each(|value| *value = self.of(*value));
    }

    pub(super) fn of(&self, value: f32) -> f32 {
        self.level(self.points.values[self.index(value)])
    }

    /// Index of the point that a value is mapped to.
    pub(super) fn index(&self, value: f32) -> usize {
        self.points.nearest(self.input.normalize(value))
    }

    /// What values are mapped to, ascending.
    pub(super) fn levels(&self) -> Vec<f32> {
        self.points.values.iter().map(|point| self.level(*point)).collect()
    }

    /// What values are mapped to that are nearest to this point.
    fn level(&self, point: f32) -> f32 {
        point * self.output.range + self.output.mean
    }
}

/// The first values of each pixel, each with its own points; those of `to` are at this stride. Gives the sums of noise
/// and signal of each channel.
#[inline(never)] // Once in the program is enough.
pub(super) fn look_up(
    lanes: [&Scaled; LANES],
    from: Pixels<'_>,
    to: &mut [f32],
    stride: usize,
) -> [[f32; LANES]; 2] {
    dispatch!(Level::new(), simd => look_up_with(simd, lanes, from, to, stride))
}

#[inline(always)]
fn look_up_with<S: Simd>(
    simd: S,
    lanes: [&Scaled; LANES],
    mut from: Pixels<'_>,
    to: &mut [f32],
    stride: usize,
) -> [[f32; LANES]; 2] {
    let vector = |of: fn(&Scaled) -> f32| f32x8::simd_from(simd, lanes.map(of));
    let (mean, range) = (vector(|lane| lane.input.mean), vector(|lane| lane.input.range));
    let (output_mean, output_range) = (vector(|lane| lane.output.mean), vector(|lane| lane.output.range));
    let (mut noise, mut signal) = (f32x8::splat(simd, 0.0), f32x8::splat(simd, 0.0));
    let near = lanes.iter().all(|lane| lane.farthest <= FARTHEST);
    let (mut ys, mut places) = ([[0.0f32; LANES]; STRIP], [[0i16; LANES]; STRIP]);
    for to in to.chunks_mut(STRIP * stride) {
        let (strip, rest) = from.split(STRIP);
        from = rest;
        let mut count = 0;
        for ((values, ys), places) in strip.iter(LANES).zip(&mut ys).zip(&mut places) {
            let y = (f32x8::from_slice(simd, values) - mean) / range;
            y.store_slice(ys);
            lattice::places(lattice::steps(y * MIDPOINT_UNITS)).store_slice(places);
            count += 1;
        }
        for (lane, Scaled { points, .. }) in lanes.iter().enumerate() {
            let searched = ys.iter_mut().zip(&places).take(count);
            match &points.search {
                Search::Table(table) if near => {
                    searched.for_each(|(ys, places)| ys[lane] = points.values[table.look_up(places[lane])]);
                }
                _ => searched.for_each(|(ys, _)| ys[lane] = points.values[points.nearest(ys[lane])]),
            }
        }
        for ((x, to), points) in strip.iter(LANES).zip(to.chunks_mut(stride)).zip(&ys) {
            let (x, q) =
                (f32x8::from_slice(simd, x), f32x8::from_slice(simd, points) * output_range + output_mean);
            q.store_slice(&mut to[..LANES]);
            noise += (q - x) * (q - x);
            signal += x * x;
        }
    }
    let mut sums = [[0.0; LANES]; 2];
    noise.store_slice(&mut sums[0]);
    signal.store_slice(&mut sums[1]);
    sums
}

impl Quantizer for Points {
    fn quantize_dequantize(&self, y: f32) -> f32 {
        self.values[self.nearest(y)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{UniversalSet, WordSets};
    use wasm_bindgen_test::wasm_bindgen_test;

    fn naive(values: &[f32], y: f32) -> usize {
        let mut best = 0;
        for (i, v) in values.iter().enumerate() {
            if (f64::from(*v) - f64::from(y)).abs() < (f64::from(values[best]) - f64::from(y)).abs() {
                best = i;
            }
        }
        best
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn nearest_equals_the_naive_search() {
        let mut rng = fastrand::Rng::with_seed(7);
        for count in [1, 2, 3, 4, 16, 64, 200, 256] {
            for spread in [1.0, 0.01] {
                let points =
                    Points::new((0..count).map(|_| (rng.f32() * 2.0 - 1.0) * spread).collect()).unwrap();
                let ys: Vec<f32> = (0..2000)
                    .map(|_| (rng.f32() * 2.4 - 1.2) * if rng.bool() { 1.0 } else { spread })
                    .collect();
                let unit = Normalization { mean: 0.0, range: 1.0 };
                let mut mapped = ys.clone();
                Scaled::new(&points, unit, unit, &Summary::of(&ys)).apply(&mut mapped);
                for (y, q) in ys.iter().zip(mapped) {
                    let want = points.values[naive(&points.values, *y)];
                    assert!((q - y).abs() <= (want - y).abs() + 1e-7, "y {y}: {q} is farther than {want}");
                    assert_eq!(q, points.quantize_dequantize(*y));
                }
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn on_universal_points_every_midpoint_is_exact() {
        let universal = UniversalSet::of(WordSets::REFERENCE);
        let points = Points::new(universal.values().iter().copied().step_by(2).collect()).unwrap();
        assert!(matches!(points.search, Search::Table(_)));
        for (i, pair) in points.values.windows(2).enumerate() {
            let middle = (pair[0] + pair[1]) / 2.0;
            assert_eq!(
                [middle.next_down(), middle, middle.next_up()].map(|y| points.nearest(y)),
                [i, i, i + 1]
            );
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_tie_goes_to_the_lower_point_and_outliers_to_the_ends() {
        let points = Points::new(vec![0.5, -0.5, 0.5]).unwrap();
        assert_eq!(points.values(), [-0.5, 0.5]);
        assert!(points.bytes() < 200, "few points take little memory");
        assert_eq!([-9.0, 0.0, 1e-3, 9.0].map(|y| points.nearest(y)), [0, 0, 1, 1]);
        assert_eq!(points.nearest(f32::NAN), 0);
        for wrong in [vec![], vec![f32::NAN], vec![0.0, f32::INFINITY], (0..257).map(|i| i as f32).collect()]
        {
            assert!(matches!(Points::new(wrong), Err(Error::Option(_))));
        }
    }
}
