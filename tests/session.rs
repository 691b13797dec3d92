//! The façade: calibrate, prepare, upscale, score. Natively and in the browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::Error;
use dfsq::calibration::Settings;
use dfsq::image_io::Picture;
use dfsq::quant::BitWidth;
use dfsq::session::{Method, MinMaxRange, Options, Session, WeightGrid, benchmark_pair};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn options(method: Method, bits: u8) -> Options {
    let width = BitWidth::new(bits).unwrap();
    Options { method, weight_bits: width, activation_bits: width, ..Options::default() }
}

/// Bright enough to use the range, dark enough that 2.25 times as bright is still a pixel.
fn picture() -> Picture {
    gradient(12, 10, 110)
}

fn calibrated() -> Session {
    let mut session = Session::load(&stated_edsr()).unwrap();
    let collected = session.collect(&picture(), Settings::default(), &mut ()).unwrap();
    let widths: Vec<BitWidth> = BitWidth::quantized().collect();
    let calibration = session.select(&collected, &widths, &mut |_| true).unwrap();
    session.set_calibration(calibration);
    session
}

fn upscale(session: &Session, options: Options) -> Picture {
    let prepared = session.prepare(options).unwrap();
    session.upscale(&picture(), &prepared, &mut ()).unwrap().picture
}

fn distance(a: &Picture, b: &Picture) -> f64 {
    let squares = a.rgb.iter().zip(&b.rgb).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    squares.sum::<f64>() / a.rgb.len() as f64
}

