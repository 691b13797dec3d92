//! One reading of a network: whatever way a file says the same thing, it is the same network, on either engine, with any number
//! of threads.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::Error;
use dfsq::image_io::Picture;
use dfsq::network::{Engine, LoadOptions, Network, Planes};
use dfsq::quant::{BitWidth, Granularity, PointSettings, PointSource, RangeEstimator, Recipe};
use dfsq::session::{Method, MinMaxRange, Options, Session, WeightGrid};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn noise(count: usize, seed: u64, size: f32) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| (rng.f32() - 0.5) * size).collect()
}

/// EDSR in small with kernels that differ from layer to layer, the second of which is the tensor "made".
fn edsr_with(net: Builder, names: [&str; 2]) -> Vec<u8> {
    net.conv("lr", "head", 3, 3, &copying(3, 3, 1.0, |o| o))
        .conv("head", "c1", 3, 3, &noise(81, 1, 0.5))
        .named(names[0])
        .node("Relu", &["c1"], "relu", vec![])
        .node("Conv", &["relu", "made"], "c2", vec![integers("pads", &[1; 4])])
        .named(names[1])
        .node("Add", &["c2", "head"], "add", vec![])
        .conv("add", "end", 3, 3, &copying(3, 3, 0.1, |o| o))
        .node("Add", &["end", "head"], "sum", vec![])
        .conv("sum", "up", 12, 3, &copying(12, 3, 1.0, |o| o / 4))
        .shuffle("up", "sr")
        .metadata("input_range", "0..1")
        .build()
}

/// The same with a plain kernel; nodes are called by these names.
fn edsr(names: [&str; 2]) -> Vec<u8> {
    edsr_with(Builder::new(3).tensor("made", &[3, 3, 3, 3], &noise(81, 2, 0.5)), names)
}

fn crops() -> Vec<Picture> {
    (16..18).map(|i| gradient(24, 24, i * 10)).collect()
}

fn picture(session: &Session, options: &Options) -> Vec<u8> {
    let prepared = session.prepare(options).unwrap();
    session.upscale(&gradient(20, 17, 200), &prepared, &mut (), &()).unwrap().picture.rgba
}

/// With points and layers for 3 bits.
fn learned(bytes: &[u8], engine: Option<Engine>) -> Session {
    let mut session = Session::load_with(bytes, &LoadOptions { engine, ..LoadOptions::default() }).unwrap();
    let three = BitWidth::new(3).unwrap();
    session.calibrate(&crops(), PointSettings::default(), &[three], &()).unwrap();
    let bits = [Options::dfsq_opt(3).unwrap().bits(session.network().layers()).unwrap()];
    session.optimize(&crops(), &bits, PointSettings::EXACT, Recipe::default(), &()).unwrap();
    session
}

#[wasm_bindgen_test(unsupported = test)]
fn two_nodes_of_one_name_are_two_layers() {
    let (apart, alike) = (edsr(["a", "b"]), edsr(["a", "a"]));
    let [apart, alike] = [apart, alike].map(|bytes| learned(&bytes, None));
    let names: Vec<&str> = alike.network().layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["head", "a", "a_2", "end", "up"]);
    for options in [Options::dfsq(3), Options::dfsq_opt(3)].map(Result::unwrap) {
        assert_eq!(picture(&alike, &options), picture(&apart, &options), "{}", options.method);
    }
    // Files are by name, and read again.
    let (calibration, optimized) =
        (alike.calibration().unwrap().save().unwrap(), alike.optimized().save(alike.network()).unwrap());
    let mut again = Session::load(&edsr(["a", "a"])).unwrap();
    again.load_calibration(&calibration).unwrap();
    again.load_optimized(&optimized).unwrap();
    for options in [Options::dfsq(3), Options::dfsq_opt(3)].map(Result::unwrap) {
        assert_eq!(picture(&again, &options), picture(&apart, &options), "{}", options.method);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_name_that_is_made_is_no_other_nodes() {
    let bytes = Builder::new(3)
        .conv("lr", "x", 3, 3, &copying(3, 3, 1.0, |o| o))
        .named("a")
        .conv("x", "y", 3, 3, &copying(3, 3, 1.0, |o| o))
        .named("a")
        .conv("y", "z", 3, 3, &copying(3, 3, 1.0, |o| o))
        .named("a_2")
        .conv("z", "sr", 12, 3, &copying(12, 3, 1.0, |o| o / 4))
        .named("")
        .shuffle("sr", "out")
        .output("out")
        .build();
    let network = Network::load(&bytes).unwrap();
    let names: Vec<&str> = network.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["a", "a_3", "a_2", "sr"]);
}

