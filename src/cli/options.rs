//! Options that several commands share: what clap reads, and nothing else.

use super::files::Overwriting;
use super::idle::Given;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use dfsq::choice::Choice;
use dfsq::network::{Engine, Properties, Scope};
use dfsq::quant::Rounding;
use dfsq::quant::kernels::WeightGrid;
use dfsq::quant::subset::{Preset, Selection};
use dfsq::quant::{
    BitWidth, ChannelBits, Damping, Granularity, MeanMode, NormalizationMode, PointSettings, PointSource,
    RangeEstimator, Recipe, Refits, Restarts, WordSets,
};
use dfsq::session::{Method, MinMaxRange, Options};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A network, and what runs it.
#[derive(Args, Default)]
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
    /// Which convolutions are quantized: paper (those of residual and dense blocks, of other networks all but the first, up to
    /// the upsampler), all (with 8 bits for the first and the last), or names with commas between them; NAME* is all that
    /// begin so [default: what the file says, else paper]
    #[arg(long, value_name = "paper|all|NAMES")]
    scope: Option<Scope>,
}

impl NetworkFile {
    /// A file that says what it is.
    pub fn of(model: PathBuf, engine: Option<Engine>, scope: Option<Scope>) -> Self {
        NetworkFile { model, engine, scope, ..NetworkFile::default() }
    }

