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
use crate::tensor_file::TensorFile;
use crate::{Error, Result};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// Optimized layers of one network, for some bit widths.
///
/// As a file ([`TensorFile`]) it holds for each layer `L`, bits `w` of weights and `a` of activations, with M the size of
/// the universal set: `L.w.a.points`, a subset of M for each input channel; `L.w.a.kernel-points`, one for each kernel;
/// `L.w.a.codes`, u8 `[kernels, weights of one]`; `L.w.a.scales`, f32 `[kernels, 2]`, mean and range; and
/// `L.w.a.bias-change`, f32 `[kernels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimized {
    /// How points are normalized and from which universal set they are.
    pub settings: Settings,
    /// SHA-256 of the network's file, in hexadecimal.
    pub network: String,
    /// By bits of weights and activations, the layers of the network; `None` where one is not quantized.
    pub layers: BTreeMap<[BitWidth; 2], Vec<Option<OptimizedLayer>>>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    settings: Settings,
    network: String,
    bits: Vec<[BitWidth; 2]>,
}

const FORMAT: &str = "dfsq-optimized-1";

impl Optimized {
    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Calibration`] where it cannot be written.
    pub fn save(&self, network: &Network) -> Result<Vec<u8>> {
        let values = UniversalSet::new(self.settings.word_sets)?.values().len();
        let mut file = TensorFile::default();
        for ([weights, activations], layers) in &self.layers {
            for (shape, layer) in network.layers().iter().zip(layers) {
                let Some(layer) = layer else { continue };
                let name =
                    |part: &str| format!("{}.{}.{}.{part}", shape.name, weights.bits(), activations.bits());
                file.put_subsets(name("points"), &layer.points, values);
                if let Some(SubsetKernels { means, ranges, points, codes }) = &layer.kernels {
                    file.put_subsets(name("kernel-points"), points, values);
                    file.put_u8(
                        name("codes"),
                        &[points.len(), codes.len() / points.len().max(1)],
                        codes.clone(),
                    );
                    let scales = means.iter().zip(ranges).flat_map(|(mean, range)| [*mean, *range]);
                    file.put_f32(name("scales"), &[points.len(), 2], scales);
                    file.put_f32(
                        name("bias-change"),
                        &[layer.bias_change.len()],
                        layer.bias_change.iter().copied(),
                    );
                }
            }
        }
        let bits = self.layers.keys().copied().collect();
        file.save(FORMAT, &Header { settings: self.settings, network: self.network.clone(), bits })
    }

    /// Reads a file that was made for this network, whose SHA-256 is `hash`.
    ///
    /// # Errors
    /// [`Error::Calibration`] says what is wrong with it.
    pub fn load(bytes: &[u8], network: &Network, hash: &str) -> Result<Self> {
        let (file, header): (_, Header) = TensorFile::load(FORMAT, bytes)?;
        if header.network != hash {
            return Err(Error::Calibration("it was made for another network".into()));
        }
        let values = UniversalSet::new(header.settings.word_sets)?.values().len();
        let mut layers = BTreeMap::new();
        for bits in header.bits {
            let read = |shape: &Layer| {
                shape.quantized.then(|| OptimizedLayer::read(&file, shape, bits, values)).transpose()
            };
            layers.insert(bits, network.layers().iter().map(read).collect::<Result<_>>()?);
        }
        Ok(Optimized { settings: header.settings, network: header.network, layers })
    }
}

impl OptimizedLayer {
    fn read(file: &TensorFile, shape: &Layer, bits: [BitWidth; 2], values: usize) -> Result<Self> {
        let name = |part: &str| format!("{}.{}.{}.{part}", shape.name, bits[0].bits(), bits[1].bits());
        let fit = |right: bool, part: &str| {
            if right {
                Ok(())
            } else {
                Err(Error::Calibration(format!("{} does not fit the network", name(part))))
            }
        };
        let subsets = |part: &str, rows: usize, width: BitWidth| {
            let subsets = file.subsets(&name(part), values)?;
            let levels = width.levels().unwrap_or(0);
            let right = subsets.len() == rows && subsets.iter().all(|s| (1..=levels).contains(&s.len()));
            fit(right || levels == 0, part).map(|()| subsets)
        };
        let points = subsets("points", shape.inputs, bits[1])?;
        if bits[0] == BitWidth::FULL {
            return Ok(OptimizedLayer { points, kernels: None, bias_change: Vec::new() });
        }
        let kernel_points = subsets("kernel-points", shape.outputs, bits[0])?;
        let codes = file.u8(&name("codes"))?.to_vec();
        let size = shape.weights() / shape.outputs;
        let known =
            |(codes, points): (&[u8], &Vec<u16>)| codes.iter().all(|c| usize::from(*c) < points.len());
        fit(
            codes.len() == shape.weights() && codes.chunks_exact(size).zip(&kernel_points).all(known),
            "codes",
        )?;
        let scales = file.f32(&name("scales"))?;
        fit(scales.len() == 2 * shape.outputs, "scales")?;
        let bias_change = file.f32(&name("bias-change"))?;
        fit(bias_change.is_empty() || bias_change.len() == shape.outputs, "bias-change")?;
        let (means, ranges) = scales.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
        let kernels = SubsetKernels { means, ranges, points: kernel_points, codes };
        Ok(OptimizedLayer { points, kernels: Some(kernels), bias_change })
    }
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