/// The second kernel of [`edsr`], said in another way: nodes that make "made" of constants.
fn ways() -> Vec<(&'static str, Builder)> {
    let values = noise(81, 2, 0.5);
    let new = || Builder::new(3);
    let plain = || new().tensor("w", &[3, 3, 3, 3], &values);
    // [o, i, y, x] stored as [x, i, o, y].
    let mut turned = vec![0.0; 81];
    for (at, value) in values.iter().enumerate() {
        let [o, i, y, x] = [at / 27, at / 9 % 3, at / 3 % 3, at % 3];
        turned[((x * 3 + i) * 3 + o) * 3 + y] = *value;
    }
    let doubled: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
    let halves: Vec<f32> = values.iter().map(|v| v / 2.0).collect();
    vec![
        ("Identity", plain().node("Identity", &["w"], "made", vec![])),
        (
            "Identity of Identity",
            plain().node("Identity", &["w"], "v", vec![]).node("Identity", &["v"], "made", vec![]),
        ),
        ("Constant", new().node("Constant", &[], "made", vec![tensor("value", &[3, 3, 3, 3], &values)])),
        (
            "Constant and Reshape",
            new()
                .node("Constant", &[], "list", vec![floats("value_floats", &values)])
                .node("Constant", &[], "shape", vec![integers("value_ints", &[3, -1, 3, 3])])
                .node("Reshape", &["list", "shape"], "made", vec![]),
        ),
        (
            "Cast",
            new().doubles("w", &[3, 3, 3, 3], &doubled).node("Cast", &["w"], "made", vec![integer("to", 1)]),
        ),
        (
            "Transpose",
            new().tensor("w", &[3, 3, 3, 3], &turned).node(
                "Transpose",
                &["w"],
                "made",
                vec![integers("perm", &[2, 1, 3, 0])],
            ),
        ),
        (
            "Unsqueeze and Squeeze",
            plain().shape("axes", &[-2, 0]).node("Unsqueeze", &["w", "axes"], "wide", vec![]).node(
                "Squeeze",
                &["wide", "axes"],
                "made",
                vec![],
            ),
        ),
        (
            "arithmetic",
            new()
                .tensor("w", &[3, 3, 3, 3], &halves)
                .tensor("four", &[1], &[4.0])
                .node("Sqrt", &["four"], "two", vec![])
                .node("Mul", &["w", "two"], "made", vec![]),
        ),
    ]
}

