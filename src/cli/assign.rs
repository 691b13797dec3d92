//! `dfsq assign`

use super::crops::Source;
use super::crops::random_crops;
use super::files;
use super::options::{NetworkFile, Quantization, bit_width};
use super::progress::Bar;
use super::session;
use anyhow::{Context, Result, ensure};
use dfsq::mixed_precision::{LayerErrors, assign};
use dfsq::quant::BitWidth;
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
    /// Most bits of a weight on average over all quantized weights
    #[arg(long, default_value_t = 4.0)]
    average_bits: f64,
    /// Widths to choose from, with commas
    #[arg(long, value_parser = bit_width, value_delimiter = ',', default_value = "2,3,4,6,8")]
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
    /// 10 log10 of the squared range over the output's mean squared error, for each width.
    psnr: Vec<f64>,
    bits: BitWidth,
}

#[derive(Serialize)]
struct Report {
    widths: Vec<BitWidth>,
    layers: Vec<Row>,
    average_bits: f64,
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
    let base = session::options(&arguments.quantization)?;
    ensure!(
        matches!(base.method, Method::Dfsq | Method::MinMax),
        "single layers are measured with --method dfsq or min-max"
    );
    let uniform = |width: &BitWidth| Options {
        weight_bits: *width,
        activation_bits: *width,
        layer_bits: BTreeMap::new(),
        ..base.clone()
    };
    // Points for every width are needed, not only for those of --activation-bits.
    let all: Vec<Options> = widths.iter().map(uniform).collect();
    let session = session::session(&arguments.network, &arguments.quantization, &all)?;
    let layers = session.network().layers();
    let Quantization { crops, points, .. } = &arguments.quantization;
    let source = Source { images: &arguments.images, crops, seed: points.seed };
    let mut crops = random_crops(&session, &source)?;
    crops.truncate(arguments.measured_crops.max(1));
    let errors = session.layer_errors(&crops, &base, widths, &Bar::new("measuring layers"))?;
    let references = crops.iter().map(|crop| session.reference(crop)).collect::<dfsq::Result<Vec<_>>>()?;
    let chosen = assign(&errors, widths, arguments.average_bits)
        .with_context(|| format!("no width is as low as {} bits", arguments.average_bits))?;
    let layer_bits: BTreeMap<String, [BitWidth; 2]> = errors
        .iter()
        .zip(&chosen)
        .map(|(layer, choice)| (layers[layer.layer].name.clone(), [widths[*choice]; 2]))
        .collect();

    let measured = |options: &Options| -> Result<f64> {
        Ok(psnr(session.output_error(&references, &session.prepare(options)?)?))
    };
    let total: usize = errors.iter().map(|layer| layer.weights).sum();
    let spent =
        |(layer, choice): (&LayerErrors, &usize)| layer.weights as f64 * f64::from(widths[*choice].bits());
    let report = Report {
        widths: widths.clone(),
        average_bits: errors.iter().zip(&chosen).map(spent).sum::<f64>() / total.max(1) as f64,
        predicted_psnr: psnr(errors.iter().zip(&chosen).map(|(layer, choice)| layer.errors[*choice]).sum()),
        measured_psnr: measured(&Options { layer_bits: layer_bits.clone(), ..base.clone() })?,
        uniform_psnr: all.iter().map(measured).collect::<Result<_>>()?,
        layers: errors
            .iter()
            .zip(&chosen)
            .map(|(layer, choice)| Row {
                layer: layers[layer.layer].name.clone(),
                weights: layer.weights,
                psnr: layer.errors.iter().map(|error| psnr(*error)).collect(),
                bits: widths[*choice],
            })
            .collect(),
    };
    if let Some(path) = &arguments.output {
        files::write(path, serde_json::to_string_pretty(&layer_bits)?.as_bytes())?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &Report) {
    let head: String = report.widths.iter().map(|w| format!("{:>8}", format!("{} bits", w.bits()))).collect();
    println!("{:32} {:>9}{head}  assigned", "output with this layer alone, dB", "weights");
    for row in &report.layers {
        let cells: String = row.psnr.iter().map(|psnr| format!("{psnr:8.2}")).collect();
        println!("{:32} {:9}{cells}  {:8}", row.layer, row.weights, row.bits.bits());
    }
    let cells: String = report.uniform_psnr.iter().map(|psnr| format!("{psnr:8.2}")).collect();
    println!("{:32} {:9}{cells}", "all layers alike", "");
    println!(
        "{:.3} bits on average: {:.2} dB, predicted {:.2} dB",
        report.average_bits, report.measured_psnr, report.predicted_psnr
    );
}
