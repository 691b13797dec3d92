//! Speed of what runs per pixel, and of a whole forward pass beside plain tract. `./build.sh bench`
#![allow(missing_docs, clippy::expect_used, reason = "a bench has no users and may panic")]

use common::{Builder, integers};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dfsq::image_io::Picture;
use dfsq::network::{Engine, LoadOptions, Network, Planes};
use dfsq::quant::subset::Selection;
use dfsq::quant::{
    ActivationQuantizer, BitWidth, Histogram, Normalization, Normalizer, PointSettings, Points,
    SubsetQuantizer, UniversalSet, WordSets,
};
use dfsq::session::{Method, Options, Session};
use std::hint::black_box;
use std::time::Duration;
use tract_onnx::prelude::*;

#[path = "../tests/common/mod.rs"]
mod common;

const SIDE: usize = 64;

fn width(bits: u8) -> BitWidth {
    BitWidth::new(bits).expect("2 to 8 bits")
}

/// 64 channels of 64 x 64 values, bell-shaped.
fn activations(criterion: &mut Criterion) {
    let mut rng = fastrand::Rng::with_seed(0);
    let values: Vec<f32> = (0..64 * SIDE * SIDE).map(|_| rng.f32() + rng.f32() + rng.f32() - 1.5).collect();
    let universal = UniversalSet::of(WordSets::REFERENCE);
    let every = |step: usize| {
        Points::new(universal.values().iter().copied().step_by(step).collect()).expect("few points")
    };
    let subset = |step: usize| {
        ActivationQuantizer::Subset(
            SubsetQuantizer::new(
                vec![every(step); 64],
                Normalizer::Sample { subtract_mean: true },
                BitWidth::FULL,
            )
            .expect("points"),
        )
    };
    let quantizers = [
        ("subset 4 bits", subset(24)),
        ("subset 8 bits", subset(2)),
        ("min-max", ActivationQuantizer::DynamicMinMax(width(4))),
    ];
    let mut group = criterion.benchmark_group("64 channels of 64 x 64");
    group.bench_function("histograms", |bencher| {
        bencher.iter(|| {
            let mut histograms = vec![Histogram::new(universal); 64];
            for (histogram, channel) in histograms.iter_mut().zip(values.chunks_exact(SIDE * SIDE)) {
                let norm = Normalization::measure(channel, true).expect("finite");
                histogram.add(channel.iter().map(|x| norm.normalize(*x))).expect("few");
            }
            black_box(histograms)
        });
    });
    for (name, quantizer) in quantizers {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || values.clone(),
                |mut v| quantizer.apply(&mut v, 64).map(|()| v),
                criterion::BatchSize::LargeInput,
            );
        });
    }
}

/// A convolution between two small ones that make it a network of images.
fn around(inputs: i64, outputs: i64, side: i64) -> Vec<u8> {
    let mut builder = Builder::new(3).metadata("input_range", "0..1").metadata("scale", "1");
    let mut rng = fastrand::Rng::with_seed(1);
    let convolutions = [("before", "lr", 3, inputs, 1), ("middle", "before", inputs, outputs, side)];
    for (name, from, inputs, outputs, side) in
        convolutions.into_iter().chain([("sr", "middle", outputs, 3, 1)])
    {
        let (weight, dims) = (format!("{name}.weight"), [outputs, inputs, side, side]);
        let values: Vec<f32> = (0..dims.iter().product()).map(|_| rng.f32() - 0.5).collect();
        let pads = integers("pads", &[side / 2; 4]);
        builder = builder.tensor(&weight, &dims, &values).node("Conv", &[from, &weight], name, vec![pads]);
    }
    builder.build()
}

