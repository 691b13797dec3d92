//! Commands, their options, and how they report.

mod ablate;
mod arguments;
mod assign;
mod calibrate;
mod eval;
mod files;
mod inspect;
mod optimize;
mod report;
mod upscale;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use dfsq::network::Properties;
use dfsq::session::{Session, sha256};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::process::ExitCode;

/// Quantize a super-resolution network (ONNX) and see what it costs in dB.
///
/// Low-bit arithmetic is simulated: values are quantized and dequantized, so a quantized run is not faster.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Use fused multiply-add: faster, but rounds differently from a browser. At low bit widths that moves scores by
    /// some 0.02 dB
    #[arg(long, global = true)]
    fast: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Describe a network: what it takes for an image, its layers, and which of them are quantized
    Inspect(inspect::Arguments),
    /// Enlarge one image
    Upscale(upscale::Arguments),
    /// Choose quantization points from sample images and write them to a file
    Calibrate(calibrate::Arguments),
    /// Optimize weights and points layer by layer for the method dfsq-opt, and write them to a file
    Optimize(optimize::Arguments),
    /// Measure what every layer costs at every bit width, and assign bits to layers under a budget
    Assign(assign::Arguments),
    /// Score a method on a folder of images (PSNR and SSIM on Y)
    Eval(eval::Arguments),
    /// Write figures and tables of the distributions of every quantized layer
    Report(report::Arguments),
    /// Score the paper's choices one by one, and what goes beyond them
    Ablate(ablate::Arguments),
}

fn open(model: &Path) -> Result<Session> {
    let bytes = std::fs::read(model).with_context(|| format!("cannot read {}", model.display()))?;
    let list = model.with_file_name("models.json");
    // A file of that name may be another program's.
    let properties = match std::fs::read(&list).map(|text| listed_properties(&text, &bytes)) {
        Ok(Ok(properties)) => properties,
        Ok(Err(error)) => {
            eprintln!("{} is not a list of networks, and is passed over: {error}", list.display());
            Properties::new()
        }
        Err(_) => Properties::new(),
    };
    Session::load_with(&bytes, properties).with_context(|| model.display().to_string())
}

/// What a list like `onnx/models.json` says of this file.
fn listed_properties(list: &[u8], file: &[u8]) -> serde_json::Result<Properties> {
    #[derive(serde::Deserialize)]
    struct List {
        networks: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        sha256: String,
        #[serde(default)]
        properties: Properties,
    }
    let list: List = serde_json::from_slice(list)?;
    let hash = sha256(file);
    Ok(list.networks.into_iter().find(|entry| entry.sha256 == hash).map(|e| e.properties).unwrap_or_default())
}

/// A bar on standard error; nothing where that is not a terminal.
fn progress_bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if !cli.fast {
        dfsq::network::round_as_browsers_do();
    }
    let result = match cli.command {
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Upscale(arguments) => upscale::run(&arguments),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::Optimize(arguments) => optimize::run(&arguments),
        Command::Assign(arguments) => assign::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Ablate(arguments) => ablate::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
