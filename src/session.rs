//! The façade that page and command line share: a network with its calibration, ready to upscale pictures.

use crate::analysis::{Analyzer, SampleAnalysis};
use crate::calibration::{Calibration, Collector, Settings};
use crate::image_io::{self, Picture};
use crate::network::{
    Convention, Layer, LayerQuantization, Network, Observer, Properties, QuantizationError, Rule, Tap,
};
use crate::optimize::{Effort, Optimized, OptimizedLayer, Targets};
use crate::quant::kernels::SubsetKernels;
use crate::quant::{
    ActivationQuantizer, BitWidth, NonFiniteChannel, Points, UniformGrid, UniversalSet, uniform,
};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A way to enlarge a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::ValueEnum))]
pub enum Method {
    /// Interpolation, no network.
    Bicubic,
    /// The network in full precision.
    Fp32,
    /// Uniform weights, one uniform grid a layer for activations.
    MinMax,
    /// Distribution-flexible subset quantization of activations, uniform weights (the paper).
    #[default]
    Dfsq,
    /// Exactly chosen subsets for activations and weights, weights rounded with compensation (ours).
    DfsqOpt,
}

impl Method {
    /// The id used in options, test ids and reports.
    pub fn id(self) -> &'static str {
        match self {
            Method::Bicubic => "bicubic",
            Method::Fp32 => "fp32",
            Method::MinMax => "min-max",
            Method::Dfsq => "dfsq",
            Method::DfsqOpt => "dfsq-opt",
        }
    }
}

/// Where min-max takes an activation's range from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::ValueEnum))]
pub enum MinMaxRange {
    /// From the very input that is quantized.
    #[default]
    Dynamic,
    /// From the calibration images.
    Static,
}

/// What the weights are rounded to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::ValueEnum))]
pub enum WeightGrid {
    /// A uniform grid for each kernel (the paper).
    #[default]
    Uniform,
    /// Exactly chosen points of the universal set for each kernel.
    Subset,
}

/// How a picture is upscaled. Missing fields take the defaults: DFSQ, 4 bits for weights and activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Options {
    /// The method.
    pub method: Method,
    /// Bits of each weight of the quantized layers.
    pub weight_bits: BitWidth,
    /// Bits of each input value of the quantized layers.
    pub activation_bits: BitWidth,
    /// For [`Method::MinMax`].
    pub min_max_range: MinMaxRange,
    /// For [`Method::Dfsq`] and [`Method::MinMax`], which round each weight to the nearest value.
    pub weights: WeightGrid,
}

impl Default for Options {
    fn default() -> Self {
        let Ok(four) = BitWidth::new(4) else { unreachable!("4 is a bit width") };
        Options {
            method: Method::default(),
            weight_bits: four,
            activation_bits: four,
            min_max_range: MinMaxRange::Dynamic,
            weights: WeightGrid::Uniform,
        }
    }
}

/// A network and what was learned about it.
pub struct Session {
    network: Network,
    hash: String,
    calibration: Option<Calibration>,
    optimized: Optimized,
}

/// The quantized network for one set of options; made by [`Session::prepare`], valid until the calibration changes.
pub struct Prepared {
    options: Options,
    layers: Vec<LayerQuantization>,
}

/// An enlarged picture.
#[derive(Debug)]
pub struct Upscaled {
    /// The picture, `scale` times the input's width and height.
    pub picture: Picture,
    /// What quantization did to each layer's input; all zero where it did nothing or the observer does not measure it.
    pub errors: Vec<QuantizationError>,
}

/// A report on a network, for people and programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInfo<'s> {
    /// The name in the file, if it gives one.
    pub name: Option<&'s str>,
    /// SHA-256 of the file.
    pub sha256: &'s str,
    /// What the network takes for an image.
    pub convention: &'s Convention,
    /// How the layers to quantize were chosen.
    pub rule: Rule,
    /// Every convolution.
    pub layers: &'s [Layer],
    /// Weights and biases.
    pub parameters: usize,
    /// Multiply-accumulates for one pixel of the input.
    pub macs_per_pixel: f64,
    /// The bit widths that DFSQ is calibrated for.
    pub calibrated_widths: Vec<BitWidth>,
    /// The bits of weights and activations that the network is optimized for.
    pub optimized_widths: Vec<[BitWidth; 2]>,
}

impl Session {
    /// Reads an ONNX network.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with it.
    pub fn load(network: &[u8]) -> Result<Self> {
        Self::load_with(network, Properties::new())
    }

