//! Our own engine against tract: the bundled networks, and small ones with everything that it has.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{AttributeProto, Builder, integer, integers, string};
use dfsq::network::{Engine, LoadOptions, Network, Planes};
use dfsq::session::{Method, MinMaxRange, Options, Session};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn noise(channels: usize, [height, width]: [usize; 2], range: f32) -> Planes {
    let mut rng = fastrand::Rng::with_seed((height * width) as u64);
    let values = (0..channels * height * width).map(|_| rng.f32() * range).collect();
    Planes { channels, height, width, values }
}

fn run(network: &Network, size: [usize; 2]) -> Planes {
    let convention = network.convention();
    let input = noise(convention.colour.channels(), size, convention.input.high);
    network.plan(size).unwrap().run(&input, &network.full_precision(), &mut (), &()).unwrap().planes
}

/// PSNR in dB of two outputs, with the range as the peak.
fn psnr(a: &Planes, b: &Planes, range: f32) -> f64 {
    assert_eq!((a.channels, a.height, a.width), (b.channels, b.height, b.width));
    let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
    let mse = a.values.iter().zip(&b.values).map(square).sum::<f64>() / a.values.len() as f64;
    10.0 * (f64::from(range).powi(2) / mse).log10()
}

fn runs_as_on_tract(bytes: &[u8], sizes: &[[usize; 2]]) {
    let own = Network::load(bytes).unwrap();
    assert_eq!((own.engine(), own.lacking()), (Engine::Native, None));
    let tract = Network::load_with(bytes, &LoadOptions::on(Engine::Tract)).unwrap();
    assert_eq!(tract.engine(), Engine::Tract);
    for size in sizes {
        let psnr = psnr(&run(&own, *size), &run(&tract, *size), own.convention().output.high);
        assert!(psnr > 110.0, "{size:?}: {psnr} dB");
    }
}

/// Kernels of this shape with values that keep what passes through at about the same size.
fn kernels(builder: Builder, name: &str, dims: [i64; 4], seed: u64) -> Builder {
    let mut rng = fastrand::Rng::with_seed(seed);
    let fan_in = (dims[1] * dims[2] * dims[3]) as f32;
    let values: Vec<f32> =
        (0..dims.iter().product()).map(|_| (rng.f32() * 2.0 - 1.0) * 1.7 / fan_in.sqrt()).collect();
    let bias: Vec<f32> = (0..dims[0]).map(|_| rng.f32() * 0.2 - 0.1).collect();
    builder.tensor(&format!("{name}.weight"), &dims, &values).tensor(
        &format!("{name}.bias"),
        &[dims[0]],
        &bias,
    )
}

/// A convolution: `[out, in / groups, height, width]`, groups, stride, dilation; the size stays where the stride is 1.
fn conv(
    net: Builder,
    input: &str,
    name: &str,
    dims: [i64; 4],
    [groups, stride, dilation]: [i64; 3],
) -> Builder {
    let pads = [dims[2], dims[3], dims[2], dims[3]].map(|side| side / 2 * dilation);
    let attributes = vec![
        integers("pads", &pads),
        integers("strides", &[stride; 2]),
        integers("dilations", &[dilation; 2]),
        integer("group", groups),
    ];
    let inputs = [input, &format!("{name}.weight"), &format!("{name}.bias")];
    kernels(net, name, dims, dims.iter().sum::<i64>() as u64).node("Conv", &inputs, name, attributes)
}

const PLAIN: [i64; 3] = [1, 1, 1];

