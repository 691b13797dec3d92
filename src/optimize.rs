//! `dfsq-opt`: exactly chosen points for activations and weights, and weights rounded with compensation, layer by layer.
//!
//! The calibration images go through the network twice, side by side. The first time, in full precision, every quantized
//! layer's outputs are noted. The second time each layer meets the inputs that the network quantized
//! so far gives it: its activation points are chosen on these, and its weights rounded so that the noted outputs come
//! out as well as they can ([`compensate`](crate::quant::compensate)). Then the images go on to the next layer.
//!
//! Each part can be left out: see [`Recipe`] and the selection in [`Settings`].

use crate::calibration::Settings;
use crate::network::{Layer, Network, Planes, Visit};
use crate::quant::compensate::{Compensation, Rounding, compensate};
use crate::quant::kernels::{CodedKernels, WeightGrid};
use crate::quant::moments::{Moments, Window};
use crate::quant::subset::Selection;
use crate::quant::{
    ActivationQuantizer, BitWidth, Histogram, NonFiniteChannel, NormalizationMode, Normalizer, UniversalSet,
};
use crate::tensor_file::TensorFile;
use crate::{Error, Result};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// How a network is optimized.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Recipe {
    /// What the weights are rounded to.
    pub weights: WeightGrid,
    /// How they are.
    pub rounding: Rounding,
    /// Added to the covariance's diagonal, as a share of its mean.
    pub damping: f32,
    /// Times that mean and range of every kernel are fitted to its rounded weights.
    pub refits: usize,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe { weights: WeightGrid::Subset, rounding: Rounding::Compensated, damping: 0.01, refits: 2 }
    }
}

/// One layer, optimized for one pair of bit widths.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizedLayer {
    /// Points of each input channel (or of all), as indices into the universal set; none in full precision.
    pub points: Vec<Vec<u16>>,
    /// The kernels; none in full precision.
    pub kernels: Option<CodedKernels>,
    /// What is added to the bias, for each kernel or nothing.
    pub bias_change: Vec<f32>,
}

/// A network optimized for one choice of bits.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Bits of weights and activations of every layer of the network, 32 where it is not quantized.
    pub bits: Vec<[BitWidth; 2]>,
    /// The layers; `None` where one is in full precision.
    pub layers: Vec<Option<OptimizedLayer>>,
}

/// Optimized layers of one network, for some choices of bits.
///
/// As a file ([`TensorFile`]) it holds for layer `L` of the variant with index `v`, M being the size of the universal set:
/// `v.L.points`, a subset of M for each input channel; `v.L.kernel-points`, one for each kernel, empty on a uniform grid;
/// `v.L.codes`, u8 `[kernels, weights of one]`; `v.L.scales`, f32 `[kernels, 2]`, mean and range; and `v.L.bias-change`,
/// f32 `[kernels]` or empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimized {
    /// How activations are normalized, and from which universal set all points are.
    pub settings: Settings,
    /// How all variants were made.
    pub recipe: Recipe,
    /// SHA-256 of the network's file, in hexadecimal.
    pub network: String,
    /// At most one for each choice of bits.
    pub variants: Vec<Variant>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    settings: Settings,
    /// Not said by the first files: it is the default one.
    #[serde(default)]
    recipe: Recipe,
    network: String,
    variants: Vec<Vec<[BitWidth; 2]>>,
}

const FORMAT: &str = "dfsq-optimized-2";

impl Optimized {
    /// Nothing yet, for the network with this hash: points are to be chosen exactly.
    pub fn empty(network: String) -> Self {
        let settings = Settings { selection: Selection::Exact, ..Settings::default() };
        Optimized { settings, recipe: Recipe::default(), network, variants: Vec::new() }
    }

    /// The layers for these bits.
    pub fn find(&self, bits: &[[BitWidth; 2]]) -> Option<&[Option<OptimizedLayer>]> {
        self.variants.iter().find(|variant| variant.bits == bits).map(|variant| variant.layers.as_slice())
    }