#[wasm_bindgen_test(unsupported = test)]
fn kernels_behind_other_nodes_are_kernels() {
    let plain = Network::load(&edsr(["c1", "c2"])).unwrap();
    for (way, net) in ways() {
        let network = Network::load(&edsr_with(net, ["c1", "c2"])).unwrap();
        assert_eq!((network.engine(), network.rule()), (Engine::Native, plain.rule()), "{way}");
        assert_eq!(network.layers().len(), plain.layers().len(), "{way}");
        for (at, (own, other)) in network.layers().iter().zip(plain.layers()).enumerate() {
            assert_eq!((own.quantized, own.conv), (other.quantized, other.conv), "{way}");
            assert_eq!(network.kernels(at), plain.kernels(at), "{way}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn kernels_that_are_quantized_already_are_dequantized() {
    // Two bits more than nothing: codes of u8 around 128, with a scale for each kernel.
    let codes: Vec<u8> = (0..81).map(|i| (i * 37 % 251) as u8).collect();
    let scales = [0.01, 0.02, 0.005];
    let net = Builder::new(3)
        .raw("codes", &[3, 3, 3, 3], DataType::Uint8, codes.clone())
        .tensor("scales", &[3], &scales)
        .raw("zeros", &[3], DataType::Uint8, vec![128, 100, 0])
        .node("DequantizeLinear", &["codes", "scales", "zeros"], "made", vec![integer("axis", 0)]);
    let network = Network::load(&edsr_with(net, ["c1", "c2"])).unwrap();
    for (at, weight) in network.kernels(2).iter().enumerate() {
        let zero = [128.0, 100.0, 0.0][at / 27];
        assert_eq!(*weight, (f32::from(codes[at]) - zero) * scales[at / 27], "at {at}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn every_method_runs_on_both_engines_alike() {
    let bytes = edsr(["a", "b"]);
    let [native, tract] = [Engine::Native, Engine::Tract].map(|engine| learned(&bytes, Some(engine)));
    let three = || Options::new(Method::MinMax, 3).unwrap();
    let estimated =
        |range_estimator, range_granularity| Options { range_estimator, range_granularity, ..three() };
    for options in [
        Options::full_precision(),
        three(),
        Options { min_max_range: MinMaxRange::Static, ..three() },
        estimated(RangeEstimator::MinMax, Granularity::Channel),
        estimated(RangeEstimator::Percentile999, Granularity::Layer),
        estimated(RangeEstimator::Mse, Granularity::Channel),
        estimated(RangeEstimator::Entropy, Granularity::Layer),
        estimated(RangeEstimator::Deviation, Granularity::Channel),
        Options::dfsq(3).unwrap(),
        Options { weights: WeightGrid::Subset, ..Options::dfsq(3).unwrap() },
        Options { point_source: PointSource::Apot, ..Options::dfsq(3).unwrap() },
        Options { point_source: PointSource::Nf4, ..Options::dfsq(4).unwrap() },
        Options { denormalization_bits: BitWidth::new(6).unwrap(), ..Options::dfsq(3).unwrap() },
        Options::dfsq_opt(3).unwrap(),
    ] {
        let (ours, theirs) = (picture(&native, &options), picture(&tract, &options));
        let far = ours.iter().zip(&theirs).filter(|(a, b)| a.abs_diff(**b) > 1).count();
        // A rounding error of 1e-7 decides between two points for a few values.
        assert!(far * 50 < ours.len(), "{options:?}: {far} of {} differ", ours.len());
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut bundled = Session::load(&std::fs::read("onnx/edsr_x2.onnx").unwrap()).unwrap();
    bundled.load_calibration(&std::fs::read("onnx/edsr_x2.calibration").unwrap()).unwrap();
    let small = learned(&edsr(["a", "b"]), None);
    let grouped = {
        let net = Builder::new(3).conv("lr", "head", 6, 3, &noise(162, 3, 0.6));
        let net = net.tensor("w", &[12, 2, 3, 3], &noise(216, 4, 0.6)).node(
            "Conv",
            &["head", "w"],
            "up",
            vec![integers("pads", &[1; 4]), integer("group", 3)],
        );
        Session::load(&net.shuffle("up", "sr").metadata("input_range", "0..1").build()).unwrap()
    };
    let photo = gradient(61, 47, 220);
    for (session, options) in [
        (&bundled, Options::full_precision()),
        (&bundled, Options::dfsq(3).unwrap()),
        (&bundled, Options::min_max(4).unwrap()),
        (&bundled, Options { range_estimator: RangeEstimator::Mse, ..Options::min_max(3).unwrap() }),
        (&small, Options::dfsq_opt(3).unwrap()),
        (&grouped, Options::full_precision()),
    ] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let prepared = session.prepare(&options).unwrap();
                let planes = session.network().convention().to_planes(&photo);
                let plan = session.network().plan([photo.height, photo.width]).unwrap();
                let full = session.network().full_precision();
                let bits = plan.run(&planes, &full, &mut (), &()).unwrap().planes.values;
                (session.upscale(&photo, &prepared, &mut (), &()).unwrap().picture, bits)
            })
        };
        let one = run(1);
        for threads in [2, 3, 7] {
            assert!(run(threads) == one, "{options:?} with {threads} threads");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_does_not_belong_together_is_refused() {
    let (mut session, other) = (learned(&edsr(["a", "b"]), None), learned(&edsr(["a", "c"]), None));
    let prepared = other.prepare(&Options::dfsq(3).unwrap()).unwrap();
    let refused = session.upscale(&gradient(20, 17, 200), &prepared, &mut (), &()).unwrap_err();
    assert!(matches!(&refused, Error::Option(words) if words.contains("another network")), "{refused}");

    let plan = session.network().plan([20, 16]).unwrap();
    let planes = Planes { channels: 3, height: 16, width: 20, values: vec![0.5; 960] };
    let wrong = [
        plan.run(&planes, &session.network().full_precision(), &mut (), &()),
        plan.run(
            &Planes { height: 20, width: 16, values: vec![0.5; 9], ..planes },
            &session.network().full_precision(),
            &mut (),
            &(),
        ),
    ];
    for result in wrong {
        assert!(matches!(result, Err(Error::SizeMismatch(_))));
    }
    assert!(session.network().quantized(vec![]).is_ok());
    assert!(matches!(session.network().quantized(vec![Default::default(); 2]), Err(Error::Option(_))));

    let bits = [Options::dfsq_opt(4).unwrap().bits(session.network().layers()).unwrap()];
    let pictures = [gradient(24, 24, 200), gradient(24, 20, 200)];
    let mixed = session.optimize(&pictures, &bits, PointSettings::EXACT, Recipe::default(), &());
    assert!(matches!(mixed, Err(Error::SizeMismatch(_))));
    assert!(session.prepare(&Options::dfsq_opt(3).unwrap()).is_ok(), "what was there stays");
}

#[wasm_bindgen_test(unsupported = test)]
fn weights_that_f32_can_hardly_hold_are_refused_and_no_nan_comes_out() {
    // Their mean is 1e37 and so is finite; from there to the lowest it is more than f32 holds.
    let mut kernels = vec![3e38; 81];
    kernels[5] = -3e38;
    let bytes = small_edsr_with(&kernels);
    let options =
        Options { weights: WeightGrid::Subset, activation_bits: BitWidth::FULL, ..Options::dfsq(3).unwrap() };
    let session = Session::load(&bytes).unwrap();
    let refused = session.prepare(&options).err();
    assert!(matches!(&refused, Some(Error::NonFinite { layer, .. }) if layer == "c1"), "{refused:?}");
    let wrong = session.network().make_weights(1, vec![f32::NAN; 81], vec![]).err();
    assert!(matches!(wrong, Some(Error::NonFinite { channel: 0, .. })));
    let wrong = session.network().make_weights(1, vec![0.0; 81], vec![0.0, f32::INFINITY, 0.0]).err();
    assert!(matches!(wrong, Some(Error::NonFinite { channel: 1, .. })));
    assert!(session.network().make_weights(1, vec![0.0; 80], vec![]).is_err());
    assert!(session.network().make_weights(1, vec![0.0; 81], vec![0.0; 2]).is_err());
}

fn small_edsr_with(kernels: &[f32]) -> Vec<u8> {
    let net = Builder::new(3)
        .conv("lr", "head", 3, 3, &copying(3, 3, 1.0, |o| o))
        .conv("head", "c1", 3, 3, kernels)
        .node("Relu", &["c1"], "relu", vec![])
        .conv("relu", "c2", 3, 3, &copying(3, 3, 0.0, |o| o))
        .node("Add", &["c2", "head"], "add", vec![])
        .conv("add", "up", 12, 3, &copying(12, 3, 1.0, |o| o / 4))
        .shuffle("up", "sr");
    net.metadata("input_range", "0..1").build()
}

#[wasm_bindgen_test(unsupported = test)]
fn the_65th_choice_of_bits_gives_up_the_oldest() {
    let mut session = learned(&edsr(["a", "b"]), None);
    let layers = session.network().layers().to_vec();
    let choices: Vec<_> = (0..64u8)
        .map(|i| {
            let options = Options::dfsq_opt(2).unwrap();
            let options = options.layer("a", [i / 8 + 1, i % 8 + 1]).unwrap();
            options.bits(&layers).unwrap()
        })
        .collect();
    let recipe = Recipe::default();
    session.optimize(&crops(), &choices, PointSettings::EXACT, recipe, &()).unwrap();
    assert_eq!(session.optimized().variants().count(), 64);
    assert!(session.prepare(&Options::dfsq_opt(3).unwrap()).is_err(), "the oldest");
    let file = session.optimized().save(session.network()).unwrap();
    Session::load(&edsr(["a", "b"])).unwrap().load_optimized(&file).unwrap();
    let more: Vec<_> = choices.into_iter().chain([vec![[BitWidth::new(7).unwrap(); 2]; 5]]).collect();
    let refused = session.optimize(&crops(), &more, PointSettings::EXACT, recipe, &()).err();
    assert!(matches!(refused, Some(Error::Option(words)) if words.contains("65 choices")));
}
