//! `dfsq ablate`

use super::optimize::{EffortOptions, optimize};
use super::{Selection, bit_width, calibrate, eval, open};
use anyhow::Result;
use dfsq::calibration::Settings;
use dfsq::quant::subset::{self, Preset};
use dfsq::quant::{BitWidth, MeanMode};
use dfsq::session::{Method, MinMaxRange, Options, WeightGrid};
use serde::Serialize;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// An ONNX network
    model: PathBuf,
    #[command(flatten)]
    images: eval::Images,
    /// A folder of high-resolution images; everything is calibrated on random crops of them, shrunk
    #[arg(long)]
    calibration: PathBuf,
    /// Bits of weights and activations alike, several with commas
    #[arg(long, value_parser = bit_width, value_delimiter = ',', default_value = "4,3,2")]
    bits: Vec<BitWidth>,
    #[command(flatten)]
    effort: EffortOptions,
    #[command(flatten)]
    selection: Selection,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One line of the table: what differs from the options given.
struct Variant {
    name: &'static str,
    method: Method,
    min_max_range: MinMaxRange,
    weights: WeightGrid,
    settings: Settings,
}

#[derive(Serialize)]
struct Row {
    variant: &'static str,
    /// Mean PSNR on Y in dB, for each bit width asked for.
    psnr_y: Vec<f64>,
}

#[derive(Serialize)]
struct Report {
    bits: Vec<BitWidth>,
    full_precision: f64,
    rows: Vec<Row>,
}

fn variants(given: Settings) -> Vec<Variant> {
    let plain = |name, settings| Variant {
        name,
        method: Method::Dfsq,
        min_max_range: MinMaxRange::Dynamic,
        weights: WeightGrid::Uniform,
        settings,
    };
    let mean = |mean| Settings { mean, ..given };
    let sets = |word_sets| Settings { word_sets, ..given };
    let exact = Settings { selection: subset::Selection::Exact, ..given };
    vec![
        Variant { method: Method::MinMax, ..plain("min-max, dynamic", given) },
        Variant {
            method: Method::MinMax,
            min_max_range: MinMaxRange::Static,
            ..plain("min-max, static", given)
        },
        plain("dfsq", given),
        plain("k-means as in the paper's text", Settings { preset: Preset::Paper, ..given }),
        plain("mean always subtracted", mean(MeanMode::Always)),
        plain("mean never subtracted", mean(MeanMode::Never)),
        plain("2 word sets", sets(2)),
        plain("3 word sets", sets(3)),
        plain("5 word sets", sets(5)),
        plain("exact points", exact),
        Variant { weights: WeightGrid::Subset, ..plain("exact points and weights", exact) },
        Variant { method: Method::DfsqOpt, ..plain("dfsq-opt: compensated too", given) },
    ]
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut session = open(&arguments.model)?;
    let pairs = arguments.images.pairs()?;
    let mean = |session: &_, options| -> Result<f64> {
        let scores = eval::scores(session, options, &pairs)?;
        Ok(scores.iter().map(|score| score.psnr_y).sum::<f64>() / scores.len() as f64)
    };
    let full_precision = mean(&session, Options { method: Method::Fp32, ..Options::default() })?;
    let mut report = Report { bits: arguments.bits.clone(), full_precision, rows: Vec::new() };
    if !arguments.json {
        let heads: String =
            report.bits.iter().map(|bits| format!("{:>9}", format!("{} bits", bits.bits()))).collect();
        println!("{:32}{heads}   (full precision {full_precision:.3} dB)", "PSNR on Y, dB");
    }
    for variant in variants(arguments.selection.settings()) {
        if variant.method == Method::DfsqOpt {
            let bits: Vec<_> = arguments.bits.iter().map(|bits| [*bits, *bits]).collect();
            let folder = &arguments.calibration;
            let optimized = optimize(&session, folder, &arguments.selection, &bits, &arguments.effort)?;
            session.set_optimized(optimized);
        } else {
            let (folder, selection) = (&arguments.calibration, &arguments.selection);
            let calibration =
                calibrate::calibrate(&session, folder, selection, variant.settings, &arguments.bits)?;
            session.set_calibration(calibration);
        }
        let score = |bits: &BitWidth| {
            let Variant { method, min_max_range, weights, .. } = variant;
            mean(
                &session,
                Options { method, weight_bits: *bits, activation_bits: *bits, min_max_range, weights },
            )
        };
        let psnr_y = arguments.bits.iter().map(score).collect::<Result<Vec<f64>>>()?;
        if !arguments.json {
            let cells: String = psnr_y.iter().map(|score| format!("{score:9.3}")).collect();
            println!("{:32}{cells}", variant.name);
        }
        report.rows.push(Row { variant: variant.name, psnr_y });
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}
