//! `dfsq-opt`: exactly chosen points for activations and weights, and weights rounded with compensation, layer by layer.
//!
//! The calibration images go through the network twice, side by side. The first time, in full precision, every quantized
//! layer's outputs are noted. The second time each layer meets the inputs that the network quantized
//! so far gives it: its activation points are chosen on these, and its weights rounded so that the noted outputs come
//! out as well as they can ([`compensate`](super::compensate)). Then the images go on to the next layer. Where the outputs of
//! all layers would take too much memory, this is done for a stretch of layers at a time, each time from the image on.
//!
//! Each part can be left out: see [`Recipe`] and the selection in [`PointSettings`].

use super::compensate::{Compensation, MAX_INPUTS, Problem};
use super::file::{OptimizedLayer, Variant};
use super::gram::GramMatrices;
use crate::network::padded::PaddedImage;
use crate::network::{Layer, Network, Planes, Visit, Visitor, full_convolution};
use crate::parallel::{self, Progress};
use crate::quant::channel_bits::allocate;
use crate::quant::kernels::CodedKernels;
use crate::quant::{
    ActivationQuantizer, BitWidth, ChannelBits, Histogram, NonFiniteChannel, NormalizationMode, Normalizer,
    PointSets, PointSettings, Recipe, Rounding, SubsetQuantizer,
};
use crate::{Error, Result};
use ndarray::ArrayView2;
use std::ops::{ControlFlow, Range};

/// Takes images of one size through a network, side by side, as far as its last quantized layer.
fn walk(network: &Network, images: &[Planes], visit: &mut Visitor<'_>) -> Result<()> {
    let Some(first) = images.first() else { return Ok(()) };
    network.batch_plan(images.len(), [first.height, first.width])?.walk(images, visit)
}

/// What the full-precision network computes for some images, in a stretch of its quantized layers.
pub struct Targets {
    /// How many quantized layers come before the stretch, in the order of computation.
    from: usize,
    /// By layer of the stretch, then image: the outputs without the bias, at all positions where the kernel touches the image.
    /// None where a layer is of another kind.
    layers: Vec<Vec<PaddedImage>>,
}

impl Targets {
    /// Runs the images, all of one size, in full precision, and notes what the quantized layers from the `from`th on give,
    /// until that takes so many bytes; one at least.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; what goes wrong in the network.
    pub fn note(
        network: &Network,
        images: &[Planes],
        from: usize,
        limit: usize,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let left = (Layer::quantized(network.layers()).count() - from) as f32;
        let (mut past, mut bytes, mut layers) = (0, 0, Vec::new());
        walk(network, images, &mut |Visit { layer, size, values }| {
            progress.step(layers.len() as f32 / left)?;
            past += 1;
            if past > from {
                let outputs = outputs(network, layer, size, values);
                bytes += outputs.iter().map(|image| size_of_val(&image.values[..])).sum::<usize>();
                layers.push(outputs);
            }
            let goes_on = layers.is_empty() || bytes < limit;
            Ok(if goes_on { ControlFlow::Continue(None) } else { ControlFlow::Break(()) })
        })?;
        Ok(Targets { from, layers })
    }

    /// Which of the quantized layers they are of, in the order of computation.
    pub fn stretch(&self) -> Range<usize> {
        self.from..self.from + self.layers.len()
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.layers.iter().flatten().map(|image| size_of_val(&image.values[..])).sum()
    }

