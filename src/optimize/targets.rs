//! `dfsq-opt`: exactly chosen points for activations and weights, and weights rounded with compensation, layer by layer.
//!
//! The calibration images go through the network twice, side by side. The first time, in full precision, every quantized
//! layer's outputs are noted. The second time each layer meets the inputs that the network quantized
//! so far gives it: its activation points are chosen on these, and its weights rounded so that the noted outputs come
//! out as well as they can ([`compensate`](crate::quant::compensate)). Then the images go on to the next layer.
//!
//! Each part can be left out: see [`Recipe`] and the selection in [`PointSettings`].

use super::compensate::{Compensation, MAX_INPUTS, Problem};
use super::file::{OptimizedLayer, Variant};
use super::gram::GramMatrices;
use crate::network::padded::PaddedImage;
use crate::network::{Layer, Network, Planes, Visit, Weights, full_convolution};
use crate::parallel::{self, Progress};
use crate::quant::channel_bits::allocate;
use crate::quant::kernels::CodedKernels;
use crate::quant::{
    ActivationQuantizer, BitWidth, ChannelBits, Histogram, NonFiniteChannel, NormalizationMode, Normalizer,
    PointSets, PointSettings, Recipe, Rounding, SubsetQuantizer,
};
use crate::{Error, Result};
use ndarray::ArrayView2;

/// Takes images of one size through a network, side by side, as far as its last quantized layer.
fn walk(
    network: &Network,
    images: &[Planes],
    visit: &mut dyn FnMut(Visit<'_>) -> Result<Option<Weights>>,
) -> Result<()> {
    let Some(first) = images.first() else { return Ok(()) };
    network.batch_plan(images.len(), [first.height, first.width])?.walk(images, visit)
}

/// What the full-precision network computes for some images.
pub struct Targets {
    images: Vec<Planes>,
    /// By layer, then image: the outputs without the bias, at all positions where the kernel touches the image. None where a
    /// layer is not quantized, or of another kind.
    layers: Vec<Vec<PaddedImage>>,
}

impl Targets {
    /// Runs the images, all of one size, in full precision.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Option`] for no images; what goes wrong in the network.
    pub fn note(network: &Network, images: Vec<Planes>, progress: &dyn Progress) -> Result<Self> {
        if images.is_empty() {
            return Err(Error::Option("no image to optimize on".into()));
        }
        let mut layers = vec![Vec::new(); network.layers().len()];
        let total = layers.len() as f32;
        walk(network, &images, &mut |Visit { layer, size, values }| {
            progress.step(layer as f32 / total)?;
            layers[layer] = outputs(network, layer, size, values);
            Ok(None)
        })?;
        Ok(Targets { images, layers })
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        let images: usize = self.images.iter().map(|image| image.values.len()).sum();
        let outputs: usize = self.layers.iter().flatten().map(|image| image.values.len()).sum();
        (images + outputs) * size_of::<f32>()
    }

    /// Optimizes every quantized layer, in the order of the network, for these bits of every layer of the network.
    ///
    /// # Errors
    /// As [`Targets::note`], and [`Error::NonFinite`].
    pub fn optimize(
        &self,
        network: &Network,
        settings: PointSettings,
        bits: &[[BitWidth; 2]],
        recipe: Recipe,
        progress: &dyn Progress,
    ) -> Result<Variant> {
        if settings.normalization == NormalizationMode::None {
            return Err(Error::Option("dfsq-opt normalizes each sample; it has no variant without".into()));
        }
        let mut layers: Vec<Option<OptimizedLayer>> = network.layers().iter().map(|_| None).collect();
        let total = network.layers().len() as f32;
        walk(network, &self.images, &mut |Visit { layer, size, values }| {
            progress.step(layer as f32 / total)?;
            if bits[layer] == [BitWidth::FULL; 2] {
                return Ok(None);
            }
            let target = Target { network, layer, size, outputs: &self.layers[layer] };
            let result = target.optimize(values, settings, bits[layer], recipe)?;
            let kernels = result.kernels.as_ref();
            let make = |kernels: &CodedKernels| {
                network.make_weights(layer, kernels.weights(), result.bias_change.clone())
            };
            let weights = kernels.map(make).transpose()?;
            layers[layer] = Some(result);
            Ok(weights)
        })?;
        Ok(Variant { bits: bits.to_vec(), layers })
    }
}

/// What every layer alone becomes with other bits, all others being in full precision: for each layer that is quantized and
/// each of `widths`, the layer with weights of this width, and the one with activations of it. Weights are fitted to the
/// activations; so where only activations are in question, weights are as good as they can be, with the widest of `widths`.
///
/// # Errors
/// As [`Targets::optimize`].
pub fn alone(
    network: &Network,
    images: &[Planes],
    settings: PointSettings,
    widths: &[BitWidth],
    recipe: Recipe,
    progress: &dyn Progress,
) -> Result<Vec<[Vec<OptimizedLayer>; 2]>> {
    let Some(widest) = widths.iter().max() else { return Ok(Vec::new()) };
    let total = network.layers().len() as f32;
    let mut layers: Vec<[Vec<OptimizedLayer>; 2]> =
        network.layers().iter().map(|_| Default::default()).collect();
    walk(network, images, &mut |Visit { layer, size, values }| {
        progress.step(layer as f32 / total)?;
        let outputs = outputs(network, layer, size, values);
        let target = Target { network, layer, size, outputs: &outputs };
        let problem = target.problem(values, recipe)?;
        let of_weights = parallel::try_map(widths, |width| match *width {
            BitWidth::FULL => Ok(OptimizedLayer::full_precision(settings)),
            width => target.round(problem.as_ref(), settings, width, recipe),
        })?;
        let of_activations = parallel::try_map(widths, |width| {
            target.optimize(&mut values.to_vec(), settings, [*widest, *width], recipe)
        })?;
        layers[layer] = [of_weights, of_activations];
        Ok(None)
    })?;
    Ok(layers)
}

/// What a layer gives for these inputs, `[images, channels, pixels]`, by image; nothing where it is of another kind.
fn outputs(network: &Network, layer: usize, size: [usize; 2], values: &[f32]) -> Vec<PaddedImage> {
    let shape = &network.layers()[layer];
    if !shape.conv.is_same() {
        return Vec::new();
    }
    let images: Vec<PaddedImage> = padded(values, shape, size).collect();
    full_convolution(&shape.conv, network.kernels(layer), &images)
}

/// A layer's inputs, `[images, channels, pixels]`, padded for its kernel.
fn padded(values: &[f32], layer: &Layer, size: [usize; 2]) -> impl Iterator<Item = PaddedImage> {
    let images = values.chunks_exact(layer.conv.inputs() * size[0] * size[1]);
    images.map(move |image| PaddedImage::of(image, layer.conv.inputs(), size, layer.conv.kernel()))
}

/// A layer, and the outputs that it should have.
struct Target<'t> {
    network: &'t Network,
    layer: usize,
    /// Rows and columns of its input.
    size: [usize; 2],
    /// By image; none of a layer of another kind.
    outputs: &'t [PaddedImage],
}

