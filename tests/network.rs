//! Networks: what is found in them, what they compute, and what is refused. Natively and in the browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::Error;
use dfsq::network::{Colour, LayerQuantization, Network, Observer, Planes, Rule, Tap, ValueRange};
use dfsq::parallel::Progress;
use dfsq::quant::{ActivationQuantizer, BitWidth, QuantizationError};
use std::ops::ControlFlow;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn names(network: &Network) -> Vec<&str> {
    network.layers().iter().filter(|l| l.quantized).map(|l| l.name.as_str()).collect()
}

/// Runs an image, and has measured what quantizers do.
fn run(
    network: &Network,
    input: &Planes,
    layers: Vec<LayerQuantization>,
) -> (Planes, Vec<Vec<QuantizationError>>) {
    let plan = network.plan([input.height, input.width]).unwrap();
    let quantized = network.quantized(layers).unwrap();
    let output = plan.run(input, &quantized, &mut Measuring, &()).unwrap();
    (output.planes, output.errors)
}

fn flat(size: usize, value: f32) -> Planes {
    Planes { channels: 3, height: size, width: size, values: vec![value; 3 * size * size] }
}

#[wasm_bindgen_test(unsupported = test)]
fn edsr_quantizes_its_residual_blocks_only() {
    let network = Network::load(&stated_edsr()).unwrap();
    assert_eq!(network.rule(), Rule::ResidualBlocks);
    assert_eq!(names(&network), ["block.conv1", "block.conv2"]);
    let after_relu: Vec<bool> = network.layers().iter().map(|l| l.after_relu).collect();
    assert_eq!(after_relu, [false, false, true, false, false, false]);
    assert_eq!((network.convention().fit.scale, network.convention().colour), (2, Colour::Rgb));
    assert!(network.convention().assumed.is_empty());
    // Head, block and body end: four of 81 on a pixel; the upsampler's 324; the tail's 81 on four pixels.
    assert_eq!(network.macs_per_pixel(), (4 * 81 + 324 + 4 * 81) as f64);
}

#[wasm_bindgen_test(unsupported = test)]
fn rdn_quantizes_from_the_first_dense_layer_to_the_global_fusion() {
    let wide = |outputs: usize, inputs: usize| copying(outputs, inputs, 1.0, |_| 0);
    let network = Builder::new(3)
        .conv("lr", "shallow1", 3, 3, &wide(3, 3))
        .conv("shallow1", "shallow2", 3, 3, &wide(3, 3))
        .conv("shallow2", "dense", 2, 3, &wide(2, 3))
        .node("Relu", &["dense"], "relu", vec![])
        .node("Concat", &["shallow2", "relu"], "cat", vec![AttributeAxis::one()])
        .conv("cat", "local", 3, 5, &wide(3, 5))
        .node("Add", &["local", "shallow2"], "rdb", vec![])
        .conv("rdb", "global", 3, 3, &wide(3, 3))
        .node("Add", &["global", "shallow1"], "add", vec![])
        .conv("add", "up", 12, 3, &wide(12, 3))
        .shuffle("up", "shuffled")
        .conv("shuffled", "sr", 3, 3, &wide(3, 3))
        .build();
    let network = Network::load(&network).unwrap();
    assert_eq!(network.rule(), Rule::DenseBlocks);
    assert_eq!(names(&network), ["dense", "local", "global"]);
}

#[wasm_bindgen_test(unsupported = test)]
fn weights_may_be_stored_in_half_precision() {
    // Gains of 0.5 and 1 are exact in f16.
    let (wide, half) = (small_edsr().build(), small_edsr().halved().build());
    let (network, other) = (Network::load(&wide).unwrap(), Network::load(&half).unwrap());
    assert_eq!(other.parameters(), network.parameters());
    assert_eq!(names(&other), names(&network));
    for layer in 0..network.layers().len() {
        assert_eq!(other.kernels(layer), network.kernels(layer));
    }
    assert_eq!(other.convention(), network.convention());
}

