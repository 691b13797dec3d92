//! The façade: calibrate, prepare, upscale, score. Natively and in the browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::Error;
use dfsq::choice::Choice;
use dfsq::image_io::Picture;
use dfsq::inspect::{ChannelRequest, ChannelView, PointView, Study};
use dfsq::parallel::Progress;
use dfsq::quant::subset::Selection;
use dfsq::quant::{BitWidth, Granularity, NormalizationMode, PointSettings, Recipe, WordSets};
use dfsq::session::{
    Method, MinMaxRange, OperandMacs, Options, Session, Upscaled, WeightGrid, benchmark_pair,
};
use std::ops::ControlFlow;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn options(method: Method, bits: u8) -> Options {
    let width = BitWidth::new(bits).unwrap();
    Options { method, weight_bits: width, activation_bits: width, ..Options::default() }
}

/// Bright enough to use the range, dark enough that 2.25 times as bright is still a pixel.
fn picture() -> Picture {
    gradient(12, 10, 110)
}

fn calibrated() -> Session {
    let mut session = Session::load(&stated_edsr()).unwrap();
    calibrate(&mut session, PointSettings::default(), &[picture()]);
    session
}

fn calibrate(session: &mut Session, settings: PointSettings, pictures: &[Picture]) {
    let widths: Vec<BitWidth> = BitWidth::quantized().collect();
    session.calibrate(pictures, settings, &widths, &()).unwrap();
}

fn upscale(session: &Session, options: Options) -> Picture {
    let prepared = session.prepare(&options).unwrap();
    session.upscale(&picture(), &prepared, &mut (), &()).unwrap().picture
}

/// Squared errors of each layer's input.
fn layer_noise(upscaled: &Upscaled) -> Vec<f64> {
    upscaled.errors.iter().map(|channels| channels.iter().map(|channel| channel.noise).sum()).collect()
}

fn distance(a: &Picture, b: &Picture) -> f64 {
    let squares = rgb(a).iter().zip(rgb(b)).map(|(a, b)| f64::from(a.abs_diff(b)).powi(2)).sum::<f64>();
    squares / (3 * a.width * a.height) as f64
}

