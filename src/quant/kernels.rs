//! Kernels as codes: each kernel (output channel) has a grid of its own, uniform or a subset of the universal set.

use super::histogram::Histogram;
use super::{
    BitWidth, NonFiniteChannel, PointSets, Points, UniformGrid, UniversalSet, WordSets, exact, uniform,
};
use crate::choice::choices;

choices! {
    /// What the weights are rounded to.
    pub enum WeightGrid: Uniform {
        /// A uniform grid for each kernel (the paper).
        Uniform = "uniform",
        /// Exactly chosen points of the universal set for each kernel.
        Subset = "subset",
    }
}

/// Kernels whose weights are `mean + range * value`, where `value` is a point of the universal set, or the code itself.
#[derive(Debug, Clone, PartialEq)]
pub struct CodedKernels {
    /// By kernel: what is added.
    pub means: Vec<f32>,
    /// By kernel: what the values are multiplied with.
    pub ranges: Vec<f32>,
    /// By kernel: its points, at most 256; none on a uniform grid.
    pub points: PointSets,
    /// By weight: which of its kernel's points, or steps above the mean.
    pub codes: Vec<u8>,
}

/// The grid that one kernel's weights are rounded to.
#[derive(Debug, Clone)]
pub struct KernelGrid {
    /// What is added.
    pub mean: f32,
    /// What the values are multiplied with.
    pub range: f32,
    /// Indices of the points in the universal set; none on a uniform grid.
    pub indices: Vec<u16>,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    Subset(Box<Points>),
    /// 0, 1, … up to this.
    Uniform(f32),
}

impl KernelGrid {
    /// The grid of `2^bits` values for these weights: their uniform one (eq. 6 and 7), or that of the points with the
    /// least squared error. `None` if a weight is NaN or infinite.
    pub fn fit(weights: &[f32], grid: WeightGrid, word_sets: WordSets, bits: BitWidth) -> Option<Self> {
        let (low, high) = uniform::range(weights)?;
        let levels = bits.levels().unwrap_or(usize::MAX).min(256);
        if grid == WeightGrid::Uniform {
            let UniformGrid { scale, first, .. } = UniformGrid::with_zero_point(low, high, bits);
            let mean = if scale > 0.0 { first * scale } else { low };
            let values = Values::Uniform((levels - 1) as f32);
            return Some(KernelGrid { mean, range: scale, indices: Vec::new(), values });
        }
        let mean = weights.iter().map(|w| f64::from(*w)).sum::<f64>() as f32 / weights.len().max(1) as f32;
        let range = (high - mean).max(mean - low);
        let universal = UniversalSet::of(word_sets);
        let mut histogram = Histogram::new(universal);
        let normalized = weights.iter().map(|w| if range > 0.0 { (w - mean) / range } else { 0.0 });
        histogram.add(normalized).ok()?;
        let indices = exact::exact(&histogram.cumulative(), universal, levels);
        let points = indices.iter().map(|i| universal.values()[usize::from(*i)]).collect();
        let values = Values::Subset(Box::new(Points::of_sorted(points)));
        Some(KernelGrid { mean, range, indices, values })
    }

    /// The same values with another mean and range.
    pub fn moved(&self, mean: f32, range: f32) -> Self {
        KernelGrid { mean, range, ..self.clone() }
    }

    /// The code of the value nearest to a weight.
    #[inline]
    pub fn code(&self, weight: f32) -> u8 {
        if self.range <= 0.0 {
            return 0;
        }
        let normalized = (weight - self.mean) / self.range;
        match &self.values {
            Values::Subset(points) => points.nearest(normalized) as u8,
            // Rounds, since the cast cuts off; NaN becomes 0.
            Values::Uniform(last) => (normalized.clamp(0.0, *last) + 0.5) as u8,
        }
    }

    /// The weight that a code stands for.
    #[inline]
    pub fn weight(&self, code: u8) -> f32 {
        self.value(code) * self.range + self.mean
    }

    /// The value, before mean and range, that a code stands for.
    #[inline]
    pub fn value(&self, code: u8) -> f32 {
        match &self.values {
            Values::Subset(points) => points.values()[usize::from(code)],
            Values::Uniform(_) => f32::from(code),
        }
    }
}

