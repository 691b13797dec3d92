//! The nearest of few points, for several channels and pixels side by side.

use super::lattice::{self, FARTHEST, MIDPOINT_UNITS, POINT_UNITS};
use super::points::{FEW, LANES, Scaled};
use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x4, f32x8, i16x8};

/// Thresholds in a loop's body: with more, browsers run out of registers.
const UNROLLED: usize = 2;

/// Few points a channel, on the [lattice](lattice), found by comparing with one threshold after another. The result is that of `Points::nearest`.
pub struct Thresholds {
    mean: [f32; LANES],
    /// Of the range, what [`MIDPOINT_UNITS`] make a whole of.
    unit: [f32; LANES],
    lowest: [i16; LANES],
    /// To the second point.
    first: Threshold,
    /// To those after it; the last may be above every value.
    rest: Vec<[Threshold; UNROLLED]>,
    /// What points are dequantized with.
    output_unit: [f32; LANES],
    output_mean: [f32; LANES],
}

/// Midpoints, and the bits in which the points on both sides differ.
type Threshold = ([i16; LANES], [i16; LANES]);

impl Thresholds {
    /// Nothing where there are too many points, or others than such multiples, or values that are too far out.
    pub fn new(scaled: [&Scaled<'_>; LANES]) -> Option<Self> {
        let most = scaled.iter().map(|lane| lane.points.values().len()).max()?;
        let fits =
            |lane: &&Scaled| lane.farthest <= FARTHEST && lattice::holds(lane.points.values(), FARTHEST);
        if most > FEW || !scaled.iter().all(fits) {
            return None;
        }
        let point = |lane: &Scaled, at: usize| {
            let values = lane.points.values();
            (values[at.min(values.len() - 1)] * POINT_UNITS) as i16
        };
        let threshold = |at: usize| {
            // A float-to-integer `as` saturates.
            let midpoint = |lane: &Scaled| {
                lane.points.midpoints.get(at).map_or(i16::MAX, |midpoint| (midpoint * MIDPOINT_UNITS) as i16)
            };
            (scaled.map(midpoint), scaled.map(|lane| point(lane, at) ^ point(lane, at + 1)))
        };
        Some(Thresholds {
            mean: scaled.map(|lane| lane.input.mean),
            unit: scaled.map(|lane| lane.input.range / MIDPOINT_UNITS),
            lowest: scaled.map(|lane| point(lane, 0)),
            first: threshold(0),
            rest: (1..most - 1)
                .step_by(UNROLLED)
                .map(|first| std::array::from_fn(|i| threshold(first + i)))
                .collect(),
            output_unit: scaled.map(|lane| lane.output.range / POINT_UNITS),
            output_mean: scaled.map(|lane| lane.output.mean),
        })
    }

    /// The first channels of so many pixels, so many values from one to the next. Adds to the sums of noise and signal of each channel.
    #[inline(always)]
    pub fn quantize<S: Simd, const PIXELS: usize>(
        &self,
        simd: S,
        (from, stride): (&[f32], usize),
        (to, channels): (&mut [f32], usize),
        sums: Option<&mut [[f32; LANES]; 2]>,
    ) {
        let floats = |lanes: &[f32; LANES]| f32x8::from_slice(simd, lanes);
        let (mean, unit) = (floats(&self.mean), floats(&self.unit));
        let (output_mean, output_unit) = (floats(&self.output_mean), floats(&self.output_unit));
        let xs: [_; PIXELS] = std::array::from_fn(|i| f32x8::from_slice(simd, &from[i * stride..][..LANES]));
        let ys = xs.map(|x| lattice::steps((x - mean) / unit));
        let mut found = [i16x8::from_slice(simd, &self.lowest); PIXELS];
        step(simd, &self.first, &ys, &mut found);
        for rest in &self.rest {
            for threshold in rest {
                step(simd, threshold, &ys, &mut found);
            }
        }
        let mut qs = xs;
        for i in 0..PIXELS {
            let (low, high) = found[i].widen();
            let point = f32x4::float_from(low).combine(f32x4::float_from(high));
            let q = point * output_unit + output_mean;
            q.store_slice(&mut to[i * channels..][..LANES]);
            qs[i] = q;
        }
        if let Some([noise, signal]) = sums {
            let (mut noises, mut signals) = (floats(noise), floats(signal));
            for (x, q) in xs.iter().zip(&qs) {
                noises += (*q - *x) * (*q - *x);
                signals += *x * *x;
            }
            noises.store_slice(noise);
            signals.store_slice(signal);
        }
    }
}

/// Moves to the next point where values lie above the threshold. A closure would not become a part of code for wider vectors.
#[inline(always)]
fn step<S: Simd, const PIXELS: usize>(
    simd: S,
    (midpoints, changes): &Threshold,
    values: &[i16x8<S>; PIXELS],
    found: &mut [i16x8<S>; PIXELS],
) {
    let [midpoint, change] = [midpoints, changes].map(|lanes| i16x8::from_slice(simd, lanes));
    for i in 0..PIXELS {
        found[i] ^= values[i].simd_gt(midpoint).to_vector() & change;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{Normalization, Points, Quantizer, Summary, UniversalSet, WordSets};
    use fearless_simd::{Level, dispatch};
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn midpoints_and_their_neighbours_climb_to_the_nearest_point() {
        let universal = UniversalSet::of(WordSets::REFERENCE).values();
        let points = Points::new(universal.iter().copied().step_by(25).collect()).unwrap();
        let near = |m: &f32| [m.next_down(), *m, m.next_up()];
        let edges = [-1.0, -f32::MIN_POSITIVE, 0.0, f32::MIN_POSITIVE, 1.0];
        let values: Vec<f32> =
            points.midpoints.iter().filter(|m| m.is_finite()).flat_map(near).chain(edges).collect();
        let unit = Normalization { mean: 0.0, range: 1.0 };
        let scaled: Vec<Scaled> =
            (0..LANES).map(|_| Scaled::new(&points, unit, unit, &Summary::of(&values))).collect();
        let thresholds = Thresholds::new(std::array::from_fn(|i| &scaled[i])).unwrap();
        let pixels: Vec<f32> = values.iter().flat_map(|value| [*value; LANES]).collect();
        let mut mapped = pixels.clone();
        for (from, to) in pixels.chunks_exact(LANES).zip(mapped.chunks_exact_mut(LANES)) {
            dispatch!(Level::new(), simd => thresholds.quantize::<_, 1>(simd, (from, LANES), (to, LANES), None));
        }
        for (y, q) in pixels.iter().zip(mapped) {
            assert_eq!(q, points.quantize_dequantize(*y), "{y}");
        }
    }
}