#[wasm_bindgen_test(unsupported = test)]
fn full_precision_brightens_as_computed_by_hand() {
    let result = upscale(&Session::load(&stated_edsr()).unwrap(), options(Method::Fp32, 32));
    let input = rgb(&picture());
    assert_eq!((result.width, result.height), (24, 20));
    for (i, byte) in rgb(&result).iter().enumerate() {
        let (y, x, c) = (i / 72, i / 3 % 24, i % 3);
        let want = (2.25 * f64::from(input[(y / 2 * 12 + x / 2) * 3 + c])).min(255.0);
        assert!((f64::from(*byte) - want).abs() <= 0.51);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn more_bits_come_nearer_to_full_precision() {
    let session = calibrated();
    let full = upscale(&session, options(Method::Fp32, 32));
    for method in [Method::Dfsq, Method::MinMax] {
        let distances: Vec<f64> =
            [2, 3, 4, 6, 8].map(|bits| distance(&upscale(&session, options(method, bits)), &full)).into();
        assert!(distances.windows(2).all(|d| d[1] <= d[0]), "{method:?}: {distances:?}");
        assert!(distances[0] > 2.0 && distances[4] < 1.0, "{method:?}: {distances:?}");
        assert_eq!(upscale(&session, options(method, 32)), full, "32 bits are full precision");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn weights_and_activations_have_bits_of_their_own() {
    let session = calibrated();
    let full = options(Method::Dfsq, 32);
    let weights = Options { weight_bits: BitWidth::new(2).unwrap(), ..full.clone() };
    let activations = Options { activation_bits: BitWidth::new(2).unwrap(), ..full };
    let errors = |options| {
        let prepared = session.prepare(&options).unwrap();
        layer_noise(&session.upscale(&picture(), &prepared, &mut Measuring, &()).unwrap())
    };
    assert!(errors(weights).iter().all(|noise| *noise == 0.0));
    let noisy: Vec<bool> = errors(activations).iter().map(|noise| *noise > 0.0).collect();
    assert_eq!(noisy, [false, true, true, false, false, false]);
}

#[wasm_bindgen_test(unsupported = test)]
fn stored_bytes_are_counted_by_hand() {
    let session = calibrated();
    let bytes = |method, weights, activations| {
        let width = |bits| BitWidth::new(bits).unwrap();
        let options = Options {
            weight_bits: width(weights),
            activation_bits: width(activations),
            ..options(method, 32)
        };
        session.costs_of(&options).unwrap().total_bytes
    };
    // Five convolutions of 81 weights and one of 324; two of them are quantized, three kernels and channels each.
    let full = 4 * (5 * 81 + 324);
    assert_eq!(bytes(Method::Fp32, 4, 4), full);
    assert_eq!(bytes(Method::Bicubic, 32, 32), 0);
    assert_eq!(bytes(Method::MinMax, 32, 4), full);
    assert_eq!(bytes(Method::MinMax, 4, 4), full - 2 * 4 * 81 + 2 * (41 + 3 * 8));
    assert_eq!(bytes(Method::Dfsq, 4, 4), bytes(Method::MinMax, 4, 4) + 2 * 3 * 48);
    assert_eq!(bytes(Method::Dfsq, 32, 4), full + 2 * 3 * 48);
    assert_eq!(bytes(Method::Dfsq, 32, 32), full);
}

#[wasm_bindgen_test(unsupported = test)]
fn subset_weights_cost_a_set_a_kernel_and_come_nearer() {
    let session = calibrated();
    let full = upscale(&session, options(Method::Fp32, 32));
    let with = |weights| Options { weights, activation_bits: BitWidth::FULL, ..options(Method::Dfsq, 2) };
    let [uniform, subset] = [WeightGrid::Uniform, WeightGrid::Subset].map(with);
    let size = |options: &Options| session.costs_of(options).unwrap().total_bytes;
    assert_eq!(size(&subset), size(&uniform) + 2 * 3 * 48);
    // Kernels of one weight and zeros need two points only, each within half a step of the universal set.
    assert!(distance(&upscale(&session, subset), &full) < 1.0);
}

#[wasm_bindgen_test(unsupported = test)]
fn methods_that_need_calibration_say_so() {
    let session = Session::load(&stated_edsr()).unwrap();
    assert!(matches!(session.prepare(&options(Method::Dfsq, 4)), Err(Error::NotCalibrated("dfsq"))));
    let fixed = Options { min_max_range: MinMaxRange::Static, ..options(Method::MinMax, 4) };
    assert!(matches!(session.prepare(&fixed), Err(Error::NotCalibrated("min-max"))));
    assert!(session.prepare(&options(Method::MinMax, 4)).is_ok());
    assert!(session.prepare(&options(Method::Dfsq, 32)).is_ok());
    assert!(calibrated().prepare(&fixed).is_ok());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_saved_calibration_gives_the_same_picture_and_fits_its_network_only() {
    let session = calibrated();
    let file = session.calibration().unwrap().save().unwrap();
    let mut again = Session::load(&stated_edsr()).unwrap();
    again.load_calibration(&file).unwrap();
    assert_eq!(upscale(&again, options(Method::Dfsq, 3)), upscale(&session, options(Method::Dfsq, 3)));
    let mut other = Session::load(&small_edsr().metadata("name", "another").build()).unwrap();
    assert!(matches!(other.load_calibration(&file), Err(Error::Calibration(_))));
    assert!(other.calibration().is_none());
}

/// Counts reports of progress, and cancels at one.
struct Counting {
    seen: std::sync::atomic::AtomicUsize,
    last: usize,
}

impl Counting {
    fn cancelling_at(last: usize) -> Self {
        Counting { seen: 0.into(), last }
    }

    fn seen(&self) -> usize {
        self.seen.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Progress for Counting {
    fn report(&self, done: f32) -> ControlFlow<()> {
        assert!((0.0..=1.0001).contains(&done), "{done}");
        let left = self.seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 < self.last;
        if left { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn calibration_is_repeatable_and_can_be_cancelled() {
    let (a, b) = (calibrated(), calibrated());
    assert_eq!(a.calibration(), b.calibration());
    let mut session = Session::load(&stated_edsr()).unwrap();
    let four = [BitWidth::new(4).unwrap()];
    let pictures = [picture(), gradient(9, 9, 99)];
    for last in 1..4 {
        let counting = Counting::cancelling_at(last);
        let stopped = session.calibrate(&pictures, PointSettings::default(), &four, &counting);
        assert!(matches!(stopped, Err(Error::Cancelled)));
        assert!(session.calibration().is_none());
    }
    let none = session.calibrate(&[], PointSettings::default(), &four, &());
    assert!(matches!(none, Err(Error::Option(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn what_was_gathered_outlives_a_selection_that_fails() {
    let mut session = calibrated();
    let four = [BitWidth::new(4).unwrap()];
    let reports = |session: &mut Session, settings| {
        let counting = Counting::cancelling_at(usize::MAX);
        let result = session.calibrate(&[picture()], settings, &four, &counting).map(|_| ());
        (counting.seen(), result)
    };
    let before = session.calibration().cloned();
    let exhaustive = PointSettings { selection: Selection::Exhaustive, ..PointSettings::default() };
    assert!(matches!(reports(&mut session, exhaustive).1, Err(Error::Option(_))), "too many subsets");
    assert_eq!(session.calibration(), before.as_ref(), "the calibration before stays");
    // Nothing runs again: only the two quantized layers report.
    let exact = PointSettings { selection: Selection::Exact, ..PointSettings::default() };
    assert_eq!(reports(&mut session, exact).0, 2);
    let layer = PointSettings { granularity: Granularity::Layer, ..PointSettings::default() };
    assert_eq!(reports(&mut session, layer).0, 3, "other statistics are needed");
}

#[wasm_bindgen_test(unsupported = test)]
fn the_analysis_is_of_what_the_layers_saw() {
    let session = calibrated();
    let (upscaled, analysis) = session.analyze(&picture(), PointSettings::default(), &()).unwrap();
    assert_eq!(upscaled.picture, upscale(&session, options(Method::Fp32, 32)));
    let channels: Vec<usize> = analysis.layers.iter().map(Vec::len).collect();
    assert_eq!(channels, [0, 3, 3, 0, 0, 0]);
    let input = picture();
    let red = input.rgba.iter().step_by(4).map(|b| f32::from(*b) / 255.0);
    let [low, .., high] = analysis.layers[1][0].five;
    assert!(
        (low - red.clone().fold(1.0, f32::min)).abs() < 1e-6 && (high - red.fold(0.0, f32::max)).abs() < 1e-6
    );
    // After the first convolution halves them and the ReLU: mean is not subtracted.
    assert_eq!(analysis.layers[2][0].mean, 0.0);
}

#[wasm_bindgen_test(unsupported = test)]
fn sizes_are_checked() {
    let session = Session::load(&stated_edsr()).unwrap();
    let prepared = session.prepare(&options(Method::Fp32, 32)).unwrap();
    let tiny = session.upscale(&gradient(7, 9, 9), &prepared, &mut (), &());
    assert!(matches!(tiny, Err(Error::ImageTooSmall(_))));
    assert!(matches!(benchmark_pair(&gradient(15, 40, 9), 2), Err(Error::ImageTooSmall(_))));
    let (reference, low) = benchmark_pair(&gradient(17, 41, 9), 2).unwrap();
    assert_eq!((reference.width, reference.height, low.width, low.height), (16, 40, 8, 20));
}

#[wasm_bindgen_test(unsupported = test)]
fn layers_have_bits_of_their_own() {
    let session = calibrated();
    let run = |options: &Options| {
        let prepared = session.prepare(options).unwrap();
        session.upscale(&picture(), &prepared, &mut Measuring, &()).unwrap()
    };
    let single = |name: &str, bits: [u8; 2]| Options {
        layer_bits: [(name.to_owned(), bits.map(|b| BitWidth::new(b).unwrap()))].into(),
        ..options(Method::Dfsq, 4)
    };
    let noisy = |options: &Options| -> Vec<bool> {
        layer_noise(&run(options)).iter().map(|noise| *noise > 0.0).collect()
    };
    assert_eq!(noisy(&single("block.conv1", [32, 32])), [false, false, true, false, false, false]);
    let (plain, same) = (run(&options(Method::Dfsq, 4)), run(&single("block.conv1", [4, 4])));
    assert_eq!(plain.picture, same.picture);
    let fewer = run(&single("block.conv1", [4, 2]));
    assert!(layer_noise(&fewer)[1] > layer_noise(&plain)[1]);
    for name in ["head", "nothing"] {
        assert!(matches!(session.prepare(&single(name, [4, 4])), Err(Error::Option(_))), "{name}");
    }
    let both = Options { method: Method::Fp32, ..single("block.conv1", [2, 2]) };
    assert_eq!(run(&both).picture, upscale(&session, options(Method::Fp32, 32)));
}

#[wasm_bindgen_test(unsupported = test)]
fn every_way_to_normalize_quantizes_and_more_bits_come_nearer() {
    for granularity in [Granularity::Channel, Granularity::Layer] {
        for normalization in [NormalizationMode::Sample, NormalizationMode::None] {
            let settings = PointSettings { granularity, normalization, ..PointSettings::default() };
            let mut session = Session::load(&stated_edsr()).unwrap();
            calibrate(&mut session, settings, &[gradient(12, 10, 40), picture()]);
            let points = &session.calibration().unwrap().layers["block.conv1"].points;
            let groups = if granularity == Granularity::Layer { 1 } else { 3 };
            assert!(points.values().all(|channels| channels.len() == groups));
            let full = upscale(&session, options(Method::Fp32, 32));
            let distances: Vec<f64> =
                [2, 4, 8].map(|bits| distance(&upscale(&session, options(Method::Dfsq, bits)), &full)).into();
            assert!(
                distances.windows(2).all(|d| d[1] < d[0]) && distances[2] < 1.0,
                "{settings:?}: {distances:?}"
            );
            // A saved calibration normalizes in the same way.
            let file = session.calibration().unwrap().save().unwrap();
            let mut again = Session::load(&stated_edsr()).unwrap();
            again.load_calibration(&file).unwrap();
            assert_eq!(
                upscale(&again, options(Method::Dfsq, 4)),
                upscale(&session, options(Method::Dfsq, 4))
            );
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn without_normalization_the_order_of_pictures_does_not_matter() {
    let settings = PointSettings { normalization: NormalizationMode::None, ..PointSettings::default() };
    let points = |pictures: &[Picture]| {
        let mut session = Session::load(&stated_edsr()).unwrap();
        calibrate(&mut session, settings, pictures);
        session.calibration().unwrap().layers.clone()
    };
    let (dark, bright) = (gradient(12, 10, 9), gradient(14, 10, 200));
    assert_eq!(points(&[dark.clone(), bright.clone()]), points(&[bright, dark]));
}

#[wasm_bindgen_test(unsupported = test)]
fn coarse_denormalization_costs_quality() {
    let session = calibrated();
    let with =
        |bits| Options { denormalization_bits: BitWidth::new(bits).unwrap(), ..options(Method::Dfsq, 8) };
    let noise = |bits| -> f64 {
        let prepared = session.prepare(&with(bits)).unwrap();
        layer_noise(&session.upscale(&picture(), &prepared, &mut Measuring, &()).unwrap()).iter().sum()
    };
    assert!(noise(2) > noise(8) && noise(8) >= noise(32), "{} {} {}", noise(2), noise(8), noise(32));
    assert_eq!(upscale(&session, with(32)), upscale(&session, options(Method::Dfsq, 8)));
}

#[wasm_bindgen_test(unsupported = test)]
fn operations_are_counted_by_hand() {
    let session = calibrated();
    let costs = session.costs(&session.prepare(&options(Method::Dfsq, 4)).unwrap()).unwrap();
    let width = |bits| BitWidth::new(bits).unwrap();
    // Two of four convolutions before the upsampler are quantized, 81 multiply-accumulates a pixel each.
    let [full, low] = [(32, 972.0 - 162.0), (4, 162.0)].map(|(bits, macs)| OperandMacs {
        weight_bits: width(bits),
        activation_bits: width(bits),
        macs,
    });
    assert_eq!(costs.macs_per_pixel, [full, low]);
    // Each of three outputs sums over three channels in two layers; a sum of nine products is four bits wider than one.
    assert_eq!(costs.rescalings_per_pixel, 18.0);
    assert_eq!(costs.bit_ops_per_pixel, 810.0 * 1024.0 + 162.0 * 16.0 + 18.0 * (4.0 + 4.0 + 4.0) * 32.0);
    let eight = Options { denormalization_bits: width(8), ..options(Method::Dfsq, 4) };
    let cheaper = session.costs_of(&eight).unwrap().bit_ops_per_pixel;
    assert_eq!(costs.bit_ops_per_pixel - cheaper, 18.0 * 12.0 * 24.0);
    let product = costs.product.unwrap();
    assert!(product.shifts > 0.5 && product.shifts <= 4.0 && product.additions < product.shifts);
    let costs = session.costs(&session.prepare(&options(Method::MinMax, 4)).unwrap()).unwrap();
    assert_eq!(costs.product, None);
    // One range for all channels: a multiplication for each output, of a sum of 27 products.
    assert_eq!(costs.rescalings_per_pixel, 6.0);
    assert_eq!(costs.bit_ops_per_pixel, 810.0 * 1024.0 + 162.0 * 16.0 + 6.0 * (4.0 + 4.0 + 5.0) * 32.0);
}

#[wasm_bindgen_test(unsupported = test)]
fn the_error_of_a_layer_alone_falls_with_its_bits() {
    let session = calibrated();
    let reference = [session.reference(&picture()).unwrap()];
    let widths = [2, 4, 8].map(|bits| BitWidth::new(bits).unwrap());
    let (dfsq, way) = (options(Method::Dfsq, 4), (PointSettings::EXACT, Recipe::default()));
    let layers = session.layer_errors(&[picture()], &dfsq, way, &widths, &()).unwrap();
    assert_eq!(layers.iter().map(|l| (l.layer, l.size.weights)).collect::<Vec<_>>(), [(1, 81), (2, 81)]);
    let full = BitWidth::FULL;
    for layer in &layers {
        assert_eq!((layer.size.activations, layer.size.macs), (3.0, 81.0));
        // Kernels of 0 and one other value are what they were with any bits.
        assert_eq!(layer.errors[0], [0.0; 3]);
        assert!(layer.errors[1].windows(2).all(|e| e[1] < e[0]), "{layer:?}");
        let name = &session.network().layers()[layer.layer].name;
        for (errors, bits) in layer.errors.iter().zip([[widths[0], full], [full, widths[0]]]) {
            let layer_bits = [(name.clone(), bits)].into();
            let alone = session.prepare(&Options { layer_bits, ..options(Method::Dfsq, 32) }).unwrap();
            assert_eq!(session.output_error(&reference, &alone).unwrap(), errors[0]);
        }
    }
    let none = session.prepare(&options(Method::Dfsq, 32)).unwrap();
    assert_eq!(session.output_error(&reference, &none).unwrap(), 0.0);
    let stopped = session.layer_errors(&[picture()], &dfsq, way, &widths, &Counting::cancelling_at(3));
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_study_compares_selections_of_one_channel() {
    let session = calibrated();
    let input = session.layer_input(&picture(), 1, &()).unwrap();
    let study = |settings, channel, bits| {
        let bits = BitWidth::new(bits).unwrap();
        let time = std::cell::Cell::new(0.0);
        let clock = || time.replace(time.get() + 0.004);
        session.study(&input, (1, channel), bits, settings, &clock)
    };
    let small = PointSettings { word_sets: WordSets::new(2).unwrap(), ..PointSettings::default() };
    let result = study(small, 1, 2).unwrap();
    assert_eq!((result.universal, result.levels, result.subsets), (29, 4, 23_751.0));
    let db: Vec<f64> = result.choices.iter().map(|choice| choice.db.unwrap()).collect();
    assert!(
        db[0] <= db[1] + 1e-6 && (db[1] - db[2]).abs() < 1e-6 && db[2] <= result.bound_db + 1e-6,
        "{db:?}"
    );
    assert!(result.choices.iter().all(|choice| choice.seconds.unwrap() > 0.0));
    // Each of the points is the value nearest to a centre.
    let near = |point: &f64| result.centres.iter().any(|centre| (centre - point).abs() < 0.1);
    assert!(
        result.centres.len() >= result.choices[0].points.len() && result.choices[0].points.iter().all(near)
    );
    let large = study(PointSettings::default(), 1, 4).unwrap();
    assert_eq!(large.choices[2].db, None, "too many to try");
    // FP4 and NF4 have 4 bits; no format is better than any points can be.
    let formats = |study: &Study| study.formats.iter().map(|f| f.source.id()).collect::<Vec<_>>();
    assert_eq!(formats(&result), ["powers-of-two", "apot"]);
    assert_eq!(formats(&large), ["powers-of-two", "apot", "fp4", "nf4"]);
    assert!(large.formats.iter().all(|format| format.db <= large.bound_db && format.db > 3.0));
    assert!(matches!(study(small, 3, 2), Err(Error::Option(_))));
    assert!(matches!(study(small, 0, 32), Err(Error::Option(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn the_run_for_a_layers_input_ends_behind_it_and_can_be_stopped_before() {
    let session = calibrated();
    let counted = |limit| {
        let counting = Counting::cancelling_at(limit);
        let result = session.layer_input(&picture(), 1, &counting);
        (counting.seen(), result.is_ok())
    };
    assert_eq!((counted(99), counted(2)), ((2, true), (2, false)));
    assert!(matches!(session.layer_input(&picture(), 0, &()), Err(Error::Option(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_channel_looked_at_closely_is_what_a_run_does_there() {
    let session = calibrated();
    let options = options(Method::Dfsq, 2);
    let prepared = session.prepare(&options).unwrap();
    let errors = session.upscale(&picture(), &prepared, &mut Measuring, &()).unwrap().errors;
    let methods = vec![options.clone(), Options { method: Method::MinMax, ..options.clone() }];
    let asked = |channel, points| ChannelRequest {
        layer: 1,
        channel,
        methods: methods.clone(),
        looked_at: Method::Dfsq,
        points,
    };
    // The first quantized layer gets the same input whether the others are quantized or not.
    let input = session.layer_input(&picture(), 1, &()).unwrap();
    for (channel, error) in errors[1].iter().enumerate() {
        let request = |points| asked(channel, points);
        let view = session.channel(&input, &request(None)).unwrap();
        let own =
            |view: &ChannelView| view.methods.iter().find(|m| m.method == Method::Dfsq).unwrap().clone();
        assert!((own(&view).db - error.decibels()).abs() < 1e-3, "{} {}", own(&view).db, error.decibels());
        assert_eq!(view.counts.iter().sum::<u32>() as usize, view.values.len());
        let sum = |of: fn(&PointView) -> f64| own(&view).points.iter().map(of).sum::<f64>();
        assert!(
            (sum(|point| point.share) - 1.0).abs() < 1e-9 && (sum(|point| point.error) - 1.0).abs() < 1e-9
        );
        assert!((own(&view).errors.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        for PointView { value, words, .. } in own(&view).points {
            let mean = f64::from(words.iter().sum::<f32>()) / words.len() as f64;
            assert!((value.abs() - mean).abs() < 1e-7);
        }
        let distinct: std::collections::BTreeSet<u32> = view.quantized.iter().map(|q| q.to_bits()).collect();
        assert!(distinct.len() <= 4);
        // Points that were moved are used, from the universal set.
        let moved = session.channel(&input, &request(Some(vec![-1.0, 0.013, 1.0]))).unwrap();
        let places: Vec<f64> = own(&moved).points.iter().map(|point| point.value).collect();
        assert_eq!((places[0], places[2], places.len()), (-1.0, 1.0, 3));
        assert!((places[1] - 0.013).abs() < 0.004 && own(&moved).db != own(&view).db);
        assert_eq!(moved.methods.len(), view.methods.len());
    }
    assert!(matches!(session.channel(&input, &asked(99, None)), Err(Error::Option(_))));
}

#[wasm_bindgen_test(unsupported = test)]
fn a_kernel_looked_at_closely_has_the_weights_that_a_run_takes() {
    let session = calibrated();
    let options = options(Method::Dfsq, 3);
    let prepared = session.prepare(&options).unwrap();
    let both = [options.clone(), Options { method: Method::MinMax, ..options.clone() }];
    let layer = &session.network().layers()[1];
    let mut noise = 0.0;
    for kernel in 0..layer.conv.outputs() {
        let view = session.kernel(1, kernel, &both).unwrap();
        let own = session.network().kernels(1);
        let size = own.len() / layer.conv.outputs();
        assert_eq!(view.counts.iter().sum::<u32>() as usize, size);
        let [dfsq, min_max] = [Method::Dfsq, Method::MinMax]
            .map(|method| view.methods.iter().find(|own| own.method == method).unwrap());
        assert_eq!(dfsq.points, min_max.points, "both round to the uniform grid");
        assert!(dfsq.points.len() <= 8 && view.methods.len() == 2);
        let signal: f64 = own[kernel * size..][..size].iter().map(|w| f64::from(*w).powi(2)).sum();
        noise += signal / 10f64.powf(dfsq.db / 10.0);
    }
    let expected = prepared.weight_errors()[1].noise;
    assert!((noise - expected).abs() <= 1e-5 * expected.max(1e-9), "{noise}, not {expected}");
    assert!(matches!(session.kernel(1, 99, &both), Err(Error::Option(_))));
    assert!(matches!(session.kernel(0, 0, &both), Err(Error::Option(_))));
}