/// Channels that fill no block, kernels of several shapes, values that are read several times, and every operator that
/// keeps the size.
fn varied() -> Vec<u8> {
    let slopes: Vec<f32> = (0..20).map(|i| i as f32 / 40.0).collect();
    let mut net =
        conv(Builder::new(3), "lr", "a", [13, 3, 3, 3], PLAIN).node("LeakyRelu", &["a"], "a.leaky", vec![]);
    net = conv(net, "a.leaky", "b", [20, 13, 3, 3], PLAIN).tensor("slopes", &[20, 1, 1], &slopes).node(
        "PRelu",
        &["b", "slopes"],
        "b.prelu",
        vec![],
    );
    // The exact GELU, written out.
    net = conv(net, "a.leaky", "c", [7, 13, 5, 5], PLAIN)
        .tensor("root", &[], &[std::f32::consts::SQRT_2])
        .tensor("one", &[], &[1.0])
        .tensor("half of it", &[], &[0.5])
        .node("Div", &["c", "root"], "c.small", vec![])
        .node("Erf", &["c.small"], "c.erf", vec![])
        .node("Add", &["c.erf", "one"], "c.share", vec![])
        .node("Mul", &["c", "c.share"], "c.twice", vec![])
        .node("Mul", &["c.twice", "half of it"], "c.gelu", vec![])
        .node("Concat", &["b.prelu", "c.gelu"], "bc", vec![integer("axis", 1)]);
    net = conv(net, "bc", "d", [12, 27, 1, 1], PLAIN);
    net = conv(net, "bc", "e", [12, 9, 3, 3], [3, 1, 1]).node("Mul", &["d", "e"], "de", vec![]);
    net = conv(net, "de", "each", [12, 1, 3, 3], [12, 1, 1])
        .node("Sigmoid", &["each"], "each.share", vec![])
        .node("Mul", &["each", "each.share"], "silu", vec![])
        .node("Tanh", &["silu"], "silu.tanh", vec![]);
    net = conv(net, "silu.tanh", "f", [12, 12, 3, 3], [1, 1, 2])
        .node("Sub", &["d", "f"], "df", vec![])
        .tensor("low", &[], &[-0.75])
        .tensor("high", &[], &[0.875])
        .node("Clip", &["df", "low", "high"], "clipped", vec![])
        .node("Concat", &["clipped", "f", "b.prelu"], "all", vec![integer("axis", 1)])
        .node("Concat", &["all", "d"], "more", vec![integer("axis", 1)]);
    net = conv(net, "more", "g", [16, 56, 1, 3], PLAIN).node("Add", &["g", "g"], "twice", vec![]);
    net = conv(net, "twice", "up", [12, 16, 3, 3], PLAIN).shuffle("up", "shuffled").node(
        "Relu",
        &["shuffled"],
        "bright",
        vec![],
    );
    conv(net, "bright", "tail", [3, 3, 3, 3], PLAIN)
        .tensor("offset", &[1, 3, 1, 1], &[0.1, 0.2, 0.3])
        .tensor("two", &[], &[2.0])
        .node("Sub", &["tail", "offset"], "from", vec![])
        .node("Div", &["from", "two"], "half", vec![])
        .node("Identity", &["half"], "sr", vec![])
        .metadata("scale", "2")
        .metadata("input_range", "0..1")
        .build()
}