impl CodedKernels {
    /// Rounds every weight to the nearest value of its kernel's own grid. `weights` has shape
    /// `[kernels, weights.len() / kernels]`.
    ///
    /// # Errors
    /// [`NonFiniteChannel`] names the kernel that holds NaN or infinity.
    pub fn nearest(
        weights: &[f32],
        kernels: usize,
        grid: WeightGrid,
        word_sets: WordSets,
        bits: BitWidth,
    ) -> Result<Self, NonFiniteChannel> {
        let size = (weights.len() / kernels.max(1)).max(1);
        let rows = weights.chunks_exact(size).enumerate().map(|(index, kernel)| {
            let grid = KernelGrid::fit(kernel, grid, word_sets, bits).ok_or(NonFiniteChannel(index))?;
            let codes = kernel.iter().map(|w| grid.code(*w)).collect();
            Ok((grid, codes))
        });
        Ok(Self::from_rows(word_sets, rows.collect::<Result<_, _>>()?))
    }

    /// Puts kernels together from their grids and codes.
    pub fn from_rows(word_sets: WordSets, rows: Vec<(KernelGrid, Vec<u8>)>) -> Self {
        let mut codes = Vec::with_capacity(rows.iter().map(|(_, codes)| codes.len()).sum());
        let (mut means, mut ranges, mut points) = (Vec::new(), Vec::new(), Vec::new());
        for (grid, own) in rows {
            means.push(grid.mean);
            ranges.push(grid.range);
            points.push(grid.indices);
            codes.extend(own);
        }
        CodedKernels { means, ranges, points: PointSets::of_chosen(word_sets, points), codes }
    }

    /// By kernel, its points and its weights' codes.
    pub fn rows(&self) -> impl Iterator<Item = (&[u16], &[u8])> {
        let size = (self.codes.len() / self.points.len().max(1)).max(1);
        self.points.subsets().iter().map(Vec::as_slice).zip(self.codes.chunks_exact(size))
    }

    /// The weights, in the layout that they were made from.
    pub fn weights(&self) -> Vec<f32> {
        let universal = self.points.universal().values();
        let mut weights = Vec::with_capacity(self.codes.len());
        for ((points, codes), (mean, range)) in self.rows().zip(self.means.iter().zip(&self.ranges)) {
            let value = |code: &u8| match points.get(usize::from(*code)) {
                Some(index) => universal[usize::from(*index)],
                None => f32::from(*code),
            };
            weights.extend(codes.iter().map(|code| value(code) * range + mean));
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn width(bits: u8) -> BitWidth {
        BitWidth::new(bits).unwrap()
    }

    fn error(weights: &[f32], other: &[f32]) -> f64 {
        weights.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn subsets_are_nearer_than_uniform_weights_of_as_many_bits() {
        let four = WordSets::REFERENCE;
        let mut rng = fastrand::Rng::with_seed(0);
        // Bell-shaped, as weights are, with a mean that is not 0.
        let weights: Vec<f32> = (0..4 * 144).map(|_| (0..4).map(|_| rng.f32()).sum::<f32>() - 1.7).collect();
        let mut before = f64::INFINITY;
        for bits in [2, 3, 4, 6] {
            let rounded =
                |grid| CodedKernels::nearest(&weights, 4, grid, four, width(bits)).unwrap().weights();
            let subset = error(&weights, &rounded(WeightGrid::Subset));
            let mut uniform = weights.clone();
            uniform::quantize_kernels(&mut uniform, 4, width(bits)).unwrap();
            assert!(error(&uniform, &rounded(WeightGrid::Uniform)) < 1e-9, "codes of the paper's grid");
            assert!(subset < error(&weights, &uniform) && subset < before, "{bits} bits: {subset}");
            before = subset;
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn constant_kernels_come_back_and_nan_is_refused() {
        let four = WordSets::REFERENCE;
        let weights = [0.0, 0.0, 2.5, 2.5];
        for grid in [WeightGrid::Subset, WeightGrid::Uniform] {
            let kernels = CodedKernels::nearest(&weights, 2, grid, four, width(2)).unwrap();
            assert_eq!(kernels.weights(), weights);
            let error = CodedKernels::nearest(&[1.0, 2.0, f32::NAN, 0.0], 2, grid, four, width(2));
            assert_eq!(error.err(), Some(NonFiniteChannel(1)));
        }
    }
}
