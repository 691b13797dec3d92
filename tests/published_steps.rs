//! The deterministic steps of the paper, against what NumPy computes from its formulas (`tests/golden/published_steps.py`).
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dfsq::quant::uniform::quantize_kernels;
use dfsq::quant::{
    ActivationQuantizer, BitWidth, Normalizer, Points, SubsetQuantizer, UniversalSet, WordSets,
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    /// By number of word sets.
    universal_sets: BTreeMap<u8, Vec<f32>>,
    activations: Vec<Activations>,
    weights: Vec<Weights>,
}

/// By channel.
#[derive(Deserialize)]
struct Activations {
    name: String,
    after_relu: bool,
    values: Vec<Vec<f32>>,
    points: Vec<Vec<f32>>,
    dequantized: Vec<Vec<f32>>,
}

/// By kernel.
#[derive(Deserialize)]
struct Weights {
    bits: u8,
    kernels: Vec<Vec<f32>>,
    dequantized: Vec<Vec<f32>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/published_steps.json")).unwrap()
}

/// Rows that are the same but for the last digits of their largest value.
fn check(what: &str, rows: &[f32], expected: &[Vec<f32>]) {
    for (row, expected) in rows.chunks_exact(expected[0].len()).zip(expected) {
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let off = row.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= largest * 1e-6, "{what}: off by {off} of {largest}\n{row:?}\n{expected:?}");
    }
}

#[test]
fn universal_sets_are_the_means_of_one_word_of_each_set() {
    let sizes: Vec<usize> = golden()
        .universal_sets
        .iter()
        .map(|(sets, values)| {
            assert_eq!(UniversalSet::of(WordSets::new(*sets).unwrap()).values(), values, "{sets} word sets");
            values.len()
        })
        .collect();
    assert_eq!(sizes, [29, 107, 377]);
}

#[test]
fn activations_are_normalized_rounded_and_brought_back() {
    for Activations { name, after_relu, values, points, dequantized } in golden().activations {
        let points = points.into_iter().map(|points| Points::new(points).unwrap()).collect();
        let normalizer = Normalizer::Sample { subtract_mean: !after_relu };
        let quantizer = SubsetQuantizer::new(points, normalizer, BitWidth::FULL).unwrap();
        let mut rows = values.concat();
        ActivationQuantizer::Subset(quantizer).apply(&mut rows, values.len()).unwrap();
        check(&name, &rows, &dequantized);
    }
}

#[test]
fn weights_lie_on_a_grid_between_the_least_and_the_greatest() {
    for Weights { bits, kernels, dequantized } in golden().weights {
        let mut rows = kernels.concat();
        quantize_kernels(&mut rows, kernels.len(), BitWidth::new(bits).unwrap()).unwrap();
        check(&format!("weights of {bits} bits"), &rows, &dequantized);
    }
}
