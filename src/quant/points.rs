//! A sorted set of quantization points with constant-time nearest-point search.

use super::{Normalization, QuantizationError, Quantizer, Summary};
use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x4, f32x8, i16x8, i32x8};

/// Most cells of the look-up table over [-1, 1]. Their width, 2^-10, is the least distance of two values of the 4-set
/// universal set, so that no cell holds two midpoints of points chosen from it, and one comparison is enough.
const MAX_CELLS: usize = 2048;
const MIN_CELLS: usize = 32;

/// Values that are normalized side by side.
const LANES: usize = 8;
/// Most points of a channel for which climbing from one to the next is faster than looking up.
const FEW: usize = 16;
/// Pixels that climb together.
const SIDE_BY_SIDE: usize = 4;
/// Pixels, or so many times [`LANES`] values of a channel, that are searched for together: all but the look-up itself is
/// vectorized.
const STRIP: usize = 32;

/// Up to 256 distinct quantization points, ascending, on the normalized axis [-1, 1].
///
/// The nearest point is found through a table over [-1, 1]: a cell names the lowest point that is nearest to any
/// value in it, and a fixed few comparisons with the midpoints finish the search. Any f32 is accepted. The table has as
/// many cells as it takes for one comparison to do, up to 2048: some hundred bytes for 16 points.
#[derive(Debug, Clone)]
pub struct Points {
    values: Box<[f32]>,
    /// `midpoints[i]` lies between points i and i + 1; infinite from the last point on.
    midpoints: Box<[f32]>,
    /// By cell.
    first: Box<[u8]>,
    comparisons: usize,
}

/// The cell of a value, of `2 * half`. Rounding keeps order and the cells' edges are exact, so a value can at most be taken
/// for the lower edge of the cell above its own; what lies outside [-1, 1] falls into the outer cells.
#[inline(always)]
fn cell(y: f32, half: f32) -> usize {
    // A float-to-integer `as` saturates; the bound is for the upper end.
    (((y + 1.0) * half) as i32).clamp(0, 2 * half as i32 - 1) as usize
}

/// [`cell`] of several finite values.
#[inline(always)]
fn cell_of_lanes<S: Simd>(y: f32x8<S>, half: f32x8<S>) -> i32x8<S> {
    let last = i32x8::truncate_from(half * 2.0) - 1;
    i32x8::truncate_from_precise((y + 1.0) * half).max(0).min(last)
}

impl Points {
    /// Sorts `values` and drops repetitions, values that are not finite, and what exceeds 256 points.
    /// No value at all gives the single point 0.
    pub fn new(mut values: Vec<f32>) -> Self {
        values.retain(|v| v.is_finite());
        if values.is_empty() {
            values.push(0.0);
        }
        values.sort_by(f32::total_cmp);
        values.dedup();
        values.truncate(256);
        let middle = |pair: &[f32]| ((f64::from(pair[0]) + f64::from(pair[1])) / 2.0) as f32;
        let midpoints: Vec<f32> = values.windows(2).map(middle).chain([f32::INFINITY]).collect();
        let nearest = midpoints.windows(2).map(|pair| pair[1] - pair[0]).fold(f32::INFINITY, f32::min);
        let wanted = if nearest > 0.0 { (2.0 / nearest).ceil() as usize } else { MAX_CELLS };
        let cells = wanted.next_power_of_two().clamp(MIN_CELLS, MAX_CELLS);
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
        Points { values: values.into(), midpoints: midpoints.into(), first: first.into(), comparisons }
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.values) + size_of_val(&*self.midpoints) + self.first.len()
    }

    fn half(&self) -> f32 {
        (self.first.len() / 2) as f32
    }

    /// The points, ascending.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Index of the point nearest to `y`; of two equally near, the lower. NaN gives the first point.
    #[inline]
    pub fn nearest(&self, y: f32) -> usize {
        let mut index = self.first[cell(y, self.half())];
        for _ in 0..self.comparisons {
            index += u8::from(y > self.midpoints[usize::from(index)]);
        }
        usize::from(index)
    }
}