    /// As [`Session::load`]; where the file is silent, `properties` are believed.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with it.
    pub fn load_with(network: &[u8], properties: Properties) -> Result<Self> {
        let hash = sha256(network);
        let optimized =
            Optimized { settings: Settings::default(), network: hash.clone(), layers: BTreeMap::new() };
        Ok(Session { network: Network::load_with(network, properties)?, hash, calibration: None, optimized })
    }

    /// Takes over a calibration file made for this network.
    ///
    /// # Errors
    /// [`Error::Calibration`] where it does not fit.
    pub fn load_calibration(&mut self, bytes: &[u8]) -> Result<()> {
        let calibration = Calibration::load(bytes)?;
        calibration.check(&self.network, &self.hash)?;
        self.calibration = Some(calibration);
        Ok(())
    }

    /// The calibration in use.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Facts about network and calibration.
    pub fn info(&self) -> NetworkInfo<'_> {
        NetworkInfo {
            name: self.network.name(),
            sha256: &self.hash,
            convention: self.network.convention(),
            rule: self.network.rule(),
            layers: self.network.layers(),
            parameters: self.network.parameters(),
            macs_per_pixel: self.network.macs_per_pixel(),
            optimized_widths: self.optimized.layers.keys().copied().collect(),
            calibrated_widths: self.calibration.as_ref().map(Calibration::widths).unwrap_or_default(),
        }
    }

    /// Quantizes the network as `options` say.
    ///
    /// # Errors
    /// [`Error::NotCalibrated`] where points or ranges are needed and missing; [`Error::NonFinite`] for bad weights.
    pub fn prepare(&self, options: Options) -> Result<Prepared> {
        match options.method {
            Method::Fp32 | Method::Bicubic => return Ok(Prepared { options, layers: Vec::new() }),
            Method::DfsqOpt => return self.prepare_optimized(options),
            Method::MinMax | Method::Dfsq => {}
        }
        let universal = self.universal_set()?;
        let layer = |index: usize| -> Result<LayerQuantization> {
            let layer = &self.network.layers()[index];
            if !layer.quantized {
                return Ok(LayerQuantization::default());
            }
            let own = self.network.kernels(index)?;
            let rounded = match (options.weight_bits.levels(), options.weights) {
                (None, _) => Ok(None),
                (Some(_), WeightGrid::Uniform) => {
                    let mut weights = own.to_vec();
                    uniform::quantize_kernels(&mut weights, layer.outputs, options.weight_bits)
                        .map(|()| Some(weights))
                }
                (Some(levels), WeightGrid::Subset) => {
                    SubsetKernels::nearest(own, layer.outputs, &universal, levels)
                        .map(|kernels| Some(kernels.weights(&universal)))
                }
            };
            let rounded =
                rounded.map_err(|NonFiniteChannel(kernel)| self.network.non_finite(index, kernel))?;
            let weights =
                rounded.map(|weights| self.network.make_weights(index, &weights, &[])).transpose()?;
            Ok(LayerQuantization {
                weights,
                activation: self.activation_quantizer(index, options, &universal)?,
            })
        };
        let layers = (0..self.network.layers().len()).map(layer).collect::<Result<_>>()?;
        Ok(Prepared { options, layers })
    }

    fn prepare_optimized(&self, options: Options) -> Result<Prepared> {
        let bits = [options.weight_bits, options.activation_bits];
        if bits == [BitWidth::FULL; 2] {
            return Ok(Prepared { options, layers: Vec::new() });
        }
        let optimized = self.optimized.layers.get(&bits).ok_or_else(|| {
            let [weights, activations] = bits.map(BitWidth::bits);
            Error::NotOptimized(format!("{weights} bits of weights and {activations} of activations"))
        })?;
        let universal = UniversalSet::new(self.optimized.settings.word_sets)?;
        let layer = |index: usize| -> Result<LayerQuantization> {
            let layer = &self.network.layers()[index];
            let Some(OptimizedLayer { points, kernels, bias_change }) = &optimized[index] else {
                return Ok(LayerQuantization::default());
            };
            let weights = kernels
                .as_ref()
                .map(|kernels| self.network.make_weights(index, &kernels.weights(&universal), bias_change));
            let subtract_mean = self.optimized.settings.mean.subtracts(layer.after_relu);
            let points: Vec<Points> = points
                .iter()
                .map(|set| Points::new(set.iter().map(|i| universal.values()[usize::from(*i)]).collect()))
                .collect();
            let activation =
                (!points.is_empty()).then_some(ActivationQuantizer::Subset { points, subtract_mean });
            let weights = weights.transpose()?;
            Ok(LayerQuantization { weights, activation })
        };
        let layers = (0..self.network.layers().len()).map(layer).collect::<Result<_>>()?;
        Ok(Prepared { options, layers })
    }

    /// Notes what the network computes for these pictures, all of one size, to optimize it on them.
    ///
    /// # Errors
    /// As [`Targets::note`].
    pub fn note_targets(
        &self,
        pictures: &[Picture],
        effort: Effort,
        seed: u64,
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Targets> {
        let convention = self.network.convention();
        let images = pictures.iter().map(|picture| image_io::to_planes(picture, convention)).collect();
        Targets::note(&self.network, images, effort, seed, progress)
    }

    /// Uses these layers for [`Method::DfsqOpt`] from now on.
    pub fn set_optimized(&mut self, optimized: Optimized) {
        self.optimized = optimized;
    }

    /// What [`Method::DfsqOpt`] uses.
    pub fn optimized(&self) -> &Optimized {
        &self.optimized
    }

    /// SHA-256 of the network's file, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Takes over a file of optimized layers made for this network.
    ///
    /// # Errors
    /// [`Error::Calibration`] where it does not fit.
    pub fn load_optimized(&mut self, bytes: &[u8]) -> Result<()> {
        self.optimized = Optimized::load(bytes, &self.network, &self.hash)?;
        Ok(())
    }

    fn activation_quantizer(
        &self,
        index: usize,
        options: Options,
        universal: &UniversalSet,
    ) -> Result<Option<ActivationQuantizer>> {
        let layer = &self.network.layers()[index];
        let width = options.activation_bits;
        if width == BitWidth::FULL {
            return Ok(None);
        }
        if (options.method, options.min_max_range) == (Method::MinMax, MinMaxRange::Dynamic) {
            return Ok(Some(ActivationQuantizer::DynamicMinMax(width)));
        }
        let calibration = self.calibration.as_ref().ok_or(Error::NotCalibrated(options.method.id()))?;
        let missing = || {
            Error::Calibration(format!("it has nothing for {} bits in layer {}", width.bits(), layer.name))
        };
        if options.method == Method::MinMax {
            let [low, high] = calibration.layers.get(&layer.name).ok_or_else(missing)?.range;
            return Ok(Some(ActivationQuantizer::StaticMinMax(UniformGrid::spanning(low, high, width))));
        }
        let points = calibration.points(&layer.name, width, universal).ok_or_else(missing)?;
        let subtract_mean = calibration.settings.mean.subtracts(layer.after_relu);
        Ok(Some(ActivationQuantizer::Subset { points, subtract_mean }))
    }

    /// Enlarges a picture.
    ///
    /// # Errors
    /// [`Error::ImageTooSmall`] below 8 x 8 pixels, [`Error::Cancelled`], and what goes wrong in the network.
    pub fn upscale(
        &self,
        picture: &Picture,
        prepared: &Prepared,
        observer: &mut dyn Observer,
    ) -> Result<Upscaled> {
        check_size(picture)?;
        let convention = self.network.convention();
        if prepared.options.method == Method::Bicubic {
            let errors = vec![QuantizationError::default(); self.network.layers().len()];
            return Ok(Upscaled { picture: image_io::upscale(picture, convention.scale), errors });
        }
        let plan = self.network.plan([picture.height, picture.width])?;
        let input = image_io::to_planes(picture, convention);
        let (output, errors) = self.network.run(&plan, input, &prepared.layers, observer)?;
        Ok(Upscaled { picture: image_io::from_planes(&output, picture, convention)?, errors })
    }

    /// Enlarges a picture in full precision and summarizes every quantized layer's input on the way.
    ///
    /// # Errors
    /// As [`Session::upscale`].
    pub fn analyze(
        &self,
        picture: &Picture,
        observer: &mut dyn Observer,
    ) -> Result<(Upscaled, SampleAnalysis)> {
        let prepared = self.prepare(Options { method: Method::Fp32, ..Options::default() })?;
        let mean = self.calibration.as_ref().map_or_else(Settings::default, |c| c.settings).mean;
        let mut both = Both(Analyzer::new(&self.network, mean), observer);
        let upscaled = self.upscale(picture, &prepared, &mut both)?;
        Ok((upscaled, both.0.finish()))
    }

    /// Runs a picture in full precision and gathers what calibration needs.
    ///
    /// # Errors
    /// As [`Session::upscale`].
    pub fn collect(
        &self,
        picture: &Picture,
        settings: Settings,
        observer: &mut dyn Observer,
    ) -> Result<Collector<'_>> {
        let prepared = self.prepare(Options { method: Method::Fp32, ..Options::default() })?;
        let mut both = Both(Collector::new(&self.network, settings)?, observer);
        self.upscale(picture, &prepared, &mut both)?;
        Ok(both.0)
    }

    /// Chooses points from what was gathered; the result can be saved, and taken over by [`Session::set_calibration`].
    ///
    /// # Errors
    /// [`Error::Cancelled`] when `progress` (which gets the share done) answers `false`.
    pub fn select(
        &self,
        collected: &Collector<'_>,
        widths: &[BitWidth],
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Calibration> {
        collected.finish(self.hash.clone(), widths, progress)
    }

    /// Uses this calibration from now on.
    pub fn set_calibration(&mut self, calibration: Calibration) {
        self.calibration = Some(calibration);
    }

    /// Bytes that the network would take in storage: weights, biases, and for each quantized layer two numbers a kernel
    /// (scale and zero point, or mean and range) and a bit for each universal value and channel that has points of its
    /// own (with `dfsq-opt` for each kernel too). 0 for interpolation.
    ///
    /// # Errors
    /// [`Error::Option`] where the calibration's universal set is none.
    pub fn model_bytes(&self, options: Options) -> Result<usize> {
        let quantizes = match options.method {
            Method::Bicubic => return Ok(0),
            Method::Fp32 => false,
            Method::MinMax | Method::Dfsq | Method::DfsqOpt => true,
        };
        let set_bytes = match options.method {
            Method::Dfsq => self.universal_set()?.values().len().div_ceil(8),
            Method::DfsqOpt => {
                UniversalSet::new(self.optimized.settings.word_sets)?.values().len().div_ceil(8)
            }
            _ => 0,
        };
        let point_bytes = if options.activation_bits == BitWidth::FULL { 0 } else { set_bytes };
        let subset_weights = options.method == Method::DfsqOpt || options.weights == WeightGrid::Subset;
        let kernel_bytes =
            8 + if subset_weights { self.universal_set()?.values().len().div_ceil(8) } else { 0 };
        let layer_bytes = |layer: &Layer| match (quantizes && layer.quantized, options.weight_bits) {
            (false, _) => 4 * layer.weights(),
            (true, BitWidth::FULL) => 4 * layer.weights() + point_bytes * layer.inputs,
            (true, width) => {
                let weights = (layer.weights() * usize::from(width.bits())).div_ceil(8);
                weights + kernel_bytes * layer.outputs + point_bytes * layer.inputs
            }
        };
        let layers = self.network.layers();
        let weights: usize = layers.iter().map(Layer::weights).sum();
        let rest = 4 * self.network.parameters().saturating_sub(weights);
        Ok(rest + layers.iter().map(layer_bytes).sum::<usize>())
    }

    fn universal_set(&self) -> Result<UniversalSet> {
        let sets = self.calibration.as_ref().map_or(UniversalSet::DEFAULT_SETS, |c| c.settings.word_sets);
        UniversalSet::new(sets)
    }
}

