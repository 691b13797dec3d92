//! Mixed precision: bits for every layer under a budget of average bits.
//!
//! The error that a layer causes at a width is measured with this layer alone quantized. Errors of several layers are
//! taken to add up, which is not exact; so an assignment should be checked by a run.

use crate::quant::BitWidth;
use serde::{Deserialize, Serialize};

/// What quantizing one layer alone does to the network's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct LayerErrors {
    /// Index among the network's layers.
    pub layer: usize,
    /// Number of weights, by which widths are averaged.
    pub weights: usize,
    /// Mean squared error of the output, in units of the network's range squared, for each width in question.
    pub errors: Vec<f64>,
}

/// For each of these layers the index of its width, so that the sum of errors is least while the average of the widths,
/// weighted by numbers of weights, is at most `average_bits`. `None` if even the narrowest widths are above it.
///
/// `widths` are the widths that the errors are for. Exact: a list of partial assignments is kept of which none is both
/// cheaper and better than another.
pub fn assign(layers: &[LayerErrors], widths: &[BitWidth], average_bits: f64) -> Option<Vec<usize>> {
    /// One choice for the layers so far; `choice` and `before` lead back through them.
    struct Partial {
        bits: u64,
        error: f64,
        choice: usize,
        before: usize,
    }
    let total: usize = layers.iter().map(|layer| layer.weights).sum();
    let budget = (average_bits * total as f64 * (1.0 + 1e-12)).floor();
    let narrowest = widths.iter().map(|width| u64::from(width.bits())).min()?;
    let mut left = total as u64;
    let mut stages: Vec<Vec<Partial>> = vec![vec![Partial { bits: 0, error: 0.0, choice: 0, before: 0 }]];
    for layer in layers {
        left -= layer.weights as u64;
        let known = stages.last()?;
        let mut extended: Vec<Partial> = Vec::with_capacity(known.len() * widths.len());
        for (before, partial) in known.iter().enumerate() {
            for (choice, (width, error)) in widths.iter().zip(&layer.errors).enumerate() {
                let bits = partial.bits + u64::from(width.bits()) * layer.weights as u64;
                if (bits + left * narrowest) as f64 <= budget {
                    extended.push(Partial { bits, error: partial.error + error, choice, before });
                }
            }
        }
        extended.sort_by(|a, b| a.bits.cmp(&b.bits).then(a.error.total_cmp(&b.error)));
        let mut best = f64::INFINITY;
        extended.retain(|partial| {
            let better = partial.error < best;
            best = best.min(partial.error);
            better
        });
        stages.push(extended);
    }
    // The last of the list is the best, being the most expensive that is not worse than a cheaper one.
    let mut at = stages.last()?.len().checked_sub(1)?;
    let mut choices = Vec::with_capacity(layers.len());
    for stage in stages[1..].iter().rev() {
        choices.push(stage[at].choice);
        at = stage[at].before;
    }
    choices.reverse();
    Some(choices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn widths() -> Vec<BitWidth> {
        [2, 3, 4, 8].map(|bits| BitWidth::new(bits).unwrap()).into()
    }

    fn layers(rng: &mut fastrand::Rng, count: usize) -> Vec<LayerErrors> {
        let layer = |layer| {
            let size = rng.f64().powi(4);
            let errors = widths().iter().map(|w| size * 0.25f64.powi(i32::from(w.bits()))).collect();
            LayerErrors { layer, weights: rng.usize(1..9) * 16, errors }
        };
        (0..count).map(layer).collect()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn equals_trying_every_assignment() {
        let mut rng = fastrand::Rng::with_seed(1);
        for round in 0..40 {
            let layers = layers(&mut rng, 5);
            let average = 2.0 + 0.15 * f64::from(round);
            let budget = average * layers.iter().map(|l| l.weights as f64).sum::<f64>();
            let (mut best, widths) = (f64::INFINITY, widths());
            for code in 0..4usize.pow(5) {
                let chosen = |i: usize| code >> (2 * i) & 3;
                let bits: f64 =
                    (0..5).map(|i| f64::from(widths[chosen(i)].bits()) * layers[i].weights as f64).sum();
                if bits <= budget {
                    best = best.min((0..5).map(|i| layers[i].errors[chosen(i)]).sum());
                }
            }
            let ours = assign(&layers, &widths, average).unwrap();
            let error: f64 = ours.iter().zip(&layers).map(|(choice, layer)| layer.errors[*choice]).sum();
            assert!((error - best).abs() <= 1e-12 * best, "{average} bits: {error} is not {best}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_ends_of_the_budget() {
        let mut rng = fastrand::Rng::with_seed(2);
        let layers = layers(&mut rng, 30);
        assert_eq!(assign(&layers, &widths(), 1.9), None);
        assert_eq!(assign(&layers, &widths(), 2.0), Some(vec![0; 30]));
        assert_eq!(assign(&layers, &widths(), 8.0), Some(vec![3; 30]));
        assert_eq!(assign(&[], &widths(), 4.0), Some(vec![]));
    }
}