    /// What is said of the network here.
    pub fn stated(&self) -> Properties {
        let ranges = [("input_range", &self.input_range), ("output_range", &self.output_range)];
        let ranges = ranges.into_iter().filter_map(|(name, range)| Some((name.to_owned(), range.clone()?)));
        let scope = self.scope.iter().map(|scope| ("quantization_scope".to_owned(), scope.to_string()));
        self.properties.iter().cloned().chain(ranges).chain(scope).collect()
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
#[derive(Args, Default)]
pub struct Quantization {
    /// How to enlarge
    #[arg(long, value_parser = choice::<Method>(), default_value_t)]
    pub method: Method,
    /// Bits of each weight: 1 to 8, or 32 for full precision [default: 4]
    #[arg(long)]
    weight_bits: Option<BitWidth>,
    /// Bits of each activation: 1 to 8, or 32 for full precision [default: 4]
    #[arg(long)]
    activation_bits: Option<BitWidth>,
    /// A JSON file with bits of single layers, as `dfsq assign` writes it: {"layer": [weights, activations], ...}
    #[arg(long, value_name = "FILE")]
    pub layer_bits: Option<PathBuf>,
    /// Give layers the bits of the file of optimized layers that take no more BitOPs than this many bits everywhere
    #[arg(long, value_name = "BITS", conflicts_with_all = ["layer_bits", "weight_bits", "activation_bits"])]
    pub mixed: Option<u8>,
    /// Bits of the means and ranges that dfsq dequantizes with [default: 32]
    #[arg(long)]
    denormalization_bits: Option<BitWidth>,
    /// Where min-max takes its ranges from [default: dynamic]
    #[arg(long, value_parser = choice::<MinMaxRange>())]
    min_max_range: Option<MinMaxRange>,
    /// Where dfsq's points are from [default: calibrated]
    #[arg(long, value_parser = choice::<PointSource>())]
    point_source: Option<PointSource>,
    /// How the ends of min-max's dynamic ranges are found [default: min-max]
    #[arg(long, value_parser = choice::<RangeEstimator>())]
    range_estimator: Option<RangeEstimator>,
    /// What has a dynamic range of its own with min-max [default: layer]
    #[arg(long, value_parser = choice::<Granularity>())]
    range_granularity: Option<Granularity>,
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

impl Quantization {
    /// A method as it is by default, with what it needs from here or made in this way.
    pub fn of(
        method: Method,
        calibration: Option<PathBuf>,
        (recipe, points, crops): (RecipeOptions, PointOptions, CropOptions),
    ) -> Self {
        Quantization { method, calibration, recipe, points, crops, ..Quantization::default() }
    }

    /// What is asked for, with these bits of single layers.
    pub fn options(&self, layer_bits: BTreeMap<String, [BitWidth; 2]>) -> Options {
        let default = Options::default();
        Options {
            method: self.method,
            weight_bits: self.weight_bits.unwrap_or(default.weight_bits),
            activation_bits: self.activation_bits.unwrap_or(default.activation_bits),
            layer_bits,
            min_max_range: self.min_max_range.unwrap_or_default(),
            range_estimator: self.range_estimator.unwrap_or_default(),
            range_granularity: self.range_granularity.unwrap_or(default.range_granularity),
            point_source: self.point_source.unwrap_or_default(),
            weights: self.recipe.weights.unwrap_or_default(),
            denormalization_bits: self.denormalization_bits.unwrap_or(BitWidth::FULL),
        }
    }

    /// The options that were given, by name.
    pub fn given(&self) -> Given {
        let own = [
            ("weight-bits", self.weight_bits.is_some()),
            ("activation-bits", self.activation_bits.is_some()),
            ("layer-bits", self.layer_bits.is_some()),
            ("mixed", self.mixed.is_some()),
            ("denormalization-bits", self.denormalization_bits.is_some()),
            ("min-max-range", self.min_max_range.is_some()),
            ("point-source", self.point_source.is_some()),
            ("range-estimator", self.range_estimator.is_some()),
            ("range-granularity", self.range_granularity.is_some()),
            ("calibration", self.calibration.is_some()),
        ];
        let parts = [self.recipe.given(), self.points.given(), self.crops.given()];
        Given::of(&own).with(parts)
    }
}

/// Options that choose points.
#[derive(Args, Clone, Default)]
pub struct PointOptions {
    /// How to choose points [default: kmeans, for dfsq-opt exact]
    #[arg(long, value_parser = choice::<Selection>())]
    pub selection: Option<Selection>,
    /// Word sets of the universal set, 2 to 5 [default: 4]
    #[arg(long)]
    word_sets: Option<WordSets>,
    /// What is normalized together and gets points of its own [default: channel]
    #[arg(long, value_parser = choice::<Granularity>())]
    granularity: Option<Granularity>,
    /// Where a channel's mean and range come from [default: sample]
    #[arg(long, value_parser = choice::<NormalizationMode>())]
    normalization: Option<NormalizationMode>,
    /// When to subtract a channel's mean [default: auto]
    #[arg(long, value_parser = choice::<MeanMode>())]
    mean: Option<MeanMode>,
    /// Whose description of k-means to follow [default: reference]
    #[arg(long, value_parser = choice::<Preset>())]
    preset: Option<Preset>,
    /// How often k-means starts, at most 100 [default: as the preset says, 3 or 5 times]
    #[arg(long)]
    restarts: Option<Restarts>,
    /// Seed of crops and of k-means [default: 0]
    #[arg(long)]
    seed: Option<u32>,
}

/// Options that choose what images are looked at.
#[derive(Args, Clone, Default)]
pub struct CropOptions {
    /// Random low-resolution crops to calibrate on [default: 32]
    #[arg(long)]
    crops: Option<usize>,
    /// Width and height of a crop [default: 48]
    #[arg(long)]
    crop_size: Option<usize>,
    /// The calibration images are low-resolution already: do not shrink them
    #[arg(long)]
    pub low_resolution: bool,
}

impl CropOptions {
    pub fn count(&self) -> usize {
        self.crops.unwrap_or(32)
    }

    /// Width and height.
    pub fn size(&self) -> usize {
        self.crop_size.unwrap_or(48)
    }

    pub fn given(&self) -> Given {
        Given::of(&[
            ("crops", self.crops.is_some()),
            ("crop-size", self.crop_size.is_some()),
            ("low-resolution", self.low_resolution),
        ])
    }
}

impl PointOptions {
    /// As asked for, with the selection that the method otherwise takes.
    pub fn settings(&self, otherwise: Selection) -> PointSettings {
        PointSettings {
            word_sets: self.word_sets.unwrap_or_default(),
            granularity: self.granularity.unwrap_or_default(),
            normalization: self.normalization.unwrap_or_default(),
            mean: self.mean.unwrap_or_default(),
            selection: self.selection.unwrap_or(otherwise),
            preset: self.preset.unwrap_or_default(),
            restarts: self.restarts.unwrap_or_default(),
            seed: self.seed(),
        }
    }

    pub fn seed(&self) -> u32 {
        self.seed.unwrap_or(0)
    }

    pub fn given(&self) -> Given {
        Given::of(&[
            ("selection", self.selection.is_some()),
            ("word-sets", self.word_sets.is_some()),
            ("granularity", self.granularity.is_some()),
            ("normalization", self.normalization.is_some()),
            ("mean", self.mean.is_some()),
            ("preset", self.preset.is_some()),
            ("restarts", self.restarts.is_some()),
            ("seed", self.seed.is_some()),
        ])
    }
}

/// Options that choose how weights are rounded.
#[derive(Args, Clone, Default)]
pub struct RecipeOptions {
    /// What weights are rounded to [default: uniform, for dfsq-opt subset]
    #[arg(long, value_parser = choice::<WeightGrid>())]
    pub weights: Option<WeightGrid>,
    /// How weights are rounded [default: nearest, for dfsq-opt compensated]
    #[arg(long, value_parser = choice::<Rounding>())]
    pub rounding: Option<Rounding>,
    /// For dfsq-opt: what is added to the diagonal of the inputs' Gram matrix, as a share of its mean; above 0, at most 10
    /// [default: 0.01]
    #[arg(long, allow_negative_numbers = true)]
    damping: Option<Damping>,
    /// For dfsq-opt: times that mean and range of every kernel are fitted to its rounded weights, at most 20 [default: 2]
    #[arg(long)]
    refits: Option<Refits>,
    /// For dfsq-opt: how the bits of activations are divided among the channels of a layer [default: equal]
    #[arg(long, value_parser = choice::<ChannelBits>())]
    channel_bits: Option<ChannelBits>,
}

impl RecipeOptions {
    pub fn recipe(&self) -> Recipe {
        let default = Recipe::default();
        Recipe {
            weights: self.weights.unwrap_or(default.weights),
            rounding: self.rounding.unwrap_or(default.rounding),
            damping: self.damping.unwrap_or(default.damping),
            refits: self.refits.unwrap_or(default.refits),
            channel_bits: self.channel_bits.unwrap_or_default(),
        }
    }

    pub fn given(&self) -> Given {
        Given::of(&[
            ("weights", self.weights.is_some()),
            // That weights are rounded to the nearest value is so without compensation.
            ("rounding", self.rounding == Some(Rounding::Compensated)),
            ("damping", self.damping.is_some()),
            ("refits", self.refits.is_some()),
            ("channel-bits", self.channel_bits.is_some()),
        ])
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

/// Reads one of the names of a choice, and lists them in the help.
pub fn choice<C: Choice>() -> impl TypedValueParser<Value = C> {
    let values = C::ALL.iter().map(|choice| PossibleValue::new(choice.id()).help(choice.about()));
    PossibleValuesParser::new(values).try_map(|name| C::named(&name))
}

/// Bits of weights and activations: 4 is short for 4/4.
pub fn bit_pair(text: &str) -> Result<[BitWidth; 2], String> {
    let (weights, activations) = text.split_once('/').unwrap_or((text, text));
    let width = |text: &str| text.parse().map_err(|error: dfsq::Error| error.to_string());
    Ok([width(weights)?, width(activations)?])
}