impl Prepared {
    /// What it was made for.
    pub fn options(&self) -> Options {
        self.options
    }
}

/// SHA-256 in hexadecimal, which is how files are told apart.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The pair of a benchmark: the picture cut to a multiple of the scale, and the low-resolution image made of it.
///
/// # Errors
/// [`Error::ImageTooSmall`] where less than 8 x 8 low-resolution pixels are left.
pub fn benchmark_pair(picture: &Picture, scale: usize) -> Result<(Picture, Picture)> {
    let reference = picture.crop(0, 0, picture.width / scale * scale, picture.height / scale * scale);
    if reference.width < 8 * scale || reference.height < 8 * scale {
        return Err(Error::ImageTooSmall(format!(
            "{} x {} pixels; {} x {} are needed to shrink it {scale} times",
            picture.width,
            picture.height,
            8 * scale,
            8 * scale
        )));
    }
    let low = image_io::downscale(&reference, scale);
    Ok((reference, low))
}

fn check_size(picture: &Picture) -> Result<()> {
    if picture.width < 8 || picture.height < 8 {
        return Err(Error::ImageTooSmall(format!(
            "{} x {} pixels; the network needs 8 x 8",
            picture.width, picture.height
        )));
    }
    Ok(())
}

/// Two observers at once: taps go to the first, progress to the second.
struct Both<'o, T>(T, &'o mut dyn Observer);

impl<T: Observer> Observer for Both<'_, T> {
    fn progress(&mut self, done: f32) -> bool {
        self.1.progress(done)
    }

    fn tap(&mut self, tap: Tap<'_>) -> Result<()> {
        self.0.tap(tap)
    }
}
