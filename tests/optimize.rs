//! `dfsq-opt` on a small network with random weights. Natively and in the browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::Error;
use dfsq::image_io::Picture;
use dfsq::network::{Engine, LoadOptions, Network};
use dfsq::optimize::{Optimized, Optimizer, Variant};
use dfsq::parallel::Progress;
use dfsq::quant::Rounding;
use dfsq::quant::kernels::WeightGrid;
use dfsq::quant::{BitWidth, ChannelBits, Damping, PointSettings, Recipe, Restarts};
use dfsq::session::{Method, Options, Session};
use std::ops::ControlFlow;
use std::sync::Mutex;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn width(bits: u8) -> BitWidth {
    BitWidth::new(bits).unwrap()
}

fn crops() -> Vec<Picture> {
    (0..6u8).map(|i| gradient(32, 28, 150 + 15 * i).crop(usize::from(i), 2, 24, 24)).collect()
}

const EXACT: PointSettings = PointSettings::EXACT;

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

fn optimize(session: &mut Session, bits: &[[u8; 2]]) -> Optimized {
    let bits: Vec<_> = bits.iter().map(|bits| uniform(session, *bits)).collect();
    session.optimize(&crops(), &bits, EXACT, Recipe::default(), &()).unwrap().clone()
}

/// A session that is optimized for these bits.
fn optimized(bits: &[[u8; 2]]) -> Session {
    let mut session = Session::load(&random_edsr()).unwrap();
    optimize(&mut session, bits);
    session
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
        session.upscale(&gradient(30, 26, 200), &prepared, &mut (), &()).unwrap().picture
    };
    let (full, other) = (run(Method::Fp32, 32, 32), run(method, weights, activations));
    let squares =
        rgb(&full).iter().zip(rgb(&other)).map(|(a, b)| f64::from(a.abs_diff(b)).powi(2)).sum::<f64>();
    squares / (3 * full.width * full.height) as f64
}

