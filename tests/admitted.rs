//! Operators beyond those of our own engine: networks that have them are admitted, and run.
#![cfg(feature = "tract")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::admitted::networks;
use common::gradient;
use dfsq::network::Engine;
use dfsq::session::{Options, Session};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test(unsupported = test)]
fn networks_with_other_operators_are_admitted_and_run() {
    for (what, network) in networks() {
        let bytes = network.metadata("input_range", "0..1").build();
        let session = Session::load(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(session.network().engine(), Engine::Tract, "{what}");
        let full = session.prepare(&Options::full_precision()).unwrap();
        for (width, height) in [(24, 24), (32, 20)] {
            let result = session.upscale(&gradient(width, height, 200), &full, &mut (), &());
            let picture = result.unwrap_or_else(|error| panic!("{what}: {error}")).picture;
            assert_eq!((picture.width, picture.height), (2 * width, 2 * height), "{what}");
        }
    }
}
