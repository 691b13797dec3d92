//! Options that several commands share, and what they mean.

use super::{calibrate, files, open, optimize};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use dfsq::calibration::Settings;
use dfsq::optimize::Recipe;
use dfsq::quant::compensate::Rounding;
use dfsq::quant::kernels::WeightGrid;
use dfsq::quant::subset::{Preset, Selection};
use dfsq::quant::{BitWidth, Granularity, MeanMode, NormalizationMode};
use dfsq::session::{Method, MinMaxRange, Options, Session};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Options that choose the quantized network.
#[derive(Args)]
pub struct Quantization {
    /// How to enlarge
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Bits of each weight: 2 to 8, or 32 for full precision
    #[arg(long, value_parser = bit_width, default_value = "4")]
    weight_bits: BitWidth,
    /// Bits of each activation: 2 to 8, or 32 for full precision
    #[arg(long, value_parser = bit_width, default_value = "4")]
    activation_bits: BitWidth,
    /// A JSON file with bits of single layers, as `dfsq assign` writes it: {"layer": [weights, activations], ...}
    #[arg(long, value_name = "FILE")]
    layer_bits: Option<PathBuf>,
    /// Bits of the means and ranges that dfsq de-normalizes with
    #[arg(long, value_parser = bit_width, default_value = "32")]
    denormalization_bits: BitWidth,
    /// Where min-max takes its ranges from
    #[arg(long, value_enum, default_value_t)]
    min_max_range: MinMaxRange,
    /// A calibration file (for dfsq-opt a file of `dfsq optimize`), or a folder of images to make it from first
    /// [default: MODEL with the ending .calibration or .optimized]
    #[arg(long, value_name = "FILE|DIR")]
    calibration: Option<PathBuf>,
    #[command(flatten)]
    recipe: RecipeOptions,
    #[command(flatten)]
    pub points: PointOptions,
}

