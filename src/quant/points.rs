//! A sorted set of quantization points with constant-time nearest-point search.

use super::Quantizer;

/// Cells of the look-up table over [-1, 1].
const CELLS: usize = 1024;

/// Up to 256 distinct quantization points, ascending, on the normalized axis [-1, 1].
///
/// The nearest point is found through a table over [-1, 1]: a cell names the lowest point that is nearest to any
/// value in it, and a fixed few comparisons with the midpoints finish the search. Any f32 is accepted.
#[derive(Debug, Clone)]
pub struct Points {
    values: Vec<f32>,
    /// `midpoints[i]` lies between points i and i + 1; one more, infinite, ends the list.
    midpoints: Vec<f32>,
    first: Vec<u8>,
    comparisons: usize,
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
        let mut midpoints: Vec<f32> =
            values.windows(2).map(|p| ((f64::from(p[0]) + f64::from(p[1])) / 2.0) as f32).collect();
        midpoints.push(f32::INFINITY);

        // The edges are taken a little wide, so that the rounding in `nearest` cannot miss a midpoint.
        let slack = 1e-6;
        let edge = |cell: usize| cell as f32 / (CELLS / 2) as f32 - 1.0;
        let mut first = Vec::with_capacity(CELLS);
        let (mut low, mut high, mut comparisons) = (0, 0, 0);
        for cell in 0..CELLS {
            while cell > 0 && midpoints[low] < edge(cell) - slack {
                low += 1;
            }
            while midpoints[high] < edge(cell + 1) + slack || (cell + 1 == CELLS && high + 1 < values.len()) {
                high += 1;
            }
            first.push(low as u8);
            comparisons = comparisons.max(high - low);
        }
        Points { values, midpoints, first, comparisons }
    }

    /// The points, ascending.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Index of the point nearest to `y`; of two equally near, the lower. NaN gives the first point.
    #[inline]
    pub fn nearest(&self, y: f32) -> usize {
        // A float-to-integer `as` saturates, so values outside [-1, 1] meet the outer cells.
        let cell = ((y + 1.0) * (CELLS / 2) as f32) as usize;
        let mut index = self.first[cell.min(CELLS - 1)] as usize;
        for _ in 0..self.comparisons {
            index += usize::from(y > self.midpoints[index]);
        }
        index
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
                for _ in 0..2000 {
                    let y = (rng.f32() * 2.4 - 1.2) * if rng.bool() { 1.0 } else { spread };
                    let (a, b) = (points.values[points.nearest(y)], points.values[naive(&points.values, y)]);
                    assert!((a - y).abs() <= (b - y).abs() + 1e-7, "y {y}: {a} is farther than {b}");
                }
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_tie_goes_to_the_lower_point_and_outliers_to_the_ends() {
        let points = Points::new(vec![0.5, -0.5, 0.5]);
        assert_eq!(points.values(), [-0.5, 0.5]);
        assert_eq!([-9.0, 0.0, 1e-3, 9.0].map(|y| points.nearest(y)), [0, 0, 1, 1]);
        assert_eq!(points.nearest(f32::NAN), 0);
        assert_eq!(Points::new(vec![f32::NAN]).values(), [0.0]);
    }
}