impl Target<'_> {
    /// Chooses points on these inputs, `[images, channels, pixels]`, which become quantized, and rounds weights so that the
    /// outputs come out as they should.
    fn optimize(
        &self,
        values: &mut [f32],
        settings: PointSettings,
        [weight_bits, activation_bits]: [BitWidth; 2],
        recipe: Recipe,
    ) -> Result<OptimizedLayer> {
        let Target { network, layer, size, .. } = *self;
        let shape = &network.layers()[layer];
        let mut result = OptimizedLayer::full_precision(settings);
        if activation_bits != BitWidth::FULL {
            let images = values.chunks_exact_mut(shape.conv.inputs() * size[0] * size[1]);
            let division = (recipe.channel_bits, activation_bits, squares(network.kernels(layer), shape));
            let non_finite = |NonFiniteChannel(channel)| network.non_finite(layer, channel);
            result.points = quantize(images, shape, division, &settings, &non_finite)?;
        }
        if weight_bits == BitWidth::FULL {
            return Ok(result);
        }
        let problem = self.problem(values, recipe)?;
        let rounded = self.round(problem.as_ref(), settings, weight_bits, recipe)?;
        Ok(OptimizedLayer { points: result.points, ..rounded })
    }

    /// What rounding goes by; none where it is not compensated, in a convolution of another kind, or with the same input
    /// everywhere.
    fn problem(&self, values: &[f32], recipe: Recipe) -> Result<Option<Problem>> {
        let shape = &self.network.layers()[self.layer];
        if recipe.rounding != Rounding::Compensated || self.outputs.is_empty() {
            return Ok(None);
        }
        check_size(shape)?;
        let grams = grams(values, shape, self.size, self.outputs);
        Ok(Problem::new(matrix(self.network.kernels(self.layer), shape)?, &grams, recipe.damping.get()))
    }

    /// The layer with weights of this width, and no points.
    fn round(
        &self,
        problem: Option<&Problem>,
        settings: PointSettings,
        bits: BitWidth,
        recipe: Recipe,
    ) -> Result<OptimizedLayer> {
        let Target { network, layer, .. } = *self;
        let (shape, own) = (&network.layers()[layer], network.kernels(layer));
        let (Recipe { weights: grid, refits, .. }, word_sets) = (recipe, settings.word_sets);
        let refits = refits.get().into();
        let compensated =
            problem.and_then(|problem| problem.round(Compensation { grid, word_sets, bits, refits }));
        let (kernels, bias_change) = match compensated {
            Some(compensated) => (compensated.kernels, compensated.bias_change),
            // Where there is nothing to compensate by.
            None => {
                let nearest = CodedKernels::nearest(own, shape.conv.outputs(), grid, word_sets, bits);
                (nearest.map_err(|NonFiniteChannel(kernel)| network.non_finite(layer, kernel))?, Vec::new())
            }
        };
        Ok(OptimizedLayer { kernels: Some(kernels), bias_change, ..OptimizedLayer::full_precision(settings) })
    }
}

