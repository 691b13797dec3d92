//! What must hold for any input.
#![cfg(not(target_arch = "wasm32"))]

use dfsq::quant::subset::{Preset, kmeans};
use dfsq::quant::{
    ActivationQuantizer, BitWidth, Histogram, Normalization, Normalizer, Points, Quantizer, SubsetQuantizer,
    UniformGrid, UniversalSet, WordSets,
};
use proptest::prelude::*;

fn values() -> impl Strategy<Value = Vec<f32>> {
    prop_oneof![
        prop::collection::vec(-1e3f32..1e3, 1..400),
        prop::collection::vec(-1e-20f32..1e-20, 1..60),
        prop::collection::vec(prop_oneof![Just(0.0f32), Just(2.5), Just(-2.5)], 1..60),
    ]
}

fn width() -> impl Strategy<Value = BitWidth> {
    (2u8..=8).prop_map(|bits| BitWidth::new(bits).unwrap_or(BitWidth::FULL))
}

proptest! {
    #[test]
    fn normalized_values_lie_between_minus_one_and_one(values in values(), subtract in any::<bool>()) {
        let norm = Normalization::measure(&values, subtract).ok_or(TestCaseError::fail("finite"))?;
        for x in &values {
            prop_assert!(norm.normalize(*x).abs() <= 1.0);
        }
    }

    #[test]
    fn the_chosen_point_is_the_nearest(points in prop::collection::vec(-1f32..1.0, 1..256), y in -1.2f32..1.2) {
        let points = Points::new(points).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let chosen = (points.quantize_dequantize(y) - y).abs();
        let nearest = points.values().iter().map(|p| (p - y).abs()).fold(f32::INFINITY, f32::min);
        prop_assert!(chosen <= nearest + 1e-7);
    }

    #[test]
    fn a_grid_moves_what_it_spans_by_half_a_step_at_most(values in values(), bits in width()) {
        let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        let grid = UniformGrid::spanning(low, high, bits);
        for x in &values {
            let q = grid.quantize_dequantize(*x);
            prop_assert!((q - x).abs() <= grid.scale * 0.5001 + x.abs() * 1e-6);
            prop_assert!((grid.quantize_dequantize(q) - q).abs() <= x.abs() * 1e-6);
        }
    }

    #[test]
    fn selected_points_are_few_distinct_and_in_order(values in values(), bits in width(), sets in 2u8..=5, paper in any::<bool>()) {
        let sets = WordSets::new(sets).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let universal = UniversalSet::of(sets);
        let norm = Normalization::measure(&values, true).ok_or(TestCaseError::fail("finite"))?;
        let mut histogram = Histogram::default();
        histogram.add(values.iter().map(|x| norm.normalize(*x))).map_err(|_| TestCaseError::fail("few"))?;
        let levels = bits.levels().unwrap_or(256);
        let preset = if paper { Preset::Paper } else { Preset::Reference };
        let points = kmeans(&histogram.cumulative(), universal, levels, (preset, 3), 0).points;
        prop_assert!(!points.is_empty() && points.len() <= levels);
        prop_assert!(points.windows(2).all(|p| p[0] < p[1]));
        prop_assert!(points.iter().all(|p| usize::from(*p) < universal.values().len()));
    }

    #[test]
    fn quantized_channels_stay_finite_and_within_their_range(values in values(), bits in width()) {
        let universal = UniversalSet::of(WordSets::REFERENCE).values();
        let points = Points::new(universal.iter().copied().step_by(2).collect()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for quantizer in [
            ActivationQuantizer::Subset(
                SubsetQuantizer::new(
                    vec![points],
                    Normalizer::Sample { subtract_mean: true },
                    BitWidth::FULL,
                )
                .unwrap(),
            ),
            ActivationQuantizer::DynamicMinMax(bits),
        ] {
            let mut quantized = values.clone();
            quantizer.apply(&mut quantized, 1).map_err(|_| TestCaseError::fail("finite"))?;
            let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            prop_assert!(quantized.iter().all(|q| q.abs() <= largest * 3.0 + 1e-6));
        }
    }
}

#[test]
fn a_range_that_f32_cannot_hold_is_refused() {
    let bits = BitWidth::new(4).unwrap_or(BitWidth::FULL);
    let values = [1.0, 2.0, -3e38, 3e38];
    let mut kept = values;
    let refused = ActivationQuantizer::DynamicMinMax(bits).apply(&mut kept, 2);
    assert!(refused.is_err_and(|channel| channel.0 == 1) && kept == values, "{kept:?}");
}