/// Points for one channel of one sample.
pub struct Scaled<'p> {
    points: &'p Points,
    /// In front of the points.
    input: Normalization,
    /// Behind them: the same, or what it was rounded to.
    output: Normalization,
    /// How far from 0 normalized values are.
    farthest: f32,
    /// The points, de-normalized.
    table: [f32; 256],
}

impl<'p> Scaled<'p> {
    /// Points between two normalizations, for a channel with these extremes.
    pub fn new(points: &'p Points, input: Normalization, output: Normalization, values: &Summary) -> Self {
        let mut table = [0.0; 256];
        for (slot, q) in table.iter_mut().zip(points.values()) {
            *slot = q * output.range + output.mean;
        }
        let farthest = input.normalize(values.low).abs().max(input.normalize(values.high).abs());
        Scaled { points, input, output, farthest, table }
    }

    /// Replaces every value of a channel by the nearest point (paper, eq. 3).
    pub fn apply(&self, channel: &mut [f32]) {
        let whole = channel.len() - channel.len() % LANES;
        let (lanes, rest) = channel.split_at_mut(whole);
        dispatch!(Level::new(), simd => look_up(simd, [self; LANES], lanes, LANES));
        rest.iter_mut().for_each(|value| *value = self.of(*value));
    }

    fn of(&self, value: f32) -> f32 {
        self.table[self.points.nearest(self.input.normalize(value)) % 256]
    }
}

/// Pixels of a row, in a buffer that may hold more than the channels that are meant.
#[derive(Clone, Copy)]
pub struct Pixels<'a> {
    /// From the first channel of the first pixel on.
    pub values: &'a [f32],
    /// From one pixel to the next.
    pub apart: usize,
}

impl<'a> Pixels<'a> {
    /// So many pixels, and those after them.
    pub fn split(self, pixels: usize) -> (Self, Self) {
        let (these, others) = self.values.split_at((pixels * self.apart).min(self.values.len()));
        (Pixels { values: these, ..self }, Pixels { values: others, ..self })
    }

    /// The first channels of each.
    pub fn iter(self, channels: usize) -> impl Iterator<Item = &'a [f32]> {
        self.values.chunks(self.apart).map(move |pixel| &pixel[..channels])
    }
}

/// Points for all channels of pixels, whose values lie side by side.
pub struct PixelPoints<'s> {
    lanes: Vec<Lanes<'s>>,
    /// Channels that are left.
    rest: &'s [Scaled<'s>],
}

impl<'s> PixelPoints<'s> {
    /// One for each channel.
    pub fn new(channels: &'s [Scaled<'s>]) -> Self {
        let (lanes, rest) = channels.as_chunks::<LANES>();
        PixelPoints { lanes: lanes.iter().map(Lanes::new).collect(), rest }
    }

    /// Writes the nearest point of its channel for every value of pixels: `to` is `[pixels, channels]`.
    pub fn apply(&self, from: Pixels<'_>, to: &mut [f32], mut error: Option<&mut QuantizationError>) {
        let channels = self.lanes.len() * LANES + self.rest.len();
        for (index, lanes) in self.lanes.iter().enumerate() {
            let first = index * LANES;
            let from = Pixels { values: &from.values[first..], ..from };
            let (to, error) = (&mut to[first..], error.as_deref_mut());
            dispatch!(Level::new(), simd => lanes.apply(simd, from, to, channels, error));
        }
        for (index, scaled) in self.rest.iter().enumerate() {
            let channel = self.lanes.len() * LANES + index;
            let values = from.values[channel..].iter().step_by(from.apart);
            for (value, to) in values.zip(to[channel..].iter_mut().step_by(channels)) {
                *to = scaled.of(*value);
                if let Some(error) = error.as_deref_mut() {
                    error.add_one(*value, *to);
                }
            }
        }
    }
}

/// Points for a few channels.
struct Lanes<'s> {
    scaled: &'s [Scaled<'s>; LANES],
    ladder: Option<Ladder>,
}