struct AttributeAxis;
impl AttributeAxis {
    fn one() -> tract_onnx::pb::AttributeProto {
        tract_onnx::pb::AttributeProto {
            name: "axis".into(),
            r#type: tract_onnx::pb::attribute_proto::AttributeType::Int as i32,
            i: 1,
            ..Default::default()
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_plain_chain_gets_the_general_rule_and_its_range_is_measured() {
    // Enlarges what is above the offset exactly, and cuts off what is below: an offset of 40 is for 0..255.
    let build = |offset: f32| {
        Builder::new(3)
            .tensor("offset", &[1, 3, 1, 1], &[offset; 3])
            .node("Sub", &["lr", "offset"], "centred", vec![])
            .conv("centred", "first", 3, 3, &copying(3, 3, 1.0, |o| o))
            .conv("first", "second", 3, 3, &copying(3, 3, 1.0, |o| o))
            .node("Relu", &["second"], "relu", vec![])
            .conv("relu", "up", 12, 3, &copying(12, 3, 1.0, |o| o / 4))
            .shuffle("up", "shuffled")
            .node("Add", &["shuffled", "offset"], "sr", vec![])
            .build()
    };
    let network = Network::load(&build(40.0)).unwrap();
    assert_eq!(network.rule(), Rule::General);
    assert_eq!(names(&network), ["second"]);
    assert_eq!((network.convention().fit.scale, network.convention().input), (2, ValueRange::BYTE));
    assert_eq!(network.convention().assumed.len(), 3);
    assert_eq!(Network::load(&build(0.1)).unwrap().convention().input, ValueRange::UNIT);
}

#[wasm_bindgen_test(unsupported = test)]
fn full_precision_gives_the_answer_computed_by_hand() {
    let network = Network::load(&stated_edsr()).unwrap();
    let mut input = Planes { channels: 3, height: 9, width: 11, values: vec![0.0; 3 * 99] };
    input.values.iter_mut().enumerate().for_each(|(i, v)| *v = i as f32 / 300.0);
    let (output, errors) = run(&network, &input, vec![]);
    assert_eq!((output.channels, output.height, output.width), (3, 18, 22));
    for (i, value) in output.values.iter().enumerate() {
        let (c, y, x) = (i / (18 * 22), i / 22 % 18, i % 22);
        let want = 2.25 * input.values[(c * 9 + y / 2) * 11 + x / 2];
        assert!((value - want).abs() < 1e-5, "at {c}, {y}, {x}: {value}, not {want}");
    }
    assert!(errors.iter().all(Vec::is_empty));
}

#[wasm_bindgen_test(unsupported = test)]
fn quantizers_act_on_the_convolutions_own_input_and_not_on_the_skip() {
    let network = Network::load(&stated_edsr()).unwrap();
    let mut layers = vec![LayerQuantization::default(); network.layers().len()];
    // The values 0 and 0.9: two bits between them leave both where they are; a range up to 0 kills the block.
    let dead = dfsq::quant::UniformGrid::with_zero_point(-1.0, 0.0, BitWidth::new(2).unwrap());
    layers[1].activation = Some(ActivationQuantizer::StaticMinMax(dead));
    let (output, errors) = run(&network, &flat(8, 0.9), layers);
    // The block adds nothing, and both skips pass the picture whole: twice its brightness.
    assert!(output.values.iter().all(|v| (v - 1.8).abs() < 1e-5), "{:?}", &output.values[..4]);
    assert!(errors[1].iter().all(|channel| channel.noise > 0.0) && errors[2].is_empty());

    let kernels = network.make_weights(1, copying(3, 3, 0.0, |o| o), vec![]).unwrap();
    let mut layers = vec![LayerQuantization::default(); network.layers().len()];
    layers[1].weights = Some(kernels);
    let (output, _) = run(&network, &flat(8, 0.9), layers);
    assert!(output.values.iter().all(|v| (v - 1.8).abs() < 1e-5));
    // The plan is untouched: full precision again.
    let (output, _) = run(&network, &flat(8, 0.9), vec![]);
    assert!(output.values.iter().all(|v| (v - 2.025).abs() < 1e-5));
}

#[derive(Default)]
struct Watcher {
    taps: Vec<(usize, usize, f32)>,
    last: Option<usize>,
}

/// Keeps what is reported.
#[derive(Default)]
struct Reported(std::sync::Mutex<Vec<f32>>, Option<usize>);

impl Progress for Reported {
    fn report(&self, done: f32) -> ControlFlow<()> {
        let mut reported = self.0.lock().unwrap();
        reported.push(done);
        if Some(reported.len()) == self.1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Observer for Watcher {
    fn taps(&self, _: usize) -> bool {
        true
    }

    fn tap(&mut self, tap: Tap<'_>) -> dfsq::Result<ControlFlow<()>> {
        self.taps.push((tap.layer, tap.channels, tap.to_planes().values[0]));
        Ok(if self.last == Some(tap.layer) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn observers_see_every_layer_once_and_can_cancel() {
    let network = Network::load(&stated_edsr()).unwrap();
    let plan = network.plan([8, 8]).unwrap();
    let (full, input) = (network.full_precision(), flat(8, 0.4));
    let (mut watcher, reported) = (Watcher::default(), Reported::default());
    plan.run(&input, &full, &mut watcher, &reported).unwrap();
    let layers: Vec<usize> = watcher.taps.iter().map(|t| t.0).collect();
    assert_eq!(layers, [0, 1, 2, 3, 4, 5]);
    assert!((watcher.taps[2].2 - 0.2).abs() < 1e-6 && watcher.taps[2].1 == 3);
    let reported = reported.0.into_inner().unwrap();
    assert!(reported[0] == 0.0 && reported.windows(2).all(|p| p[0] < p[1]) && reported[5] < 1.0);
    let impatient = Reported(Default::default(), Some(3));
    assert!(matches!(plan.run(&input, &full, &mut (), &impatient), Err(Error::Cancelled)));
    assert_eq!(impatient.0.into_inner().unwrap().len(), 3);
    // Whoever has seen enough ends the run, and that is no error.
    let mut satisfied = Watcher { last: Some(2), ..Default::default() };
    plan.observe(&input, &mut satisfied, &()).unwrap();
    assert_eq!(satisfied.taps.len(), 3);
}

#[wasm_bindgen_test(unsupported = test)]
fn nan_names_the_layer_and_the_channel() {
    let network = Network::load(&stated_edsr()).unwrap();
    let plan = network.plan([8, 8]).unwrap();
    let mut layers = vec![LayerQuantization::default(); network.layers().len()];
    layers[1].activation = Some(ActivationQuantizer::DynamicMinMax(BitWidth::new(4).unwrap()));
    let mut input = flat(8, 0.5);
    input.values[2 * 64 + 9] = f32::NAN;
    let error = plan.run(&input, &network.quantized(layers).unwrap(), &mut (), &()).unwrap_err();
    assert!(matches!(&error, Error::NonFinite { layer, .. } if layer == "block.conv1"), "{error}");
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_no_super_resolution_network_is_refused_with_a_reason() {
    let refused = |bytes: &[u8], reason: &str| {
        let error = Network::load(bytes).err().expect("refused");
        assert!(matches!(error, Error::Network(_)) && error.to_string().contains(reason), "{error}");
    };
    refused(b"", "no graph");
    refused(b"this is a text file, not a network", "not an ONNX model");
    let whole = stated_edsr();
    refused(&whole[..whole.len() / 2], "not an ONNX model");
    refused(&small_edsr().node("Frobnicate", &["sr"], "x", vec![]).build(), "Frobnicate");
    refused(&Builder::new(3).conv("nothing", "sr", 3, 3, &[0.0; 81]).build(), "nothing before it computes");
    refused(&Builder::new(3).node("Relu", &["lr"], "sr", vec![]).build(), "no two-dimensional convolution");
    refused(&Builder::new(5).conv("lr", "sr", 5, 5, &[0.0; 225]).build(), "5 channels");
    refused(&small_edsr().metadata("scale", "3").build(), "3 times");
    refused(&small_edsr().metadata("input_range", "1..0").build(), "1..0");
    refused(
        &Builder::new(3)
            .tensor("short", &[3, 3, 3, 3], &[0.0; 5])
            .node("Conv", &["lr", "short"], "sr", vec![])
            .build(),
        "stores 5 values",
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn every_byte_of_a_network_may_be_damaged() {
    let whole = stated_edsr();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..1000 {
        let mut damaged = whole.clone();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..damaged.len());
            damaged[at] = rng.u8(..);
        }
        // Refused or taken, but never a panic.
        let _ = Network::load(&damaged);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_graph_that_names_an_output_twice_is_refused_and_does_not_hang() {
    let copy = || copying(3, 3, 1.0, |o| o);
    let circular = Builder::new(3)
        .conv("lr", "h", 3, 3, &copy())
        .conv("h", "a", 3, 3, &copy())
        .node("Conv", &["a", "a.weight"], "a", vec![])
        .node("Add", &["a", "h"], "r", vec![])
        .node("Add", &["r", "h"], "sr", vec![])
        .build();
    let error = Network::load(&circular).err().unwrap();
    assert!(error.to_string().contains("two nodes compute a"), "{error}");
}

/// The ONNX model zoo's sub-pixel network in small: luma, one size, and a shuffle made of Reshape and Transpose.
fn fixed_size(height: i64, width: i64) -> Vec<u8> {
    let copy = || copying(4, 4, 1.0, |o| o);
    let into = || copying(4, 1, 1.0, |_| 0);
    Builder::of_size(1, height, width)
        .conv("lr", "first", 4, 1, &into())
        .node("Relu", &["first"], "relu", vec![])
        .conv("relu", "second", 4, 4, &copy())
        .shape("split", &[1, 1, 2, 2, height, width])
        .node("Reshape", &["second", "split"], "blocks", vec![])
        .node("Transpose", &["blocks"], "turned", vec![integers("perm", &[0, 1, 4, 2, 5, 3])])
        .shape("joined", &[1, 1, 2 * height, 2 * width])
        .node("Reshape", &["turned", "joined"], "sr", vec![])
        .build()
}

#[wasm_bindgen_test(unsupported = test)]
fn a_network_of_one_size_runs_on_pictures_of_that_size() {
    let session = dfsq::session::Session::load(&fixed_size(20, 30)).unwrap();
    let convention = session.network().convention();
    assert_eq!(
        (convention.fit.size, convention.fit.scale, convention.colour),
        (Some([20, 30]), 2, Colour::Y)
    );
    let full = session.prepare(&dfsq::session::Options::full_precision()).unwrap();
    let picture = gradient(30, 20, 110);
    let result = session.upscale(&picture, &full, &mut (), &()).unwrap().picture;
    assert_eq!((result.width, result.height), (60, 40));
    let luma = |picture: &dfsq::image_io::Picture, x: usize, y: usize| {
        dfsq::image_io::luma(picture.rgb().nth(y * picture.width + x).unwrap())
    };
    for (x, y) in [(0, 0), (31, 17), (59, 39)] {
        assert!((luma(&result, x, y) - luma(&picture, x / 2, y / 2)).abs() < 2.0, "luma is copied");
    }
    let refused = session.upscale(&gradient(20, 30, 110), &full, &mut (), &()).unwrap_err();
    assert!(refused.to_string().contains("exactly 30 x 20 pixels, not 20 x 30"), "{refused}");
    // It can be calibrated and optimized as any other.
    let mut session = session;
    let four = [BitWidth::new(4).unwrap()];
    session.calibrate(&[picture], dfsq::quant::PointSettings::default(), &four, &()).unwrap();
    session.prepare(&dfsq::session::Options::default()).unwrap();
}

#[wasm_bindgen_test(unsupported = test)]
fn a_network_that_states_a_size_but_takes_any_is_not_bound_to_it() {
    let network = Builder::of_size(3, 40, 40)
        .conv("lr", "up", 12, 3, &copying(12, 3, 1.0, |o| o / 4))
        .shuffle("up", "sr")
        .build();
    assert_eq!(Network::load(&network).unwrap().convention().fit.size, None);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_does_not_fit_the_one_size_is_said_in_words() {
    let shape = Builder::of_size(3, 20, 20)
        .conv("lr", "first", 3, 3, &copying(3, 3, 1.0, |o| o))
        .shape("split", &[1, 7, 11, 13])
        .node("Reshape", &["first", "split"], "sr", vec![]);
    let error = Network::load(&shape.build()).err().unwrap().to_string();
    assert!(error.contains("[1, 3, 20, 20] does not go into [1, 7, 11, 13]"), "{error}");
}

#[wasm_bindgen_test(unsupported = test)]
fn memory_is_that_of_the_values_that_live_at_the_same_time() {
    // On a pixel of the input: its 3 channels, and the 12 values of what comes out, at least; between them rows flow.
    let network = Network::load(&stated_edsr()).unwrap();
    let bytes = network.bytes_per_pixel();
    assert!((60.0..400.0).contains(&bytes), "{bytes}");
    // Of a chain of wide layers two are alive at a time, however many there are.
    let wide = |layers: usize| {
        let mut net = Builder::new(3).conv("lr", "c0", 40, 3, &copying(40, 3, 1.0, |_| 0));
        for i in 0..layers {
            let (from, to) = (format!("c{i}"), format!("c{}", i + 1));
            net = net.conv(&from, &to, 40, 40, &copying(40, 40, 0.9, |o| o));
        }
        let last = format!("c{layers}");
        let net = net.conv(&last, "sr", 3, 40, &copying(3, 40, 1.0, |_| 0));
        Network::load(&net.build()).unwrap().bytes_per_pixel()
    };
    assert!((wide(2) - wide(6)).abs() < 1.0 && wide(2) > 2.0 * 40.0 * 4.0, "{} {}", wide(2), wide(6));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_picture_that_takes_more_memory_than_there_is_is_refused_before_it_runs() {
    let network = Network::load(&stated_edsr()).unwrap();
    let error = network.plan([1 << 18, 1 << 18]).err().unwrap();
    assert!(matches!(error, Error::Memory { width: 262_144, megabytes: 1_000_000.., .. }), "{error}");
    // What wraps around in 32 bits is not taken for little.
    let huge = Builder::of_size(3, 1 << 16, 1 << 16)
        .conv("lr", "sr", 3, 3, &[0.0; 81])
        .metadata("scale", "4")
        .build();
    assert!(Network::load(&huge).is_err());
}
