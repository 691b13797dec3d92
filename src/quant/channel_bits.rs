//! Bits for the single channels of a layer's input: with the same sum, more where they take more noise away.
//!
//! What rounding adds to a layer's output is, channel by channel, the squared error of the channel's values times the squares
//! of the weights that they meet. Channels differ in it, above all those that lie side by side in front of a fusion, so that
//! equal bits are spent where nobody sees them.

use super::{BitWidth, PointSets};
use crate::choice::choices;
use std::ops::RangeInclusive;

/// How far a channel's bits may be from the layer's.
const SPAN: u8 = 2;
const MOST: u8 = 8;

choices! {
    /// How the bits of a layer's activations are divided among its channels.
    pub enum ChannelBits: Equal {
        /// The same for all (the paper).
        Equal = "equal",
        /// The layer's on average, up to two more or fewer for a channel, such that the noise in the output is low.
        Allocated = "allocated",
    }
}

impl ChannelBits {
    /// The bits that a channel may get in a layer that is quantized to `width` on average.
    pub fn choices(self, width: BitWidth) -> RangeInclusive<u8> {
        let bits = width.bits().min(MOST);
        match self {
            ChannelBits::Equal => bits..=bits,
            ChannelBits::Allocated => bits.saturating_sub(SPAN).max(1)..=(bits + SPAN).min(MOST),
        }
    }

    /// Most points of a channel.
    pub fn most_levels(self, width: BitWidth) -> usize {
        1 << self.choices(width).end()
    }

    /// Whether points are no more than there may be, in a channel and in all.
    pub fn allows(self, points: &PointSets, width: BitWidth) -> bool {
        let sizes = || points.subsets().iter().map(Vec::len);
        let bits: usize = sizes().map(|size| size.next_power_of_two().ilog2() as usize).sum();
        sizes().all(|size| size <= self.most_levels(width))
            && bits <= usize::from(width.bits()) * points.len()
    }
}

/// Divides bits so that the noise is low: each goes where it takes most noise away, which is best where every bit takes away
/// less than the one before. `noise` has a channel's noise for each of its choices, from the fewest bits on; on average a
/// channel may get `mean` bits more than that. Returns the index of each channel's choice.
pub fn allocate(noise: &[Vec<f64>], mean: usize) -> Vec<usize> {
    let mut chosen = vec![0; noise.len()];
    for _ in 0..mean * noise.len() {
        let gain = |channel: usize| {
            let (at, noise) = (chosen[channel], &noise[channel]);
            noise.get(at + 1).map_or(f64::NEG_INFINITY, |next| noise[at] - next)
        };
        let best = (0..noise.len()).max_by(|a, b| gain(*a).total_cmp(&gain(*b)));
        match best {
            Some(best) if gain(best) > 0.0 => chosen[best] += 1,
            // Whatever is left helps nobody.
            _ => break,
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::WordSets;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn width(bits: u8) -> BitWidth {
        BitWidth::new(bits).unwrap()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_noise_is_the_least_of_all_divisions_of_as_many_bits() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..50 {
            // Every bit takes away three quarters or a little less.
            let noise: Vec<Vec<f64>> = (0..5)
                .map(|_| {
                    let (start, ratio) = (10f64.powf(3.0 * rng.f64()), 0.25 + 0.2 * rng.f64());
                    (0..5).map(|bits| start * ratio.powi(bits)).collect()
                })
                .collect();
            let total =
                |chosen: &[usize]| noise.iter().zip(chosen).map(|(noise, at)| noise[*at]).sum::<f64>();
            let ours = allocate(&noise, 2);
            assert_eq!(ours.iter().sum::<usize>(), 10);
            let all = (0..5usize.pow(5)).map(|i| (0..5).map(|c| i / 5usize.pow(c) % 5).collect::<Vec<_>>());
            let best = all.filter(|chosen| chosen.iter().sum::<usize>() == 10).map(|chosen| total(&chosen));
            assert!(total(&ours) <= best.fold(f64::INFINITY, f64::min) * (1.0 + 1e-12));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn bits_that_help_nobody_are_not_spent() {
        assert_eq!(allocate(&[vec![0.0; 5], vec![8.0, 2.0, 1.0, 1.0, 1.0]], 2), [0, 2]);
        assert_eq!(allocate(&[], 2), [0usize; 0]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn points_are_counted_in_bits_of_a_channel_and_of_all() {
        let sets = |sizes: &[u16]| {
            PointSets::new(WordSets::REFERENCE, sizes.iter().map(|n| (0..*n).collect()).collect()).unwrap()
        };
        assert_eq!(ChannelBits::Allocated.choices(width(2)), 1..=4);
        assert_eq!(ChannelBits::Allocated.choices(width(8)), 6..=8);
        assert!(ChannelBits::Equal.allows(&sets(&[16, 9, 1]), width(4)));
        assert!(!ChannelBits::Equal.allows(&sets(&[17, 1, 1]), width(4)));
        assert!(ChannelBits::Allocated.allows(&sets(&[64, 4]), width(4)));
        assert!(!ChannelBits::Allocated.allows(&sets(&[64, 5]), width(4)), "two bits too many");
        assert!(!ChannelBits::Allocated.allows(&sets(&[65, 1, 1]), width(4)), "more than six bits");
    }
}
