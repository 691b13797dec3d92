//! `dfsq-opt` on a small network with random weights. Natively and in the browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::Error;
use dfsq::calibration::{Collector, Settings};
use dfsq::image_io::Picture;
use dfsq::optimize::{Optimized, Recipe, Variant};
use dfsq::quant::BitWidth;
use dfsq::quant::compensate::Rounding;
use dfsq::quant::kernels::WeightGrid;
use dfsq::quant::subset::Selection;
use dfsq::session::{Method, Options, Session};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

const FEATURES: i64 = 8;

/// EDSR with two residual blocks of 8 features.
fn network() -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut kernels = |outputs: i64, inputs: i64, gain: f32| -> Vec<f32> {
        let bound = gain / (inputs as f32 * 3.0).sqrt();
        (0..outputs * inputs * 9).map(|_| (rng.f32() + rng.f32() - 0.9) * bound).collect()
    };
    let mut net = Builder::new(3).conv("lr", "head", FEATURES, 3, &kernels(FEATURES, 3, 1.0));
    let mut x = "head".to_owned();
    for i in 0..2 {
        let name = |part: &str| format!("{i}.{part}");
        net = net
            .conv(&x, &name("conv1"), FEATURES, FEATURES, &kernels(FEATURES, FEATURES, 1.0))
            .node("Relu", &[&name("conv1")], &name("relu"), vec![])
            .conv(&name("relu"), &name("conv2"), FEATURES, FEATURES, &kernels(FEATURES, FEATURES, 1.0))
            .node("Add", &[&x, &name("conv2")], &name("add"), vec![]);
        x = name("add");
    }
    net.conv(&x, "last", FEATURES, FEATURES, &kernels(FEATURES, FEATURES, 0.5))
        .node("Add", &["last", "head"], "add", vec![])
        .conv("add", "up", 12, FEATURES, &kernels(12, FEATURES, 0.7))
        .shuffle("up", "shuffled")
        .conv("shuffled", "sr", 3, 3, &copying(3, 3, 1.0, |o| o))
        .metadata("scale", "2")
        .metadata("input_range", "0..1")
        .metadata("colour", "RGB")
        .build()
}

fn width(bits: u8) -> BitWidth {
    BitWidth::new(bits).unwrap()
}

fn crops() -> Vec<Picture> {
    (0..6u8).map(|i| gradient(32, 28, 150 + 15 * i).crop(usize::from(i), 2, 24, 24)).collect()
}

const EXACT: Settings = Settings { selection: Selection::Exact, ..Settings::DEFAULT };

fn uniform(session: &Session, [weights, activations]: [u8; 2]) -> Vec<[BitWidth; 2]> {
    options(weights, activations).bits(session.network().layers()).unwrap()
}

fn options(weights: u8, activations: u8) -> Options {
    Options {
        method: Method::DfsqOpt,
        weight_bits: width(weights),
        activation_bits: width(activations),
        ..Options::default()
    }
}

fn variant(session: &Session, bits: &[[BitWidth; 2]], settings: Settings, recipe: Recipe) -> Variant {
    let targets = session.note_targets(&crops(), &mut |_| true).unwrap();
    targets.optimize(session.network(), settings, bits, recipe, &mut |_| true).unwrap()
}

fn optimized(session: &Session, bits: &[[u8; 2]]) -> Optimized {
    let mut optimized = Optimized::empty(session.hash().to_owned());
    for bits in bits {
        optimized.insert(variant(session, &uniform(session, *bits), EXACT, Recipe::default()));
    }
    optimized
}

/// Mean squared difference of the bytes of a method's picture from those of full precision.
fn distance(session: &Session, method: Method, weights: u8, activations: u8) -> f64 {
    let run = |method, weights, activations| {
        let options = Options {
            method,
            weight_bits: width(weights),
            activation_bits: width(activations),
            ..Options::default()
        };
        let prepared = session.prepare(&options).unwrap();
        session.upscale(&gradient(30, 26, 200), &prepared, &mut ()).unwrap().picture
    };
    let (full, other) = (run(Method::Fp32, 32, 32), run(method, weights, activations));
    let squares = full.rgb.iter().zip(&other.rgb).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    squares.sum::<f64>() / full.rgb.len() as f64
}

