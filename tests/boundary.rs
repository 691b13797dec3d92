//! The boundary as JavaScript calls it, in a dedicated worker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(target_arch = "wasm32")]

mod common;

use common::*;
use dfsq::web::{
    BrowserSession as Session, assign_bits, benchmark_pair, bicubic, decode_image, defaults, encode_png,
    heat_map_figure, layers_figure, score,
};
use js_sys::{Array, Error, Float64Array, Function, JSON, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap()
}

fn number(object: &JsValue, key: &str) -> f64 {
    get(object, key).as_f64().unwrap_or_else(|| panic!("{key} is no number"))
}

fn bytes(object: &JsValue, key: &str) -> Vec<u8> {
    get(object, key).dyn_into::<Uint8Array>().unwrap().to_vec()
}

fn json<J: JsCast>(text: &str) -> J {
    JSON::parse(text).unwrap().unchecked_into()
}

fn none<J: JsCast>() -> J {
    JsValue::UNDEFINED.unchecked_into()
}

fn list<J: JsCast>(values: &[JsValue]) -> J {
    values.iter().collect::<Array>().unchecked_into()
}

fn picture<J: JsCast>(width: usize, height: usize) -> J {
    let rgba = gradient(width, height, 110).rgba;
    let object = Object::new();
    Reflect::set(&object, &"width".into(), &(width as f64).into()).unwrap();
    Reflect::set(&object, &"height".into(), &(height as f64).into()).unwrap();
    Reflect::set(&object, &"rgba".into(), &Uint8Array::from(rgba.as_slice())).unwrap();
    object.unchecked_into()
}

fn kind(error: dfsq::Error) -> String {
    let js: JsValue = error.into();
    js.unchecked_into::<Error>().name().into()
}

fn silent<J: JsCast>() -> J {
    Function::new_with_args("done", "").unchecked_into()
}

fn calibrated() -> Session {
    let mut session = Session::new(&stated_edsr(), none(), None, none()).unwrap();
    session.calibrate(list(&[picture(12, 10)]), json("{}"), json("[4, 2]"), silent()).unwrap();
    session
}

#[wasm_bindgen_test]
fn pictures_go_out_and_come_back() {
    let png = encode_png(&picture(12, 10), "made by a test").unwrap();
    let decoded: JsValue = decode_image(&png).unwrap().into();
    assert_eq!(get(&decoded, "sha256").as_string().unwrap().len(), 64);
    assert_eq!((number(&decoded, "width"), number(&decoded, "height")), (12.0, 10.0));
    assert_eq!(bytes(&decoded, "rgba"), bytes(&picture::<JsValue>(12, 10), "rgba"));
    assert_eq!(kind(decode_image(b"a text file").err().unwrap()), "image");
    assert_eq!(kind(encode_png(&json("{\"width\": 3}"), "").err().unwrap()), "option");
}

#[wasm_bindgen_test]
fn a_benchmark_is_made_and_scored() {
    let pair: JsValue = benchmark_pair(&picture(41, 40), 2, &none()).unwrap().into();
    let (reference, low) = (get(&pair, "reference"), get(&pair, "low"));
    assert_eq!((number(&reference, "width"), number(&low, "width")), (40.0, 20.0));
    let (reference, low) = (reference.unchecked_into(), low.unchecked_into());
    let enlarged = bicubic(&low, 2).unwrap();
    let result: JsValue = score(&enlarged, &reference, 2).unwrap().into();
    let (psnr, ssim) = (number(&result, "psnrY"), number(&result, "ssimY"));
    assert!(psnr > 5.0 && psnr < 40.0 && ssim < 1.0, "{psnr} {ssim}");
    assert_eq!(number(&score(&reference, &reference, 2).unwrap().into(), "psnrY"), f64::INFINITY);
    assert_eq!(kind(score(&low, &reference, 2).err().unwrap()), "size-mismatch");
    assert!(JsValue::from(score(&low, &low, 9).unwrap()).is_undefined(), "too small for a score");
}

#[wasm_bindgen_test]
fn defaults_are_told_by_rust() {
    let all: JsValue = defaults().unwrap().into();
    assert_eq!(number(&get(&all, "options"), "weightBits"), 4.0);
    assert_eq!(get(&get(&all, "points"), "selection").as_string().as_deref(), Some("kmeans"));
    assert_eq!(get(&get(&all, "optimalPoints"), "selection").as_string().as_deref(), Some("exact"));
    assert_eq!(get(&get(&all, "recipe"), "rounding").as_string().as_deref(), Some("compensated"));
    assert_eq!(JSON::stringify(&get(&all, "bitWidths")).unwrap(), "[32,8,6,4,3,2]");
}