/// Single convolutions of the shapes that networks have, on our own engine and on tract.
fn convolutions(criterion: &mut Criterion) {
    for (inputs, outputs, side) in
        [(64, 64, 3), (64, 256, 3), (64, 32, 3), (160, 32, 3), (192, 64, 1), (384, 64, 1), (32, 32, 5)]
    {
        let mut group =
            criterion.benchmark_group(format!("{side}x{side}, {inputs} to {outputs}, {SIDE} x {SIDE}"));
        group
            .sample_size(20)
            .throughput(Throughput::Elements((inputs * outputs * side * side) as u64 * (SIDE * SIDE) as u64));
        let bytes = around(inputs, outputs, side);
        for engine in [Engine::Native, Engine::Tract] {
            let network = Network::load_with(&bytes, &LoadOptions::on(engine)).expect("a network");
            let plan = network.plan([SIDE, SIDE]).expect("a plan");
            let full = network.full_precision();
            let input = Planes { channels: 3, height: SIDE, width: SIDE, values: vec![0.5; 3 * SIDE * SIDE] };
            group.bench_function(format!("{engine:?}"), |bencher| {
                bencher.iter(|| plan.run(&input, &full, &mut (), &()).map(black_box))
            });
        }
    }
}

/// Our own engine beside plain tract, which uses fused multiply-add here.
fn forward(criterion: &mut Criterion) {
    for (name, bytes, calibration) in [
        (
            "EDSR",
            &include_bytes!("../onnx/edsr_x2.onnx")[..],
            &include_bytes!("../onnx/edsr_x2.calibration")[..],
        ),
        ("RDN", include_bytes!("../onnx/rdn_x2.onnx"), include_bytes!("../onnx/rdn_x2.calibration")),
    ] {
        let mut group = criterion.benchmark_group(format!("{name} x2 on 64 x 64"));
        group.sample_size(10).measurement_time(Duration::from_secs(8));
        let plain = tract_onnx::onnx()
            .model_for_read(&mut std::io::Cursor::new(bytes))
            .and_then(|m| m.with_input_fact(0, f32::fact([1, 3, SIDE, SIDE]).into()))
            .and_then(|m| m.into_optimized())
            .and_then(|m| m.into_runnable())
            .expect("the bundled network");
        let input = Tensor::zero::<f32>(&[1, 3, SIDE, SIDE]).expect("a tensor").into_tvalue();
        group.bench_function("plain tract", |bencher| bencher.iter(|| plain.run(tvec!(input.clone()))));

        let mut session = Session::load(bytes).expect("the bundled network");
        session.load_calibration(calibration).expect("the bundled calibration");
        let mut rng = fastrand::Rng::with_seed(1);
        let rgb: Vec<u8> = (0..3 * SIDE * SIDE).map(|_| rng.u8(..)).collect();
        let picture = Picture::from_rgb(SIDE, SIDE, &rgb);
        for (name, method, bits) in [
            ("full precision", Method::Fp32, 4),
            ("min-max 4 bits", Method::MinMax, 4),
            ("dfsq 4 bits", Method::Dfsq, 4),
            ("dfsq 8 bits", Method::Dfsq, 8),
        ] {
            let options = Options {
                method,
                weight_bits: width(bits),
                activation_bits: width(bits),
                ..Options::default()
            };
            let prepared = session.prepare(&options).expect("calibrated");
            group.bench_function(name, |bencher| {
                bencher.iter(|| session.upscale(&picture, &prepared, &mut (), &()).map(black_box))
            });
        }
        group.bench_function("change of bit width", |bencher| {
            bencher.iter(|| session.prepare(&Options::default()).is_ok())
        });
        for selection in [Selection::Kmeans, Selection::Exact] {
            let settings = PointSettings { selection, ..PointSettings::default() };
            let pictures = [picture.clone()];
            // What is gathered the first time serves all that follow.
            session.calibrate(&pictures, settings, &[width(2)], &()).expect("calibrated");
            for bits in [2, 4, 6, 8] {
                group.bench_function(format!("points for {bits} bits, {selection:?}"), |bencher| {
                    bencher.iter(|| session.calibrate(&pictures, settings, &[width(bits)], &()).is_ok());
                });
            }
        }
    }
}

criterion_group!(benches, activations, convolutions, forward);
criterion_main!(benches);
