//! Quantized kernels as codes: steps of a uniform grid, or points of their own.

use super::BitWidth;
use super::uniform::{self, UniformGrid};

/// Kernels on uniform grids: a weight is `(code + first) * scale`, as f32 computes it.
#[derive(Debug, Clone, PartialEq)]
pub struct UniformCodes {
    /// By kernel, a whole number.
    pub firsts: Vec<f32>,
    /// By kernel.
    pub scales: Vec<f32>,
    /// By weight, steps above the first.
    pub codes: Vec<u8>,
}

impl UniformCodes {
    /// Of weights that [`uniform::quantize_kernels`] made of `originals`, both `[kernels, weights.len() / kernels]`; None where they
    /// were made otherwise.
    pub fn of(originals: &[f32], weights: &[f32], kernels: usize, bits: BitWidth) -> Option<Self> {
        let size = (weights.len() / kernels.max(1)).max(1);
        let steps = bits.levels()?.checked_sub(1).filter(|steps| *steps < 256)? as f32;
        let (mut firsts, mut scales) = (Vec::with_capacity(kernels), Vec::with_capacity(kernels));
        let mut codes = Vec::with_capacity(weights.len());
        for (original, kernel) in originals.chunks_exact(size).zip(weights.chunks_exact(size)) {
            let (low, high) = uniform::range(original)?;
            let grid = UniformGrid::with_zero_point(low, high, bits);
            // All alike, they stay as they are.
            let (first, scale) = if grid.scale > 0.0 { (grid.first, grid.scale) } else { (1.0, low) };
            for weight in kernel {
                let code = if scale == 0.0 { 0.0 } else { (weight / scale).round_ties_even() - first };
                if !(0.0..=steps).contains(&code) || (code + first) * scale != *weight {
                    return None;
                }
                codes.push(code as u8);
            }
            firsts.push(first);
            scales.push(scale);
        }
        Some(UniformCodes { firsts, scales, codes })
    }
}

/// Kernels of few values each.
#[derive(Debug, Clone, PartialEq)]
pub struct Codebook {
    /// `[kernels, each]`, each row ascending; where a kernel has fewer, its last point is repeated.
    pub points: Vec<f32>,
    /// Points of a kernel.
    pub each: usize,
    /// By weight, which of its kernel's points it is.
    pub codes: Vec<u8>,
}

impl Codebook {
    /// Of weights `[kernels, weights.len() / kernels]`; None where a kernel has more than 256 values.
    pub fn of(weights: &[f32], kernels: usize) -> Option<Self> {
        let size = (weights.len() / kernels.max(1)).max(1);
        let distinct = |kernel: &[f32]| {
            let mut values = kernel.to_vec();
            values.sort_unstable_by(f32::total_cmp);
            values.dedup_by_key(|value| value.to_bits());
            values
        };
        let rows: Vec<Vec<f32>> = weights.chunks_exact(size).map(distinct).collect();
        let each = rows.iter().map(Vec::len).max().filter(|each| *each <= 256)?;
        let code = |(kernel, row): (&[f32], &Vec<f32>)| -> Vec<u8> {
            // Each is among them; the first of those that are not below it.
            kernel
                .iter()
                .map(|weight| row.partition_point(|point| point.total_cmp(weight).is_lt()) as u8)
                .collect()
        };
        let codes = weights.chunks_exact(size).zip(&rows).flat_map(code).collect();
        let filled = |mut row: Vec<f32>| {
            let last = row.last().copied().unwrap_or_default();
            row.resize(each, last);
            row
        };
        Some(Codebook { points: rows.into_iter().flat_map(filled).collect(), each, codes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_a_uniform_grid_give_its_weights() {
        let originals = [0.5, -1.0, 0.25, 0.31, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0];
        for bits in [1, 2, 3, 8] {
            let bits = BitWidth::new(bits).unwrap();
            let mut weights = originals.to_vec();
            uniform::quantize_kernels(&mut weights, 3, bits).unwrap();
            let UniformCodes { firsts, scales, codes } =
                UniformCodes::of(&originals, &weights, 3, bits).unwrap();
            let weight = |(at, code): (usize, &u8)| (f32::from(*code) + firsts[at / 4]) * scales[at / 4];
            assert_eq!(codes.iter().enumerate().map(weight).collect::<Vec<_>>(), weights);
        }
        let four = BitWidth::new(4).unwrap();
        assert_eq!(UniformCodes::of(&originals, &originals, 3, four), None);
    }

    #[test]
    fn weights_come_back() {
        let weights = [0.5, -1.0, 0.5, 0.25, 3.0, 3.0, 3.0, 3.0];
        let book = Codebook::of(&weights, 2).unwrap();
        assert_eq!((book.each, &book.codes[..]), (3, &[2, 0, 2, 1, 0, 0, 0, 0][..]));
        assert_eq!(book.points, [-1.0, 0.25, 0.5, 3.0, 3.0, 3.0]);
        let weight = |(at, code): (usize, &u8)| book.points[at / 4 * book.each + usize::from(*code)];
        assert_eq!(book.codes.iter().enumerate().map(weight).collect::<Vec<_>>(), weights);
        let many: Vec<f32> = (0..257).map(|i| i as f32).collect();
        assert_eq!(Codebook::of(&many, 1), None);
    }
}