    /// Optimizes the quantized layers of the stretch, in the order of the network. Those before it must be optimized in
    /// `variant`, on the same images.
    ///
    /// # Errors
    /// As [`Targets::note`], and [`Error::NonFinite`].
    pub fn optimize(
        &self,
        network: &Network,
        images: &[Planes],
        settings: PointSettings,
        recipe: Recipe,
        mut variant: Variant,
        progress: &dyn Progress,
    ) -> Result<Variant> {
        if settings.normalization == NormalizationMode::None {
            return Err(Error::Option("dfsq-opt normalizes each sample; it has no variant without".into()));
        }
        let mut past = 0;
        walk(network, images, &mut |Visit { layer, size, values }| {
            let of_stretch = usize::checked_sub(past, self.from);
            progress.step(of_stretch.unwrap_or(0) as f32 / self.layers.len() as f32)?;
            past += 1;
            let (bits, optimized) = (variant.bits[layer], &mut variant.layers[layer]);
            let outputs = match of_stretch.map(|at| self.layers.get(at)) {
                Some(None) => return Ok(ControlFlow::Break(())),
                _ if bits == [BitWidth::FULL; 2] => return Ok(ControlFlow::Continue(None)),
                Some(Some(outputs)) => outputs,
                None => &Vec::new(),
            };
            let target = Target { network, layer, size, outputs };
            let result = match optimized.take() {
                Some(known) => {
                    target.quantize(values, &known.points, settings)?;
                    known
                }
                None => target.optimize(values, settings, bits, recipe)?,
            };
            let make = |kernels: &CodedKernels| {
                network.make_weights(layer, kernels.weights(), result.bias_change.clone())
            };
            let weights = result.kernels.as_ref().map(make).transpose()?;
            *optimized = Some(result);
            Ok(ControlFlow::Continue(weights))
        })?;
        Ok(variant)
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
        Ok(ControlFlow::Continue(None))
    })?;
    Ok(layers)
}

/// What a layer gives for these inputs, `[images, channels, pixels]`, by image; nothing where it is of another kind.
fn outputs(network: &Network, layer: usize, size: [usize; 2], values: &[f32]) -> Vec<PaddedImage> {
    let shape = &network.layers()[layer];
    if !shape.conv.is_dense() {
        return Vec::new();
    }
    full_convolution(&shape.conv, network.kernels(layer), size, values)
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
            let images: Vec<&[f32]> = values.chunks_exact(shape.conv.inputs() * size[0] * size[1]).collect();
            let division = (recipe.channel_bits, activation_bits, squares(network.kernels(layer), shape));
            let non_finite = |NonFiniteChannel(channel)| network.non_finite(layer, channel);
            result.points = choose_points(&images, shape, division, &settings, &non_finite)?;
            self.quantize(values, &result.points, settings)?;
        }
        if weight_bits == BitWidth::FULL {
            return Ok(result);
        }
        let problem = self.problem(values, recipe)?;
        let rounded = self.round(problem.as_ref(), settings, weight_bits, recipe)?;
        Ok(OptimizedLayer { points: result.points, ..rounded })
    }

    /// Quantizes inputs, `[images, channels, pixels]`, with points that were chosen for them.
    fn quantize(&self, values: &mut [f32], points: &PointSets, settings: PointSettings) -> Result<()> {
        let Target { network, layer, size, .. } = *self;
        let shape = &network.layers()[layer];
        let normalizer = normalizer(shape, &settings);
        let Some(quantizer) = SubsetQuantizer::new(points.points(), normalizer, BitWidth::FULL) else {
            return Ok(());
        };
        let quantizer = ActivationQuantizer::Subset(quantizer);
        values
            .chunks_exact_mut(shape.conv.inputs() * size[0] * size[1])
            .try_for_each(|image| quantizer.apply(image, shape.conv.inputs()))
            .map_err(|NonFiniteChannel(channel)| network.non_finite(layer, channel))
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

fn normalizer(layer: &Layer, settings: &PointSettings) -> Normalizer {
    Normalizer::Sample { subtract_mean: settings.mean.subtracts(layer.after_relu) }
}

/// Chooses the points of each channel over all images, with bits divided by the squares of weights.
fn choose_points(
    images: &[&[f32]],
    layer: &Layer,
    (channel_bits, width, squares): (ChannelBits, BitWidth, Vec<f64>),
    settings: &PointSettings,
    non_finite: &(dyn Fn(NonFiniteChannel) -> Error + Sync),
) -> Result<PointSets> {
    let groups = settings.granularity.groups(layer.conv.inputs());
    let normalizer = normalizer(layer, settings);
    let (universal, choices) = (settings.universal(), channel_bits.choices(width));
    // Of a channel: its points for each number of bits, and the noise that they leave.
    let choose = |&group: &usize| {
        let mut histogram = Histogram::new(universal);
        let mut scale = 0.0;
        for image in images {
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
    PointSets::new(settings.word_sets, chosen)
}
