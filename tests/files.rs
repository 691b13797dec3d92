//! Calibrations and optimized layers that are damaged or hostile. Natively and in the browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::Error;
use dfsq::quant::{BitWidth, PointSettings, Recipe};
use dfsq::session::{Method, Options, Session};
use dfsq::tensor_file::{Format, TensorWriter};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

const CALIBRATION: Format = Format { name: "dfsq-calibration-2", error: Error::Calibration };
const OPTIMIZED: Format = Format { name: "dfsq-optimized-2", error: Error::Optimized };

fn session() -> Session {
    let mut session = Session::load(&stated_edsr()).unwrap();
    let bits = Options { method: Method::DfsqOpt, ..Options::default() }.bits(session.network().layers());
    let crops = [gradient(16, 16, 110), gradient(16, 16, 60)];
    let four = [BitWidth::new(4).unwrap()];
    session.calibrate(&crops, PointSettings::default(), &four, &()).unwrap();
    session.optimize(&crops, &[bits.unwrap()], PointSettings::EXACT, Recipe::default(), &()).unwrap();
    session
}

/// What is refused, in words of its own kind of file, without anything being lost.
fn refused(bytes: &[u8], reason: &str) {
    let mut session = session();
    let before = (session.calibration().cloned(), session.optimized().clone());
    let calibration = session.load_calibration(bytes).unwrap_err();
    let optimized = session.load_optimized(bytes).unwrap_err();
    assert!(matches!(calibration, Error::Calibration(_)) && matches!(optimized, Error::Optimized(_)));
    assert!(calibration.to_string().contains("this calibration"), "{calibration}");
    assert!(optimized.to_string().contains("these optimized layers"), "{optimized}");
    let words = format!("{calibration} {optimized}");
    assert!(words.contains(reason), "{words}");
    assert_eq!((session.calibration().cloned(), session.optimized().clone()), before);
}

#[wasm_bindgen_test(unsupported = test)]
fn settings_beyond_their_bounds_are_refused() {
    let hash = session().hash().to_owned();
    let settings =
        |text: &str| format!("{{\"settings\":{text},\"network\":\"{hash}\",\"images\":1,\"variants\":[]}}");
    for (text, reason) in [
        ("{\"restarts\": 4000000000}", "its settings are not understood"),
        ("{\"restarts\": 101}", "not a whole number of 0 to 100"),
        ("{\"wordSets\": 200}", "choose 2 to 5"),
        ("{\"selection\": \"slow\"}", "unknown variant"),
    ] {
        let header: serde_json::Value = serde_json::from_str(&settings(text)).unwrap();
        let file = TensorWriter::default();
        let calibration = file.save(&CALIBRATION, &header).unwrap();
        let error = session().load_calibration(&calibration).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        let optimized = file.save(&OPTIMIZED, &header).unwrap();
        let error = session().load_optimized(&optimized).unwrap_err();
        assert!(matches!(error, Error::Optimized(_)) && error.to_string().contains(reason), "{error}");
    }
    for recipe in ["{\"refits\": 1000000}", "{\"damping\": 0}", "{\"damping\": 1e30}"] {
        let mut header: serde_json::Value = serde_json::from_str(&settings("{}")).unwrap();
        header["recipe"] = serde_json::from_str(recipe).unwrap();
        let file = TensorWriter::default().save(&OPTIMIZED, &header).unwrap();
        assert!(matches!(session().load_optimized(&file), Err(Error::Optimized(_))), "{recipe}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_choice_of_bits_that_does_not_fit_is_refused() {
    let hash = session().hash().to_owned();
    let load = |variants: &str| {
        let text = format!("{{\"settings\":{{}},\"network\":\"{hash}\",\"variants\":{variants}}}");
        let header: serde_json::Value = serde_json::from_str(&text).unwrap();
        let file = TensorWriter::default().save(&OPTIMIZED, &header).unwrap();
        session().load_optimized(&file)
    };
    let all_full = "[[32,32],[32,32],[32,32],[32,32],[32,32],[32,32]]";
    load(&format!("[{all_full}]")).unwrap();
    for bad in [
        "[[[4,4]]]".to_owned(),
        "[[[4,4],[32,32],[32,32],[32,32],[32,32],[32,32]]]".to_owned(),
        "[[[9,4]]]".to_owned(),
        format!("[{all_full},{all_full}]"),
        format!("[{}]", vec![all_full; 65].join(",")),
    ] {
        assert!(matches!(load(&bad), Err(Error::Optimized(_))), "{bad}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_of_another_kind_is_said_to_be() {
    refused(b"", "damaged");
    refused(b"text that is neither", "damaged");
    let other = TensorWriter::default().save(&Format { name: "another", ..CALIBRATION }, &()).unwrap();
    refused(&other, "of another kind");
}

#[wasm_bindgen_test(unsupported = test)]
fn every_byte_may_be_damaged() {
    let mut session = session();
    let files = [
        session.calibration().unwrap().save().unwrap(),
        session.optimized().save(session.network()).unwrap(),
    ];
    let mut rng = fastrand::Rng::with_seed(5);
    for file in files {
        for _ in 0..300 {
            let mut damaged = file.clone();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..damaged.len());
                damaged[at] = rng.u8(..);
            }
            // Refused or taken, but never a panic.
            let _ = session.load_calibration(&damaged);
            let _ = session.load_optimized(&damaged);
        }
    }
}

/// The file within the compression, and back.
fn unpacked(file: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut plain).unwrap();
    plain
}

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut file, plain).unwrap();
    file.finish().unwrap()
}

#[wasm_bindgen_test(unsupported = test)]
fn damage_behind_the_compression_reaches_the_layers_and_what_is_taken_runs() {
    let mut session = session();
    let files = [
        session.calibration().unwrap().save().unwrap(),
        session.optimized().save(session.network()).unwrap(),
    ];
    let mut rng = fastrand::Rng::with_seed(6);
    let (mut taken, mut named) = (0, 0);
    for (at, file) in files.into_iter().enumerate() {
        let plain = unpacked(&file);
        let arrays = 8 + u64::from_le_bytes(*plain.first_chunk().unwrap()) as usize;
        for round in 0..400 {
            let mut damaged = plain.clone();
            // Names and shapes, or the arrays behind them, of which those of points hold a bit for each.
            let range = if round % 2 == 0 { 8..arrays } else { arrays..plain.len() };
            let kept = if round % 4 == 1 { u8::MAX } else { 0 };
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(range.clone());
                damaged[at] = rng.u8(..) & (damaged[at] | !kept);
            }
            let file = packed(&damaged);
            let loaded =
                if at == 0 { session.load_calibration(&file) } else { session.load_optimized(&file) };
            match loaded {
                Ok(()) => {
                    taken += 1;
                    let method = [Method::Dfsq, Method::DfsqOpt][at];
                    let Ok(prepared) = session.prepare(&Options::new(method, 4).unwrap()) else { continue };
                    let run = session.upscale(&gradient(16, 16, 110), &prepared, &mut (), &());
                    assert!(run.is_ok() || matches!(run, Err(Error::NonFinite { .. } | Error::Network(_))));
                }
                Err(error) => named += usize::from(error.to_string().contains("block.conv")),
            }
        }
    }
    assert!(taken > 100 && named > 20, "{taken} taken, {named} refused for what they say of a layer");
}
