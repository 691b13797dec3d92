//! Scores of the bundled networks, with what is shipped beside them, on the bundled samples: any number that moves is seen.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dfsq::image_io::Picture;
use dfsq::metrics;
use dfsq::network::{Network, ValueRange};
use dfsq::session::{Method, Options, Session, benchmark_pair};
use prost::Message;
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto};

/// Mean PSNR on Y in dB over the three samples, shrunk and enlarged again: full precision, then min-max, DFSQ and DFSQ-opt at
/// 4, 3 and 2 bits. `dfsq eval onnx/NAME.onnx --hr www/samples --method METHOD --weight-bits B --activation-bits B` prints
/// them; those that a change means to move are taken over from there.
const SCORES: [(&str, f64, [[f64; 3]; 3]); 4] = [
    ("edsr_x2", FULL[0], [[31.719, 27.385, 7.422], [32.261, 31.732, 30.159], [32.337, 32.136, 31.455]]),
    ("rdn_x2", FULL[1], [[29.838, 24.700, 13.420], [31.976, 31.117, 28.844], [32.005, 31.437, 30.217]]),
    ("edsr_x4", FULL[2], [[24.180, 22.895, 7.402], [24.331, 24.398, 23.523], [24.532, 24.322, 24.072]]),
    ("rdn_x4", FULL[3], [[23.509, 22.262, 11.507], [24.457, 23.923, 22.985], [24.405, 24.338, 23.896]]),
];
const FULL: [f64; 4] = [32.359, 32.071, 24.507, 24.452];

#[test]
fn bundled_networks_score_as_before() {
    let samples: Vec<Picture> = ["bikes", "lighthouse", "parrot"]
        .iter()
        .map(|name| Picture::decode(&std::fs::read(format!("www/samples/{name}.png")).unwrap()).unwrap())
        .collect();
    let mut wrong = Vec::new();
    for (name, full, scores) in SCORES {
        let file = |ending: &str| std::fs::read(format!("onnx/{name}.{ending}")).unwrap();
        let mut session = Session::load(&file("onnx")).unwrap();
        session.load_calibration(&file("calibration")).unwrap();
        session.load_optimized(&file("optimized")).unwrap();
        let scale = session.network().convention().fit.scale;
        let mut check = |options: &Options, wanted: f64| {
            let prepared = session.prepare(options).unwrap();
            let score = |picture: &Picture| {
                let (reference, low) = benchmark_pair(picture, scale).unwrap();
                let enlarged = session.upscale(&low, &prepared, &mut (), &()).unwrap().picture;
                metrics::score(&enlarged, &reference, scale).unwrap().psnr_y
            };
            let mean = samples.iter().map(score).sum::<f64>() / samples.len() as f64;
            if (mean - wanted).abs() > 0.01 {
                wrong.push(format!("{name}, {} at {} bits: {mean:.3}", options.method, options.weight_bits));
            }
        };
        check(&Options::full_precision(), full);
        for (method, scores) in [Method::MinMax, Method::Dfsq, Method::DfsqOpt].into_iter().zip(scores) {
            for (bits, wanted) in [4, 3, 2].into_iter().zip(scores) {
                check(&Options::new(method, bits).unwrap(), wanted);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A bundled network that states nothing and has values in these ranges instead of 0 to 1.
fn with_ranges(name: &str, input: ValueRange, output: ValueRange) -> Vec<u8> {
    let bytes = std::fs::read(format!("onnx/{name}.onnx")).unwrap();
    let mut model = ModelProto::decode(bytes.as_slice()).unwrap();
    model.metadata_props.clear();
    let graph = model.graph.as_mut().unwrap();
    let [first, last] = [&graph.input[0].name, &graph.output[0].name].map(Clone::clone);
    for node in &mut graph.node {
        node.input.iter_mut().filter(|name| **name == first).for_each(|name| *name = "unit".into());
        node.output.iter_mut().filter(|name| **name == last).for_each(|name| *name = "unit_out".into());
    }
    let mut scaled = |from: &str, to: &str, factors: [f32; 3], shifts: [f32; 3]| {
        [("Mul", from, "scaled", factors), ("Add", "scaled", to, shifts)].map(|(op, from, at, values)| {
            let name = format!("{to}.{op}");
            let raw_data = values.into_iter().flat_map(f32::to_le_bytes).collect();
            let dims = vec![1, 3, 1, 1];
            graph.initializer.push(TensorProto {
                name: name.clone(),
                dims,
                data_type: 1,
                raw_data,
                ..Default::default()
            });
            let inside =
                |tensor: &str| if tensor == "scaled" { format!("{to}.scaled") } else { tensor.into() };
            let (input, output) = (vec![inside(from), name], vec![inside(at)]);
            NodeProto { op_type: op.into(), input, output, ..Default::default() }
        })
    };
    let channels = [0, 1, 2];
    let width = |range: &ValueRange| range.high - range.low;
    let before = scaled(
        &first,
        "unit",
        channels.map(|c| input.deviation[c] / width(&input)),
        channels.map(|c| (input.mean[c] - input.low) / width(&input)),
    );
    let after = scaled(
        "unit_out",
        &last,
        channels.map(|c| width(&output) / output.deviation[c]),
        channels.map(|c| (output.low - output.mean[c]) / output.deviation[c]),
    );
    graph.node.splice(..0, before);
    graph.node.extend(after);
    model.encode_to_vec()
}

#[test]
fn ranges_that_are_not_stated_are_found() {
    for name in ["edsr_x2", "rdn_x2", "edsr_x4", "rdn_x4"] {
        for input in ValueRange::USUAL {
            for output in [input, ValueRange::UNIT] {
                let network = Network::load(&with_ranges(name, input, output)).unwrap();
                let convention = network.convention();
                let found = (convention.input, convention.output);
                assert_eq!(found, (input, output), "{name}: {:?}", convention.assumed);
                assert_eq!(convention.doubt, None, "{name}");
            }
        }
    }
}