#[wasm_bindgen_test(unsupported = test)]
fn every_operator_and_shape_runs_as_on_tract() {
    runs_as_on_tract(&varied(), &[[1, 1], [1, 9], [9, 1], [4, 4], [7, 5], [13, 31], [16, 40]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn strides_and_repeated_pixels_run_as_on_tract() {
    let mut net = conv(Builder::new(1), "lr", "half", [9, 1, 3, 3], [1, 2, 1])
        .tensor("scales", &[4], &[1.0, 1.0, 4.0, 4.0])
        .node(
            "Resize",
            &["half", "", "scales"],
            "large",
            vec![
                string("mode", "nearest"),
                string("nearest_mode", "floor"),
                string("coordinate_transformation_mode", "asymmetric"),
            ],
        );
    net = conv(net, "large", "sr", [1, 9, 3, 3], PLAIN);
    runs_as_on_tract(&net.metadata("input_range", "0..1").build(), &[[8, 8], [6, 14]]);
}

/// A network that keeps the size, with nodes between two convolutions, from `a` to `b`.
fn between(nodes: impl FnOnce(Builder) -> Builder) -> Vec<u8> {
    let net = nodes(conv(Builder::new(3), "lr", "a", [6, 3, 3, 3], PLAIN));
    conv(net, "b", "sr", [3, 6, 3, 3], PLAIN).metadata("input_range", "0..1").build()
}

/// Nodes after one another, from `a` to `b`.
fn chain(net: Builder, nodes: Vec<(&str, Vec<&str>, Vec<AttributeProto>)>) -> Builder {
    let last = nodes.len() - 1;
    let mut from = "a".to_owned();
    nodes.into_iter().enumerate().fold(net, |net, (at, (op_type, others, attributes))| {
        let to = if at == last { "b".to_owned() } else { format!("between {at}") };
        let inputs: Vec<&str> = std::iter::once(from.as_str()).chain(others).collect();
        let net = net.node(op_type, &inputs, &to, attributes);
        from = to;
        net
    })
}

const SIZES: [[usize; 2]; 4] = [[12, 12], [13, 31], [16, 40], [9, 25]];

#[wasm_bindgen_test(unsupported = test)]
fn windows_run_as_on_tract() {
    for (op_type, own) in [
        ("MaxPool", vec![integers("kernel_shape", &[3, 3]), integers("pads", &[1; 4])]),
        ("MaxPool", vec![integers("kernel_shape", &[2, 3]), integers("pads", &[0, 1, 1, 1])]),
        ("MaxPool", vec![integers("kernel_shape", &[3, 5]), string("auto_pad", "SAME_LOWER")]),
        ("AveragePool", vec![integers("kernel_shape", &[3, 3]), integers("pads", &[1; 4])]),
        (
            "AveragePool",
            vec![
                integers("kernel_shape", &[5, 1]),
                integers("pads", &[2, 0, 2, 0]),
                integer("count_include_pad", 1),
            ],
        ),
    ] {
        let net = between(|net| chain(net, vec![(op_type, vec![], own.clone())]));
        runs_as_on_tract(&net, &SIZES);
        // Beside what it is made of.
        let beside = between(|net| {
            let net = net.node(op_type, &["a"], "pooled", own).node(
                "Concat",
                &["a", "pooled"],
                "both",
                vec![integer("axis", 1)],
            );
            conv(net, "both", "b", [6, 12, 1, 1], PLAIN)
        });
        runs_as_on_tract(&beside, &SIZES);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn borders_and_crops_run_as_on_tract() {
    for mode in ["constant", "edge", "reflect"] {
        let net = between(|net| {
            let net = net
                .shape("pads", &[0, 0, 3, 1, 0, 0, 2, 4])
                .shape("starts", &[1, -99])
                .shape("ends", &[-4, -5])
                .shape("axes", &[2, -1]);
            chain(
                net,
                vec![
                    ("Pad", vec!["pads"], vec![string("mode", mode)]),
                    ("Slice", vec!["starts", "ends", "axes"], vec![]),
                ],
            )
        });
        runs_as_on_tract(&net, &SIZES);
    }
}

/// The attention of RFDN, RLFN and BSRN: fewer pixels by a stride and a window, enlarged to the size that the image has.
#[wasm_bindgen_test(unsupported = test)]
fn sizes_that_the_network_computes_run_as_on_tract() {
    let net = between(|net| {
        let window = vec![integers("kernel_shape", &[7, 7]), integers("strides", &[3, 3])];
        conv(net, "a", "half", [6, 6, 3, 3], [1, 2, 1])
            .node("MaxPool", &["half"], "few", window)
            .node("Shape", &["a"], "shape", vec![])
            .shape("from", &[2])
            .shape("to", &[4])
            .shape("first", &[0])
            .node("Slice", &["shape", "from", "to", "first"], "sides", vec![])
            .node("Shape", &["few"], "small", vec![])
            .node("Slice", &["small", "first", "from", "first"], "others", vec![])
            .node("Concat", &["others", "sides"], "sizes", vec![integer("axis", 0)])
            .node("Resize", &["few", "", "", "sizes"], "large", vec![string("mode", "linear")])
            .node("Sigmoid", &["large"], "gate", vec![])
            .node("Mul", &["a", "gate"], "b", vec![])
    });
    runs_as_on_tract(&net, &[[20, 20], [31, 17], [18, 40]]);
    // Padded to a multiple of four, mirrored, and cut again: what exporters make of `x.shape[2] % 4`.
    let net = between(|net| {
        let net = net
            .node("Shape", &["a"], "shape", vec![])
            .shape("two", &[2])
            .shape("three", &[3])
            .shape("four", &[4])
            .shape("none", &[0, 0])
            .shape("axes", &[2, 3])
            .shape("zero", &[0]);
        let net = ["two", "three"].into_iter().fold(net, |net, axis| {
            let name = |what: &str| format!("{axis} {what}");
            net.node("Gather", &["shape", axis], &name("side"), vec![integer("axis", 0)])
                .node("Mod", &[&name("side"), "four"], &name("rest"), vec![])
                .node("Sub", &["four", &name("rest")], &name("left"), vec![])
                .node("Mod", &[&name("left"), "four"], &name("pad"), vec![])
        });
        net.node(
            "Concat",
            &["none", "none", "none", "two pad", "three pad"],
            "pads",
            vec![integer("axis", 0)],
        )
        .node("Pad", &["a", "pads"], "padded", vec![string("mode", "reflect")])
        .node("Concat", &["two side", "three side"], "ends", vec![integer("axis", 0)])
        .node("Slice", &["padded", "none", "ends", "axes"], "b", vec![])
    });
    runs_as_on_tract(&net, &SIZES);
}

/// As TorchScript's exporter writes PixelUnshuffle.
#[wasm_bindgen_test(unsupported = test)]
fn exported_pixel_unshuffle_runs_as_on_tract() {
    let net = between(|net| {
        let lists: [(&str, &[i64]); 4] = [
            ("rows", &[0, 0, -1, 2, 0]),
            ("columns", &[0, 0, 0, 0, -1, 2]),
            ("joined", &[0, -1, 1, 1, 0, 0]),
            ("three", &[3]),
        ];
        let net = lists.into_iter().fold(net, |net, (name, list)| net.shape(name, list));
        let net = net
            .node("Unsqueeze", &["a", "three"], "five", vec![])
            .node("Reshape", &["five", "rows"], "in rows", vec![])
            .node("Reshape", &["in rows", "columns"], "in blocks", vec![])
            .node("Transpose", &["in blocks"], "turned", vec![integers("perm", &[0, 1, 3, 5, 2, 4])])
            .node("Reshape", &["turned", "joined"], "six", vec![])
            .shape("between", &[2, 3])
            .node("Squeeze", &["six", "between"], "deep", vec![]);
        conv(net, "deep", "seen", [24, 24, 3, 3], PLAIN).node(
            "DepthToSpace",
            &["seen"],
            "b",
            vec![integer("blocksize", 2), string("mode", "CRD")],
        )
    });
    runs_as_on_tract(&net, &[[12, 14], [16, 40]]);
}

/// Transposed convolutions that give less than their stride times the image, as in Real-CUGAN.
#[wasm_bindgen_test(unsupported = test)]
fn transposed_convolutions_that_are_cut_run_as_on_tract() {
    for [side, pad] in [[4, 1], [4, 3], [2, 0], [6, 3]] {
        let net = kernels(conv(Builder::new(3), "lr", "a", [6, 3, 3, 3], PLAIN), "up", [6, 3, side, side], 5)
            .shape("few", &[3])
            .tensor("offset", &[3], &[0.1, 0.2, 0.3]);
        let attributes = vec![integers("strides", &[2; 2]), integers("pads", &[pad; 4])];
        let net = net.node("ConvTranspose", &["a", "up.weight", "offset"], "sr", attributes);
        runs_as_on_tract(&net.metadata("input_range", "0..1").build(), &[[24, 28], [31, 27]]);
    }
}

/// `view`, `permute` and `reshape`, as in code before PixelShuffle and PixelUnshuffle had operators: blocks to channels, a
/// convolution, and back.
#[wasm_bindgen_test(unsupported = test)]
fn shuffles_that_are_written_out_run_as_on_tract() {
    for [there, back] in [[[0, 1, 3, 5, 2, 4], [0, 1, 4, 2, 5, 3]], [[0, 3, 5, 1, 2, 4], [0, 3, 4, 1, 5, 2]]]
    {
        let net = between(|net| {
            let lists = [("two", 2), ("six", 6), ("many", 24), ("one", 1), ("rest", -1)];
            let net = lists.into_iter().fold(net, |net, (name, value)| net.shape(name, &[value]));
            let net = net
                .node("Shape", &["a"], "shape", vec![])
                .shape("first", &[2])
                .shape("second", &[3])
                .node("Gather", &["shape", "first"], "height", vec![integer("axis", 0)])
                .node("Gather", &["shape", "second"], "width", vec![integer("axis", 0)])
                .node("Div", &["height", "two"], "rows", vec![])
                .node("Div", &["width", "two"], "columns", vec![]);
            let list = |net: Builder, parts: &[&str], name: &str| {
                net.node("Concat", parts, name, vec![integer("axis", 0)])
            };
            let net = list(net, &["one", "six", "rows", "two", "columns", "two"], "apart")
                .node("Reshape", &["a", "apart"], "six axes", vec![])
                .node("Transpose", &["six axes"], "turned", vec![integers("perm", &there)]);
            let net = list(net, &["one", "many", "rows", "columns"], "deep shape").node(
                "Reshape",
                &["turned", "deep shape"],
                "deep",
                vec![],
            );
            let net = conv(net, "deep", "seen", [24, 24, 3, 3], PLAIN);
            let blocks = match back[1] {
                1 => ["rest", "six", "two", "two", "rows", "columns"],
                _ => ["rest", "two", "two", "six", "rows", "columns"],
            };
            let net = list(net, &blocks, "blocks")
                .node("Reshape", &["seen", "blocks"], "again", vec![])
                .node("Transpose", &["again"], "placed", vec![integers("perm", &back)]);
            list(net, &["one", "six", "height", "rest"], "whole").node(
                "Reshape",
                &["placed", "whole"],
                "b",
                vec![],
            )
        });
        runs_as_on_tract(&net, &[[12, 14], [16, 40]]);
    }
}

/// Whatever the operator is, one that reads nothing is refused in words, and so is one that reads what is not there.
#[wasm_bindgen_test(unsupported = test)]
fn operators_without_inputs_are_refused() {
    let operators = "Conv Relu LeakyRelu PRelu Clip Sigmoid Gelu Erf Pow Add Sub Mul Div Mod Concat Split Slice Pad Reshape Squeeze \
        Unsqueeze Transpose DepthToSpace SpaceToDepth Resize Upsample MaxPool AveragePool GlobalAveragePool ReduceMean ReduceMax Shape \
        Gather Cast Identity ConstantOfShape ConvTranspose";
    for operator in operators.split_whitespace() {
        for inputs in [&[][..], &[""], &["none"], &["", ""], &["a", "none"], &["a", "", "", ""]] {
            let attributes = vec![integers("kernel_shape", &[1, 1]), integer("blocksize", 1)];
            let net = between(|net| net.node(operator, inputs, "b", attributes));
            // It may be the identity; it must not panic.
            if let Ok(network) = Network::load(&net) {
                run(&network, [12, 12]);
            }
        }
    }
}

/// Not against tract 0.23.9, which computes a constant minus an image wrongly (onnxruntime agrees with us).
#[wasm_bindgen_test(unsupported = test)]
fn groups_and_a_constant_minus_an_image_are_what_they_say() {
    let net = |dims: [i64; 4], groups: i64, spread: bool, minus: bool| {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut dense = vec![0.0; 12 * 12 * 9];
        let grouped: Vec<f32> = (0..12 * 4 * 9).map(|_| rng.f32() - 0.5).collect();
        for (at, value) in grouped.iter().enumerate() {
            let (output, input, tap) = (at / 36, at / 9 % 4, at % 9);
            dense[(output * 12 + output / 4 * 4 + input) * 9 + tap] = *value;
        }
        let attributes = vec![integers("pads", &[1; 4]), integer("group", groups)];
        let net = conv(Builder::new(3), "lr", "a", [12, 3, 3, 3], PLAIN)
            .tensor("kernels", &dims, if spread { &dense } else { &grouped })
            .node("Conv", &["a", "kernels"], "b", attributes)
            .tensor("c", &[], &[0.25])
            .tensor("minus", &[], &[-1.0]);
        let net = if minus {
            net.node("Sub", &["c", "b"], "d", vec![])
        } else {
            net.node("Mul", &["b", "minus"], "negative", vec![]).node("Add", &["negative", "c"], "d", vec![])
        };
        let bytes = net.shuffle("d", "sr").metadata("scale", "2").metadata("input_range", "0..1").build();
        run(&Network::load(&bytes).unwrap(), [9, 6])
    };
    let wanted = net([12, 12, 3, 3], 1, true, false);
    let found = psnr(&net([12, 4, 3, 3], 3, false, false), &wanted, 1.0);
    assert!(found > 110.0, "{found} dB");
    assert_eq!(net([12, 12, 3, 3], 1, true, true), wanted);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_it_lacks_is_named_and_left_to_tract() {
    let net = common::small_edsr().node("Elu", &["sr"], "squashed", vec![]);
    let net = net.node("Identity", &["squashed"], "out", vec![]).output("out");
    let network = Network::load(&net.metadata("input_range", "0..1").build()).unwrap();
    assert_eq!((network.engine(), network.lacking()), (Engine::Tract, Some("Elu (node squashed)")));
    assert!(run(&network, [5, 6]).values.iter().all(|v| *v > -1.0));
}

/// Normalization over channels as exporters write it: with the channels put last, and back.
#[wasm_bindgen_test(unsupported = test)]
fn channels_are_normalized_as_on_tract() {
    let factors = |seed: u64| -> Vec<f32> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..11).map(|_| rng.f32() + 0.5).collect()
    };
    let net = conv(Builder::new(3), "lr", "a", [11, 3, 3, 3], PLAIN)
        .tensor("gain", &[11], &factors(1))
        .tensor("offset", &[11], &factors(2))
        .node("Transpose", &["a"], "last", vec![integers("perm", &[0, 2, 3, 1])])
        .node("LayerNormalization", &["last", "gain", "offset"], "normal", vec![integer("axis", -1)])
        .node("Transpose", &["normal"], "first", vec![integers("perm", &[0, 3, 1, 2])])
        .node("Add", &["first", "a"], "sum", vec![]);
    let net = conv(net, "sum", "b", [3, 11, 3, 3], PLAIN)
        .node("Identity", &["b"], "sr", vec![])
        .metadata("scale", "1")
        .metadata("input_range", "0..1")
        .build();
    runs_as_on_tract(&net, &[[1, 1], [7, 5], [40, 33]]);
}

#[wasm_bindgen_test(unsupported = test)]
fn what_was_prepared_for_another_network_is_refused_and_not_passed_over() {
    let open = |engine| Session::load_with(&common::stated_edsr(), &LoadOptions::on(engine)).unwrap();
    let (own, tract) = (open(Engine::Native), open(Engine::Tract));
    let options =
        Options { method: Method::MinMax, min_max_range: MinMaxRange::Dynamic, ..Options::default() };
    let prepared = own.prepare(&options).unwrap();
    let picture = common::gradient(16, 16, 110);
    own.upscale(&picture, &prepared, &mut (), &()).unwrap();
    let refused = tract.upscale(&picture, &prepared, &mut (), &()).err().unwrap().to_string();
    assert!(refused.contains("those of another network"), "{refused}");
}

/// Browsers and processors of all kinds compute the same bits.
#[wasm_bindgen_test(unsupported = test)]
fn the_result_is_the_same_on_every_machine() {
    let output = run(&Network::load(&varied()).unwrap(), [23, 18]);
    let fold = |hash: u64, value: &f32| (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3);
    let hash = output.values.iter().fold(0xcbf2_9ce4_8422_2325, fold);
    assert_eq!(hash, 0xf571_e18c_7eac_b139, "{hash:#x}");
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn bundled_networks_run_as_on_tract() {
    for name in ["edsr_x2", "rdn_x2", "edsr_x4", "rdn_x4"] {
        let bytes = std::fs::read(format!("{}/onnx/{name}.onnx", env!("CARGO_MANIFEST_DIR"))).unwrap();
        runs_as_on_tract(&bytes, &[[1, 1], [1, 9], [7, 5], [16, 16], [31, 23]]);
    }
}

/// What a tab has for a worker, in bytes (`www/model/plan.js`).
#[cfg(not(target_arch = "wasm32"))]
const TAB: f64 = 2.9e9;

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_picture_of_1024_x_1024_fits_into_a_tab() {
    let bytes = std::fs::read(format!("{}/onnx/edsr_x2.onnx", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let bytes_per_pixel = Network::load(&bytes).unwrap().bytes_per_pixel();
    assert!(bytes_per_pixel * 1024.0 * 1024.0 < TAB, "{bytes_per_pixel}");
}
