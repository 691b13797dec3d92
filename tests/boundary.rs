//! The boundary as JavaScript calls it, in a dedicated worker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(target_arch = "wasm32")]

mod common;

use common::*;
use dfsq::web::{Session, assign_bits, benchmark_pair, bicubic, decode_image, encode_png, score};
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

fn json(text: &str) -> JsValue {
    JSON::parse(text).unwrap()
}

fn picture(width: usize, height: usize) -> JsValue {
    let rgba = gradient(width, height, 110).to_rgba();
    let object = Object::new();
    Reflect::set(&object, &"width".into(), &(width as f64).into()).unwrap();
    Reflect::set(&object, &"height".into(), &(height as f64).into()).unwrap();
    Reflect::set(&object, &"rgba".into(), &Uint8Array::from(rgba.as_slice())).unwrap();
    object.into()
}

fn kind(error: dfsq::Error) -> String {
    let js: JsValue = error.into();
    js.unchecked_into::<Error>().name().into()
}

fn silent() -> Function {
    Function::new_with_args("done", "")
}

fn calibrated() -> Session {
    let mut session = Session::new(&stated_edsr(), JsValue::UNDEFINED).unwrap();
    let pictures = Array::of1(&picture(12, 10));
    session.calibrate(&pictures, "one".into(), json("{}"), json("[4, 2]"), &silent()).unwrap();
    session
}

#[wasm_bindgen_test]
fn pictures_go_out_and_come_back() {
    let png = encode_png(&picture(12, 10)).unwrap();
    let decoded = decode_image(&png).unwrap().into();
    assert_eq!((number(&decoded, "width"), number(&decoded, "height")), (12.0, 10.0));
    assert_eq!(bytes(&decoded, "rgba"), bytes(&picture(12, 10), "rgba"));
    assert_eq!(kind(decode_image(b"a text file").unwrap_err()), "image");
    assert_eq!(kind(encode_png(&json("{\"width\": 3}")).unwrap_err()), "option");
}

#[wasm_bindgen_test]
fn a_benchmark_is_made_and_scored() {
    let pair: JsValue = benchmark_pair(&picture(41, 40), 2).unwrap().into();
    let (reference, low) = (get(&pair, "reference"), get(&pair, "low"));
    assert_eq!((number(&reference, "width"), number(&low, "width")), (40.0, 20.0));
    let enlarged: JsValue = bicubic(&low, 2).unwrap().into();
    let result: JsValue = score(&enlarged, &reference, 2).unwrap().into();
    let psnr = number(&result, "psnrY");
    let ssim = number(&result, "ssimY");
    assert!(psnr > 5.0 && psnr < 40.0 && ssim < 1.0, "{psnr} {ssim}");
    assert_eq!(number(&score(&reference, &reference, 2).unwrap().into(), "psnrY"), f64::INFINITY);
    assert_eq!(kind(score(&low, &reference, 2).unwrap_err()), "size-mismatch");
}

#[wasm_bindgen_test]
fn info_is_a_plain_object() {
    let info = calibrated().info().unwrap();
    assert_eq!(number(&get(&info, "convention"), "scale"), 2.0);
    assert_eq!(number(&info, "macsPerPixel"), 972.0);
    let layers: Array = get(&info, "layers").unchecked_into();
    assert_eq!(layers.length(), 6);
    assert_eq!(get(&layers.get(1), "name").as_string().unwrap(), "block.conv1");
    let widths: Array = get(&info, "calibratedWidths").unchecked_into();
    assert_eq!(JSON::stringify(&widths).unwrap(), "[2,4]");
}

#[wasm_bindgen_test]
fn upscaling_takes_options_with_defaults_and_reports_progress() {
    let mut session = calibrated();
    let seen = Array::new();
    let progress = Function::new_with_args("done", "this.push(done)").bind0(&seen);
    let result: JsValue =
        session.upscale(&picture(12, 10), json("{\"activationBits\": 2}"), &progress).unwrap().into();
    assert_eq!(number(&get(&result, "picture"), "width"), 24.0);
    let decibels: Float64Array = get(&result, "layerDb").unchecked_into();
    let decibels = decibels.to_vec();
    assert!(decibels[1].is_finite() && decibels[0] == f64::INFINITY, "{decibels:?}");
    let costs = get(&result, "costs");
    assert!(number(&get(&costs, "bytes"), "codes") > 0.0 && number(&costs, "bitOpsPerPixel") > 0.0);
    assert!(number(&get(&costs, "product"), "shifts") > 0.0 && number(&result, "seconds") > 0.0);
    assert_eq!(seen.length(), 6);
    let mut refused =
        |options: &str| kind(session.upscale(&picture(12, 10), json(options), &silent()).err().unwrap());
    assert_eq!(refused("{\"activationBits\": 1}"), "option");
    assert_eq!(refused("{\"activationBits\": 3}"), "calibration");
}

