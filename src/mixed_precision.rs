//! Mixed precision: bits of every layer's weights and activations under a budget.
//!
//! What bits do to the output is measured with those of one layer alone, of its weights or of its activations. Such errors
//! are taken to add up, which is not exact; so an assignment should be checked by a run.

mod knapsack;

use crate::bit_ops::{LayerSize, Uniform};
use crate::choice::choices;
use crate::quant::BitWidth;
use knapsack::{Choice, cheapest};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What quantizing one layer alone does to the network's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct LayerErrors {
    /// Index among the network's layers.
    pub layer: usize,
    /// How much of it there is.
    pub size: LayerSize,
    /// Mean squared error of the output, in units of the network's range squared, for each width in question: of weights
    /// alone, and of activations alone.
    pub errors: [Vec<f64>; 2],
}

choices! {
    /// What must not be exceeded.
    pub enum Budget: Bits {
        /// The average bits of weights, and that of activations.
        Bits = "bits",
        /// The products of both, summed over multiply-accumulates, and the rescaling of partial sums (BitOPs).
        BitOps = "bit-ops",
    }
}

/// For each of these layers bits of weights and activations, so that the sum of errors is least and the budget is not
/// exceeded that `average_bits` everywhere would need. `None` if even the narrowest widths need more.
///
/// `widths` are those that the errors are for.
pub fn assign(
    layers: &[LayerErrors],
    widths: &[BitWidth],
    budget: Budget,
    average_bits: f64,
) -> Option<Vec<[BitWidth; 2]>> {
    let all = || 0..widths.len();
    let bits = |width: usize| f64::from(widths[width].bits());
    if budget == Budget::BitOps {
        let pairs: Vec<[usize; 2]> = all().flat_map(|w| all().map(move |a| [w, a])).collect();
        let options = layers.iter().map(|LayerErrors { size, errors, .. }| {
            let option = |&[w, a]: &[usize; 2]| Choice {
                cost: size.bit_ops([widths[w], widths[a]]),
                error: errors[0][w] + errors[1][a],
            };
            pairs.iter().map(option).collect()
        });
        let most = Uniform::of(layers.iter().map(|layer| &layer.size)).bit_ops(average_bits);
        let chosen = cheapest(options.collect(), most)?;
        return Some(chosen.into_iter().map(|pair| pairs[pair].map(|width| widths[width])).collect());
    }
    let of_operand = |operand: usize, amount: &dyn Fn(&LayerSize) -> f64| {
        let options = layers.iter().map(|LayerErrors { size, errors, .. }| {
            let option = |width| Choice { cost: amount(size) * bits(width), error: errors[operand][width] };
            all().map(option).collect()
        });
        let total: f64 = layers.iter().map(|layer| amount(&layer.size)).sum();
        cheapest(options.collect(), total * average_bits)
    };
    let weights = of_operand(0, &|size| size.weights as f64)?;
    let activations = of_operand(1, &|size| size.activations)?;
    Some(weights.into_iter().zip(activations).map(|(w, a)| [widths[w], widths[a]]).collect())
}

/// Steps that an assignment is tilted by: by how many times an error counts more.
const TILT: f64 = 2.0;

/// Most steps into one direction.
const MAX_STEPS: i32 = 4;

/// As [`assign`], refined by runs. Errors do not add up: layers make up for those before them, and what weights and
/// activations do to the output is not alike. So errors of weights, and those of late layers, are taken to count more or less,
/// as long as that lowers the error of a run, which `run` tells of an assignment.
///
/// # Errors
/// What `run` returns.
pub fn assign_by_runs<E>(
    layers: &[LayerErrors],
    widths: &[BitWidth],
    budget: Budget,
    average_bits: f64,
    mut run: impl FnMut(&[[BitWidth; 2]]) -> Result<f64, E>,
) -> Result<Option<Vec<[BitWidth; 2]>>, E> {
    let Some(first) = assign(layers, widths, budget, average_bits) else { return Ok(None) };
    let mut best = (run(&first)?, first);
    // Different tilts may lead to one assignment; its error is known then.
    let mut errors = HashMap::from([(best.1.clone(), best.0)]);
    let mut tilt = [0i32; 2];
    for direction in 0..2 {
        let start = (best.0, tilt);
        // Both ways, since either may begin with a step that gains a little by chance.
        for step in [1, -1] {
            let (mut before, mut at) = start;
            while (at[direction] + step).abs() <= MAX_STEPS {
                at[direction] += step;
                let tilted = tilted(layers, at.map(|steps| TILT.powi(steps)));
                let Some(bits) = assign(&tilted, widths, budget, average_bits) else { break };
                let error = match errors.get(&bits) {
                    Some(known) => *known,
                    None => *errors.entry(bits.clone()).or_insert(run(&bits)?),
                };
                // NaN is the worst.
                if error.total_cmp(&before).is_gt() {
                    break;
                }
                before = error;
                if error.total_cmp(&best.0).is_lt() {
                    best = (error, bits);
                    tilt = at;
                }
            }
        }
    }
    Ok(Some(best.1))
}