#[wasm_bindgen_test(unsupported = test)]
fn it_comes_nearer_to_full_precision_than_dfsq() {
    let mut session = Session::load(&network()).unwrap();
    let mut collected = Collector::new(session.network(), Settings::default()).unwrap();
    for crop in crops() {
        session.collect(&mut collected, &crop, &mut ()).unwrap();
    }
    let widths = [2, 3, 4].map(width);
    let calibration = session.select(&collected, Settings::default(), &widths, &mut |_| true).unwrap();
    session.set_calibration(calibration);
    session.set_optimized(optimized(&session, &[[2, 2], [3, 3], [4, 4]]));
    for bits in [2, 3, 4] {
        let (ours, theirs) =
            (distance(&session, Method::DfsqOpt, bits, bits), distance(&session, Method::Dfsq, bits, bits));
        assert!(ours < 0.7 * theirs, "{bits} bits: {ours} against {theirs}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn bits_of_weights_and_activations_may_differ() {
    let mut session = Session::load(&network()).unwrap();
    session.set_optimized(optimized(&session, &[[2, 2], [4, 2], [4, 32], [32, 4], [4, 4]]));
    let distance = |weights, activations| distance(&session, Method::DfsqOpt, weights, activations);
    assert_eq!(distance(32, 32), 0.0);
    // With compensated weights nearly all of the error is the activations'.
    assert!(0.0 < distance(4, 32) && distance(4, 32) < 0.5 * distance(4, 4));
    assert!(distance(4, 2) > 3.0 * distance(4, 4) && distance(32, 4) < 0.5 * distance(4, 2));
    assert!(matches!(session.prepare(&options(3, 4)), Err(Error::NotOptimized(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_file_gives_back_what_was_saved_and_fits_its_network_only() {
    let mut session = Session::load(&network()).unwrap();
    let optimized = optimized(&session, &[[3, 3], [32, 2], [4, 32]]);
    let file = optimized.save(session.network()).unwrap();
    session.load_optimized(&file).unwrap();
    assert_eq!(session.optimized(), &optimized);
    let mut other = Session::load(&stated_edsr()).unwrap();
    assert!(matches!(other.load_optimized(&file), Err(Error::Calibration(_))));
    assert!(matches!(session.load_optimized(&file[..file.len() / 2]), Err(Error::Calibration(_))));
    assert!(matches!(session.load_calibration(&file), Err(Error::Calibration(_))));
    assert_eq!(session.optimized(), &optimized, "what was there stays");
}

#[wasm_bindgen_test(unsupported = test)]
fn it_is_repeatable_and_can_be_cancelled() {
    let session = Session::load(&network()).unwrap();
    assert_eq!(optimized(&session, &[[2, 2]]), optimized(&session, &[[2, 2]]));
    let recipe = Recipe::default();
    let stopped = session.note_targets(&crops(), &mut |done| done < 0.3);
    assert!(matches!(stopped.err(), Some(Error::Cancelled)));
    let targets = session.note_targets(&crops(), &mut |_| true).unwrap();
    let bits = uniform(&session, [2, 2]);
    let stopped = targets.optimize(session.network(), EXACT, &bits, recipe, &mut |done| done < 0.3);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert!(matches!(session.note_targets(&[], &mut |_| true).err(), Some(Error::Option(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_constant_image_is_no_error() {
    let mut session = Session::load(&network()).unwrap();
    let grey = Picture { width: 16, height: 16, rgb: vec![128; 3 * 256], alpha: None };
    let recipe = Recipe::default();
    let targets = session.note_targets(&[grey], &mut |_| true).unwrap();
    let bits = uniform(&session, [4, 4]);
    session.add_optimized(targets.optimize(session.network(), EXACT, &bits, recipe, &mut |_| true).unwrap());
    assert!(distance(&session, Method::DfsqOpt, 4, 4).is_finite());
}

#[wasm_bindgen_test(unsupported = test)]
fn each_part_helps() {
    let session = Session::load(&network()).unwrap();
    let bits = uniform(&session, [2, 32]);
    let distance = |weights, rounding| {
        let recipe = Recipe { weights, rounding, ..Recipe::default() };
        let mut session = Session::load(&network()).unwrap();
        session.add_optimized(variant(&session, &bits, EXACT, recipe));
        let points = session.costs_of(&options(2, 32)).unwrap().bytes.points;
        assert_eq!(points > 0, weights == WeightGrid::Subset, "a uniform grid has no points to store");
        // What was made can be saved.
        let file = session.optimized().save(session.network()).unwrap();
        session.load_optimized(&file).unwrap();
        distance(&session, Method::DfsqOpt, 2, 32)
    };
    use {Rounding::*, WeightGrid::*};
    let [plain, subset, compensated, both] =
        [(Uniform, Nearest), (Subset, Nearest), (Uniform, Compensated), (Subset, Compensated)]
            .map(|(weights, rounding)| distance(weights, rounding));
    assert!(subset < plain && compensated < plain, "{plain}: {subset}, {compensated}");
    assert!(both < 0.1 * subset && both < 0.1 * plain, "{subset}, {compensated}: {both}");
}

#[wasm_bindgen_test(unsupported = test)]
fn layers_may_have_bits_of_their_own_or_be_left_out() {
    let mut session = Session::load(&network()).unwrap();
    let single = |bits: [u8; 2]| Options {
        layer_bits: [("1.conv2".to_owned(), bits.map(width))].into(),
        ..options(3, 3)
    };
    session.set_optimized(optimized(&session, &[[3, 3]]));
    assert!(matches!(session.prepare(&single([4, 4])), Err(Error::NotOptimized(_))));
    for bits in [[4, 4], [32, 32]] {
        let bits = single(bits).bits(session.network().layers()).unwrap();
        session.add_optimized(variant(&session, &bits, EXACT, Recipe::default()));
    }
    let file = session.optimized().save(session.network()).unwrap();
    session.load_optimized(&file).unwrap();
    let upscale = |options: &Options| {
        let prepared = session.prepare(options).unwrap();
        session.upscale(&gradient(30, 26, 200), &prepared, &mut ()).unwrap().picture
    };
    let pictures = [options(3, 3), single([4, 4]), single([32, 32])].map(|options| upscale(&options));
    assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2]);
    let fewer = Settings { normalization: dfsq::quant::NormalizationMode::None, ..EXACT };
    let targets = session.note_targets(&crops(), &mut |_| true).unwrap();
    let bits = uniform(&session, [3, 3]);
    let refused = targets.optimize(session.network(), fewer, &bits, Recipe::default(), &mut |_| true);
    assert!(matches!(refused, Err(Error::Option(_))));
}