#[wasm_bindgen_test]
fn a_progress_function_that_throws_cancels() {
    let mut session = calibrated();
    let throws = Function::new_with_args("done", "throw 1");
    assert_eq!(kind(session.upscale(&picture(12, 10), json("{}"), &throws).unwrap_err()), "cancelled");
    assert!(session.upscale(&picture(12, 10), json("{}"), &silent()).is_ok());
}

#[wasm_bindgen_test]
fn figures_are_drawn_in_a_worker() {
    let mut session = calibrated();
    for kind in ["channels", "samples", "histogram", "layers", "universal-set"] {
        let request = |sample: usize| {
            json(&format!("{{\"kind\": \"{kind}\", \"layer\": 1, \"sample\": {sample}, \"channel\": 2}}"))
        };
        assert_eq!(session.figure(request(7)).unwrap(), "");
        session.analyze(&picture(12, 10), 1, "b".into(), &silent()).unwrap();
        assert!(session.figure(request(1)).unwrap().starts_with("<svg"));
    }
    let channels: Array = session.distributions(1, 1).unwrap().unchecked_into();
    assert_eq!(channels.length(), 3);
}

#[wasm_bindgen_test]
fn statistics_of_the_same_pictures_serve_another_selection() {
    let mut session = calibrated();
    let file = |session: &mut Session, settings: &str, pictures: &Array| {
        session.calibrate(pictures, "one".into(), json(settings), json("[4, 2]"), &silent())
    };
    let pictures = Array::of1(&picture(12, 10));
    let exact = "{\"selection\": \"exact\"}";
    let wanted = file(&mut session, exact, &pictures).unwrap();
    // No picture is looked at, since the name is known.
    assert_eq!(file(&mut session, exact, &Array::new()).unwrap(), wanted);
    let other = file(&mut session, "{\"granularity\": \"layer\"}", &Array::new());
    assert_eq!(kind(other.unwrap_err()), "option", "other statistics are needed");
}

#[wasm_bindgen_test]
fn a_network_is_optimized_measured_and_studied() {
    let mut session = calibrated();
    let pictures = Array::of2(&picture(24, 24), &picture(24, 24));
    let options = json("{\"method\": \"dfsq-opt\", \"layerBits\": {\"block.conv1\": [3, 8]}}");
    assert_eq!(
        kind(session.upscale(&picture(12, 10), options.clone(), &silent()).unwrap_err()),
        "not-optimized"
    );
    let exact = || json("{\"selection\": \"exact\"}");
    let file =
        session.optimize(&pictures, "two".into(), options.clone(), exact(), json("{}"), &silent()).unwrap();
    // The same again looks at no picture.
    let again =
        session.optimize(&Array::new(), "two".into(), options.clone(), exact(), json("{}"), &silent());
    assert_eq!(again.unwrap(), file);
    session.upscale(&picture(12, 10), options.clone(), &silent()).unwrap();
    let mut another = Session::new(&stated_edsr(), JsValue::UNDEFINED).unwrap();
    another.load_optimized(&file).unwrap();
    another.upscale(&picture(12, 10), options, &silent()).unwrap();

    // Another recipe does not go into the same file.
    let nearest = json("{\"rounding\": \"nearest\"}");
    let two = json("{\"method\": \"dfsq-opt\", \"weightBits\": 2, \"activationBits\": 2}");
    session.optimize(&pictures, "two".into(), two, exact(), nearest, &silent()).unwrap();
    let info = session.info().unwrap();
    assert_eq!(get(&info, "optimizedBits").unchecked_into::<Array>().length(), 1);
    assert_eq!(get(&get(&info, "recipe"), "rounding").as_string().as_deref(), Some("nearest"));

    let widths = || json("[2, 4]");
    let layers = session.layer_errors(&pictures, json("{}"), widths(), &silent()).unwrap();
    assert_eq!(layers.unchecked_ref::<Array>().length(), 2);
    assert_eq!(assign_bits(layers.clone(), widths(), 2.0).unwrap(), [2, 2]);
    assert_eq!(assign_bits(layers.clone(), widths(), 4.0).unwrap(), [4, 4]);
    assert!(assign_bits(layers, widths(), 1.0).unwrap().is_empty());

    let study = session.study(&picture(12, 10), 1, 0, 2, &silent()).unwrap();
    assert_eq!((number(&study, "universal"), number(&study, "levels")), (377.0, 4.0));
    assert_eq!(get(&study, "choices").unchecked_into::<Array>().length(), 3);
}

#[wasm_bindgen_test]
fn a_network_that_is_none_is_an_error_with_a_kind() {
    assert_eq!(kind(Session::new(b"text", JsValue::UNDEFINED).err().unwrap()), "network");
    assert_eq!(kind(calibrated().load_calibration(b"text").unwrap_err()), "calibration");
}
