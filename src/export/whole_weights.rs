//! Kernels in whole steps that integer convolutions multiply without cutting anything off.

use crate::quant::BitWidth;
use crate::quant::codebook::UniformCodes;

/// Weights as whole numbers: by weight, and by kernel the scale.
pub struct WholeWeights {
    pub weights: Vec<i8>,
    pub scales: Vec<f32>,
    /// How many kernels are not the very ones.
    pub longer: usize,
}

impl WholeWeights {
    /// Of weights that were put on uniform grids. Where a kernel's steps are too many, they become longer, and the original is rounded
    /// to them. `[kernels, weights.len() / kernels]`, both.
    pub fn of(originals: &[f32], weights: &[f32], kernels: usize, bits: BitWidth) -> Option<Self> {
        let size = (weights.len() / kernels.max(1)).max(1);
        let UniformCodes { firsts, scales, codes } = UniformCodes::of(originals, weights, kernels, bits)?;
        let mut whole =
            WholeWeights { weights: Vec::with_capacity(weights.len()), scales: Vec::new(), longer: 0 };
        let grids = firsts.iter().zip(&scales).zip(codes.chunks_exact(size));
        for (((first, scale), codes), original) in grids.zip(originals.chunks_exact(size)) {
            // Where all weights are alike, they are one step, which may go down or nowhere.
            let side = if *scale == 0.0 { 0.0 } else { scale.signum() };
            let mut steps: Vec<f32> = codes.iter().map(|code| (f32::from(*code) + first) * side).collect();
            let mut scale = if *scale == 0.0 { 1.0 } else { scale.abs() };
            if !fits(&steps) {
                scale = original.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs())) / STEPS;
                steps = original.iter().map(|weight| (weight / scale).round_ties_even()).collect();
                whole.longer += 1;
            }
            whole.weights.extend(steps.iter().map(|steps| *steps as i8));
            whole.scales.push(scale);
        }
        Some(whole)
    }
}

/// Steps on each side of 0 that always fit.
const STEPS: f32 = 64.0;

/// Whether a byte holds each weight, and 16 bits the sum of any two products with activations of 8 bits: that is where onnxruntime's
/// kernels add them on processors without VNNI, and what does not fit is cut off there without a word.
fn fits(steps: &[f32]) -> bool {
    [1.0, -1.0].iter().all(|side| {
        let two = |[first, second]: [f32; 2], steps: &f32| match steps * side {
            steps if steps > first => [steps, first],
            steps => [first, second.max(steps)],
        };
        let [first, second] = steps.iter().fold([0.0; 2], two);
        first <= f32::from(i8::MAX) && first + second <= 2.0 * STEPS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_the_very_ones_where_their_steps_fit() {
        let mut rng = fastrand::Rng::with_seed(3);
        // All alike below and above 0, all zero, from 0 up; then any, of which most are on both sides of it.
        let some = [[-0.3; 4], [0.7; 4], [0.0; 4], [0.0, 0.5, 0.75, 1.0]].concat();
        let kernels: Vec<f32> = some.into_iter().chain((0..400).map(|_| rng.f32() - 0.4)).collect();
        let count = kernels.len() / 4;
        for bits in 1..=8 {
            let bits = BitWidth::new(bits).unwrap();
            let mut weights = kernels.clone();
            crate::quant::uniform::quantize_kernels(&mut weights, count, bits).unwrap();
            let whole = WholeWeights::of(&kernels, &weights, count, bits).unwrap();
            let mut longer = 0;
            for at in (0..kernels.len()).step_by(4) {
                let steps = &whole.weights[at..at + 4];
                for (a, b) in (0..4).flat_map(|a| (0..a).map(move |b| (a, b))) {
                    assert!(
                        i16::try_from(255 * (i32::from(steps[a]) + i32::from(steps[b]))).is_ok(),
                        "{steps:?}"
                    );
                }
                let scale = whole.scales[at / 4];
                let back: Vec<f32> = steps.iter().map(|steps| f32::from(*steps) * scale).collect();
                if back != weights[at..at + 4] {
                    longer += 1;
                    let below = kernels[at..at + 4].iter().filter(|weight| **weight < 0.0).count();
                    assert!(bits.bits() > 6 || below == 0 || below == 4, "{bits:?}: {back:?}");
                    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= scale * 0.5001;
                    assert!(back.iter().zip(&kernels[at..at + 4]).all(near), "{bits:?}: {back:?}");
                }
            }
            assert_eq!(longer, whole.longer, "{bits:?}");
            assert!(bits.bits() < 8 || longer > 0);
        }
    }
}