/// Options that choose points, and what they are chosen on.
#[derive(Args)]
pub struct PointOptions {
    /// How to choose points [default: kmeans, for dfsq-opt exact]
    #[arg(long, value_enum)]
    selection: Option<Selection>,
    /// Word sets of the universal set, 2 to 5
    #[arg(long, default_value_t = 4)]
    word_sets: usize,
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
    /// How often k-means starts [default: as the preset says, 3 or 5 times]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    restarts: usize,
    /// Seed of crops and of k-means
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
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
    pub fn settings(&self, otherwise: Selection) -> Settings {
        Settings {
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
    weights: Option<WeightGrid>,
    /// How weights are rounded [default: nearest, for dfsq-opt compensated]
    #[arg(long, value_enum)]
    rounding: Option<Rounding>,
    /// For dfsq-opt: what is added to the diagonal of the inputs' covariance, as a share of its mean
    #[arg(long, default_value_t = Recipe::default().damping)]
    damping: f32,
    /// For dfsq-opt: times that mean and range of every kernel are fitted to its rounded weights
    #[arg(long, default_value_t = Recipe::default().refits)]
    refits: usize,
}

impl RecipeOptions {
    pub fn recipe(&self) -> Recipe {
        let Recipe { weights, rounding, .. } = Recipe::default();
        Recipe {
            weights: self.weights.unwrap_or(weights),
            rounding: self.rounding.unwrap_or(rounding),
            damping: self.damping,
            refits: self.refits,
        }
    }
}

impl Quantization {
    pub fn options(&self) -> Result<Options> {
        let layer_bits = match &self.layer_bits {
            Some(path) => {
                let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_slice(&text).with_context(|| path.display().to_string())?
            }
            None => BTreeMap::new(),
        };
        Ok(Options {
            method: self.method,
            weight_bits: self.weight_bits,
            activation_bits: self.activation_bits,
            layer_bits,
            min_max_range: self.min_max_range,
            weights: self.recipe.weights.unwrap_or_default(),
            denormalization_bits: self.denormalization_bits,
        })
    }

    /// Loads the network and, where the options need it, its calibration.
    pub fn session(&self, model: &Path, options: &Options) -> Result<Session> {
        self.session_for(model, std::slice::from_ref(options))
    }

    /// As [`Quantization::session`], for several options of one method.
    pub fn session_for(&self, model: &Path, all: &[Options]) -> Result<Session> {
        let mut session = open(model)?;
        let layers = session.network().layers();
        let variants = all.iter().map(|options| options.bits(layers)).collect::<dfsq::Result<Vec<_>>>()?;
        let Some(options) = all.first() else { return Ok(session) };
        let bits = || variants.iter().flatten();
        let (weights, activations) =
            (bits().any(|b| b[0] != BitWidth::FULL), bits().any(|b| b[1] != BitWidth::FULL));
        let optimizes = options.method == Method::DfsqOpt;
        let needed = match options.method {
            Method::DfsqOpt => weights || activations,
            // The universal set of subset weights is that of the points.
            Method::Dfsq => activations || (weights && options.weights == WeightGrid::Subset),
            Method::MinMax => activations && options.min_max_range == MinMaxRange::Static,
            Method::Fp32 | Method::Bicubic => false,
        };
        if self.recipe.rounding == Some(Rounding::Compensated) && !optimizes {
            bail!("weights are compensated by --method dfsq-opt, also with --weights uniform");
        }
        let ending = if optimizes { "optimized" } else { "calibration" };
        let path = self.calibration.clone().unwrap_or_else(|| model.with_extension(ending));
        if !needed || (self.calibration.is_none() && !path.exists()) {
            return Ok(session);
        }
        if !path.is_dir() {
            self.check_file(optimizes)?;
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let loaded = match options.method {
                Method::DfsqOpt => session.load_optimized(&bytes),
                _ => session.load_calibration(&bytes),
            };
            loaded.with_context(|| path.display().to_string())?;
        } else if optimizes {
            let (settings, recipe) = (self.points.settings(Selection::Exact), self.recipe.recipe());
            let optimized = optimize::optimize(&session, &path, &self.points, settings, &variants, recipe)?;
            session.set_optimized(optimized);
        } else {
            let mut widths: Vec<BitWidth> = bits().map(|b| b[1]).filter(|b| *b != BitWidth::FULL).collect();
            widths.sort();
            widths.dedup();
            let settings = self.points.settings(Selection::Kmeans);
            let collected = calibrate::collect(&session, &path, &self.points, settings)?;
            session.set_calibration(calibrate::select(&session, &collected, settings, &widths)?);
        }
        Ok(session)
    }

    /// Refuses options that a file would silently overrule.
    fn check_file(&self, optimizes: bool) -> Result<()> {
        let RecipeOptions { weights, rounding, .. } = self.recipe;
        let asked = self.points.selection.is_some()
            || self.points.settings(Selection::Kmeans)
                != Settings { seed: self.points.seed, ..Settings::default() }
            || optimizes && (weights.is_some() || rounding.is_some());
        ensure!(
            !asked,
            "these options choose points or weights anew: give a folder of images with --calibration"
        );
        Ok(())
    }
}

/// What a command takes that makes a file from images.
#[derive(Args)]
pub struct Making {
    /// An ONNX network
    pub model: PathBuf,
    /// A folder of high-resolution images; what is made is made on random crops of them, shrunk
    #[arg(long)]
    pub images: PathBuf,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    pub points: PointOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Making {
    /// Writes the file and says so, with other facts about it.
    pub fn write(&self, bytes: &[u8], facts: &[(&str, usize)]) -> Result<()> {
        files::write(&self.output, bytes)?;
        if self.json {
            let mut report = json!({"output": self.output, "bytes": bytes.len()});
            for (name, value) in facts {
                report[name] = json!(value);
            }
            println!("{report}");
        } else {
            let facts: String = facts.iter().map(|(name, value)| format!(", {value} {name}")).collect();
            println!("{}: {} bytes{facts}", self.output.display(), bytes.len());
        }
        Ok(())
    }
}

pub fn bit_width(text: &str) -> Result<BitWidth, String> {
    text.parse()
        .ok()
        .and_then(|bits| BitWidth::new(bits).ok())
        .ok_or_else(|| "choose 2 to 8, or 32".to_owned())
}

/// Bits of weights and activations: 4 is short for 4/4.
pub fn bit_pair(text: &str) -> Result<[BitWidth; 2], String> {
    let (weights, activations) = text.split_once('/').unwrap_or((text, text));
    Ok([bit_width(weights)?, bit_width(activations)?])
}
