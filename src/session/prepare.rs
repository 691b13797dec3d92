//! From options to what a run puts in place of each layer's input and weights.

use super::costs::Terms;
use super::{Method, MinMaxRange, Options, Session, WeightGrid};
use crate::choice::Choice;
use crate::network::{LayerQuantization, Quantized};
use crate::optimize::OptimizedLayer;
use crate::quant::kernels::CodedKernels;
use crate::quant::{
    ActivationQuantizer, BitWidth, EstimatedRange, Granularity, MeanMode, NonFiniteChannel, Normalizer,
    PointSettings, QuantizationError, RangeEstimator, SubsetQuantizer, UniformGrid, uniform,
};
use crate::{Error, Result};

/// What is said of static ranges that cannot be had.
const STATIC: &str = "calibrated ranges are minimum and maximum of a whole layer: take ranges of each image";

/// The quantized network for one set of options; made by [`Session::prepare`], valid until the calibration changes.
pub struct Prepared {
    pub(super) options: Options,
    pub(super) quantized: Quantized,
    /// By layer, the terms of an input value and of a weight, where one of them is from the universal set.
    pub(super) terms: Vec<Option<[Terms; 2]>>,
    /// By layer, what quantization did to the weights.
    pub(super) weight_errors: Vec<QuantizationError>,
}

/// One layer of it.
#[derive(Default)]
pub(super) struct PreparedLayer {
    pub quantization: LayerQuantization,
    terms: Option<[Terms; 2]>,
    weight_error: QuantizationError,
}

impl Prepared {
    /// What it was made for.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What a run puts into the network's layers.
    pub fn quantized(&self) -> &Quantized {
        &self.quantized
    }

    /// By layer of the network, what quantization does to the weights; empty in full precision.
    pub fn weight_errors(&self) -> &[QuantizationError] {
        &self.weight_errors
    }
}

impl Session {
    /// Quantizes the network as `options` say.
    ///
    /// # Errors
    /// [`Error::NotCalibrated`] where points or ranges are needed and missing; [`Error::NotOptimized`];
    /// [`Error::NonFinite`] for bad weights; [`Error::Option`] for bits of layers that are not quantized.
    pub fn prepare(&self, options: &Options) -> Result<Prepared> {
        let bits = options.bits(self.network.layers())?;
        let mut prepared = Prepared {
            options: options.clone(),
            quantized: self.network.full_precision(),
            terms: Vec::new(),
            weight_errors: Vec::new(),
        };
        let mut layers = Vec::new();
        if bits.iter().all(|bits| *bits == [BitWidth::FULL; 2]) {
            return Ok(prepared);
        }
        let optimized = match options.method {
            Method::DfsqOpt => Some(self.optimized.find(&bits).ok_or_else(|| not_optimized(options))?),
            _ => None,
        };
        for (index, bits) in bits.into_iter().enumerate() {
            let layer = match optimized.map(|layers| &layers[index]) {
                _ if bits == [BitWidth::FULL; 2] => PreparedLayer::default(),
                Some(None) => PreparedLayer::default(),
                Some(Some(layer)) => self.optimized_layer(index, layer, options)?,
                None => self.calibrated_layer(index, bits, options)?,
            };
            layers.push(layer.quantization);
            prepared.terms.push(layer.terms);
            prepared.weight_errors.push(layer.weight_error);
        }
        prepared.quantized = self.network.quantized(layers)?;
        Ok(prepared)
    }

    /// How a method's points are chosen.
    pub fn point_settings(&self, method: Method) -> PointSettings {
        match (method, &self.calibration) {
            (Method::DfsqOpt, _) => self.optimized.settings,
            (_, Some(calibration)) => calibration.settings,
            (_, None) => PointSettings::default(),
        }
    }