impl<'s> Lanes<'s> {
    fn new(scaled: &'s [Scaled<'s>; LANES]) -> Self {
        Lanes { scaled, ladder: Ladder::new(scaled.each_ref()) }
    }

    /// The first values of each pixel; those of `to` are `channels` apart.
    #[inline(always)]
    fn apply<S: Simd>(
        &self,
        simd: S,
        from: Pixels<'_>,
        to: &mut [f32],
        channels: usize,
        error: Option<&mut QuantizationError>,
    ) {
        if let Some(ladder) = &self.ladder {
            return ladder.climb(simd, from, to, channels, error);
        }
        let targets = to.chunks_mut(channels).zip(from.iter(LANES));
        targets.for_each(|(to, from)| to[..LANES].copy_from_slice(from));
        look_up(simd, self.scaled.each_ref(), to, channels);
        if let Some(error) = error {
            let pairs = from.iter(LANES).zip(to.chunks(channels).map(|to| &to[..LANES]));
            error.add_block(simd, pairs);
        }
    }
}

/// Few points a channel, all multiples of 1 / [`POINT_UNITS`], to be climbed from the lowest on in whole numbers of 16 bits.
/// `y > m` for a midpoint `m = k / 2048` if and only if `ceil(2048 y) > k`, and 2048 y is exact: the result is that of
/// [`Points::nearest`].
struct Ladder {
    mean: [f32; LANES],
    /// Of the range, what [`MIDPOINT_UNITS`] make a whole of.
    unit: [f32; LANES],
    lowest: [i16; LANES],
    /// Midpoints, and the bits in which the points on both sides differ.
    rungs: Vec<([i16; LANES], [i16; LANES])>,
    /// What points are de-normalized with.
    output_unit: [f32; LANES],
    output_mean: [f32; LANES],
}

/// What points of the 4-set universal set are whole multiples of the inverse of.
const POINT_UNITS: f32 = 1024.0;
/// And their midpoints.
const MIDPOINT_UNITS: f32 = 2048.0;
/// Farthest from 0 that a value may be, so that it fits into 16 bits in these units.
const FARTHEST: f32 = 15.0;
/// Added to a whole number of at most 22 bits, this makes its two's complement the low bits of the sum.
const WHOLE: f32 = 12_582_912.0;

