//! Operators of networks of other kinds: those that the native engine has give what tract gives, and those that it lacks are
//! admitted to tract, and run.
#![cfg(feature = "tract")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::admitted::networks;
use common::gradient;
use dfsq::Error;
use dfsq::network::{Engine, LoadOptions};
use dfsq::quant::{BitWidth, PointSettings, Recipe};
use dfsq::session::{Options, Session};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test(unsupported = test)]
fn networks_with_other_operators_are_admitted_and_run() {
    let mut native = Vec::new();
    for (what, network) in networks() {
        let bytes = network.metadata("input_range", "0..1").build();
        let open = |options: &LoadOptions| {
            Session::load_with(&bytes, options).unwrap_or_else(|error| panic!("{what}: {error}"))
        };
        let sessions = [open(&LoadOptions::default()), open(&LoadOptions::on(Engine::Tract))];
        if sessions[0].network().engine() == Engine::Native {
            native.push(what);
        }
        every_method_runs(what, &bytes, sessions[0].network().engine());
        for (width, height) in [(24, 24), (32, 20)] {
            let [own, tract] = sessions.each_ref().map(|session| {
                let full = session.prepare(&Options::full_precision()).unwrap();
                let result = session.upscale(&gradient(width, height, 200), &full, &mut (), &());
                result.unwrap_or_else(|error| panic!("{what}: {error}")).picture
            });
            assert_eq!((tract.width, tract.height), (2 * width, 2 * height), "{what}");
            let apart = own.rgba.iter().zip(&tract.rgba).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(apart <= Some(1), "{what}: {apart:?} levels from tract");
        }
    }
    assert_eq!(native, NATIVE);
}

/// Whatever is quantized of it, as far as there is something.
fn every_method_runs(what: &str, bytes: &[u8], engine: Engine) {
    let mut session = Session::load(bytes).unwrap();
    let crops: Vec<_> = (16..18).map(|i| gradient(24, 24, i * 10)).collect();
    let three = BitWidth::new(3).unwrap();
    session.calibrate(&crops, PointSettings::default(), &[three], &()).unwrap();
    let bits = [Options::dfsq_opt(3).unwrap().bits(session.network().layers()).unwrap()];
    match session.optimize(&crops, &bits, PointSettings::EXACT, Recipe::default(), &()) {
        Ok(_) => {}
        // Some that tract runs write the number of images into their shapes, and take no two side by side.
        Err(Error::Network(_)) if engine == Engine::Tract => {
            session.optimize(&crops[..1], &bits, PointSettings::EXACT, Recipe::default(), &()).unwrap();
        }
        Err(error) => panic!("{what}: {error}"),
    }
    for options in [Options::dfsq(3), Options::dfsq_opt(3), Options::min_max(3)] {
        let prepared = session.prepare(&options.unwrap()).unwrap();
        let result = session.upscale(&crops[0], &prepared, &mut (), &());
        assert!(result.is_ok(), "{what}: {:?}", result.err());
    }
}

const NATIVE: [&str; 23] = [
    "channel attention",
    "attention by means",
    "parts of channels",
    "equal parts",
    "slices",
    "to the size of another",
    "a mirrored border",
    "a shuffle by its shape",
    "a transposed convolution",
    "squared",
    "an older Resize without what it does not need",
    "an empty name for a bias",
    "an older Resize by scales",
    "averages",
    "normalized over channels",
    "a map of one channel",
    "contrast of channels",
    "parts that go on and are joined",
    "tanh",
    "softplus",
    "hard sigmoid",
    "erf",
    "abs",
];