#[wasm_bindgen_test(unsupported = test)]
fn full_precision_brightens_as_computed_by_hand() {
    let result = upscale(&Session::load(&stated_edsr()).unwrap(), options(Method::Fp32, 32));
    let input = picture();
    assert_eq!((result.width, result.height), (24, 20));
    for (i, byte) in result.rgb.iter().enumerate() {
        let (y, x, c) = (i / 72, i / 3 % 24, i % 3);
        let want = (2.25 * f64::from(input.rgb[(y / 2 * 12 + x / 2) * 3 + c])).min(255.0);
        assert!((f64::from(*byte) - want).abs() <= 0.51);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn more_bits_come_nearer_to_full_precision() {
    let session = calibrated();
    let full = upscale(&session, options(Method::Fp32, 32));
    for method in [Method::Dfsq, Method::MinMax] {
        let distances: Vec<f64> =
            [2, 3, 4, 6, 8].map(|bits| distance(&upscale(&session, options(method, bits)), &full)).into();
        assert!(distances.windows(2).all(|d| d[1] <= d[0]), "{method:?}: {distances:?}");
        assert!(distances[0] > 2.0 && distances[4] < 1.0, "{method:?}: {distances:?}");
        assert_eq!(upscale(&session, options(method, 32)), full, "32 bits are full precision");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn weights_and_activations_have_bits_of_their_own() {
    let session = calibrated();
    let full = options(Method::Dfsq, 32);
    let weights = Options { weight_bits: BitWidth::new(2).unwrap(), ..full };
    let activations = Options { activation_bits: BitWidth::new(2).unwrap(), ..full };
    let errors = |options| {
        let prepared = session.prepare(options).unwrap();
        session.upscale(&picture(), &prepared, &mut Measuring).unwrap().errors
    };
    assert!(errors(weights).iter().all(|e| e.noise == 0.0));
    let noisy: Vec<bool> = errors(activations).iter().map(|e| e.noise > 0.0).collect();
    assert_eq!(noisy, [false, true, true, false, false, false]);
}

#[wasm_bindgen_test(unsupported = test)]
fn stored_bytes_are_counted_by_hand() {
    let session = calibrated();
    let bytes = |method, weights, activations| {
        let width = |bits| BitWidth::new(bits).unwrap();
        let options = Options {
            weight_bits: width(weights),
            activation_bits: width(activations),
            ..options(method, 32)
        };
        session.model_bytes(options).unwrap()
    };
    // Five convolutions of 81 weights and one of 324; two of them are quantized, three kernels and channels each.
    let full = 4 * (5 * 81 + 324);
    assert_eq!(bytes(Method::Fp32, 4, 4), full);
    assert_eq!(bytes(Method::Bicubic, 32, 32), 0);
    assert_eq!(bytes(Method::MinMax, 32, 4), full);
    assert_eq!(bytes(Method::MinMax, 4, 4), full - 2 * 4 * 81 + 2 * (41 + 3 * 8));
    assert_eq!(bytes(Method::Dfsq, 4, 4), bytes(Method::MinMax, 4, 4) + 2 * 3 * 48);
    assert_eq!(bytes(Method::Dfsq, 32, 4), full + 2 * 3 * 48);
    assert_eq!(bytes(Method::Dfsq, 32, 32), full);
}

#[wasm_bindgen_test(unsupported = test)]
fn subset_weights_cost_a_set_a_kernel_and_come_nearer() {
    let session = calibrated();
    let full = upscale(&session, options(Method::Fp32, 32));
    let with = |weights| Options { weights, activation_bits: BitWidth::FULL, ..options(Method::Dfsq, 2) };
    let [uniform, subset] = [WeightGrid::Uniform, WeightGrid::Subset].map(with);
    let size = |options| session.model_bytes(options).unwrap();
    assert_eq!(size(subset), size(uniform) + 2 * 3 * 48);
    // Kernels of one weight and zeros need two points only, each within half a step of the universal set.
    assert!(distance(&upscale(&session, subset), &full) < 1.0);
}

#[wasm_bindgen_test(unsupported = test)]
fn methods_that_need_calibration_say_so() {
    let session = Session::load(&stated_edsr()).unwrap();
    assert!(matches!(session.prepare(options(Method::Dfsq, 4)), Err(Error::NotCalibrated("dfsq"))));
    let fixed = Options { min_max_range: MinMaxRange::Static, ..options(Method::MinMax, 4) };
    assert!(matches!(session.prepare(fixed), Err(Error::NotCalibrated("min-max"))));
    assert!(session.prepare(options(Method::MinMax, 4)).is_ok());
    assert!(session.prepare(options(Method::Dfsq, 32)).is_ok());
    assert!(calibrated().prepare(fixed).is_ok());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_saved_calibration_gives_the_same_picture_and_fits_its_network_only() {
    let session = calibrated();
    let file = session.calibration().unwrap().save().unwrap();
    let mut again = Session::load(&stated_edsr()).unwrap();
    again.load_calibration(&file).unwrap();
    assert_eq!(upscale(&again, options(Method::Dfsq, 3)), upscale(&session, options(Method::Dfsq, 3)));
    let mut other = Session::load(&small_edsr().metadata("name", "another").build()).unwrap();
    assert!(matches!(other.load_calibration(&file), Err(Error::Calibration(_))));
    assert!(other.calibration().is_none());
}

#[wasm_bindgen_test(unsupported = test)]
fn calibration_is_repeatable_and_can_be_cancelled() {
    let (a, b) = (calibrated(), calibrated());
    assert_eq!(a.calibration(), b.calibration());
    let session = Session::load(&stated_edsr()).unwrap();
    let collected = session.collect(&picture(), Settings::default(), &mut ()).unwrap();
    let stopped = session.select(&collected, &[BitWidth::new(4).unwrap()], &mut |done| done == 0.0);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_analysis_is_of_what_the_layers_saw() {
    let session = calibrated();
    let (upscaled, analysis) = session.analyze(&picture(), &mut ()).unwrap();
    assert_eq!(upscaled.picture, upscale(&session, options(Method::Fp32, 32)));
    let channels: Vec<usize> = analysis.layers.iter().map(Vec::len).collect();
    assert_eq!(channels, [0, 3, 3, 0, 0, 0]);
    let input = picture();
    let red = input.rgb.iter().step_by(3).map(|b| f32::from(*b) / 255.0);
    let [low, .., high] = analysis.layers[1][0].five;
    assert!(
        (low - red.clone().fold(1.0, f32::min)).abs() < 1e-6 && (high - red.fold(0.0, f32::max)).abs() < 1e-6
    );
    // After the first convolution halves them and the ReLU: mean is not subtracted.
    assert_eq!(analysis.layers[2][0].mean, 0.0);
}

#[wasm_bindgen_test(unsupported = test)]
fn sizes_are_checked() {
    let session = Session::load(&stated_edsr()).unwrap();
    let prepared = session.prepare(options(Method::Fp32, 32)).unwrap();
    let tiny = session.upscale(&gradient(7, 9, 9), &prepared, &mut ());
    assert!(matches!(tiny, Err(Error::ImageTooSmall(_))));
    assert!(matches!(benchmark_pair(&gradient(15, 40, 9), 2), Err(Error::ImageTooSmall(_))));
    let (reference, low) = benchmark_pair(&gradient(17, 41, 9), 2).unwrap();
    assert_eq!((reference.width, reference.height, low.width, low.height), (16, 40, 8, 20));
}