#[wasm_bindgen_test]
fn info_is_a_plain_object() {
    let info: JsValue = calibrated().info().unwrap().into();
    assert_eq!(number(&get(&info, "convention"), "scale"), 2.0);
    assert_eq!(number(&info, "macsPerPixel"), 972.0);
    let layers: Array = get(&info, "layers").unchecked_into();
    assert_eq!(layers.length(), 6);
    assert_eq!(get(&layers.get(1), "name").as_string().unwrap(), "block.conv1");
    assert!(number(&info, "bytesPerPixel") > 0.0);
    assert_eq!(JSON::stringify(&get(&get(&info, "calibration"), "widths")).unwrap(), "[2,4]");
}

#[wasm_bindgen_test]
fn upscaling_takes_options_with_defaults_and_reports_progress() {
    let mut session = calibrated();
    let seen = Array::new();
    let progress = Function::new_with_args("done", "this.push(done)").bind0(&seen);
    let reference = picture(24, 20);
    let options = json("{\"activationBits\": 2}");
    let result: JsValue =
        session.upscale(&picture(12, 10), &reference, options, progress.unchecked_into()).unwrap().into();
    assert_eq!(number(&get(&result, "picture"), "width"), 24.0);
    assert!(number(&get(&result, "score"), "psnrY") > 5.0);
    let decibels: Float64Array = get(&result, "layerDb").unchecked_into();
    let decibels = decibels.to_vec();
    assert!(decibels[1].is_finite() && decibels[0] == f64::INFINITY, "{decibels:?}");
    let costs = get(&result, "costs");
    assert!(number(&costs, "totalBytes") > 0.0 && number(&costs, "bitOpsPerPixel") > 0.0);
    assert!(number(&get(&costs, "product"), "shifts") > 0.0 && number(&result, "seconds") > 0.0);
    // At every layer up to the last that is quantized, and band by band from there on.
    let seen: Vec<f64> = seen.iter().filter_map(|done| done.as_f64()).collect();
    assert!(seen.len() > 3 && seen[0] == 0.0 && seen.is_sorted() && seen[seen.len() - 1] < 1.0, "{seen:?}");
    let mut refused = |options: &str| {
        kind(session.upscale(&picture(12, 10), &none(), json(options), silent()).err().unwrap())
    };
    assert_eq!(refused("{\"activationBits\": 9}"), "option");
    assert_eq!(refused("{\"activationBits\": 3}"), "calibration");
}

#[wasm_bindgen_test]
fn a_progress_function_that_throws_cancels() {
    let mut session = calibrated();
    let throws = Function::new_with_args("done", "throw 1").unchecked_into();
    let stopped = session.upscale(&picture(12, 10), &none(), json("{}"), throws);
    assert_eq!(kind(stopped.err().unwrap()), "cancelled");
    let result: JsValue = session.upscale(&picture(12, 10), &none(), json("{}"), silent()).unwrap().into();
    assert!(get(&result, "score").is_undefined(), "there was nothing to score against");
}

#[wasm_bindgen_test]
fn figures_are_drawn_in_a_worker() {
    let mut session = calibrated();
    for kind in ["channels", "samples", "histogram", "weights", "universal-set"] {
        let request = |key: &str| {
            json(&format!(
                "{{\"kind\": \"{kind}\", \"layer\": 1, \"channel\": 2, \"samples\": [{{\"key\": \"{key}\", \"name\": \"n\"}}]}}"
            ))
        };
        assert_eq!(session.figure(request("unknown")).unwrap(), "");
        session.analyze(&picture(12, 10), &none(), "b".into(), json("{}"), silent()).unwrap();
        assert!(session.figure(request("b")).unwrap().starts_with("<svg"));
    }
    let layers = json("{\"inputs\": [[20], [30], []], \"weights\": [[], [], []], \"selected\": 0}");
    assert!(layers_figure(layers).unwrap().starts_with("<svg"));
    let map = json("{\"decibels\": [[20, 30], [10]], \"scale\": [0, 40], \"selected\": [0, 1]}");
    assert!(heat_map_figure(map).unwrap().starts_with("<svg"));
    let count = |session: &Session| JsValue::from(session.distributions("b", 1).unwrap());
    assert_eq!(count(&session).unchecked_into::<Array>().length(), 3);
    session.keep_samples(vec!["c".into()]);
    assert_eq!(count(&session).unchecked_into::<Array>().length(), 0);
}