impl Ladder {
    /// Nothing where there are too many points, or others than such multiples, or values that are too far out.
    fn new(scaled: [&Scaled<'_>; LANES]) -> Option<Self> {
        let most = scaled.iter().map(|lane| lane.points.values.len()).max()?;
        let fits = |value: &f32| (value * POINT_UNITS).fract() == 0.0 && value.abs() <= FARTHEST;
        let all = scaled.iter().all(|lane| lane.farthest <= FARTHEST && lane.points.values.iter().all(fits));
        if most > FEW || !all {
            return None;
        }
        let point = |lane: &Scaled, at: usize| {
            let values = &lane.points.values;
            (values[at.min(values.len() - 1)] * POINT_UNITS) as i16
        };
        let rung = |at: usize| {
            let midpoint = |lane: &Scaled| {
                let inside = lane.points.midpoints.get(at).filter(|midpoint| midpoint.is_finite());
                inside.map_or(i16::MAX, |midpoint| (midpoint * MIDPOINT_UNITS) as i16)
            };
            (scaled.map(midpoint), scaled.map(|lane| point(lane, at) ^ point(lane, at + 1)))
        };
        Some(Ladder {
            mean: scaled.map(|lane| lane.input.mean),
            unit: scaled.map(|lane| lane.input.range / MIDPOINT_UNITS),
            lowest: scaled.map(|lane| point(lane, 0)),
            rungs: (0..most - 1).map(rung).collect(),
            output_unit: scaled.map(|lane| lane.output.range / POINT_UNITS),
            output_mean: scaled.map(|lane| lane.output.mean),
        })
    }

    /// A few pixels at a time.
    #[inline(always)]
    fn climb<S: Simd>(
        &self,
        simd: S,
        from: Pixels<'_>,
        to: &mut [f32],
        channels: usize,
        error: Option<&mut QuantizationError>,
    ) {
        let floats = |lanes: &[f32; LANES]| f32x8::from_slice(simd, lanes);
        let wholes = |lanes: &[i16; LANES]| i16x8::from_slice(simd, lanes);
        let (mean, unit) = (floats(&self.mean), floats(&self.unit));
        let (output_mean, output_unit) = (floats(&self.output_mean), floats(&self.output_unit));
        let lowest = wholes(&self.lowest);
        let (mut noise, mut signal) = (f32x8::splat(simd, 0.0), f32x8::splat(simd, 0.0));
        let blocks = from.values.chunks(SIDE_BY_SIDE * from.apart);
        for (from_block, to) in blocks.zip(to.chunks_mut(SIDE_BY_SIDE * channels)) {
            // What is left over is done twice.
            let count = to.len().div_ceil(channels);
            let at: [usize; SIDE_BY_SIDE] = std::array::from_fn(|i| i.min(count - 1));
            let xs = at.map(|at| f32x8::from_slice(simd, &from_block[at * from.apart..][..LANES]));
            let ys = xs.map(|x| {
                let (low, high) = (((x - mean) / unit).ceil() + WHOLE).split();
                low.to_bits().narrow(high.to_bits()).bitcast::<i16x8<S>>()
            });
            let mut found = [lowest; SIDE_BY_SIDE];
            for (midpoints, changes) in &self.rungs {
                let (midpoint, change) = (wholes(midpoints), wholes(changes));
                for i in 0..SIDE_BY_SIDE {
                    found[i] ^= ys[i].simd_gt(midpoint).to_vector() & change;
                }
            }
            let qs = found.map(|point| {
                let (low, high) = point.widen();
                let point = f32x4::float_from(low).combine(f32x4::float_from(high));
                point * output_unit + output_mean
            });
            for i in 0..SIDE_BY_SIDE {
                qs[i].store_slice(&mut to[at[i] * channels..][..LANES]);
            }
            if error.is_some() {
                for (x, q) in xs.iter().zip(&qs).take(count) {
                    noise += (*q - *x) * (*q - *x);
                    signal += *x * *x;
                }
            }
        }
        if let Some(error) = error {
            error.add_sums(noise.as_slice(), signal.as_slice());
        }
    }
}

/// The first values of each pixel, each with its own points.
#[inline(always)]
fn look_up<S: Simd>(simd: S, lanes: [&Scaled; LANES], values: &mut [f32], pixel: usize) {
    let vector = |of: fn(&Scaled) -> f32| f32x8::simd_from(simd, lanes.map(of));
    let (mean, range) = (vector(|lane| lane.input.mean), vector(|lane| lane.input.range));
    let half = vector(|lane| lane.points.half());
    let (mut ys, mut cells) = ([[0.0f32; LANES]; STRIP], [[0i32; LANES]; STRIP]);
    for strip in values.chunks_mut(STRIP * pixel) {
        let pixels = strip.chunks(pixel).filter_map(|pixel| pixel.first_chunk::<LANES>());
        let mut count = 0;
        for ((values, ys), cells) in pixels.zip(&mut ys).zip(&mut cells) {
            let y = (f32x8::from_slice(simd, values) - mean) / range;
            y.store_slice(ys);
            cell_of_lanes(y, half).store_slice(cells);
            count += 1;
        }
        for (lane, Scaled { points, table, .. }) in lanes.iter().enumerate() {
            let searched = ys.iter().zip(&cells).take(count);
            let places = strip[lane..].iter_mut().step_by(pixel);
            if points.comparisons <= 1 {
                let (first, midpoints) = (&points.first[..], &points.midpoints[..]);
                for (place, (ys, cells)) in places.zip(searched) {
                    let index = first[cells[lane] as usize];
                    let above = ys[lane] > midpoints[usize::from(index)];
                    *place = table[usize::from(index + u8::from(above))];
                }
            } else {
                for (place, (ys, _)) in places.zip(searched) {
                    *place = table[points.nearest(ys[lane]) % 256];
                }
            }
        }
    }
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
                let points = Points::new((0..count).map(|_| (rng.f32() * 2.0 - 1.0) * spread).collect());
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
    fn pixels_are_mapped_as_channels_are() {
        let mut rng = fastrand::Rng::with_seed(3);
        for (channels, count, sets, spread) in
            [(1, 16, 4, 1.0), (5, 16, 4, 1.0), (8, 4, 4, 1.0), (19, 16, 4, 1.0), (19, 40, 4, 1.0)]
                .into_iter()
                .chain([(24, 3, 2, 1.0), (16, 16, 3, 1.0), (16, 16, 4, 40.0)])
        {
            let universal = UniversalSet::of(WordSets::new(sets).unwrap()).values();
            let mut draw =
                || Points::new((0..count).map(|_| universal[rng.usize(..universal.len())]).collect());
            let sets: Vec<Points> = (0..channels).map(|_| draw()).collect();
            let values: Vec<f32> = (0..channels * 77).map(|_| (rng.f32() * 2.0 - 1.0) * spread).collect();
            let every = |values: &[f32], channel: usize| -> Vec<f32> {
                values.iter().copied().skip(channel).step_by(channels).collect()
            };
            let scale = |(channel, points)| {
                let norm = Normalization { mean: rng.f32() - 0.5, range: rng.f32() + 0.1 };
                Scaled::new(points, norm, norm, &Summary::of(&every(&values, channel)))
            };
            let scaled: Vec<Scaled> = sets.iter().enumerate().map(scale).collect();
            let mut mapped = values.clone();
            let mut error = QuantizationError::default();
            let pixels = Pixels { values: &values, apart: channels };
            PixelPoints::new(&scaled).apply(pixels, &mut mapped, Some(&mut error));
            let mut expected = QuantizationError::default();
            values.iter().zip(&mapped).for_each(|(x, q)| expected.add_one(*x, *q));
            assert!((error.noise / expected.noise - 1.0).abs() < 1e-6);
            assert!((error.signal / expected.signal - 1.0).abs() < 1e-6);
            for (channel, scaled) in scaled.iter().enumerate() {
                let mut alone = every(&values, channel);
                scaled.apply(&mut alone);
                assert_eq!(every(&mapped, channel), alone);
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn midpoints_and_their_neighbours_climb_to_the_nearest_point() {
        let universal = UniversalSet::of(WordSets::REFERENCE).values();
        let points = Points::new(universal.iter().copied().step_by(25).collect());
        let near = |m: &f32| [m.next_down(), *m, m.next_up()];
        let edges = [-1.0, -f32::MIN_POSITIVE, 0.0, f32::MIN_POSITIVE, 1.0];
        let values: Vec<f32> =
            points.midpoints.iter().filter(|m| m.is_finite()).flat_map(near).chain(edges).collect();
        let unit = Normalization { mean: 0.0, range: 1.0 };
        let scaled: Vec<Scaled> =
            (0..LANES).map(|_| Scaled::new(&points, unit, unit, &Summary::of(&values))).collect();
        assert!(Ladder::new(std::array::from_fn(|i| &scaled[i])).is_some());
        let pixels: Vec<f32> = values.iter().flat_map(|value| [*value; LANES]).collect();
        let mut mapped = pixels.clone();
        PixelPoints::new(&scaled).apply(Pixels { values: &pixels, apart: LANES }, &mut mapped, None);
        for (y, q) in pixels.iter().zip(mapped) {
            assert_eq!(q, points.quantize_dequantize(*y), "{y}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn on_universal_points_every_midpoint_is_exact() {
        let universal = UniversalSet::of(WordSets::REFERENCE);
        let points = Points::new(universal.values().iter().copied().step_by(2).collect());
        assert_eq!(points.comparisons, 1);
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
        let points = Points::new(vec![0.5, -0.5, 0.5]);
        assert_eq!(points.values(), [-0.5, 0.5]);
        assert!(points.bytes() < 200, "few points take little memory");
        assert_eq!([-9.0, 0.0, 1e-3, 9.0].map(|y| points.nearest(y)), [0, 0, 1, 1]);
        assert_eq!(points.nearest(f32::NAN), 0);
        assert_eq!(Points::new(vec![f32::NAN]).values(), [0.0]);
    }
}
