//! Options that several commands share: what clap reads, and nothing else.

use super::files::Overwriting;
use clap::Args;
use dfsq::network::{Engine, Properties};
use dfsq::quant::compensate::Rounding;
use dfsq::quant::kernels::WeightGrid;
use dfsq::quant::subset::{Preset, Selection};
use dfsq::quant::{
    BitWidth, ChannelBits, Granularity, MeanMode, NormalizationMode, PointSettings, Recipe, WordSets,
};
use dfsq::session::{Method, MinMaxRange};
use std::path::PathBuf;

/// A network, and what runs it.
#[derive(Args)]
pub struct NetworkFile {
    /// An ONNX network
    pub model: PathBuf,
    /// What runs it: native or tract [default: the native engine where it has all operators]
    #[arg(long)]
    pub engine: Option<Engine>,
    /// What black and white are in its input: 0..1, 0..255, -1..1 [default: what the file says, else found by a trial run]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    input_range: Option<String>,
    /// The same of its output [default: as the input]
    #[arg(long, value_name = "LOW..HIGH", allow_hyphen_values = true)]
    output_range: Option<String>,
    /// What else the file does not say, or says wrongly: scale, colour, mean, deviation, output_mean, output_deviation
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
}

impl NetworkFile {
    /// What is said of the network here.
    pub fn stated(&self) -> Properties {
        let ranges = [("input_range", &self.input_range), ("output_range", &self.output_range)];
        let ranges = ranges.into_iter().filter_map(|(name, range)| Some((name.to_owned(), range.clone()?)));
        self.properties.iter().cloned().chain(ranges).collect()
    }
}

fn property(text: &str) -> Result<(String, String), String> {
    const KNOWN: [&str; 8] = [
        "scale",
        "colour",
        "mean",
        "deviation",
        "input_range",
        "output_range",
        "output_mean",
        "output_deviation",
    ];
    match text.split_once('=') {
        Some((name, value)) if KNOWN.contains(&name.trim()) => Ok((name.trim().into(), value.trim().into())),
        _ => Err(format!("say NAME=VALUE, with one of the names {}", KNOWN.join(", "))),
    }
}

/// Options that choose the quantized network.
#[derive(Args)]
pub struct Quantization {
    /// How to enlarge
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Bits of each weight: 1 to 8, or 32 for full precision
    #[arg(long, value_parser = bit_width, default_value = "4")]
    pub weight_bits: BitWidth,
    /// Bits of each activation: 1 to 8, or 32 for full precision
    #[arg(long, value_parser = bit_width, default_value = "4")]
    pub activation_bits: BitWidth,
    /// A JSON file with bits of single layers, as `dfsq assign` writes it: {"layer": [weights, activations], ...}
    #[arg(long, value_name = "FILE")]
    pub layer_bits: Option<PathBuf>,
    /// Give layers the bits of the file of optimized layers that take no more BitOPs than this many bits everywhere
    #[arg(long, value_name = "BITS", conflicts_with_all = ["layer_bits", "weight_bits", "activation_bits"])]
    pub mixed: Option<u8>,
    /// Bits of the means and ranges that dfsq de-normalizes with
    #[arg(long, value_parser = bit_width, default_value = "32")]
    pub denormalization_bits: BitWidth,
    /// Where min-max takes its ranges from
    #[arg(long, value_enum, default_value_t)]
    pub min_max_range: MinMaxRange,
    /// A calibration file (for dfsq-opt a file of `dfsq optimize`), or a folder of images to make it from first
    /// [default: MODEL with the ending .calibration or .optimized]
    #[arg(long, value_name = "FILE|DIR")]
    pub calibration: Option<PathBuf>,
    #[command(flatten)]
    pub recipe: RecipeOptions,
    #[command(flatten)]
    pub points: PointOptions,
    #[command(flatten)]
    pub crops: CropOptions,
}

