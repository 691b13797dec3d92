//! Which layers of a network are quantized: by the paper's rule and what is like it elsewhere, all, and those that are named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::Error;
use dfsq::network::{LoadOptions, Network, Properties, Rule};
use dfsq::quant::{BitWidth, PointSettings};
use dfsq::session::{Method, Options, Session};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn scoped(scope: &str) -> LoadOptions {
    let stated = Properties::from([("quantization_scope".to_owned(), scope.to_owned())]);
    LoadOptions { stated, ..LoadOptions::default() }
}

fn names(network: &Network) -> Vec<&str> {
    network.layers().iter().filter(|l| l.quantized).map(|l| l.name.as_str()).collect()
}

const ALL: [&str; 6] = ["head", "block.conv1", "block.conv2", "last", "up", "sr"];

#[wasm_bindgen_test(unsupported = test)]
fn all_layers_are_quantized_the_first_and_the_last_to_8_bits() {
    let network = Network::load_with(&stated_edsr(), &scoped("all")).unwrap();
    assert_eq!((network.rule(), names(&network)), (Rule::All, ALL.to_vec()));
    assert_eq!(
        network.quantized_in_words(),
        "6 of 6 convolutions (100 % of their multiply-accumulates): all, 8 bits for the first and the last"
    );
    let bits = |options: Options| -> Vec<[u8; 2]> {
        options.bits(network.layers()).unwrap().iter().map(|bits| bits.map(BitWidth::bits)).collect()
    };
    let three = Options::dfsq(3).unwrap();
    assert_eq!(bits(three.clone()), [[8, 8], [3, 3], [3, 3], [3, 3], [3, 3], [8, 8]]);
    assert_eq!(bits(three.clone().weights(32).unwrap())[0], [32, 8]);
    assert_eq!(bits(three.layer("sr", [5, 6]).unwrap())[5], [5, 6]);
    assert!(bits(Options::full_precision()).iter().all(|bits| *bits == [32, 32]));
}

/// Ranges, points and layers for one scope are made and run, and refused under one that has more layers.
#[wasm_bindgen_test(unsupported = test)]
fn every_method_runs_with_all_layers() {
    let file = random_edsr();
    let [mut all, mut paper] =
        ["all", "paper"].map(|scope| Session::load_with(&file, &scoped(scope)).unwrap());
    assert_ne!(all.identity(), paper.identity());
    let picture = gradient(20, 16, 255);
    let four = [BitWidth::new(4).unwrap()];
    for session in [&mut all, &mut paper] {
        let settings = PointSettings::default();
        session.calibrate(std::slice::from_ref(&picture), settings, &four, &()).unwrap();
        let bits = Options::dfsq_opt(4).unwrap().bits(session.network().layers()).unwrap();
        let exact = PointSettings::EXACT;
        session.optimize(std::slice::from_ref(&picture), &[bits], exact, Default::default(), &()).unwrap();
        // The same bits of all layers are not mixed, though some have others.
        assert_eq!(session.info().optimization.variants[0].mixed, None);
    }
    let run = |session: &Session, options: &Options| {
        session.upscale(&picture, &session.prepare(options).unwrap(), &mut (), &()).unwrap().picture
    };
    let full = run(&paper, &Options::full_precision());
    assert_eq!(run(&all, &Options::full_precision()), full);
    for method in Method::QUANTIZED {
        let options = Options::new(method, 4).unwrap();
        let [of_all, of_paper] = [&all, &paper].map(|session| run(session, &options));
        assert!(of_all != of_paper && of_paper != full, "{method}");
    }
    let made = paper.calibration().unwrap().save().unwrap();
    let error = all.load_calibration(&made).unwrap_err().to_string();
    assert!(error.contains("other layers"), "{error}");
    // What has more than is needed will do.
    let made = all.calibration().unwrap().save().unwrap();
    paper.load_calibration(&made).unwrap();
    run(&paper, &Options::dfsq(4).unwrap());
}

#[wasm_bindgen_test(unsupported = test)]
fn layers_are_named_one_by_one_or_by_how_they_begin() {
    let read = |scope: &str| Network::load_with(&stated_edsr(), &scoped(scope));
    assert_eq!(names(&read("up, block.*").unwrap()), ["block.conv1", "block.conv2", "up"]);
    assert!(read("head").unwrap().quantized_in_words().starts_with("1 of 6 convolutions (8 %"));
    for wrong in ["neck", "block*,tail*", "", "block.conv"] {
        match read(wrong) {
            Err(Error::Option(message)) => assert!(message.contains("its first is head"), "{message}"),
            other => panic!("{wrong}: {:?}", other.map(|network| network.rule())),
        }
    }
}

/// `[outputs, inputs, 3, 3]`, of no interest.
fn kernels(outputs: usize, inputs: usize) -> Vec<f32> {
    copying(outputs, inputs, 1.0, move |output| output % inputs)
}