fn check_size(layer: &Layer) -> Result<()> {
    let inputs = layer.conv.weights() / layer.conv.outputs().max(1);
    if inputs <= MAX_INPUTS {
        return Ok(());
    }
    Err(Error::Option(format!(
        "the layer {} has {inputs} weights a kernel, more than the {MAX_INPUTS} that can be compensated: round to the \
         nearest value, or leave it in full precision",
        layer.name
    )))
}

/// A layer's kernels as `[outputs, weights of one]`.
fn matrix<'k>(kernels: &'k [f32], layer: &Layer) -> Result<ArrayView2<'k, f32>> {
    ArrayView2::from_shape((layer.conv.outputs(), kernels.len() / layer.conv.outputs()), kernels)
        .map_err(|e| Error::Network(e.to_string()))
}

/// Of a layer's inputs, `[images, channels, pixels]`, and targets.
fn grams(values: &[f32], layer: &Layer, size: [usize; 2], targets: &[PaddedImage]) -> GramMatrices {
    let mut grams = GramMatrices::new(layer.conv.kernel(), layer.conv.inputs(), layer.conv.outputs());
    padded(values, layer, size).zip(targets).for_each(|(image, target)| grams.add(&image, target));
    grams
}

/// Sums of the squares of the weights that each input meets.
fn squares(kernels: &[f32], layer: &Layer) -> Vec<f64> {
    let [rows, columns] = layer.conv.kernel();
    let [inputs, outputs] =
        [layer.conv.inputs(), layer.conv.outputs()].map(|channels| (channels / layer.conv.groups()).max(1));
    let mut squares = vec![0.0; layer.conv.inputs()];
    for (output, kernel) in kernels.chunks_exact(inputs * rows * columns).enumerate() {
        let squares = &mut squares[output / outputs * inputs..][..inputs];
        for (square, weights) in squares.iter_mut().zip(kernel.chunks_exact(rows * columns)) {
            *square += weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>();
        }
    }
    squares
}

/// Chooses the points of each channel over all images, with bits divided by the squares of weights, and quantizes these with
/// them.
fn quantize<'v>(
    images: impl Iterator<Item = &'v mut [f32]>,
    layer: &Layer,
    (channel_bits, width, squares): (ChannelBits, BitWidth, Vec<f64>),
    settings: &PointSettings,
    non_finite: &(dyn Fn(NonFiniteChannel) -> Error + Sync),
) -> Result<PointSets> {
    let mut images: Vec<_> = images.collect();
    let groups = settings.granularity.groups(layer.conv.inputs());
    let normalizer = Normalizer::Sample { subtract_mean: settings.mean.subtracts(layer.after_relu) };
    let (universal, choices) = (settings.universal(), channel_bits.choices(width));
    // Of a channel: its points for each number of bits, and the noise that they leave.
    let choose = |&group: &usize| {
        let mut histogram = Histogram::new(universal);
        let mut scale = 0.0;
        for image in &images {
            let size = image.len() / groups;
            let values = &image[group * size..][..size];
            let norm = normalizer.measure(values).ok_or_else(|| non_finite(NonFiniteChannel(group)))?;
            histogram.add(values.iter().map(|x| norm.normalize(*x)))?;
            scale += f64::from(norm.range).powi(2) * squares[group];
        }
        let data = histogram.cumulative();
        let select = |bits: u8| settings.select(&data, 1 << bits, group as u64);
        let sets = choices.clone().map(select).collect::<Result<Vec<_>>>()?;
        let noise = sets.iter().map(|set| scale * data.squared_error(&universal.pick(set))).collect();
        Ok::<_, Error>((sets, noise))
    };
    let chosen = parallel::try_map(&(0..groups).collect::<Vec<_>>(), choose)?;
    let (points, noise): (Vec<_>, Vec<_>) = chosen.into_iter().unzip();
    let chosen = allocate(&noise, usize::from(width.bits() - choices.start()));
    let chosen = points.into_iter().zip(chosen).map(|(mut sets, at)| sets.swap_remove(at)).collect();
    let chosen = PointSets::new(settings.word_sets, chosen)?;
    let Some(quantizer) = SubsetQuantizer::new(chosen.points(), normalizer, BitWidth::FULL) else {
        return Ok(chosen);
    };
    let quantizer = ActivationQuantizer::Subset(quantizer);
    images
        .iter_mut()
        .try_for_each(|image| quantizer.apply(image, layer.conv.inputs()))
        .map_err(non_finite)?;
    Ok(chosen)
}
