//! Commands, their options, and how they report.

mod ablate;
mod calibrate;
mod eval;
mod files;
mod inspect;
mod optimize;
mod upscale;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use dfsq::calibration::Settings;
use dfsq::network::Properties;
use dfsq::quant::subset::{self, Preset};
use dfsq::quant::{BitWidth, MeanMode};
use dfsq::session::{Method, MinMaxRange, Options, Session, WeightGrid, sha256};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
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
    /// Score a method on a folder of images (PSNR and SSIM on Y)
    Eval(eval::Arguments),
    /// Score the paper's choices one by one, and what goes beyond them
    Ablate(ablate::Arguments),
}

/// Options that choose the quantized network.
#[derive(Args)]
struct Quantization {
    /// How to enlarge
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// Bits of each weight: 2 to 8, or 32 for full precision
    #[arg(long, value_parser = bit_width, default_value = "4")]
    weight_bits: BitWidth,
    /// Bits of each activation: 2 to 8, or 32 for full precision
    #[arg(long, value_parser = bit_width, default_value = "4")]
    activation_bits: BitWidth,
    /// Where min-max takes its ranges from
    #[arg(long, value_enum, default_value_t)]
    min_max_range: MinMaxRange,
    /// What the weights of dfsq and min-max are rounded to
    #[arg(long, value_enum, default_value_t)]
    weights: WeightGrid,
    /// A calibration file (for dfsq-opt a file of `dfsq optimize`), or a folder of images to make it from first
    /// [default: MODEL with the ending .calibration or .optimized]
    #[arg(long, value_name = "FILE|DIR")]
    calibration: Option<PathBuf>,
    #[command(flatten)]
    effort: optimize::EffortOptions,
    #[command(flatten)]
    selection: Selection,
}

/// Options that choose points.
#[derive(Args)]
struct Selection {
    /// How to choose points
    #[arg(long, value_enum, default_value_t)]
    selection: subset::Selection,
    /// Whose description of k-means to follow
    #[arg(long, value_enum, default_value_t)]
    preset: Preset,
    /// When to subtract a channel's mean
    #[arg(long, value_enum, default_value_t)]
    mean: MeanMode,
    /// Word sets of the universal set, 2 to 5
    #[arg(long, default_value_t = 4)]
    word_sets: usize,
    /// Seed of crops and of k-means
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Random low-resolution crops to calibrate on
    #[arg(long, default_value_t = 32)]
    crops: usize,
    /// Width and height of a crop
    #[arg(long, default_value_t = 48)]
    crop_size: usize,
    /// The calibration images are low-resolution already: do not shrink them
    #[arg(long)]
    low_resolution: bool,
}

impl Selection {
    fn settings(&self) -> Settings {
        Settings {
            word_sets: self.word_sets,
            mean: self.mean,
            selection: self.selection,
            preset: self.preset,
            seed: self.seed,
        }
    }
}

impl Quantization {
    fn options(&self) -> Options {
        Options {
            method: self.method,
            weight_bits: self.weight_bits,
            activation_bits: self.activation_bits,
            min_max_range: self.min_max_range,
            weights: self.weights,
        }
    }

    /// Loads the network and, where the method needs it, its calibration.
    fn session(&self, model: &Path) -> Result<Session> {
        let mut session = open(model)?;
        let options = self.options();
        let full = [options.weight_bits, options.activation_bits].map(|bits| bits == BitWidth::FULL);
        let needed = options.method == Method::DfsqOpt && full != [true; 2]
            || !full[1]
                && (options.method == Method::Dfsq
                    || (options.method == Method::MinMax && options.min_max_range == MinMaxRange::Static));
        let ending = if options.method == Method::DfsqOpt { "optimized" } else { "calibration" };
        let path = self.calibration.clone().unwrap_or_else(|| model.with_extension(ending));
        if !needed || (self.calibration.is_none() && !path.exists()) {
            return Ok(session);
        }
        if path.is_dir() && options.method == Method::DfsqOpt {
            let bits = [options.weight_bits, options.activation_bits];
            let optimized = optimize::optimize(&session, &path, &self.selection, &[bits], &self.effort)?;
            session.set_optimized(optimized);
        } else if path.is_dir() {
            let (selection, widths) = (&self.selection, [options.activation_bits]);
            let calibration =
                calibrate::calibrate(&session, &path, selection, selection.settings(), &widths)?;
            session.set_calibration(calibration);
        } else {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let loaded = match options.method {
                Method::DfsqOpt => session.load_optimized(&bytes),
                _ => session.load_calibration(&bytes),
            };
            loaded.with_context(|| path.display().to_string())?;
        }
        Ok(session)
    }
}

fn open(model: &Path) -> Result<Session> {
    let bytes = std::fs::read(model).with_context(|| format!("cannot read {}", model.display()))?;
    let list = model.with_file_name("models.json");
    let properties = match std::fs::read(&list) {
        Ok(text) => listed_properties(&text, &bytes).with_context(|| list.display().to_string())?,
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

fn bit_width(text: &str) -> Result<BitWidth, String> {
    text.parse()
        .ok()
        .and_then(|bits| BitWidth::new(bits).ok())
        .ok_or_else(|| "choose 2 to 8, or 32".to_owned())
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
        Command::Eval(arguments) => eval::run(&arguments),
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