    /// Adds a variant in the place of one for the same bits.
    pub fn insert(&mut self, variant: Variant) {
        self.variants.retain(|other| other.bits != variant.bits);
        self.variants.push(variant);
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Calibration`] where it cannot be written.
    pub fn save(&self, network: &Network) -> Result<Vec<u8>> {
        let values = UniversalSet::new(self.settings.word_sets)?.values().len();
        let mut file = TensorFile::default();
        for (index, Variant { layers, .. }) in self.variants.iter().enumerate() {
            for (shape, layer) in network.layers().iter().zip(layers) {
                let Some(layer) = layer else { continue };
                let name = |part: &str| format!("{index}.{}.{part}", shape.name);
                file.put_subsets(name("points"), &layer.points, values);
                let Some(CodedKernels { means, ranges, points, codes }) = &layer.kernels else { continue };
                file.put_subsets(name("kernel-points"), points, values);
                let size = codes.len() / points.len().max(1);
                file.put_u8(name("codes"), &[points.len(), size], codes.clone());
                let scales = means.iter().zip(ranges).flat_map(|(mean, range)| [*mean, *range]);
                file.put_f32(name("scales"), &[points.len(), 2], scales);
                let change = &layer.bias_change;
                file.put_f32(name("bias-change"), &[change.len()], change.iter().copied());
            }
        }
        let variants = self.variants.iter().map(|variant| variant.bits.clone()).collect();
        let (settings, recipe, network) = (self.settings, self.recipe, self.network.clone());
        file.save(FORMAT, &Header { settings, recipe, network, variants })
    }

    /// Reads a file that was made for this network, whose SHA-256 is `hash`.
    ///
    /// # Errors
    /// [`Error::Calibration`] says what is wrong with it.
    pub fn load(bytes: &[u8], network: &Network, hash: &str) -> Result<Self> {
        let (file, Header { settings, recipe, network: made_for, variants }) =
            TensorFile::load(FORMAT, bytes)?;
        if made_for != hash {
            return Err(Error::Calibration("it was made for another network".into()));
        }
        let layers = network.layers();
        let read = |(index, bits): (usize, Vec<[BitWidth; 2]>)| {
            if bits.len() != layers.len() {
                return Err(Error::Calibration("it was made for another number of layers".into()));
            }
            let layers = layers.iter().zip(&bits).map(|(shape, bits)| {
                let quantized = *bits != [BitWidth::FULL; 2];
                quantized.then(|| OptimizedLayer::read(&file, index, shape, *bits, &settings)).transpose()
            });
            Ok(Variant { layers: layers.collect::<Result<_>>()?, bits })
        };
        let variants = variants.into_iter().enumerate().map(read).collect::<Result<_>>()?;
        Ok(Optimized { settings, recipe, network: made_for, variants })
    }
}

impl OptimizedLayer {
    fn read(
        file: &TensorFile,
        variant: usize,
        shape: &Layer,
        [weight_bits, activation_bits]: [BitWidth; 2],
        settings: &Settings,
    ) -> Result<Self> {
        let values = UniversalSet::new(settings.word_sets)?.values().len();
        let name = |part: &str| format!("{variant}.{}.{part}", shape.name);
        let fit = |right: bool, part: &str| {
            let wrong = || Error::Calibration(format!("{} does not fit the network", name(part)));
            if right { Ok(()) } else { Err(wrong()) }
        };
        let points = file.subsets(&name("points"), values)?;
        if let Some(levels) = activation_bits.levels() {
            let right = points.len() == settings.granularity.groups(shape.inputs)
                && points.iter().all(|set| (1..=levels).contains(&set.len()));
            fit(right, "points")?;
        }
        let Some(levels) = weight_bits.levels() else {
            return Ok(OptimizedLayer { points, kernels: None, bias_change: Vec::new() });
        };
        let kernel_points = file.subsets(&name("kernel-points"), values)?;
        let few = kernel_points.iter().all(|set| set.len() <= levels);
        fit(kernel_points.len() == shape.outputs && few, "kernel-points")?;
        let codes = file.u8(&name("codes"))?.to_vec();
        let known = |(codes, points): (&[u8], &Vec<u16>)| {
            let most = if points.is_empty() { levels } else { points.len() };
            codes.iter().all(|code| usize::from(*code) < most)
        };
        let mut rows = codes.chunks_exact(shape.weights() / shape.outputs).zip(&kernel_points);
        fit(codes.len() == shape.weights() && rows.all(known), "codes")?;
        let scales = file.f32(&name("scales"))?;
        fit(scales.len() == 2 * shape.outputs, "scales")?;
        let bias_change = file.f32(&name("bias-change"))?;
        fit(bias_change.is_empty() || bias_change.len() == shape.outputs, "bias-change")?;
        let (means, ranges) = scales.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
        let kernels = CodedKernels { means, ranges, points: kernel_points, codes };
        Ok(OptimizedLayer { points, kernels: Some(kernels), bias_change })
    }
}

/// What the full-precision network computes for some images.
pub struct Targets {
    images: Vec<Planes>,
    /// By layer, then image: the outputs without the bias, at all positions ([`Window::outputs`]). None where a layer is
    /// not quantized, or of another kind.
    layers: Vec<Vec<Array2<f32>>>,
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
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Self> {
        if images.is_empty() {
            return Err(Error::Option("no image to optimize on".into()));
        }
        let mut layers = vec![Vec::new(); network.layers().len()];
        let total = layers.len() as f32;
        network.walk(&images, &mut |Visit { layer, size, values }| {
            if !progress(layer as f32 / total) {
                return Err(Error::Cancelled);
            }
            let shape = &network.layers()[layer];
            if shape.same {
                let window = Window { kernel: shape.kernel, size };
                let kernels = matrix(network.kernels(layer)?, shape)?;
                let images = values.chunks_exact(shape.inputs * size[0] * size[1]);
                let outputs = |image| window.outputs(kernels, &window.lay_out(image, shape.inputs));
                layers[layer] = images.map(outputs).collect();
            }
            Ok(None)
        })?;
        Ok(Targets { images, layers })
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        let images: usize = self.images.iter().map(|image| image.values.len()).sum();
        let outputs: usize = self.layers.iter().flatten().map(Array2::len).sum();
        (images + outputs) * size_of::<f32>()
    }

    /// Optimizes every quantized layer, in the order of the network, for these bits of every layer of the network.
    /// `progress` as in [`Targets::note`].
    ///
    /// # Errors
    /// As [`Targets::note`], and [`Error::NonFinite`].
    pub fn optimize(
        &self,
        network: &Network,
        settings: Settings,
        bits: &[[BitWidth; 2]],
        recipe: Recipe,
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Variant> {
        if settings.normalization == NormalizationMode::None {
            return Err(Error::Option("dfsq-opt normalizes each sample; it has no variant without".into()));
        }
        let universal = UniversalSet::new(settings.word_sets)?;
        let mut layers: Vec<Option<OptimizedLayer>> = network.layers().iter().map(|_| None).collect();
        let total = network.layers().len() as f32;
        network.walk(&self.images, &mut |Visit { layer, size, values }| {
            if !progress(layer as f32 / total) {
                return Err(Error::Cancelled);
            }
            let [weight_bits, activation_bits] = bits[layer];
            if bits[layer] == [BitWidth::FULL; 2] {
                return Ok(None);
            }
            let shape = &network.layers()[layer];
            let non_finite = |NonFiniteChannel(channel)| network.non_finite(layer, channel);
            let mut result = OptimizedLayer { points: Vec::new(), kernels: None, bias_change: Vec::new() };
            if let Some(levels) = activation_bits.levels() {
                let images = values.chunks_exact_mut(shape.inputs * size[0] * size[1]);
                result.points = quantize(images, shape, levels, &settings, &universal, &non_finite)?;
            }
            if weight_bits == BitWidth::FULL {
                layers[layer] = Some(result);
                return Ok(None);
            }
            let own = network.kernels(layer)?;
            let targets = &self.layers[layer];
            let compensated = if recipe.rounding == Rounding::Compensated && !targets.is_empty() {
                let moments = moments(values, shape, size, targets);
                let Recipe { weights: grid, damping, refits, .. } = recipe;
                let options = Compensation { grid, bits: weight_bits, damping, refits };
                compensate(matrix(own, shape)?, &moments, &universal, options)
            } else {
                None
            };
            let kernels = match compensated {
                Some(compensated) => {
                    result.bias_change = compensated.bias_change;
                    compensated.kernels
                }
                // Not wanted, a convolution of another kind, or one that gets the same input everywhere.
                None => CodedKernels::nearest(own, shape.outputs, recipe.weights, &universal, weight_bits)
                    .map_err(non_finite)?,
            };
            let weights = network.make_weights(layer, &kernels.weights(&universal), &result.bias_change)?;
            result.kernels = Some(kernels);
            layers[layer] = Some(result);
            Ok(Some(weights))
        })?;
        Ok(Variant { bits: bits.to_vec(), layers })
    }
}

/// A layer's kernels as `[outputs, weights of one]`.
fn matrix<'k>(kernels: &'k [f32], layer: &Layer) -> Result<ArrayView2<'k, f32>> {
    ArrayView2::from_shape((layer.outputs, kernels.len() / layer.outputs), kernels)
        .map_err(|e| Error::Network(e.to_string()))
}

/// Of a layer's inputs, `[images, channels, pixels]`, and targets.
fn moments(values: &[f32], layer: &Layer, size: [usize; 2], targets: &[Array2<f32>]) -> Moments {
    let window = Window { kernel: layer.kernel, size };
    let mut moments = Moments::new(window, layer.inputs, layer.outputs);
    for (image, target) in values.chunks_exact(layer.inputs * size[0] * size[1]).zip(targets) {
        moments.add(&window.lay_out(image, layer.inputs), target);
    }
    moments
}

/// Chooses the points of each channel over all images, and quantizes these with them.
fn quantize<'v>(
    images: impl Iterator<Item = &'v mut [f32]>,
    layer: &Layer,
    levels: usize,
    settings: &Settings,
    universal: &UniversalSet,
    non_finite: &dyn Fn(NonFiniteChannel) -> Error,
) -> Result<Vec<Vec<u16>>> {
    let mut images: Vec<_> = images.collect();
    let groups = settings.granularity.groups(layer.inputs);
    let normalizer = Normalizer::Sample { subtract_mean: settings.mean.subtracts(layer.after_relu) };
    let starts = (settings.preset, settings.k_means_starts());
    let mut chosen = Vec::with_capacity(groups);
    for group in 0..groups {
        let mut histogram = Histogram::new(universal);
        for image in &images {
            let size = image.len() / groups;
            let values = &image[group * size..][..size];
            let norm = normalizer.measure(values).ok_or_else(|| non_finite(NonFiniteChannel(group)))?;
            histogram.add(values.iter().map(|x| norm.normalize(*x)));
        }
        let data = histogram.cumulative();
        let seed = settings.seed.wrapping_add(group as u64);
        chosen.push(settings.selection.select(&data, universal, levels, starts, seed)?);
    }
    let points = chosen.iter().map(|indices| universal.points(indices)).collect();
    let quantizer = ActivationQuantizer::Subset { points, normalizer, denormalization_bits: BitWidth::FULL };
    images.iter_mut().try_for_each(|image| quantizer.apply(image, layer.inputs)).map_err(non_finite)?;
    Ok(chosen)
}
