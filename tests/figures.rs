//! Each figure compared whole with the one that was looked at and kept in `tests/golden`. After a wanted change:
//! `UPDATE_GOLDENS=1 cargo test --release --test figures`, and look at what changed.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dfsq::analysis::{ChannelSummary, HISTOGRAM_BINS};
use dfsq::figures::{
    self, ChannelHistogram, Chosen, HeatMapRequest, LayersRequest, QualityRequest, Rug, Style,
};
use dfsq::quant::UniversalSet;
use std::path::Path;

/// Channels of different places, widths and shapes, and one that is constant.
fn channels() -> Vec<ChannelSummary> {
    let one = |i: usize| {
        let (place, spread) = ((i as f32 - 3.0) * 2.5, 1.0 + i as f32 * 1.75);
        let five = [-1.0, -0.25, 0.0, 0.25, 1.0].map(|x| place + x * spread * if i == 5 { 0.0 } else { 1.0 });
        let bell = |bin: usize| {
            let x = (bin as i32 - HISTOGRAM_BINS as i32 / 2 + i as i32).unsigned_abs();
            4000 / (1 + x * x)
        };
        ChannelSummary {
            five,
            mean: place,
            range: spread,
            histogram: (0..HISTOGRAM_BINS).map(bell).collect(),
        }
    };
    (0..8).map(one).collect()
}

fn check(name: &str, drawn: dfsq::Result<String>) {
    let drawn = drawn.unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("svg");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &drawn).unwrap();
    }
    assert!(
        drawn == std::fs::read_to_string(&path).unwrap(),
        "{name} is drawn in another way than {}",
        path.display()
    );
}

#[test]
fn channels_are_boxes_with_one_pointed_out() {
    check("channels", figures::channels(&Style::default(), &channels(), &[0, 1, 2, 3, 4, 5, 6, 7], 2));
    let dark = Style { width: 700, height: 300, dark: true };
    check("channels-dark", figures::channels(&dark, &channels(), &[5, 7, 0, 3], 7));
}

#[test]
fn samples_are_named_boxes() {
    let channels = channels();
    let rows: Vec<_> = ["parrot", "a photograph with a long name", "hats"]
        .iter()
        .zip(&channels[1..])
        .map(|(name, channel)| ((*name).to_owned(), channel))
        .collect();
    check("samples", figures::samples(&Style::default(), &rows, 1));
}

#[test]
fn a_histogram_has_the_points_of_three_methods() {
    let grid: Vec<f64> = (0..16).map(|i| f64::from(i) / 4.0 - 2.0).collect();
    let points = [vec![-1.0, -0.25, 0.0, 0.5], vec![-0.5, 0.0, 0.0625, 1.0], grid];
    let channel = &channels()[3];
    let of = |errors, decibels, raw| ChannelHistogram {
        counts: &channel.histogram,
        errors,
        rugs: points.clone().map(|points| Rug { points, decibels }),
        looked_at: 1,
        normalization: [2.5, 50.0],
        what: "Values and quantization points",
        raw,
        linear: raw,
    };
    check("histogram", figures::histogram(&Style::default(), &of(&[], None, false)));
    let errors: Vec<f64> = (0..HISTOGRAM_BINS).map(|bin| (bin % 16) as f64 / 960.0).collect();
    let wide = Style { width: 640, ..Style::default() };
    check("histogram-raw", figures::histogram(&wide, &of(&errors, Some(24.1), true)));
}

#[test]
fn the_universal_set_has_the_points_of_two_methods() {
    let chosen = |every: usize| {
        let universal = UniversalSet::of(Default::default()).values();
        Chosen { points: universal.iter().step_by(every).map(|v| f64::from(*v)).collect(), universal }
    };
    let centres = [-0.9, -0.3001, -0.3, 0.0, 0.61];
    check(
        "universal-set-centres",
        figures::universal_set(&Style::default(), &[chosen(25), chosen(40)], &centres),
    );
    check("universal-set", figures::universal_set(&Style::default(), &[chosen(25), chosen(40)], &[]));
}

#[test]
fn layers_are_lines_that_pass_over_one_not_measured() {
    let line = |top: f64| (0..32).map(|i| top - f64::from(i % 5) * 1.5).collect::<Vec<_>>();
    let mut dfsq = line(26.0);
    dfsq[10] = f64::NAN;
    let wide = Style { width: 640, ..Style::default() };
    let request = LayersRequest {
        style: wide,
        inputs: [line(30.0), dfsq, line(19.5)],
        weights: [line(33.0), vec![], line(24.0)],
        selected: 12,
    };
    check("layers", figures::layers(&request));
}

#[test]
fn a_heat_map_shows_the_worst_of_channels_that_share_a_cell() {
    let column = |channels: usize| -> Vec<f64> {
        (0..channels).map(|i| 50.0 - (i % 7) as f64 * 5.0 - i as f64 / channels as f64 * 10.0).collect()
    };
    let decibels = vec![column(8), vec![], column(3), vec![f64::INFINITY; 4], column(640)];
    let request = HeatMapRequest { style: Style::default(), decibels, scale: [10.0, 50.0], selected: [0, 5] };
    check("heat-map", figures::heat_map(&request));
    for scale in [[50.0, 10.0], [10.0, 10.0], [f64::NAN, 10.0], [10.0, f64::INFINITY]] {
        let refused = figures::heat_map(&HeatMapRequest { scale, ..request.clone() });
        assert!(matches!(refused, Err(dfsq::Error::Option(_))), "{scale:?}");
    }
}

#[test]
fn quality_over_bits_passes_over_what_is_not_known() {
    let line = |top: f64| [6.0, 2.0, 0.5, 0.0, 0.0].map(|loss| top - loss).to_vec();
    let mut dfsq = line(35.7);
    dfsq[1] = f64::NAN;
    let request = QualityRequest {
        style: Style::default(),
        widths: vec![2, 3, 4, 6, 8],
        decibels: [line(35.8), dfsq, vec![f64::NAN; 5]],
        full: 35.9,
        selected: 2,
    };
    check("quality", figures::quality(&request));
}

#[test]
fn quality_over_bits_says_by_a_number_where_min_max_is_far_below() {
    let line = |losses: [f64; 5]| losses.map(|loss| 36.2 - loss).to_vec();
    let request = QualityRequest {
        style: Style::default(),
        widths: vec![2, 3, 4, 6, 8],
        decibels: [
            line([0.9, 0.2, 0.1, 0.0, 0.0]),
            line([1.9, 0.4, 0.1, 0.0, 0.0]),
            line([29.1, 10.3, 0.6, 0.1, 0.0]),
        ],
        full: 36.2,
        selected: 1,
    };
    check("quality-below", figures::quality(&request));
}