fn from_head() -> Builder {
    Builder::new(3).conv("lr", "head", 4, 3, &kernels(4, 3))
}

/// The end of EDSR: a global skip connection, the upsampler, and a last convolution.
fn to_sr(builder: Builder, from: &str) -> Network {
    let network = builder
        .conv(from, "body_end", 4, 4, &kernels(4, 4))
        .node("Add", &["body_end", "head"], "skip", vec![])
        .conv("skip", "up", 12, 4, &kernels(12, 4))
        .shuffle("up", "sr")
        .build();
    Network::load(&network).unwrap()
}

/// As in IMDN: each convolution gives some of its channels on to the next, and the rest are put together.
#[wasm_bindgen_test(unsupported = test)]
fn distillation_is_no_dense_block_and_all_of_it_is_quantized() {
    let builder = from_head()
        .conv("head", "c1", 4, 4, &kernels(4, 4))
        .split("c1", "halves", &["kept1", "rest1"], 1)
        .shape("halves", &[2, 2])
        .conv("rest1", "c2", 4, 2, &kernels(4, 2))
        .split("c2", "halves", &["kept2", "rest2"], 1)
        .conv("rest2", "c3", 2, 2, &kernels(2, 2))
        .node("Concat", &["kept1", "kept2", "c3"], "together", vec![integer("axis", 1)])
        .conv("together", "fusion", 4, 6, &kernels(4, 6))
        .node("Add", &["fusion", "head"], "block", vec![]);
    let network = to_sr(builder, "block");
    assert_eq!(network.rule(), Rule::General);
    assert_eq!(names(&network), ["c1", "c2", "c3", "fusion", "body_end"]);
}

/// As in RFDN and RLFN: a branch becomes smaller and as large as before again. That is not the upsampler.
#[wasm_bindgen_test(unsupported = test)]
fn a_branch_that_is_resized_does_not_end_the_trunk() {
    let pool = vec![integers("kernel_shape", &[2, 2]), integers("strides", &[2, 2])];
    let builder = from_head()
        .conv("head", "c1", 4, 4, &kernels(4, 4))
        .node("MaxPool", &["c1"], "small", pool)
        .conv("small", "c2", 4, 4, &kernels(4, 4))
        .tensor("twice", &[4], &[1.0, 1.0, 2.0, 2.0])
        .node("Resize", &["c2", "", "twice"], "large", vec![string("mode", "nearest")])
        .node("Sigmoid", &["large"], "mask", vec![])
        .node("Mul", &["c1", "mask"], "attended", vec![])
        .conv("attended", "c3", 4, 4, &kernels(4, 4));
    let network = to_sr(builder, "c3");
    assert_eq!(names(&network), ["c1", "c2", "c3", "body_end"]);
}

/// As in RCAN: a gate sees one value of each channel, which says nothing of how it would be quantized.
#[wasm_bindgen_test(unsupported = test)]
fn convolutions_of_pooled_channels_stay_in_full_precision_unless_they_are_named() {
    let gated = |scope: &str| {
        let network = from_head()
            .conv("head", "c1", 4, 4, &kernels(4, 4))
            .node("GlobalAveragePool", &["c1"], "mean", vec![])
            // As TorchScript writes a view: by the size of what was pooled.
            .node("Shape", &["c1"], "size", vec![])
            .shape("from", &[0])
            .shape("to", &[2])
            .shape("ones", &[1, 1])
            .node("Slice", &["size", "from", "to"], "of channels", vec![])
            .node("Concat", &["of channels", "ones"], "view", vec![integer("axis", 0)])
            .node("Reshape", &["mean", "view"], "viewed", vec![])
            .conv("viewed", "squeeze", 2, 4, &kernels(2, 4))
            .node("Relu", &["squeeze"], "relu", vec![])
            .conv("relu", "excite", 4, 2, &kernels(4, 2))
            .node("Sigmoid", &["excite"], "gate", vec![])
            .node("Mul", &["c1", "gate"], "gated", vec![])
            .conv("gated", "c2", 4, 4, &kernels(4, 4))
            .node("Add", &["c2", "head"], "skip", vec![])
            .conv("skip", "up", 12, 4, &kernels(12, 4))
            .shuffle("up", "sr")
            .build();
        Network::load_with(&network, &scoped(scope)).unwrap()
    };
    assert_eq!(names(&gated("paper")), ["c1", "c2"]);
    assert_eq!(names(&gated("all")), ["head", "c1", "c2", "up"]);
    for scope in ["paper", "all"] {
        let words = gated(scope).quantized_in_words();
        let left = "; in full precision: 2 convolutions that see one value of each channel";
        assert!(words.ends_with(left), "{words}");
    }
    assert_eq!(names(&gated("squeeze")), ["squeeze"]);
}