/// With errors of weights, and of the last layer, that count so many times more; those of other layers in between.
fn tilted(layers: &[LayerErrors], [of_weights, of_last]: [f64; 2]) -> Vec<LayerErrors> {
    let last = layers.len().saturating_sub(1).max(1) as f64;
    let tilt = |(at, layer): (usize, &LayerErrors)| {
        let late = of_last.powf(at as f64 / last);
        let times = |errors: &[f64], factor: f64| errors.iter().map(|error| error * factor).collect();
        let errors = [times(&layer.errors[0], of_weights * late), times(&layer.errors[1], late)];
        LayerErrors { errors, ..layer.clone() }
    };
    layers.iter().enumerate().map(tilt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bit_ops::{AverageBits, Rescaling};
    use wasm_bindgen_test::wasm_bindgen_test;

    fn widths() -> Vec<BitWidth> {
        [2, 3, 4, 8].map(|bits| BitWidth::new(bits).unwrap()).into()
    }

    fn layers(rng: &mut fastrand::Rng, count: usize) -> Vec<LayerErrors> {
        let mut layer = |layer| {
            // Of 32 bits, so that the numbers are the same on every target.
            let (weights, macs) = (rng.u32(1..9) as usize * 16, f64::from(rng.u32(1..9)) * 0.25);
            let rescaling =
                Rescaling { count: macs / f64::from(rng.u32(1..10)), carry_bits: 4, range_bits: 8 };
            let size = LayerSize { weights, activations: f64::from(rng.u32(1..5)), macs, rescaling };
            let errors = [(); 2].map(|()| {
                let noise = rng.f64().powi(4);
                widths().iter().map(|w| noise * 0.25f64.powi(i32::from(w.bits()))).collect()
            });
            LayerErrors { layer, size, errors }
        };
        (0..count).map(&mut layer).collect()
    }

    fn index(bits: BitWidth) -> usize {
        widths().iter().position(|width| *width == bits).unwrap()
    }

    fn error(layers: &[LayerErrors], bits: &[[BitWidth; 2]]) -> f64 {
        let of_layer = |(layer, [w, a]): (&LayerErrors, &[BitWidth; 2])| {
            layer.errors[0][index(*w)] + layer.errors[1][index(*a)]
        };
        layers.iter().zip(bits).map(of_layer).sum()
    }

    fn average(layers: &[LayerErrors], bits: &[[BitWidth; 2]]) -> AverageBits {
        AverageBits::of(layers.iter().map(|layer| layer.size).zip(bits.iter().copied()))
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn equals_trying_every_assignment() {
        let mut rng = fastrand::Rng::with_seed(1);
        for round in 0..30 {
            let (layers, widths) = (layers(&mut rng, 3), widths());
            let bits = 2.0 + 0.2 * f64::from(round);
            for budget in [Budget::Bits, Budget::BitOps] {
                let mut best = f64::INFINITY;
                for code in 0..16usize.pow(3) {
                    let width = |i: usize| widths[code >> (2 * i) & 3];
                    let all: Vec<_> = (0..3).map(|i| [width(2 * i), width(2 * i + 1)]).collect();
                    let AverageBits { weights, activations, bit_ops } = average(&layers, &all);
                    let kept = match budget {
                        Budget::Bits => weights <= bits + 1e-9 && activations <= bits + 1e-9,
                        Budget::BitOps => bit_ops <= bits + 1e-9,
                    };
                    if kept {
                        best = best.min(error(&layers, &all));
                    }
                }
                let ours = error(&layers, &assign(&layers, &widths, budget, bits).unwrap());
                assert!((ours - best).abs() <= 1e-12 * best, "{bits} of {budget:?}: {ours} is not {best}");
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn long_lists_are_thinned_by_little() {
        // Costs of which hardly two are equal.
        let mut rng = fastrand::Rng::with_seed(4);
        let mut layers = layers(&mut rng, 80);
        layers.iter_mut().for_each(|layer| layer.size.macs = 1.0 + rng.f64());
        let bits = assign(&layers, &widths(), Budget::BitOps, 4.0).unwrap();
        let found = error(&layers, &bits);
        assert!(average(&layers, &bits).bit_ops <= 4.0 + 1e-9);
        // A bound by Lagrange's multiplier: no choice within the budget has less than the least of error + price * cost.
        let four = BitWidth::new(4).unwrap();
        let budget: f64 = layers.iter().map(|layer| layer.size.bit_ops([four, four])).sum();
        let bound = |price: f64| -> f64 {
            let least = |layer: &LayerErrors| {
                let pairs = widths().into_iter().flat_map(|w| widths().into_iter().map(move |a| [w, a]));
                let cost = |bits| price * layer.size.bit_ops(bits);
                pairs
                    .map(|bits| error(std::slice::from_ref(layer), &[bits]) + cost(bits))
                    .fold(f64::INFINITY, f64::min)
            };
            layers.iter().map(least).sum::<f64>() - price * budget
        };
        let best = (0..200).map(|i| bound(1e-9 * 1.1f64.powi(i))).fold(0.0, f64::max);
        assert!(best > 0.0 && found >= best && found < 1.01 * best, "{found} {best}");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_ends_of_the_budget() {
        let mut rng = fastrand::Rng::with_seed(2);
        let layers = layers(&mut rng, 30);
        for budget in [Budget::Bits, Budget::BitOps] {
            let assign = |bits| assign(&layers, &widths(), budget, bits);
            let all = |bits: u8| Some(vec![[BitWidth::new(bits).unwrap(); 2]; 30]);
            assert_eq!(assign(1.9), None);
            assert_eq!(assign(2.0), all(2));
            assert_eq!(assign(8.0), all(8));
        }
        assert_eq!(assign(&[], &widths(), Budget::Bits, 4.0), Some(vec![]));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn runs_correct_what_does_not_add_up() {
        let mut ideal = 0;
        for seed in 0..24 {
            let (layers, widths) = (layers(&mut fastrand::Rng::with_seed(seed), 8), widths());
            // Weights do four times as much as was measured, and late layers half as much.
            let truth = tilted(&layers, [4.0, 0.5]);
            let mut runs: Vec<Vec<[BitWidth; 2]>> = Vec::new();
            let mut run = |bits: &[[BitWidth; 2]]| {
                assert!(!runs.iter().any(|known| known == bits), "run twice: {bits:?}");
                runs.push(bits.to_vec());
                Ok::<_, ()>(error(&truth, bits))
            };
            let found = assign_by_runs(&layers, &widths, Budget::BitOps, 4.0, &mut run).unwrap().unwrap();
            assert!(runs.len() <= 16, "{} runs", runs.len());
            let plain = assign(&layers, &widths, Budget::BitOps, 4.0).unwrap();
            assert!(error(&truth, &found) <= error(&truth, &plain));
            ideal += usize::from(found == assign(&truth, &widths, Budget::BitOps, 4.0).unwrap());
        }
        // It follows one direction after the other, and may stop before it is there.
        assert!(ideal >= 16, "ideal in {ideal} of 24");
        let layers = layers(&mut fastrand::Rng::with_seed(3), 8);
        let stopped = assign_by_runs(&layers, &widths(), Budget::Bits, 4.0, |_| Err("stopped"));
        assert_eq!(stopped, Err("stopped"));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_little_gained_one_way_does_not_hide_the_other() {
        let (layers, widths) = (layers(&mut fastrand::Rng::with_seed(5), 8), widths());
        let at = |steps: i32| {
            let tilted = tilted(&layers, [TILT.powi(steps), 1.0]);
            assign(&tilted, &widths, Budget::BitOps, 4.0).unwrap()
        };
        let known = [(0, 1.0), (1, 0.99), (-1, 1.0), (-2, 0.5)].map(|(steps, error)| (at(steps), error));
        let run = |bits: &[[BitWidth; 2]]| {
            let error = known.iter().find(|(of, _)| of == bits).map_or(2.0, |(_, error)| *error);
            Ok::<_, ()>(error)
        };
        assert_eq!(assign_by_runs(&layers, &widths, Budget::BitOps, 4.0, run), Ok(Some(at(-2))));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn averages_count_weights_activations_and_products() {
        let size = |weights, activations, macs| LayerSize {
            weights,
            activations,
            macs,
            rescaling: Rescaling::default(),
        };
        let [two, eight] = [2, 8].map(|bits| BitWidth::new(bits).unwrap());
        let layers = [(size(300, 1.0, 1.0), [two, eight]), (size(100, 3.0, 3.0), [eight, two])];
        let average = AverageBits::of(layers.into_iter());
        assert_eq!(average, AverageBits { weights: 3.5, activations: 3.5, bit_ops: 4.0 });
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn rescaling_counts_and_the_same_bits_everywhere_are_their_own_average() {
        // A 3x3 convolution of 64 channels: a ninth as many rescalings as multiply-accumulates, of sums of nine products.
        let rescaling = Rescaling { count: 64.0 * 64.0, carry_bits: 4, range_bits: 32 };
        let wide = LayerSize { weights: 36_864, activations: 64.0, macs: 36_864.0, rescaling };
        // A 1x1 convolution: as many as there are.
        let rescaling = Rescaling { count: 4096.0, carry_bits: 0, range_bits: 8 };
        let narrow = LayerSize { weights: 4096, activations: 64.0, macs: 4096.0, rescaling };
        let four = BitWidth::new(4).unwrap();
        assert_eq!(wide.bit_ops([four, four]), 36_864.0 * 16.0 + 4096.0 * 12.0 * 32.0);
        assert_eq!(narrow.bit_ops([four, four]), 4096.0 * (16.0 + 8.0 * 8.0));
        assert_eq!(narrow.bit_ops([four, BitWidth::FULL]), 4096.0 * 128.0, "f32 inputs have one scale");
        for bits in BitWidth::quantized() {
            let average = AverageBits::of([wide, narrow].into_iter().map(|size| (size, [bits; 2])));
            assert!((average.bit_ops - f64::from(bits.bits())).abs() < 1e-9, "{average:?}");
        }
        let full = AverageBits::of([wide, narrow].into_iter().map(|size| (size, [BitWidth::FULL; 2])));
        assert!((full.bit_ops - 32.0).abs() < 1e-9);
    }
}
