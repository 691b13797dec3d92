//! `dfsq ablate`

use super::crops::Source;
use super::idle::Work;
use super::options::{CropOptions, NetworkFile, PointOptions, RecipeOptions};
use super::results::ImageScore;
use super::session;
use super::{eval, out, passed_over};
use anyhow::{Result, ensure};
use dfsq::choice::Choice;
use dfsq::quant::Rounding;
use dfsq::quant::kernels::WeightGrid;
use dfsq::quant::subset::{Preset, Selection};
use dfsq::quant::{
    BitWidth, ChannelBits, Granularity, MeanMode, NormalizationMode, PointSettings, PointSource,
    RangeEstimator, Recipe, Restarts, WordSets,
};
use dfsq::session::{Method, MinMaxRange, Options};
use serde::Serialize;
use std::borrow::Cow;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    network: NetworkFile,
    #[command(flatten)]
    images: eval::Images,
    /// A folder of high-resolution images; everything is calibrated on random crops of them, shrunk
    #[arg(long)]
    calibration: PathBuf,
    /// Bits of weights and activations alike, several with commas
    #[arg(long, value_delimiter = ',', default_value = "4,3,2")]
    bits: Vec<BitWidth>,
    #[command(flatten)]
    recipe: RecipeOptions,
    #[command(flatten)]
    points: PointOptions,
    #[command(flatten)]
    crops: CropOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One line of the table: what differs from the options given.
struct Variant {
    name: Cow<'static, str>,
    options: Options,
    settings: PointSettings,
    recipe: Recipe,
}

#[derive(Serialize)]
struct Row {
    variant: Cow<'static, str>,
    /// Mean PSNR on Y in dB, for each bit width asked for.
    psnr_y: Vec<f64>,
}

#[derive(Serialize)]
struct Report {
    bits: Vec<BitWidth>,
    full_precision: f64,
    rows: Vec<Row>,
}

