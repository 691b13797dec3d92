//! Quantized networks as ONNX files: what they hold, and that they are read again. That onnxruntime gives the same scores with them
//! is measured by `benches/export.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::export::{Exported, OPSET, OPSET_OF_TWO_BITS, check};
use dfsq::network::LoadOptions;
use dfsq::quant::{BitWidth, PointSettings, PointSource, RangeEstimator, Recipe};
use dfsq::session::{MinMaxRange, Options, Session};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn learned(file: &[u8]) -> Session {
    let mut session = Session::load(file).unwrap();
    let pictures = [gradient(24, 20, 255), gradient(20, 24, 120)];
    let widths = [2, 3, 4, 8].map(|bits| BitWidth::new(bits).unwrap());
    session.calibrate(&pictures, PointSettings::default(), &widths, &()).unwrap();
    session
}

fn export(session: &Session, file: &[u8], options: &Options) -> Exported {
    session.export(file, &session.prepare(options).unwrap(), OPSET).unwrap()
}

#[wasm_bindgen_test(unsupported = test)]
fn a_file_has_a_function_for_every_quantizer_and_is_smaller() {
    let file = random_edsr();
    let session = learned(&file);
    let exported = export(&session, &file, &Options::dfsq(4).unwrap());
    let names: Vec<&str> = exported.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["0.conv1", "0.conv2", "1.conv1", "1.conv2"]);
    for layer in &exported.layers {
        assert_eq!([layer.weight_bits, layer.activation_bits], [4, 4]);
        assert_eq!(layer.weights, "UINT4 codes of uniform grids");
        assert!(layer.activations.starts_with("dfsq.SubsetQuantize16"), "{layer:?}");
        // Half a byte for each of 8 x 8 x 9 weights, two numbers for each of 8 kernels, and the shape.
        assert_eq!(layer.weight_bytes, 288 + 64 + 32);
        assert_eq!(layer.activation_bytes, 16 * 8 * 4);
    }
    // After a ReLU, no mean is subtracted.
    assert!(
        exported.layers[1].activations.ends_with("WithoutMean")
            && !exported.layers[0].activations.ends_with("Mean")
    );
    for words in ["arXiv 2305.05888", "UniformWeights", "dfsq.options"] {
        assert!(exported.bytes.windows(words.len()).any(|part| part == words.as_bytes()), "{words}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_exported_file_opens_again_with_the_weights_as_they_were_written() {
    let file = random_edsr();
    let mut session = learned(&file);
    let pictures = [gradient(24, 20, 255)];
    let four = Options::dfsq_opt(4).unwrap().bits(session.network().layers()).unwrap();
    session.optimize(&pictures, &[four], PointSettings::EXACT, Recipe::default(), &()).unwrap();
    let picture = gradient(20, 17, 255);
    let static_range = Options { min_max_range: MinMaxRange::Static, ..Options::min_max(4).unwrap() };
    for options in [
        Options::dfsq(2).unwrap(),
        Options::dfsq(3).unwrap(),
        Options::dfsq(8).unwrap(),
        Options::min_max(8).unwrap(),
        Options { point_source: PointSource::Apot, ..Options::dfsq(3).unwrap() },
        static_range,
        Options::dfsq_opt(4).unwrap(),
    ] {
        let exported = export(&session, &file, &options);
        let again = Session::load(&exported.bytes).unwrap();
        // Weights alone, by the other way.
        let own = Options { activation_bits: BitWidth::FULL, ..options.clone() };
        let info = again.info();
        let bits = options.weight_bits.bits();
        let words = info.stored.unwrap();
        assert!(words.contains(&format!("weights of {bits} bits in 4 of 8")), "{words}");
        assert!(
            words.contains(&format!(
                "exported by dfsq {} with {}",
                env!("CARGO_PKG_VERSION"),
                options.method
            )),
            "{words}"
        );
        let known = |session: &Session| {
            let convention = session.network().convention();
            (convention.fit, convention.colour, convention.ranges(), session.network().scope().clone())
        };
        assert_eq!(known(&again), known(&session));
        let upscale = |session: &Session, options: &Options| {
            let prepared = session.prepare(options).unwrap();
            session.upscale(&picture, &prepared, &mut (), &()).unwrap().picture
        };
        let full = upscale(&again, &Options::full_precision());
        if options.method != dfsq::session::Method::DfsqOpt {
            assert!(full == upscale(&session, &own), "{options:?}");
        }
        // What was exported can be exported again.
        let once_more = learned(&exported.bytes);
        let twice = export(&once_more, &exported.bytes, &Options::dfsq(4).unwrap());
        let same = Options { activation_bits: BitWidth::FULL, ..Options::dfsq(4).unwrap() };
        assert!(
            upscale(&Session::load(&twice.bytes).unwrap(), &Options::full_precision())
                == upscale(&once_more, &same)
        );
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn codes_of_two_bits_take_a_quarter_of_a_byte_where_they_are_asked_for() {
    let file = random_edsr();
    let session = learned(&file);
    let prepared = session.prepare(&Options::dfsq(2).unwrap()).unwrap();
    let [four, two] =
        [OPSET, OPSET_OF_TWO_BITS].map(|opset| session.export(&file, &prepared, opset).unwrap());
    let codes = 8 * 8 * 9;
    for (wide, narrow) in four.layers.iter().zip(&two.layers) {
        assert_eq!(wide.weight_bytes - narrow.weight_bytes, codes / 2 - codes / 4);
        assert!(narrow.weights.starts_with("UINT2 codes of uniform"), "{narrow:?}");
    }
    let full = |bytes: &[u8]| {
        let session = Session::load(bytes).unwrap();
        let prepared = session.prepare(&Options::full_precision()).unwrap();
        session.upscale(&gradient(20, 17, 255), &prepared, &mut (), &()).unwrap().picture
    };
    assert!(full(&four.bytes) == full(&two.bytes));
}

#[wasm_bindgen_test(unsupported = test)]
fn what_cannot_be_exported_is_refused() {
    let file = random_edsr();
    let session = learned(&file);
    let prepared = session.prepare(&Options::dfsq(4).unwrap()).unwrap();
    let refused =
        |file: &[u8], prepared, opset| session.export(file, prepared, opset).unwrap_err().to_string();
    assert!(refused(b"another", &prepared, OPSET).contains("not the file"));
    assert!(refused(&file, &prepared, 13).contains("operator set 21 or 25"));
    let full = session.prepare(&Options::full_precision()).unwrap();
    assert!(refused(&file, &full, OPSET).contains("full precision"));
    let estimated = Options { range_estimator: RangeEstimator::Mse, ..Options::min_max(4).unwrap() };
    let estimated = session.prepare(&estimated).unwrap();
    assert!(
        refused(&file, &estimated, OPSET).contains("ranges of a layer, found by mse, cannot be exported")
    );
}

/// Static min-max of so many bits of weights and of activations.
fn static_min_max(weights: u8, activations: u8) -> Options {
    let width = |bits| BitWidth::new(bits).unwrap();
    let options = Options { min_max_range: MinMaxRange::Static, ..Options::min_max(8).unwrap() };
    Options { weight_bits: width(weights), activation_bits: width(activations), ..options }
}

fn in_integers(session: &Session, file: &[u8], options: &Options) -> Exported {
    let ranges = session.output_ranges(&[gradient(24, 20, 255), gradient(20, 24, 120)], &()).unwrap();
    session.export_integer(file, &session.prepare(options).unwrap(), &ranges).unwrap()
}

#[wasm_bindgen_test(unsupported = test)]
fn integer_convolutions_stand_between_what_runtimes_fuse() {
    let file = random_edsr();
    let all = [("quantization_scope".to_owned(), "all".to_owned())].into();
    let session = |stated| {
        let mut session =
            Session::load_with(&file, &LoadOptions { stated, ..LoadOptions::default() }).unwrap();
        let width = BitWidth::new(8).unwrap();
        session.calibrate(&[gradient(24, 20, 255)], PointSettings::default(), &[width], &()).unwrap();
        session
    };
    // In the first, a convolution's output is added to others; in the second it is the network's as well.
    for session in [session(Default::default()), session(all)] {
        for weights in [8, 7, 6, 4, 2] {
            let options = static_min_max(weights, 8);
            let exported = in_integers(&session, &file, &options);
            let checked = check(&exported.bytes).unwrap();
            assert_eq!(checked.len(), exported.layers.len());
            assert!(checked.iter().all(|layer| layer.integer && layer.fuses), "{checked:#?}");
            // What is read again are the weights; up to 6 bits, they are the very ones.
            let again = Session::load(&exported.bytes).unwrap();
            assert_eq!(again.network().layers().len(), session.network().layers().len());
            if weights < 7 && session.network().layers().iter().all(|layer| layer.usual_bits.is_none()) {
                let own = session.prepare(&options).unwrap();
                for (index, own) in own.quantized().layers().iter().enumerate() {
                    let Some(own) = &own.weights else { continue };
                    assert_eq!(
                        again.network().kernels(index),
                        own.kernels(),
                        "{weights} bits, layer {index}"
                    );
                }
            }
            let upscale = |session: &Session, options: &Options| {
                let prepared = session.prepare(options).unwrap();
                session.upscale(&gradient(20, 17, 255), &prepared, &mut (), &()).unwrap().picture
            };
            // It runs here as well, quantizers and all.
            let (ours, theirs) = (upscale(&session, &options), upscale(&again, &Options::full_precision()));
            let apart = dfsq::metrics::score(&theirs, &ours, 1).unwrap().psnr_y;
            assert!(apart > 38.0, "{weights} bits: {apart} dB");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_no_integer_convolution_is_said() {
    let file = random_edsr();
    let session = learned(&file);
    let ranges = session.output_ranges(&[gradient(24, 20, 255)], &()).unwrap();
    let refused = |options: &Options| {
        let prepared = session.prepare(options).unwrap();
        session.export_integer(&file, &prepared, &ranges).unwrap_err().to_string()
    };
    assert!(refused(&Options::dfsq(8).unwrap()).contains("--min-max-range static"));
    assert!(refused(&Options::min_max(8).unwrap()).contains("--min-max-range static"));
    assert!(refused(&static_min_max(8, 4)).contains("activations have 4 bits"));
    assert!(session.output_ranges(&[], &()).unwrap_err().to_string().contains("no picture"));
    let other = small_edsr().build();
    let others = Session::load(&other).unwrap().output_ranges(&[gradient(24, 20, 255)], &()).unwrap();
    let prepared = session.prepare(&static_min_max(8, 8)).unwrap();
    let refused = session.export_integer(&file, &prepared, &others).unwrap_err().to_string();
    assert!(refused.contains("measured for another network"), "{refused}");

    let simulated = check(&export(&session, &file, &Options::dfsq(4).unwrap()).bytes).unwrap();
    assert!(
        simulated.len() == 4 && simulated.iter().all(|layer| layer.fuses && !layer.integer),
        "{simulated:?}"
    );
    // Without the quantizers behind it, a convolution stays in f32.
    let mut broken = in_integers(&session, &file, &static_min_max(8, 8)).bytes;
    let name = |part: &[u8]| part == b"\x0eQuantizeLinear";
    let at = broken.windows(15).rposition(name).unwrap();
    broken[at + 1] = b'X';
    let checked = check(&broken).unwrap();
    assert_eq!(checked.iter().filter(|layer| !layer.fuses).count(), 1, "{checked:?}");
}

#[wasm_bindgen_test(unsupported = test)]
fn what_older_operators_say_in_another_way_is_rewritten() {
    type Middle = fn(Builder) -> Builder;
    // From 8 channels `a` to 8 channels `m`.
    let middles: [(i64, Middle); 5] = [
        (9, |net| net.node("Clip", &["a"], "m", vec![float("min", -0.25), float("max", 0.5)])),
        (13, |net| {
            let axes = vec![integers("axes", &[2, 3]), integer("keepdims", 1)];
            net.node("ReduceMean", &["a"], "mean", axes).node("Mul", &["a", "mean"], "m", vec![])
        }),
        (9, |net| {
            let part = |from: i64| {
                vec![integers("starts", &[from]), integers("ends", &[from + 4]), integers("axes", &[1])]
            };
            net.node("Slice", &["a"], "low", part(0)).node("Slice", &["a"], "high", part(4)).node(
                "Concat",
                &["high", "low"],
                "m",
                vec![integer("axis", 1)],
            )
        }),
        (10, |net| {
            net.tensor("scales", &[4], &[1.0, 1.0, 2.0, 2.0]).node(
                "Resize",
                &["a", "scales"],
                "m",
                vec![string("mode", "nearest")],
            )
        }),
        (22, |net| net.node("Gelu", &["a"], "m", vec![])),
    ];
    for (opset, middle) in middles {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut kernels = |count: usize| (0..count * 9).map(|_| rng.f32() * 0.4 - 0.15).collect::<Vec<f32>>();
        let net = Builder::new(3).versions(8, opset, "").metadata("quantization_scope", "all");
        let net = net.metadata("input_range", "0..1").conv("lr", "a", 8, 3, &kernels(24));
        let file = middle(net).conv("m", "sr", 3, 8, &kernels(24)).build();
        let session = Session::load(&file).unwrap();
        let options = Options { activation_bits: BitWidth::FULL, ..Options::min_max(4).unwrap() };
        let exported = export(&session, &file, &options);
        let upscale = |session: &Session, options: &Options| {
            let prepared = session.prepare(options).unwrap();
            session.upscale(&gradient(20, 17, 255), &prepared, &mut (), &()).unwrap().picture
        };
        let again = Session::load(&exported.bytes).unwrap();
        assert!(upscale(&again, &Options::full_precision()) == upscale(&session, &options), "set {opset}");
        assert_ne!(upscale(&session, &options), upscale(&session, &Options::full_precision()), "set {opset}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_scope_that_was_chosen_goes_with_the_file() {
    let file = random_edsr();
    let stated = [("quantization_scope".to_owned(), "all".to_owned())].into();
    let options = LoadOptions { stated, ..LoadOptions::default() };
    let session = Session::load_with(&file, &options).unwrap();
    let exported = export(&session, &file, &Options::min_max(4).unwrap());
    assert_eq!(exported.layers.len(), session.network().layers().len());
    let again = Session::load(&exported.bytes).unwrap();
    assert_eq!(again.network().scope(), session.network().scope());
}