/// Options that choose points.
#[derive(Args)]
pub struct PointOptions {
    /// How to choose points [default: kmeans, for dfsq-opt exact]
    #[arg(long, value_enum)]
    pub selection: Option<Selection>,
    /// Word sets of the universal set, 2 to 5
    #[arg(long, value_parser = word_sets, default_value = "4")]
    word_sets: WordSets,
    /// What is normalized together and gets points of its own
    #[arg(long, value_enum, default_value_t)]
    granularity: Granularity,
    /// Where a channel's mean and range come from
    #[arg(long, value_enum, default_value_t)]
    normalization: NormalizationMode,
    /// When to subtract a channel's mean
    #[arg(long, value_enum, default_value_t)]
    mean: MeanMode,
    /// Whose description of k-means to follow
    #[arg(long, value_enum, default_value_t)]
    preset: Preset,
    /// How often k-means starts, at most 100 [default: as the preset says, 3 or 5 times]
    #[arg(long, default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u8).range(0..=100))]
    restarts: u8,
    /// Seed of crops and of k-means
    #[arg(long, default_value_t = 0)]
    pub seed: u32,
}

/// Options that choose what images are looked at.
#[derive(Args)]
pub struct CropOptions {
    /// Random low-resolution crops to calibrate on
    #[arg(long, default_value_t = 32)]
    pub crops: usize,
    /// Width and height of a crop
    #[arg(long, default_value_t = 48)]
    pub crop_size: usize,
    /// The calibration images are low-resolution already: do not shrink them
    #[arg(long)]
    pub low_resolution: bool,
}

impl PointOptions {
    /// As asked for, with the selection that the method otherwise takes.
    pub fn settings(&self, otherwise: Selection) -> PointSettings {
        PointSettings {
            word_sets: self.word_sets,
            granularity: self.granularity,
            normalization: self.normalization,
            mean: self.mean,
            selection: self.selection.unwrap_or(otherwise),
            preset: self.preset,
            restarts: self.restarts,
            seed: self.seed,
        }
    }
}

/// Options that choose how weights are rounded.
#[derive(Args)]
pub struct RecipeOptions {
    /// What weights are rounded to [default: uniform, for dfsq-opt subset]
    #[arg(long, value_enum)]
    pub weights: Option<WeightGrid>,
    /// How weights are rounded [default: nearest, for dfsq-opt compensated]
    #[arg(long, value_enum)]
    pub rounding: Option<Rounding>,
    /// For dfsq-opt: what is added to the diagonal of the inputs' covariance, as a share of its mean
    #[arg(long, default_value_t = Recipe::default().damping)]
    damping: f32,
    /// For dfsq-opt: times that mean and range of every kernel are fitted to its rounded weights
    #[arg(long, default_value_t = Recipe::default().refits)]
    refits: usize,
    /// For dfsq-opt: how the bits of activations are divided among the channels of a layer
    #[arg(long, value_enum, default_value_t)]
    channel_bits: ChannelBits,
}

impl RecipeOptions {
    pub fn recipe(&self) -> Recipe {
        let Recipe { weights, rounding, .. } = Recipe::default();
        Recipe {
            weights: self.weights.unwrap_or(weights),
            rounding: self.rounding.unwrap_or(rounding),
            damping: self.damping,
            refits: self.refits,
            channel_bits: self.channel_bits,
        }
    }
}

/// What a command takes that makes a file from images.
#[derive(Args)]
pub struct Making {
    #[command(flatten)]
    pub network: NetworkFile,
    /// A folder of high-resolution images; what is made is made on random crops of them, shrunk
    #[arg(long)]
    pub images: PathBuf,
    /// The file to write
    #[arg(short, long)]
    pub output: PathBuf,
    #[command(flatten)]
    pub overwriting: Overwriting,
    #[command(flatten)]
    pub points: PointOptions,
    #[command(flatten)]
    pub crops: CropOptions,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub fn bit_width(text: &str) -> Result<BitWidth, String> {
    text.parse()
        .ok()
        .and_then(|bits| BitWidth::new(bits).ok())
        .ok_or_else(|| "choose 1 to 8, or 32".to_owned())
}

fn word_sets(text: &str) -> Result<WordSets, String> {
    text.parse().ok().and_then(|sets| WordSets::new(sets).ok()).ok_or_else(|| "choose 2 to 5".to_owned())
}

/// Bits of weights and activations: 4 is short for 4/4.
pub fn bit_pair(text: &str) -> Result<[BitWidth; 2], String> {
    let (weights, activations) = text.split_once('/').unwrap_or((text, text));
    Ok([bit_width(weights)?, bit_width(activations)?])
}
