//! `dfsq-opt`: exactly chosen points for activations and weights, and weights rounded with compensation, layer by layer.
//!
//! The calibration images go through the network twice, side by side. The first time, in full precision, every quantized
//! layer's outputs are noted at random positions. The second time each layer meets the inputs that the network quantized
//! so far gives it: its activation points are chosen on these, and its weights rounded so that the noted outputs come
//! out as well as they can ([`compensate`](crate::quant::compensate)). Then the images go on to the next layer.

use crate::calibration::Settings;
use crate::network::{Layer, Network, Planes, Visit};
use crate::quant::compensate::{Compensation, Statistics, compensate};
use crate::quant::kernels::SubsetKernels;
use crate::quant::{
    ActivationQuantizer, BitWidth, Histogram, NonFiniteChannel, Normalization, Points, UniversalSet, subset,
};
use crate::{Error, Result};
use ndarray::{Array2, ArrayView2, Axis};

/// How a network is optimized.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Random positions of every image that statistics are made of.
    pub positions: usize,
    /// Added to the covariance's diagonal, as a share of its mean.
    pub damping: f32,
    /// Times that mean and range of every kernel are fitted to its rounded weights.
    pub refits: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Effort { positions: 600, damping: 0.01, refits: 2 }
    }
}

/// One layer, optimized for one pair of bit widths.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizedLayer {
    /// Points of each input channel, as indices into the universal set; none in full precision.
    pub points: Vec<Vec<u16>>,
    /// The kernels; none in full precision.
    pub kernels: Option<SubsetKernels>,
    /// What is added to the bias, for each kernel or nothing.
    pub bias_change: Vec<f32>,
}

/// What the full-precision network computes for some images, noted at random positions.
pub struct Targets {
    images: Vec<Planes>,
    /// By layer.
    layers: Vec<Option<LayerTargets>>,
}

struct LayerTargets {
    /// Image and position in it.
    positions: Vec<(usize, usize)>,
    /// `[positions, outputs]`, without the bias.
    outputs: Array2<f32>,
}