#[wasm_bindgen_test(unsupported = test)]
fn it_comes_nearer_to_full_precision_than_dfsq() {
    let mut session = optimized(&[[2, 2], [3, 3], [4, 4]]);
    session.calibrate(&crops(), PointSettings::default(), &[2, 3, 4].map(width), &()).unwrap();
    for bits in [2, 3, 4] {
        let (ours, theirs) =
            (distance(&session, Method::DfsqOpt, bits, bits), distance(&session, Method::Dfsq, bits, bits));
        assert!(ours < 0.7 * theirs, "{bits} bits: {ours} against {theirs}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn bits_of_weights_and_activations_may_differ() {
    let session = optimized(&[[2, 2], [4, 2], [4, 32], [32, 4], [4, 4]]);
    let distance = |weights, activations| distance(&session, Method::DfsqOpt, weights, activations);
    assert_eq!(distance(32, 32), 0.0);
    // With compensated weights nearly all of the error is the activations'.
    assert!(0.0 < distance(4, 32) && distance(4, 32) < 0.5 * distance(4, 4));
    assert!(distance(4, 2) > 3.0 * distance(4, 4) && distance(32, 4) < 0.5 * distance(4, 2));
    assert!(matches!(session.prepare(&options(3, 4)), Err(Error::NotOptimized(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_file_gives_back_what_was_saved_and_fits_its_network_only() {
    let mut session = optimized(&[[3, 3], [32, 2], [4, 32]]);
    let made = session.optimized().clone();
    let file = made.save(session.network()).unwrap();
    session.load_optimized(&file).unwrap();
    assert_eq!(session.optimized(), &made);
    let mut other = Session::load(&stated_edsr()).unwrap();
    assert!(matches!(other.load_optimized(&file), Err(Error::Optimized(_))));
    assert!(matches!(session.load_optimized(&file[..file.len() / 2]), Err(Error::Optimized(_))));
    assert!(matches!(session.load_calibration(&file), Err(Error::Calibration(_))));
    assert_eq!(session.optimized(), &made, "what was there stays");
}

#[wasm_bindgen_test(unsupported = test)]
fn layers_made_in_the_same_way_are_kept_together_and_have_digests_of_their_own() {
    let digests = |session: &Session| -> Vec<String> {
        session.info().optimization.variants.iter().map(|variant| variant.sha256.clone()).collect()
    };
    let mut session = optimized(&[[3, 3]]);
    let three = digests(&session);
    optimize(&mut session, &[[2, 2]]);
    let both = digests(&session);
    assert_eq!((both.len(), &both[0]), (2, &three[0]), "what was made before stays as it is");
    assert_ne!(both[0], both[1]);
    // The same again, from a file too.
    let mut again = optimized(&[[3, 3], [2, 2]]);
    assert_eq!(digests(&again), both);
    again.load_optimized(&session.optimized().save(session.network()).unwrap()).unwrap();
    assert_eq!(digests(&again), both);
    // A file with settings of its own is added to, not begun anew: the seed makes no difference to exact points.
    let bits = [uniform(&session, [4, 4])];
    let seeded = PointSettings { seed: 9, restarts: Restarts::new(3).unwrap(), ..EXACT };
    session.optimize(&crops(), &bits, seeded, Recipe::default(), &()).unwrap();
    assert_eq!(digests(&session).len(), 3);
    let damped = Recipe { damping: Damping::new(0.02).unwrap(), ..Recipe::default() };
    session.optimize(&crops(), &bits, EXACT, damped, &()).unwrap();
    assert_eq!((digests(&session).len(), session.info().optimization.recipe), (1, damped), "another recipe");
}

/// Cancels at this report of progress.
struct Cancelling(std::sync::atomic::AtomicUsize);

impl Progress for Cancelling {
    fn report(&self, _: f32) -> ControlFlow<()> {
        let left = self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) > 1;
        if left { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn it_is_repeatable_and_can_be_cancelled() {
    let session = optimized(&[[2, 2]]);
    assert_eq!(session.optimized(), optimized(&[[2, 2]]).optimized());
    let mut session = Session::load(&random_edsr()).unwrap();
    let bits = [uniform(&session, [2, 2])];
    for at in [1, 3, 6] {
        let cancelling = Cancelling(at.into());
        let stopped = session.optimize(&crops(), &bits, EXACT, Recipe::default(), &cancelling);
        assert!(matches!(stopped, Err(Error::Cancelled)), "{at}");
        assert_eq!(session.optimized().variants().count(), 0);
    }
    let none = session.optimize(&[], &bits, EXACT, Recipe::default(), &());
    assert!(matches!(none, Err(Error::Option(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_constant_image_is_no_error() {
    let mut session = Session::load(&random_edsr()).unwrap();
    let grey = Picture::from_rgb(16, 16, &[128; 3 * 256]);
    let bits = [uniform(&session, [4, 4])];
    session.optimize(&[grey], &bits, EXACT, Recipe::default(), &()).unwrap();
    assert!(distance(&session, Method::DfsqOpt, 4, 4).is_finite());
}

#[wasm_bindgen_test(unsupported = test)]
fn each_part_helps() {
    let distance = |weights, rounding| {
        let recipe = Recipe { weights, rounding, ..Recipe::default() };
        let mut session = Session::load(&random_edsr()).unwrap();
        let bits = [uniform(&session, [2, 32])];
        session.optimize(&crops(), &bits, EXACT, recipe, &()).unwrap();
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

/// Convolutions without padding, as waifu2x has them: what surrounds an image is padded before.
#[wasm_bindgen_test(unsupported = test)]
fn rounding_makes_up_for_errors_without_padding_too() {
    let mut rng = fastrand::Rng::with_seed(9);
    let channels = [3, 8, 8, 8, 3];
    let mut net = Builder::new(3).metadata("input_range", "0..1").metadata("scale", "1");
    let mut from = "lr".to_owned();
    for (index, pair) in channels.windows(2).enumerate() {
        let to = if index == 3 { "sr".to_owned() } else { format!("v{index}") };
        let count = pair[0] * pair[1] * 9;
        let values: Vec<f32> =
            (0..count).map(|_| (rng.f32() - 0.35) * 2.0 / (9 * pair[0]) as f32 * 1.6).collect();
        let kernels = format!("{to}.weight");
        net = net.tensor(&kernels, &[pair[1], pair[0], 3, 3], &values);
        net = net.node("Conv", &[&from, &kernels], &to, vec![integers("kernel_shape", &[3, 3])]);
        from = to;
    }
    let file = net.build();
    let found = [Rounding::Compensated, Rounding::Nearest].map(|rounding| {
        let mut session = Session::load(&file).unwrap();
        let bits = uniform(&session, [2, 32]);
        let recipe = Recipe { rounding, ..Recipe::default() };
        session.optimize(&crops(), &[bits], EXACT, recipe, &()).unwrap();
        distance(&session, Method::DfsqOpt, 2, 32)
    });
    assert!(found[0] * 2.0 < found[1], "{found:?}");
}

#[wasm_bindgen_test(unsupported = test)]
fn bits_by_channel_come_nearer_with_as_many_on_average_and_can_be_kept() {
    let made = |channel_bits| {
        let mut session = Session::load(&random_edsr()).unwrap();
        let bits = [uniform(&session, [32, 3])];
        let recipe = Recipe { channel_bits, ..Recipe::default() };
        session.optimize(&crops(), &bits, EXACT, recipe, &()).unwrap();
        session
    };
    let [equal, allocated] = [ChannelBits::Equal, ChannelBits::Allocated].map(made);
    let distances = [&equal, &allocated].map(|session| distance(session, Method::DfsqOpt, 32, 3));
    assert!(distances[1] < 0.9 * distances[0], "{distances:?}");
    let bits = uniform(&allocated, [32, 3]);
    let layers = allocated.optimized().find(&bits).unwrap();
    let subsets = || layers.iter().flatten().flat_map(|layer| layer.points.subsets());
    assert!(subsets().any(|set| set.len() > 8));
    let mut again = Session::load(&random_edsr()).unwrap();
    let file = allocated.optimized().save(allocated.network()).unwrap();
    again.load_optimized(&file).unwrap();
    assert_eq!(again.optimized(), allocated.optimized());
    // As equal bits these are too many points.
    let mut lying = Optimized::empty(allocated.info().sha256.clone(), EXACT, Recipe::default());
    lying.insert(allocated.network().layers(), Variant { bits, layers: layers.to_vec() });
    let refused = again.load_optimized(&lying.save(allocated.network()).unwrap());
    assert!(matches!(refused, Err(Error::Optimized(_))), "{refused:?}");
}

#[wasm_bindgen_test(unsupported = test)]
fn layers_may_have_bits_of_their_own_or_be_left_out() {
    let mut session = optimized(&[[3, 3]]);
    let single = |bits: [u8; 2]| Options {
        layer_bits: [("1.conv2".to_owned(), bits.map(width))].into(),
        ..options(3, 3)
    };
    assert!(matches!(session.prepare(&single([4, 4])), Err(Error::NotOptimized(_))));
    for bits in [[4, 4], [32, 32]] {
        let bits = single(bits).bits(session.network().layers()).unwrap();
        session.optimize(&crops(), &[bits], EXACT, Recipe::default(), &()).unwrap();
    }
    let file = session.optimized().save(session.network()).unwrap();
    session.load_optimized(&file).unwrap();
    let upscale = |options: &Options| {
        let prepared = session.prepare(options).unwrap();
        session.upscale(&gradient(30, 26, 200), &prepared, &mut (), &()).unwrap().picture
    };
    let pictures = [options(3, 3), single([4, 4]), single([32, 32])].map(|options| upscale(&options));
    assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2]);
    let fewer = PointSettings { normalization: dfsq::quant::NormalizationMode::None, ..EXACT };
    let bits = [uniform(&session, [3, 3])];
    let refused = session.optimize(&crops(), &bits, fewer, Recipe::default(), &());
    assert!(matches!(refused, Err(Error::Option(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_layer_alone_is_optimized_as_with_all_others_in_full_precision() {
    let mut session = Session::load(&random_edsr()).unwrap();
    let crops = &crops()[..2];
    let opt = Options { method: Method::DfsqOpt, ..Options::default() };
    let way = (EXACT, Recipe::default());
    let layers = session.layer_errors(crops, &opt, way, &[width(2), width(8)], &()).unwrap();
    assert_eq!(layers.len(), 4);
    let full = session.layer_errors(crops, &opt, way, &[width(32)], &()).unwrap();
    assert!(full.iter().all(|layer| layer.errors == [[0.0], [0.0]]), "{full:?}");
    let references: Vec<_> = crops.iter().map(|crop| session.reference(crop).unwrap()).collect();
    for layer in &layers {
        // Weights in question alone, and activations with weights that are fitted to them.
        for (errors, alone) in layer.errors.iter().zip([[width(2), width(32)], [width(8), width(2)]]) {
            let mut bits = vec![[width(32); 2]; session.network().layers().len()];
            bits[layer.layer] = alone;
            session.optimize(crops, &[bits], way.0, way.1, &()).unwrap();
            let layer_bits = [(session.network().layers()[layer.layer].name.clone(), alone)].into();
            let (weight_bits, activation_bits) = (width(32), width(32));
            let only = Options { weight_bits, activation_bits, layer_bits, ..opt.clone() };
            let measured = session.output_error(&references, &session.prepare(&only).unwrap()).unwrap();
            assert!((measured / errors[0] - 1.0).abs() < 1e-6, "{measured} {errors:?}");
            assert!(errors[1] < 0.1 * errors[0], "{errors:?}");
        }
    }
    // One layer of four has 2 and 32 bits or 8 and 2, the others 32 and 32: the root of 784, and with 8 and 2, where sums are
    // rescaled, as many as 25 bits everywhere.
    let mixed: Vec<Option<u8>> =
        session.info().optimization.variants.iter().map(|known| known.mixed).collect();
    assert_eq!(mixed, [[28, 25]; 4].concat().into_iter().map(Some).collect::<Vec<_>>());
    let stopped = session.layer_errors(crops, &opt, way, &[width(4)], &Cancelling(2.into()));
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[wasm_bindgen_test(unsupported = test)]
fn layers_optimized_in_little_memory_are_the_same() {
    let engines: &[Engine] =
        if cfg!(feature = "tract") { &[Engine::Native, Engine::Tract] } else { &[Engine::Native] };
    for engine in engines {
        let network = Network::load_with(&random_edsr(), &LoadOptions::on(*engine)).unwrap();
        let choices = [[width(2); 2], [width(4), BitWidth::FULL], [BitWidth::FULL; 2]].map(|bits| {
            let of_layer =
                |layer: &dfsq::network::Layer| if layer.quantized { bits } else { [BitWidth::FULL; 2] };
            network.layers().iter().map(of_layer).collect::<Vec<_>>()
        });
        let optimize = |optimizer: &mut Optimizer| {
            let done = Mutex::new(Vec::new());
            let recipe = Recipe::default();
            let variants = optimizer.optimize(&network, &crops(), &choices, EXACT, recipe, &Recorded(&done));
            (variants.unwrap(), done.into_inner().unwrap())
        };
        let (whole, _) = optimize(&mut Optimizer::default());
        // One layer at a time, and two.
        for bytes in [0, 200_000] {
            let (parts, done) = optimize(&mut Optimizer::within(bytes));
            assert!(parts == whole, "{engine} {bytes}");
            assert!(done.is_sorted() && done.iter().all(|done| (0.0..1.0).contains(done)), "{done:?}");
        }
    }
}

/// Keeps what it is told.
struct Recorded<'d>(&'d Mutex<Vec<f32>>);

impl Progress for Recorded<'_> {
    fn report(&self, done: f32) -> ControlFlow<()> {
        self.0.lock().unwrap().push(done);
        ControlFlow::Continue(())
    }
}
