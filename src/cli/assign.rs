//! `dfsq assign`

use super::crops::{Source, random_crops};
use super::files;
use super::mixed::Search;
use super::options::{NetworkFile, Quantization, choice};
use super::out;
use super::session::{self, Use};
use anyhow::{Result, ensure};
use dfsq::bit_ops::AverageBits;
use dfsq::mixed_precision::{Budget, LayerErrors};
use dfsq::quant::BitWidth;
use dfsq::quant::subset::Selection;
use dfsq::session::{Method, Options};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    network: NetworkFile,
    /// A folder of high-resolution images; layers are measured on random crops of them, shrunk
    #[arg(long)]
    images: PathBuf,
    /// How many crops to measure on
    #[arg(long, default_value_t = 4)]
    measured_crops: usize,
    /// Most bits on average over the quantized layers
    #[arg(long, default_value_t = 4.0)]
    average_bits: f64,
    /// What may not be more than with that many bits everywhere
    #[arg(long, value_parser = choice::<Budget>(), default_value_t)]
    budget: Budget,
    /// Widths to choose from, with commas
    #[arg(long, value_delimiter = ',', default_value = "2,3,4,6,8")]
    widths: Vec<BitWidth>,
    /// Where to write the assignment, for --layer-bits
    #[arg(short, long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    overwriting: files::Overwriting,
    #[command(flatten)]
    quantization: Quantization,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    layer: String,
    weights: usize,
    /// 10 log10 of the squared range over the output's mean squared error, for each width: of weights and activations
    /// together, and of each alone.
    psnr: Vec<f64>,
    weight_psnr: Vec<f64>,
    activation_psnr: Vec<f64>,
    /// Of weights.
    bits: BitWidth,
    activation_bits: BitWidth,
}

#[derive(Serialize)]
struct Report {
    widths: Vec<BitWidth>,
    layers: Vec<Row>,
    /// Of weights.
    average_bits: f64,
    average_activation_bits: f64,
    /// Bits that would give as many BitOPs in all layers alike.
    average_bit_ops: f64,
    /// The sum of the layers' own errors, as PSNR, and that of a run.
    predicted_psnr: f64,
    measured_psnr: f64,
    /// By width, the PSNR of runs with this width for all layers.
    uniform_psnr: Vec<f64>,
}

fn psnr(error: f64) -> f64 {
    -10.0 * error.log10()
}

pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(output) = &arguments.output {
        arguments.overwriting.check(output)?;
    }
    let widths = &arguments.widths;
    let base = arguments.quantization.options(BTreeMap::new());
    ensure!(base.method.quantizes(), "{} has no bits to assign", base.method);
    arguments.quantization.given().refuse(
        &["weight-bits", "activation-bits", "layer-bits", "mixed"],
        "with assign, which chooses the bits",
    )?;
    ensure!(
        base.method != Method::DfsqOpt || arguments.quantization.calibration.is_none(),
        "dfsq-opt is optimized for every width on crops of --images: leave --calibration out"
    );
    let uniform = |width: &BitWidth| Options {
        weight_bits: *width,
        activation_bits: *width,
        layer_bits: BTreeMap::new(),
        ..base.clone()
    };
    // Points for every width are needed, not only for those of --activation-bits.
    let all: Vec<Options> = widths.iter().map(uniform).collect();
    let Quantization { crops, points, recipe, .. } = &arguments.quantization;
    let mut session = match base.method {
        // Its layers are made for every width below.
        Method::DfsqOpt => session::open(&arguments.network)?,
        _ => session::session(
            &arguments.network,
            &arguments.quantization,
            &all,
            Use { runs: &all, crops: true },
        )?,
    };
    let source = Source { images: &arguments.images, crops, seed: points.seed() };
    let crops = random_crops(&session, &source)?;
    let mut search = Search {
        session: &mut session,
        crops: &crops,
        measured: arguments.measured_crops,
        base: &base,
        way: (points.settings(Selection::Exact), recipe.recipe()),
        widths,
        budget: arguments.budget,
    };
    let errors = search.layer_errors()?;
    let layer_bits = search.assign(&errors, arguments.average_bits)?;
    let measured = search.errors(&[Options { layer_bits: layer_bits.clone(), ..base.clone() }])?[0];
    let alike = search.errors(&all)?;
    let name = |layer: &LayerErrors| &session.network().layers()[layer.layer].name;
    let chosen: Vec<[BitWidth; 2]> = errors.iter().map(|layer| layer_bits[name(layer)]).collect();
    let at = |width: &BitWidth| widths.iter().position(|known| known == width).unwrap_or_default();
    let predicted =
        |(layer, [w, a]): (&LayerErrors, &[BitWidth; 2])| layer.errors[0][at(w)] + layer.errors[1][at(a)];
    let AverageBits { weights, activations, bit_ops } =
        AverageBits::of(errors.iter().map(|layer| layer.size).zip(chosen.iter().copied()));
    let report = Report {
        widths: widths.clone(),
        average_bits: weights,
        average_activation_bits: activations,
        average_bit_ops: bit_ops,
        predicted_psnr: psnr(errors.iter().zip(&chosen).map(predicted).sum()),
        measured_psnr: psnr(measured),
        uniform_psnr: alike.into_iter().map(psnr).collect(),
        layers: errors
            .iter()
            .zip(&chosen)
            .map(|(layer, bits)| {
                let [of_weights, of_activations] = &layer.errors;
                Row {
                    layer: name(layer).clone(),
                    weights: layer.size.weights,
                    psnr: of_weights.iter().zip(of_activations).map(|(w, a)| psnr(w + a)).collect(),
                    weight_psnr: of_weights.iter().copied().map(psnr).collect(),
                    activation_psnr: of_activations.iter().copied().map(psnr).collect(),
                    bits: bits[0],
                    activation_bits: bits[1],
                }
            })
            .collect(),
    };
    if let Some(path) = &arguments.output {
        files::write(path, serde_json::to_string_pretty(&layer_bits)?.as_bytes())?;
    }
    if arguments.json {
        out::line(format_args!("{}", serde_json::to_string(&report)?))?;
    } else {
        print(&report)?;
    }
    Ok(())
}

fn print(report: &Report) -> Result<()> {
    let head: String = report.widths.iter().map(|w| format!("{:>8}", format!("{} bits", w.bits()))).collect();
    out::line(format_args!("{:32} {:>9}{head}  assigned", "output with this layer alone, dB", "weights"))?;
    let line = |head: &str, count: String, psnr: &[f64], bits: String| {
        let cells: String = psnr.iter().map(|psnr| format!("{psnr:8.2}")).collect();
        out::line(format_args!("{head:32} {count:>9}{cells}  {bits:>8}"))
    };
    for row in &report.layers {
        line(&row.layer, row.weights.to_string(), &row.weight_psnr, row.bits.bits().to_string())?;
        line("  its inputs", String::new(), &row.activation_psnr, row.activation_bits.bits().to_string())?;
    }
    line("all layers alike", String::new(), &report.uniform_psnr, String::new())?;
    out::line(format_args!(
        "{:.3} bits of weights and {:.3} of activations on average, BitOPs of {:.3}: {:.2} dB, predicted {:.2} dB",
        report.average_bits,
        report.average_activation_bits,
        report.average_bit_ops,
        report.measured_psnr,
        report.predicted_psnr
    ))
}
