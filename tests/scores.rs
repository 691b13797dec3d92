//! Scores of the bundled networks, with what is shipped beside them, on the bundled samples: any number that moves is seen.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dfsq::image_io::Picture;
use dfsq::metrics;
use dfsq::session::{Method, Options, Session, benchmark_pair};

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
        let scale = session.network().convention().scale;
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