#[wasm_bindgen_test]
fn a_network_is_optimized_measured_and_studied() {
    let mut session = calibrated();
    let pictures = || list(&[picture(24, 24), picture(24, 24)]);
    let options = || json("{\"method\": \"dfsq-opt\", \"layerBits\": {\"block.conv1\": [3, 8]}}");
    let run = |session: &mut Session| session.upscale(&picture(12, 10), &none(), options(), silent());
    assert_eq!(kind(run(&mut session).err().unwrap()), "not-optimized");
    let exact = || json("{\"selection\": \"exact\"}");
    let made: JsValue =
        session.optimize(pictures(), options(), exact(), json("{}"), silent()).unwrap().into();
    run(&mut session).unwrap();
    let mut another = Session::new(&stated_edsr(), none(), None, none()).unwrap();
    another.load_optimized(&bytes(&made, "file")).unwrap();
    run(&mut another).unwrap();

    // Another recipe does not go into the same file, and the answer says what is in it.
    let nearest = json("{\"rounding\": \"nearest\"}");
    let two = json("{\"method\": \"dfsq-opt\", \"weightBits\": 2, \"activationBits\": 2}");
    let made: JsValue = session.optimize(pictures(), two, exact(), nearest, silent()).unwrap().into();
    let optimization = get(&get(&made, "info"), "optimization");
    assert_eq!(get(&optimization, "variants").unchecked_into::<Array>().length(), 1);
    assert_eq!(get(&get(&optimization, "recipe"), "rounding").as_string().as_deref(), Some("nearest"));

    let widths = || json("[2, 4]");
    let layers = session.layer_errors(pictures(), json("{}"), exact(), json("{}"), widths(), silent());
    let layers: JsValue = layers.unwrap().into();
    assert_eq!(layers.unchecked_ref::<Array>().length(), 2);
    let assign = |budget, average| -> JsValue {
        let layers = layers.clone().unchecked_into();
        assign_bits(layers, widths(), json(budget), average).unwrap().into()
    };
    let text = |value: &JsValue| String::from(js_sys::JSON::stringify(value).unwrap());
    // Kernels of 0 and one other value need no more than 2 bits.
    assert_eq!(text(&assign("\"bits\"", 2.0)), "[[2,2],[2,2]]");
    assert_eq!(text(&assign("\"bit-ops\"", 4.0)), "[[2,4],[2,4]]");
    assert!(assign("\"bits\"", 1.0).is_null());

    let study: JsValue = {
        session.hold_input(&picture(12, 10), "a".into(), 1, silent()).unwrap();
        session.study("a", 1, 0, 2).unwrap().into()
    };
    assert_eq!((number(&study, "universal"), number(&study, "levels")), (377.0, 4.0));
    assert_eq!(get(&study, "choices").unchecked_into::<Array>().length(), 3);
}

#[wasm_bindgen_test]
fn a_held_input_is_looked_at_closely() {
    let mut session = calibrated();
    let request = || {
        json(
            "{\"layer\": 1, \"channel\": 2, \"methods\": [{\"method\": \"min-max\"}], \"lookedAt\": \"min-max\"}",
        )
    };
    assert_eq!(kind(session.channel("a", request()).err().unwrap()), "option");
    session.hold_input(&picture(12, 10), "a".into(), 1, silent()).unwrap();
    let seen: JsValue = session.channel("a", request()).unwrap().into();
    assert_eq!((number(&seen, "width"), number(&seen, "height")), (12.0, 10.0));
    assert_eq!(get(&seen, "values").unchecked_into::<js_sys::Float32Array>().length(), 120);
    let methods: Array = get(&get(&seen, "view"), "methods").unchecked_into();
    assert_eq!(get(&methods.get(0), "points").unchecked_into::<Array>().length(), 16);
    let kernel: JsValue = session.kernel(1, 0, json("[{\"method\": \"min-max\"}]")).unwrap().into();
    assert!(number(&kernel, "range") > 0.0);
    session.keep_samples(vec![]);
    assert_eq!(kind(session.channel("a", request()).err().unwrap()), "option");
}

#[wasm_bindgen_test]
fn a_network_that_is_none_is_an_error_with_a_kind() {
    let stated = js_sys::Object::new();
    js_sys::Reflect::set(&stated, &"input_range".into(), &"1..0".into()).unwrap();
    let refused = Session::new(&stated_edsr(), none(), None, JsValue::from(stated).unchecked_into());
    assert_eq!(kind(refused.err().unwrap()), "network", "what is stated counts");
    assert_eq!(kind(Session::new(b"text", none(), None, none()).err().unwrap()), "network");
    assert_eq!(kind(calibrated().load_calibration(b"text").err().unwrap()), "calibration");
    assert_eq!(kind(calibrated().load_optimized(b"text").err().unwrap()), "optimized");
}
