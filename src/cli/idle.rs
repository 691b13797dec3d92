//! Options that would do nothing are refused, in words: whoever gives one expects something of it.

use anyhow::{Result, bail};
use dfsq::quant::Rounding;
use dfsq::quant::kernels::WeightGrid;
use dfsq::quant::subset::Selection;
use dfsq::quant::{BitWidth, Granularity, NormalizationMode, PointSettings, PointSource, Recipe};
use dfsq::session::{Method, MinMaxRange, Options};

/// Names of options that were given.
pub struct Given(Vec<&'static str>);

impl Given {
    pub fn of(options: &[(&'static str, bool)]) -> Self {
        Given(options.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect())
    }

    pub fn with<const N: usize>(mut self, others: [Given; N]) -> Self {
        self.0.extend(others.into_iter().flat_map(|other| other.0));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses those that have no effect with what is done.
    pub fn check(&self, work: &Work<'_>) -> Result<()> {
        for option in &self.0 {
            if let Some(why) = work.why_idle(option) {
                bail!("--{option} has no effect {why}");
            }
        }
        Ok(())
    }

    /// Refuses these, for this reason.
    pub fn refuse(&self, options: &[&str], why: &str) -> Result<()> {
        match self.0.iter().find(|option| options.contains(option)) {
            Some(option) => bail!("--{option} has no effect {why}"),
            None => Ok(()),
        }
    }
}

/// What a command does with its options.
pub struct Work<'w> {
    /// Whatever is run with these; where one of them takes an option, it has an effect.
    pub runs: &'w [Options],
    pub settings: PointSettings,
    pub recipe: Recipe,
    /// Whether points or weights are chosen here, on crops of images.
    pub made_here: bool,
    /// Whether the recipe is DFSQ-opt's here, whatever is run.
    pub optimizes: bool,
}

impl Work<'_> {
    /// Why an option has no effect. None where it has one.
    fn why_idle(&self, option: &str) -> Option<String> {
        let reasons: Vec<Option<String>> =
            self.runs.iter().map(|run| self.why_idle_in(option, run)).collect();
        // One run that it counts in is enough.
        if reasons.iter().any(Option::is_none) { None } else { reasons.into_iter().flatten().last() }
    }

    fn why_idle_in(&self, option: &str, run: &Options) -> Option<String> {
        let Options { method, weight_bits, activation_bits, .. } = run;
        let uniform_bits = run.layer_bits.is_empty();
        let rounds_activations = !uniform_bits || *activation_bits != BitWidth::FULL;
        let rounds_weights = !uniform_bits || *weight_bits != BitWidth::FULL;
        let with_method = || Some(format!("with --method {method}"));
        let in_full = |what: &str| Some(format!("where {what} stay in full precision"));
        let optimizes = self.optimizes || *method == Method::DfsqOpt;
        let fixed = *method == Method::Dfsq && run.point_source != PointSource::Calibrated;
        let normalizes = matches!(method, Method::Dfsq | Method::DfsqOpt);
        let chooses_points = normalizes && !fixed;
        let ranges = *method == Method::MinMax && run.min_max_range == MinMaxRange::Static;
        if !method.quantizes() {
            return with_method();
        }
        let with_source = || Some(format!("with --point-source {}", run.point_source));
        let has_points = chooses_points && rounds_activations;
        let subset_weights = rounds_weights && (optimizes || run.weights == WeightGrid::Subset);
        match option {
            "weight-bits" | "activation-bits" | "layer-bits" | "mixed" => None,
            "point-source" if *method != Method::Dfsq => with_method(),
            "point-source" if !rounds_activations => in_full("activations"),
            "point-source" => None,
            "calibration" if fixed && !subset_weights => with_source(),
            "calibration" if !normalizes && !ranges => with_method(),
            "calibration" if !has_points && !subset_weights && !ranges => in_full("activations"),
            "calibration" => None,
            "min-max-range" | "range-estimator" | "range-granularity" if *method != Method::MinMax => {
                with_method()
            }
            "min-max-range" | "range-estimator" | "range-granularity" | "denormalization-bits"
                if !rounds_activations =>
            {
                in_full("activations")
            }
            "range-estimator" | "range-granularity" if ranges => {
                Some("with --min-max-range static, which is minimum and maximum of a layer".into())
            }
            "min-max-range" | "range-estimator" | "range-granularity" => None,
            "denormalization-bits" if !normalizes => with_method(),
            "denormalization-bits" if fixed && rounds_activations => None,
            "denormalization-bits" | "granularity" | "normalization" | "mean"
                if !has_points && chooses_points =>
            {
                in_full("activations")
            }
            "denormalization-bits" if self.settings.granularity == Granularity::Layer => {
                Some("with --granularity layer, whose one mean and range are exact".into())
            }
            "denormalization-bits" if self.settings.normalization == NormalizationMode::None => {
                Some("with --normalization none, whose range is a power of two".into())
            }
            "denormalization-bits" => None,
            "weights" if !rounds_weights => in_full("weights"),
            "weights" => None,
            "rounding" if !optimizes => {
                Some(format!("with --method {method}: weights are compensated by dfsq-opt"))
            }
            "damping" | "refits" | "channel-bits" if !optimizes => with_method(),
            "rounding" | "damping" | "refits" if !rounds_weights => in_full("weights"),
            "damping" | "refits" if self.recipe.rounding == Rounding::Nearest => {
                Some("with --rounding nearest".into())
            }
            "channel-bits" if !rounds_activations => in_full("activations"),
            "rounding" | "damping" | "refits" | "channel-bits" => None,
            "word-sets" | "selection" | "granularity" | "normalization" | "mean" | "preset" | "restarts"
                if fixed && !(option == "word-sets" && subset_weights) =>
            {
                with_source()
            }
            "word-sets" if !normalizes => with_method(),
            "word-sets" if !has_points && !subset_weights => in_full("activations"),
            "word-sets" => None,
            "crops" | "crop-size" | "low-resolution" | "seed" => {
                (!self.made_here).then(|| "unless --calibration is a folder of images".into())
            }
            "selection" | "granularity" | "normalization" | "mean" | "preset" | "restarts"
                if !chooses_points =>
            {
                with_method()
            }
            "selection" | "preset" | "restarts" if !has_points => in_full("activations"),
            "preset" | "restarts" if self.settings.selection != Selection::Kmeans => {
                Some(format!("with --selection {}", self.settings.selection))
            }
            _ => None,
        }
    }
}