    fn calibrated_layer(
        &self,
        index: usize,
        [weight_bits, activation_bits]: [BitWidth; 2],
        options: &Options,
    ) -> Result<PreparedLayer> {
        let (weights, weight_terms) = self.rounded_weights(index, weight_bits, options)?;
        let weight_error = self.weight_error(index, weights.as_deref());
        let weights = weights.map(|weights| self.network.make_weights(index, weights, vec![])).transpose()?;
        if activation_bits == BitWidth::FULL {
            let quantization = LayerQuantization { weights, activation: None };
            return Ok(PreparedLayer { quantization, terms: None, weight_error });
        }
        let (activation, terms) = self.activation_quantizer(index, activation_bits, options)?;
        let terms = (terms.is_some() || weight_terms.is_some())
            .then(|| [terms, weight_terms].map(Option::unwrap_or_default));
        let quantization = LayerQuantization { weights, activation: Some(activation) };
        Ok(PreparedLayer { quantization, terms, weight_error })
    }

    /// What becomes of a layer's weights; nothing where they stay as they are.
    fn weight_error(&self, layer: usize, quantized: Option<&[f32]>) -> QuantizationError {
        let own = self.network.kernels(layer);
        let mut error = QuantizationError::default();
        error.add(own, quantized.unwrap_or(own));
        error
    }

    /// A layer's weights as a method without optimized layers rounds them; none in full precision.
    fn rounded_weights(
        &self,
        index: usize,
        bits: BitWidth,
        options: &Options,
    ) -> Result<(Option<Vec<f32>>, Option<Terms>)> {
        if bits == BitWidth::FULL {
            return Ok((None, None));
        }
        let outputs = self.network.layers()[index].conv.outputs();
        let non_finite = |NonFiniteChannel(kernel)| self.network.non_finite(index, kernel);
        let own = self.network.kernels(index);
        if options.weights == WeightGrid::Uniform {
            let mut weights = own.to_vec();
            uniform::quantize_kernels(&mut weights, outputs, bits).map_err(non_finite)?;
            return Ok((Some(weights), None));
        }
        let word_sets = self.point_settings(options.method).word_sets;
        let kernels =
            CodedKernels::nearest(own, outputs, WeightGrid::Subset, word_sets, bits).map_err(non_finite)?;
        Ok((Some(kernels.weights()), Some(Terms::of_kernels(&kernels))))
    }

    /// A layer's weights under these options; nothing where they stay as they are.
    ///
    /// # Errors
    /// As [`Session::prepare`].
    pub(crate) fn quantized_weights(&self, layer: usize, options: &Options) -> Result<Option<Vec<f32>>> {
        let bits = options.bits(self.network.layers())?;
        if options.method == Method::DfsqOpt && bits[layer] != [BitWidth::FULL; 2] {
            let layers = self.optimized.find(&bits).ok_or_else(|| not_optimized(options))?;
            let kernels = layers[layer].as_ref().and_then(|layer| layer.kernels.as_ref());
            return Ok(kernels.map(CodedKernels::weights));
        }
        Ok(self.rounded_weights(layer, bits[layer][0], options)?.0)
    }

    /// What quantizes a layer's input under these options; nothing where it stays in full precision.
    ///
    /// # Errors
    /// As [`Session::prepare`].
    pub(crate) fn quantizer(&self, layer: usize, options: &Options) -> Result<Option<ActivationQuantizer>> {
        let bits = options.bits(self.network.layers())?;
        let width = bits[layer][1];
        if width == BitWidth::FULL {
            return Ok(None);
        }
        if options.method == Method::DfsqOpt {
            let layers = self.optimized.find(&bits).ok_or_else(|| not_optimized(options))?;
            return Ok(layers[layer].as_ref().and_then(|own| self.optimized_quantizer(layer, own, options)));
        }
        Ok(Some(self.activation_quantizer(layer, width, options)?.0))
    }

    fn optimized_quantizer(
        &self,
        layer: usize,
        OptimizedLayer { points, .. }: &OptimizedLayer,
        options: &Options,
    ) -> Option<ActivationQuantizer> {
        let after_relu = self.network.layers()[layer].after_relu;
        let subtract_mean = self.optimized.settings.mean.subtracts(after_relu);
        let normalizer = Normalizer::Sample { subtract_mean };
        // There are no points where the layer's input stays in full precision.
        SubsetQuantizer::new(points.points(), normalizer, options.denormalization_bits)
            .map(ActivationQuantizer::Subset)
    }

