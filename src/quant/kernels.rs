//! Subset weights: each kernel (output channel) is normalized and given points of its own, as activations are.

use super::histogram::Histogram;
use super::{NonFiniteChannel, Points, UniversalSet, subset, uniform};

/// Kernels whose weights are `mean + range * point`, with points from the universal set.
#[derive(Debug, Clone, PartialEq)]
pub struct SubsetKernels {
    /// By kernel: what stands for the normalized value 0.
    pub means: Vec<f32>,
    /// By kernel: what the normalized values are multiplied with.
    pub ranges: Vec<f32>,
    /// By kernel: indices of its points in the universal set, ascending, at most 256.
    pub points: Vec<Vec<u16>>,
    /// By weight: which of its kernel's points.
    pub codes: Vec<u8>,
}

/// Mean, range and exactly selected points of one kernel: the grid that its weights are rounded to.
#[derive(Debug, Clone)]
pub struct KernelGrid {
    /// The kernel's mean.
    pub mean: f32,
    /// Largest distance of a weight from the mean.
    pub range: f32,
    /// Indices of the points in the universal set.
    pub indices: Vec<u16>,
    points: Points,
}

impl KernelGrid {
    /// The grid of at most `levels` points with the least squared error for these weights; `None` if one is NaN or
    /// infinite.
    pub fn fit(weights: &[f32], universal: &UniversalSet, levels: usize) -> Option<Self> {
        let (low, high) = uniform::range(weights)?;
        let mean = weights.iter().map(|w| f64::from(*w)).sum::<f64>() as f32 / weights.len().max(1) as f32;
        let range = (high - mean).max(mean - low);
        let mut histogram = Histogram::new(universal);
        histogram.add(weights.iter().map(|w| if range > 0.0 { (w - mean) / range } else { 0.0 }));
        let indices = subset::exact(&histogram.cumulative(), universal, levels);
        Some(Self::new(mean, range, indices, universal))
    }

    /// The grid of these points.
    pub fn new(mean: f32, range: f32, indices: Vec<u16>, universal: &UniversalSet) -> Self {
        let points = Points::new(indices.iter().map(|i| universal.values()[usize::from(*i)]).collect());
        KernelGrid { mean, range, indices, points }
    }

    /// Which point is nearest to a weight.
    #[inline]
    pub fn code(&self, weight: f32) -> u8 {
        if self.range > 0.0 { self.points.nearest((weight - self.mean) / self.range) as u8 } else { 0 }
    }

    /// The weight that a code stands for.
    #[inline]
    pub fn weight(&self, code: u8) -> f32 {
        self.points.values()[usize::from(code)] * self.range + self.mean
    }

    /// The normalized value that a code stands for.
    #[inline]
    pub fn point(&self, code: u8) -> f32 {
        self.points.values()[usize::from(code)]
    }
}

impl SubsetKernels {
    /// Rounds every weight to the nearest value of its kernel's own grid. `weights` has shape
    /// `[kernels, weights.len() / kernels]`.
    ///
    /// # Errors
    /// [`NonFiniteChannel`] names the kernel that holds NaN or infinity.
    pub fn nearest(
        weights: &[f32],
        kernels: usize,
        universal: &UniversalSet,
        levels: usize,
    ) -> Result<Self, NonFiniteChannel> {
        let size = (weights.len() / kernels.max(1)).max(1);
        let rows = weights.chunks_exact(size).enumerate().map(|(index, kernel)| {
            let grid = KernelGrid::fit(kernel, universal, levels).ok_or(NonFiniteChannel(index))?;
            let codes = kernel.iter().map(|w| grid.code(*w)).collect();
            Ok((grid, codes))
        });
        Ok(Self::from_rows(rows.collect::<Result<_, _>>()?))
    }

    /// Puts kernels together from their grids and codes.
    pub fn from_rows(rows: Vec<(KernelGrid, Vec<u8>)>) -> Self {
        let mut kernels =
            SubsetKernels { means: Vec::new(), ranges: Vec::new(), points: Vec::new(), codes: Vec::new() };
        for (grid, codes) in rows {
            kernels.means.push(grid.mean);
            kernels.ranges.push(grid.range);
            kernels.points.push(grid.indices);
            kernels.codes.extend(codes);
        }
        kernels
    }

    /// The weights, in the layout that they were made from.
    pub fn weights(&self, universal: &UniversalSet) -> Vec<f32> {
        let size = (self.codes.len() / self.points.len().max(1)).max(1);
        let mut weights = Vec::with_capacity(self.codes.len());
        for (kernel, codes) in self.codes.chunks_exact(size).enumerate() {
            let (mean, range) = (self.means[kernel], self.ranges[kernel]);
            let values: Vec<f32> = self.points[kernel]
                .iter()
                .map(|i| universal.values()[usize::from(*i)] * range + mean)
                .collect();
            weights.extend(codes.iter().map(|code| values[usize::from(*code)]));
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::BitWidth;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn error(weights: &[f32], other: &[f32]) -> f64 {
        weights.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn nearer_than_uniform_weights_of_as_many_bits() {
        let universal = UniversalSet::new(4).unwrap();
        let mut rng = fastrand::Rng::with_seed(0);
        // Bell-shaped, as weights are, with a mean that is not 0.
        let weights: Vec<f32> = (0..4 * 144).map(|_| (0..4).map(|_| rng.f32()).sum::<f32>() - 1.7).collect();
        let mut before = f64::INFINITY;
        for bits in [2, 3, 4, 6] {
            let ours = SubsetKernels::nearest(&weights, 4, &universal, 1 << bits).unwrap();
            let ours = error(&weights, &ours.weights(&universal));
            let mut uniform = weights.clone();
            uniform::quantize_kernels(&mut uniform, 4, BitWidth::new(bits).unwrap()).unwrap();
            assert!(ours < error(&weights, &uniform) && ours < before, "{bits} bits: {ours}");
            before = ours;
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn constant_kernels_come_back_and_nan_is_refused() {
        let universal = UniversalSet::new(4).unwrap();
        let weights = [0.0, 0.0, 2.5, 2.5];
        assert_eq!(SubsetKernels::nearest(&weights, 2, &universal, 4).unwrap().weights(&universal), weights);
        let error = SubsetKernels::nearest(&[1.0, 2.0, f32::NAN, 0.0], 2, &universal, 4);
        assert_eq!(error.err(), Some(NonFiniteChannel(1)));
    }
}
