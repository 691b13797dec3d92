//! What quantization does to the network's output, layer by layer or as a whole, to assign bits to layers.

use super::{Method, MinMaxRange, Options, Prepared, Session};
use crate::Result;
use crate::bit_ops::{AverageBits, LayerSize, Rescaling};
use crate::image_io::Picture;
use crate::mixed_precision::LayerErrors;
use crate::network::{Layer, LayerQuantization, Plan, Planes, Prefix, Quantized};
use crate::optimize;
use crate::optimize::OptimizedLayer;
use crate::parallel::{self, Part, Progress};
use crate::quant::{BitWidth, PointSettings, PointSource, Recipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A picture and the network's output for it in full precision.
pub struct Reference {
    input: Planes,
    output: Planes,
}

impl Reference {
    /// Sum of the squared differences of another output's values.
    fn squared_difference(&self, other: &Planes) -> f64 {
        let pairs = self.output.values.iter().zip(&other.values);
        pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }
}

/// Most of the work that optimizing layers is, for [`Method::DfsqOpt`].
const OPTIMIZING: f32 = 0.6;

/// Most bytes of what is kept to go on from.
const MAX_PREFIX_BYTES: u64 = 512 << 20;

impl Session {
    /// Runs a picture in full precision, to compare with.
    ///
    /// # Errors
    /// As [`Session::upscale`].
    pub fn reference(&self, picture: &Picture) -> Result<Reference> {
        let (plan, input) = self.network.enter(picture)?;
        let output = plan.run(&input, &self.network.full_precision(), &mut (), &())?.planes;
        Ok(Reference { input, output })
    }

    /// Mean squared difference of the outputs from those in full precision, in units of the network's range squared.
    ///
    /// # Errors
    /// What goes wrong in the network.
    pub fn output_error(&self, references: &[Reference], prepared: &Prepared) -> Result<f64> {
        let square = |reference: &Reference| {
            Ok(reference.squared_difference(&self.rerun(reference, &prepared.quantized)?))
        };
        let squares = references.iter().map(square).collect::<Result<Vec<f64>>>()?;
        Ok(self.mean_error(references, &squares))
    }

    fn rerun(&self, Reference { input, .. }: &Reference, quantized: &Quantized) -> Result<Planes> {
        let plan = self.network.plan([input.height, input.width])?;
        Ok(plan.run(input, quantized, &mut (), &())?.planes)
    }

    /// In units of the network's range squared, of the sums of squares of each.
    fn mean_error(&self, references: &[Reference], squares: &[f64]) -> f64 {
        let range = f64::from(self.network.convention().output.span());
        let count: usize = references.iter().map(|reference| reference.output.values.len()).sum();
        squares.iter().sum::<f64>() / count.max(1) as f64 / (range * range)
    }

    /// How much there is of a layer, and how its sums are rescaled under these options.
    pub fn layer_size(&self, layer: usize, options: &Options) -> LayerSize {
        let shape = &self.network.layers()[layer];
        let macs = self.network.layer_macs(layer);
        let positions = macs / shape.conv.weights().max(1) as f64;
        let conv = &shape.conv;
        // Where a whole layer has a range, that is one for all channels.
        let ranges = match options.method {
            Method::Dfsq if options.point_source != PointSource::Calibrated => conv.inputs() / conv.groups(),
            Method::Dfsq | Method::DfsqOpt => {
                self.point_settings(options.method).granularity.groups(conv.inputs() / conv.groups())
            }
            Method::MinMax if options.min_max_range == MinMaxRange::Dynamic => {
                options.range_granularity.groups(conv.inputs() / conv.groups())
            }
            Method::MinMax | Method::Fp32 | Method::Bicubic => 1,
        };
        let summed = conv.kernel_size() / ranges.max(1);
        let rescaling = Rescaling {
            count: (conv.outputs() * ranges) as f64 * positions,
            carry_bits: summed.max(1).next_power_of_two().ilog2() as u8,
            range_bits: options.denormalization_bits.bits(),
        };
        LayerSize { weights: conv.weights(), activations: conv.inputs() as f64 * positions, macs, rescaling }
    }

    /// Average bits over the quantized layers, of those of every layer.
    pub fn average_bits(&self, bits: &[[BitWidth; 2]], options: &Options) -> AverageBits {
        let quantized = Layer::quantized(self.network.layers());
        AverageBits::of(quantized.map(|layer| (self.layer_size(layer, options), bits[layer])))
    }

    /// Measures what every quantized layer's weights alone, and its activations alone, do to the output at every width, on
    /// these pictures, several at a time where there are threads. On the native engine what comes before a layer runs only once,
    /// where there is room to keep it. For [`Method::DfsqOpt`] each layer is optimized on the pictures, all of one size, in
    /// this way; with activations alone its weights have the widest width, since they are fitted to what activations become.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled), and as [`Session::prepare`] and [`Session::optimize`].
    pub fn layer_errors(
        &self,
        pictures: &[Picture],
        options: &Options,
        way: (PointSettings, Recipe),
        widths: &[BitWidth],
        progress: &dyn Progress,
    ) -> Result<Vec<LayerErrors>> {
        let references = parallel::try_map(pictures, |picture| self.reference(picture))?;
        let layers = self.network.layers();
        let optimized = match options.method {
            Method::DfsqOpt => self.optimized_alone(&references, way, widths, progress)?,
            _ => Vec::new(),
        };
        let alone = |layer: usize, operand: usize, width: usize| match optimized.get(layer) {
            Some(layers) => self.prepare_optimized(layer, &layers[operand][width], options),
            None => self.prepare_alone(layer, operand, widths[width], options),
        };
        let start = if optimized.is_empty() { 0.0 } else { OPTIMIZING };
        let plans =
            references.iter().map(|Reference { input, .. }| self.network.plan([input.height, input.width]));
        let plans = plans.collect::<Result<Vec<_>>>()?;
        let mut prefixes = prefixes(&references, &plans)?;
        let of_layer: Vec<(usize, usize)> =
            (0..2).flat_map(|operand| (0..widths.len()).map(move |width| (operand, width))).collect();
        let cases: Vec<(usize, usize)> =
            (0..of_layer.len()).flat_map(|way| (0..references.len()).map(move |at| (way, at))).collect();
        let total = Layer::quantized(layers).count() * cases.len();
        let done = AtomicUsize::new(0);
        let mut found = Vec::new();
        for layer in Layer::quantized(layers) {
            prefixes.iter_mut().try_for_each(|prefix| prefix.advance(layer))?;
            let prepared = parallel::try_map(&of_layer, |&(operand, width)| alone(layer, operand, width))?;
            let squares = parallel::try_map(&cases, |&(way, at)| {
                let (reference, prepared) = (&references[at], &prepared[way]);
                let output = match prefixes.get(at) {
                    Some(prefix) => prefix.finish(prepared)?,
                    None => self.rerun(reference, prepared)?,
                };
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                let square = reference.squared_difference(&output);
                let share = start + (1.0 - start) * done as f32 / total as f32;
                progress.step(share).map(|()| square)
            })?;
            let mut errors =
                squares.chunks(references.len().max(1)).map(|squares| self.mean_error(&references, squares));
            let errors = [(); 2].map(|()| errors.by_ref().take(widths.len()).collect());
            found.push(LayerErrors { layer, size: self.layer_size(layer, options), errors });
        }
        Ok(found)
    }

    fn optimized_alone(
        &self,
        references: &[Reference],
        (settings, recipe): (PointSettings, Recipe),
        widths: &[BitWidth],
        progress: &dyn Progress,
    ) -> Result<Vec<[Vec<OptimizedLayer>; 2]>> {
        let images: Vec<Planes> = references.iter().map(|reference| reference.input.clone()).collect();
        let part = Part { whole: progress, start: 0.0, share: OPTIMIZING };
        optimize::alone(&self.network, &images, settings, widths, recipe, &part)
    }

    /// A network in full precision but for the weights (`operand` 0) or activations (1) of one layer.
    fn prepare_alone(
        &self,
        layer: usize,
        operand: usize,
        width: BitWidth,
        options: &Options,
    ) -> Result<Quantized> {
        let mut bits = [BitWidth::FULL; 2];
        bits[operand] = width;
        let name = self.network.layers()[layer].name.clone();
        let alone = Options {
            weight_bits: BitWidth::FULL,
            activation_bits: BitWidth::FULL,
            layer_bits: [(name, bits)].into(),
            ..options.clone()
        };
        Ok(self.prepare(&alone)?.quantized)
    }

    /// A network in full precision but for this layer.
    fn prepare_optimized(
        &self,
        layer: usize,
        optimized: &OptimizedLayer,
        options: &Options,
    ) -> Result<Quantized> {
        let mut layers = vec![LayerQuantization::default(); self.network.layers().len()];
        layers[layer] = self.optimized_layer(layer, optimized, options)?.quantization;
        self.network.quantized(layers)
    }
}

/// One for each picture, or none where they would take too much.
fn prefixes<'p>(references: &[Reference], plans: &'p [Arc<Plan>]) -> Result<Vec<Prefix<'p>>> {
    let bytes = plans.iter().fold(0u64, |sum, plan| sum.saturating_add(plan.bytes()));
    if bytes > MAX_PREFIX_BYTES {
        return Ok(Vec::new());
    }
    references.iter().zip(plans).map(|(reference, plan)| plan.begin(reference.input.clone())).collect()
}