    fn activation_quantizer(
        &self,
        index: usize,
        bits: BitWidth,
        options: &Options,
    ) -> Result<(ActivationQuantizer, Option<Terms>)> {
        if options.method == Method::MinMax {
            let found = (options.range_estimator, options.range_granularity);
            let plain = found == (RangeEstimator::MinMax, Granularity::Layer);
            match options.min_max_range {
                MinMaxRange::Dynamic if plain => return Ok((ActivationQuantizer::DynamicMinMax(bits), None)),
                MinMaxRange::Dynamic => {
                    let range = EstimatedRange::new(found.0, found.1, bits)?;
                    return Ok((ActivationQuantizer::Estimated(range), None));
                }
                MinMaxRange::Static if plain => {}
                MinMaxRange::Static => return Err(Error::Option(STATIC.into())),
            }
        }
        let layer = &self.network.layers()[index];
        if options.method == Method::Dfsq {
            let subtract_mean = MeanMode::Auto.subtracts(layer.after_relu);
            // What comes from a ReLU is not below 0.
            if let Some(points) = options.point_source.points(bits, subtract_mean)? {
                let points = vec![points; layer.conv.inputs()];
                let normalizer = Normalizer::Sample { subtract_mean };
                let quantizer = SubsetQuantizer::new(points, normalizer, options.denormalization_bits);
                let quantizer = quantizer.map(ActivationQuantizer::Subset);
                return Ok((quantizer.ok_or_else(|| Error::Option("there is no channel".into()))?, None));
            }
        }
        let calibration = self.calibration.as_ref().ok_or(Error::NotCalibrated(options.method.id()))?;
        let missing =
            || Error::Calibration(format!("it has nothing for {} bits in layer {}", bits.bits(), layer.name));
        let known = calibration.layers.get(&layer.name).ok_or_else(missing)?;
        if options.method == Method::MinMax {
            let [low, high] = known.range;
            let grid = UniformGrid::spanning(low, high, bits);
            return Ok((ActivationQuantizer::StaticMinMax(grid), None));
        }
        let chosen = known.points.get(&bits).ok_or_else(missing)?;
        let normalizer = calibration.settings.normalizer(layer.after_relu, known.range);
        let quantizer = SubsetQuantizer::new(chosen.points(), normalizer, options.denormalization_bits);
        let quantizer = quantizer.map(ActivationQuantizer::Subset).ok_or_else(missing)?;
        Ok((quantizer, Some(Terms::of_points(chosen))))
    }

    pub(super) fn optimized_layer(
        &self,
        index: usize,
        layer: &OptimizedLayer,
        options: &Options,
    ) -> Result<PreparedLayer> {
        let OptimizedLayer { points, kernels, bias_change } = layer;
        let weights = kernels.as_ref().map(CodedKernels::weights);
        let weight_error = self.weight_error(index, weights.as_deref());
        let make = |weights: Vec<f32>| self.network.make_weights(index, weights, bias_change.clone());
        let weights = weights.map(make).transpose()?;
        let activation = self.optimized_quantizer(index, layer, options);
        let weight_terms = kernels.as_ref().map(Terms::of_kernels);
        let terms = activation.as_ref().map(|_| [Terms::of_points(points), weight_terms.unwrap_or_default()]);
        Ok(PreparedLayer { quantization: LayerQuantization { weights, activation }, terms, weight_error })
    }
}

fn not_optimized(options: &Options) -> Error {
    let [weights, activations] = [options.weight_bits, options.activation_bits].map(BitWidth::bits);
    let layers = if options.layer_bits.is_empty() { "" } else { " with these bits of single layers" };
    Error::NotOptimized(format!("{weights} bits of weights and {activations} of activations{layers}"))
}