impl Targets {
    /// Runs the images, all of one size, in full precision. `progress` gets the share done and answers `false` to
    /// cancel.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Option`] for no images; what goes wrong in the network.
    pub fn note(
        network: &Network,
        images: Vec<Planes>,
        effort: Effort,
        seed: u64,
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Self> {
        if images.is_empty() {
            return Err(Error::Option("no image to optimize on".into()));
        }
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut layers: Vec<Option<LayerTargets>> = network.layers().iter().map(|_| None).collect();
        let total = network.layers().len() as f32;
        network.walk(&images, &mut |Visit { layer, size, values }| {
            if !progress(layer as f32 / total) {
                return Err(Error::Cancelled);
            }
            let shape = &network.layers()[layer];
            if !shape.same {
                return Ok(None);
            }
            let pixels = size[0] * size[1];
            let positions: Vec<(usize, usize)> = (0..images.len())
                .flat_map(|image| {
                    rng.choose_multiple(0..pixels, effort.positions).into_iter().map(move |p| (image, p))
                })
                .collect();
            let inputs = patches(values, shape, size, &positions);
            let kernels = network.kernels(layer)?;
            let kernels = ArrayView2::from_shape((shape.outputs, inputs.ncols()), kernels)
                .map_err(|e| Error::Network(e.to_string()))?;
            let outputs = inputs.dot(&kernels.t());
            layers[layer] = Some(LayerTargets { positions, outputs });
            Ok(None)
        })?;
        Ok(Targets { images, layers })
    }

    /// Optimizes every quantized layer, in the order of the network. `progress` as in [`Targets::note`].
    ///
    /// # Errors
    /// As [`Targets::note`], and [`Error::NonFinite`].
    pub fn optimize(
        &self,
        network: &Network,
        settings: Settings,
        [weight_bits, activation_bits]: [BitWidth; 2],
        effort: Effort,
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Vec<Option<OptimizedLayer>>> {
        let universal = UniversalSet::new(settings.word_sets)?;
        let mut optimized: Vec<Option<OptimizedLayer>> = network.layers().iter().map(|_| None).collect();
        let total = network.layers().len() as f32;
        network.walk(&self.images, &mut |Visit { layer, size, values }| {
            if !progress(layer as f32 / total) {
                return Err(Error::Cancelled);
            }
            let shape = &network.layers()[layer];
            let non_finite = |channel: usize| network.non_finite(layer, channel);
            let mut result = OptimizedLayer { points: Vec::new(), kernels: None, bias_change: Vec::new() };
            if let Some(levels) = activation_bits.levels() {
                let subtract_mean = settings.mean.subtracts(shape.after_relu);
                result.points = choose_points(values, shape.inputs, size, levels, subtract_mean, &universal)
                    .map_err(|NonFiniteChannel(channel)| non_finite(channel))?;
                quantize(values, shape.inputs, size, &result.points, subtract_mean, &universal)
                    .map_err(|NonFiniteChannel(channel)| non_finite(channel))?;
            }
            let Some(levels) = weight_bits.levels() else {
                optimized[layer] = Some(result);
                return Ok(None);
            };
            let own = network.kernels(layer)?;
            let compensated = self.layers[layer].as_ref().and_then(|targets| {
                let weights = ArrayView2::from_shape((shape.outputs, own.len() / shape.outputs), own).ok()?;
                let statistics = targets.statistics(values, shape, size);
                let options = Compensation { levels, damping: effort.damping, refits: effort.refits };
                compensate(weights, &statistics, &universal, options)
            });
            let kernels = match compensated {
                Some(compensated) => {
                    result.bias_change = compensated.bias_change;
                    compensated.kernels
                }
                // A convolution of another kind, or one that gets the same input everywhere.
                None => SubsetKernels::nearest(own, shape.outputs, &universal, levels)
                    .map_err(|NonFiniteChannel(kernel)| non_finite(kernel))?,
            };
            let weights = network.make_weights(layer, &kernels.weights(&universal), &result.bias_change)?;
            result.kernels = Some(kernels);
            optimized[layer] = Some(result);
            Ok(Some(weights))
        })?;
        Ok(optimized)
    }
}

impl LayerTargets {
    /// Sums over all positions, image by image.
    fn statistics(&self, values: &[f32], layer: &Layer, size: [usize; 2]) -> Statistics {
        let pixels = size[0] * size[1];
        let area = layer.kernel[0] * layer.kernel[1];
        let mean = |channel: usize| {
            let planes = values.chunks_exact(pixels).skip(channel).step_by(layer.inputs);
            let (sum, count) = planes.fold((0.0f64, 0), |(sum, count), plane| {
                (sum + plane.iter().map(|v| f64::from(*v)).sum::<f64>(), count + plane.len())
            });
            (sum / count.max(1) as f64) as f32
        };
        let means: Vec<f32> = (0..layer.inputs).map(mean).collect();
        let input_shift = (0..layer.inputs * area).map(|i| means[i / area]).collect();
        let output_shift = self.outputs.mean_axis(Axis(0)).unwrap_or_default();
        let mut statistics = Statistics::new(input_shift, output_shift);
        let mut start = 0;
        for positions in self.positions.chunk_by(|a, b| a.0 == b.0) {
            let end = start + positions.len();
            let outputs = self.outputs.slice(ndarray::s![start..end, ..]).to_owned();
            statistics.add(patches(values, layer, size, positions), outputs);
            start = end;
        }
        statistics
    }
}

/// The inputs that a convolution sees at these positions, `[positions, channels * kernel area]`, zero outside the image.
fn patches(
    values: &[f32],
    layer: &Layer,
    [height, width]: [usize; 2],
    positions: &[(usize, usize)],
) -> Array2<f32> {
    let [rows, columns] = layer.kernel;
    let area = rows * columns;
    let mut result = Array2::zeros((positions.len(), layer.inputs * area));
    for ((image, position), mut patch) in positions.iter().zip(result.outer_iter_mut()) {
        let (y, x) = (position / width, position % width);
        for channel in 0..layer.inputs {
            let plane = &values[(image * layer.inputs + channel) * height * width..][..height * width];
            for row in 0..rows {
                let Some(at) = (y + row).checked_sub(rows / 2).filter(|at| *at < height) else { continue };
                for column in 0..columns {
                    let Some(from) = (x + column).checked_sub(columns / 2).filter(|from| *from < width)
                    else {
                        continue;
                    };
                    patch[channel * area + row * columns + column] = plane[at * width + from];
                }
            }
        }
    }
    result
}

/// The best points of each channel over all images, `values` being `[images, channels, pixels]`.
fn choose_points(
    values: &[f32],
    channels: usize,
    size: [usize; 2],
    levels: usize,
    subtract_mean: bool,
    universal: &UniversalSet,
) -> Result<Vec<Vec<u16>>, NonFiniteChannel> {
    let mut result = Vec::with_capacity(channels);
    for channel in 0..channels {
        let mut histogram = Histogram::new(universal);
        for plane in values.chunks_exact(size[0] * size[1]).skip(channel).step_by(channels) {
            let norm = Normalization::measure(plane, subtract_mean).ok_or(NonFiniteChannel(channel))?;
            histogram.add(plane.iter().map(|x| norm.normalize(*x)));
        }
        result.push(subset::exact(&histogram.cumulative(), universal, levels));
    }
    Ok(result)
}

fn quantize(
    values: &mut [f32],
    channels: usize,
    size: [usize; 2],
    points: &[Vec<u16>],
    subtract_mean: bool,
    universal: &UniversalSet,
) -> Result<(), NonFiniteChannel> {
    let points = points
        .iter()
        .map(|indices| Points::new(indices.iter().map(|i| universal.values()[usize::from(*i)]).collect()))
        .collect();
    let quantizer = ActivationQuantizer::Subset { points, subtract_mean };
    values
        .chunks_exact_mut(channels * size[0] * size[1])
        .try_for_each(|image| quantizer.apply(image, channels))
}
