//! What results are kept under: whatever is said of a network that its results depend on makes another identity.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::network::{Engine, LoadOptions};
use dfsq::session::{Options, Session};
use std::collections::{BTreeMap, HashSet};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test(unsupported = test)]
fn what_gives_other_pictures_has_another_identity() {
    let file = random_edsr();
    let all = |properties: &[(&str, &str)]| LoadOptions {
        stated: properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        ..LoadOptions::default()
    };
    let stated = |name: &str, value: &str| all(&[(name, value)]);
    let mut pictures: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut identities = HashSet::new();
    for options in [
        LoadOptions::default(),
        stated("colour", "BGR"),
        // What is said of the input alone is so of the output: a network without biases would give the same picture.
        all(&[("input_range", "0..2"), ("output_range", "0..1")]),
        stated("output_range", "0..2"),
        stated("mean", "0.2"),
        stated("output_mean", "0.2"),
        all(&[("deviation", "0.7"), ("output_deviation", "1")]),
        stated("output_deviation", "0.7"),
    ] {
        let session = Session::load_with(&file, &options).unwrap();
        let full = session.prepare(&Options::full_precision()).unwrap();
        let picture = session.upscale(&gradient(20, 17, 255), &full, &mut (), &()).unwrap().picture;
        let before = pictures.insert(session.identity(), picture.rgba);
        assert_eq!(before, None, "{options:?} has the identity of another");
        identities.insert(session.identity());
    }
    // No two of them are alike, so that none of the cases is idle.
    let each: HashSet<&Vec<u8>> = pictures.values().collect();
    assert_eq!(each.len(), pictures.len());
    for options in [
        stated("quantization_scope", "all"),
        stated("quantization_scope", "up"),
        LoadOptions::on(Engine::Tract),
    ] {
        assert!(identities.insert(Session::load_with(&file, &options).unwrap().identity()), "{options:?}");
    }
    // What says nothing new changes nothing.
    assert!(
        !identities
            .insert(Session::load_with(&file, &stated("quantization_scope", "paper")).unwrap().identity())
    );
}