/// The paper's choices one by one, then ours. Those that gather the same statistics stand together, since only one
/// set of them is kept.
fn variants(given: PointSettings, recipe: Recipe) -> Vec<Variant> {
    let plain = |name: &'static str, settings| Variant {
        name: name.into(),
        options: Options::default(),
        settings,
        recipe,
    };
    let with = |name: &'static str, options| Variant { options, ..plain(name, given) };
    let min_max = |name, min_max_range| {
        with(name, Options { method: Method::MinMax, min_max_range, ..Options::default() })
    };
    let ranges = RangeEstimator::ALL
        .iter()
        .flat_map(|estimator| Granularity::ALL.iter().map(move |of| (*estimator, *of)));
    // That of both defaults is "min-max, dynamic".
    let others = ranges.filter(|range| *range != (RangeEstimator::MinMax, Granularity::Layer));
    let uniform = others.map(|(range_estimator, range_granularity)| {
        let name = format!("{}, by {range_granularity}", range_estimator.title());
        let options =
            Options { method: Method::MinMax, range_estimator, range_granularity, ..Options::default() };
        Variant { name: name.into(), ..with("", options) }
    });
    // Those that have the bits that are asked for, whichever they are.
    let fixed = PointSource::ALL
        .iter()
        .filter(|source| **source != PointSource::Calibrated && source.only_bits().is_none());
    let formats =
        fixed.map(|source| with(source.title(), Options { point_source: *source, ..Options::default() }));
    let denormalized = |name, bits| {
        let bits = BitWidth::new(bits).unwrap_or(BitWidth::FULL);
        with(name, Options { denormalization_bits: bits, ..Options::default() })
    };
    let sets = |count| PointSettings { word_sets: WordSets::new(count).unwrap_or_default(), ..given };
    let starts = |count| Restarts::new(count).unwrap_or_default();
    let exact = PointSettings { selection: Selection::Exact, ..given };
    let ours = |name: &'static str, settings, weights, rounding| Variant {
        name: name.into(),
        options: Options { method: Method::DfsqOpt, ..Options::default() },
        settings,
        recipe: Recipe { weights, rounding, ..recipe },
    };
    use {Rounding::*, WeightGrid::*};
    let mut all = vec![
        min_max("min-max, dynamic", MinMaxRange::Dynamic),
        min_max("min-max, static", MinMaxRange::Static),
    ];
    all.extend(uniform);
    all.extend(formats);
    all.extend([
        plain("dfsq", given),
        plain("k-means as in the paper's text", PointSettings { preset: Preset::Paper, ..given }),
        plain("k-means started once", PointSettings { restarts: starts(1), ..given }),
        plain("k-means started 20 times", PointSettings { restarts: starts(20), ..given }),
        plain("2 word sets", sets(2)),
        denormalized("8 bits of mean and range", 8),
        denormalized("6 bits of mean and range", 6),
        denormalized("4 bits of mean and range", 4),
        plain("exact points", exact),
        Variant {
            options: Options { weights: Subset, ..Options::default() },
            ..plain("exact points and weights", exact)
        },
        plain("3 word sets", sets(3)),
        plain("5 word sets", sets(5)),
        plain("mean always subtracted", PointSettings { mean: MeanMode::Always, ..given }),
        plain("mean never subtracted", PointSettings { mean: MeanMode::Never, ..given }),
        plain("layer-wise", PointSettings { granularity: Granularity::Layer, ..given }),
        plain("without normalization", PointSettings { normalization: NormalizationMode::None, ..given }),
        plain(
            "layer-wise without normalization",
            PointSettings {
                granularity: Granularity::Layer,
                normalization: NormalizationMode::None,
                ..given
            },
        ),
        ours("k-means, compensated", given, Uniform, Compensated),
        ours("exact points, compensated", exact, Uniform, Compensated),
        ours("dfsq-opt: with subset weights", exact, recipe.weights, recipe.rounding),
        Variant {
            recipe: Recipe { channel_bits: ChannelBits::Allocated, ..recipe },
            ..ours("dfsq-opt, bits by channel", exact, recipe.weights, recipe.rounding)
        },
    ]);
    all
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let given = arguments.points.settings(Selection::Kmeans);
    let with = |method| Options { method, ..Options::default() };
    arguments.points.given().with([arguments.recipe.given()]).check(&Work {
        runs: &[with(Method::Dfsq), with(Method::DfsqOpt)],
        settings: given,
        recipe: arguments.recipe.recipe(),
        made_here: true,
        optimizes: false,
    })?;
    let mut session = session::open(&arguments.network)?;
    // The images that can be scored in full precision are those of every row; where one of them later fails, all does.
    let all = arguments.images.pairs(session.network().convention().fit.scale)?;
    let mut scored = Vec::new();
    for (score, pair) in eval::scores(&session, &Options::full_precision(), &all)?.into_iter().zip(all) {
        match score {
            Ok(score) => scored.push((pair, score)),
            Err(error) => passed_over::add(&pair.0, error)?,
        }
    }
    ensure!(!scored.is_empty(), "no image could be scored");
    let (pairs, scores): (Vec<_>, Vec<_>) = scored.into_iter().unzip();
    let mean = |scores: &[ImageScore]| scores.iter().map(|s| s.psnr_y).sum::<f64>() / scores.len() as f64;
    let full_precision = mean(&scores);
    let mut report = Report { bits: arguments.bits.clone(), full_precision, rows: Vec::new() };
    if !arguments.json {
        let heads: String =
            report.bits.iter().map(|bits| format!("{:>9}", format!("{} bits", bits.bits()))).collect();
        out::line(format_args!("{:34}{heads}   (full precision {full_precision:.3} dB)", "PSNR on Y, dB"))?;
    }
    let source =
        Source { images: &arguments.calibration, crops: &arguments.crops, seed: arguments.points.seed() };
    for Variant { name, options, settings, recipe } in variants(given, arguments.recipe.recipe()) {
        if options.method == Method::DfsqOpt {
            let layers = session.network().layers();
            let bits = arguments.bits.iter().map(|bits| session::uniform([*bits; 2]).bits(layers));
            let bits = bits.collect::<dfsq::Result<Vec<_>>>()?;
            session::optimize(&mut session, &source, &bits, settings, recipe)?;
        } else {
            session::calibrate(&mut session, &source, &arguments.bits, settings)?;
        }
        let score = |bits: &BitWidth| {
            let options = Options { weight_bits: *bits, activation_bits: *bits, ..options.clone() };
            let scores = eval::scores(&session, &options, &pairs)?.into_iter().collect::<Result<Vec<_>>>()?;
            Ok(mean(&scores))
        };
        let psnr_y = arguments.bits.iter().map(score).collect::<Result<Vec<f64>>>()?;
        if !arguments.json {
            let cells: String = psnr_y.iter().map(|score| format!("{score:9.3}")).collect();
            out::line(format_args!("{name:34}{cells}"))?;
        }
        report.rows.push(Row { variant: name, psnr_y });
    }
    if arguments.json {
        out::line(format_args!("{}", serde_json::to_string(&report)?))?;
    }
    Ok(())
}
