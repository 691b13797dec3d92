//! What optimization made of a network's layers, and the file it is kept in.
//!
//! For layer `L` of the variant with index `v` the file ([`tensor_file`](crate::tensor_file)) holds `v.L.points`, a subset of
//! the universal set for each input channel; `v.L.kernel-points`, one for each kernel, empty on a uniform grid; `v.L.codes`,
//! u8 `[kernels, weights of one]`; `v.L.scales`, f32 `[kernels, 2]`, mean and range; and `v.L.bias-change`, f32 `[kernels]`
//! or empty.

use crate::calibrate::check_ranges;
use crate::network::{Layer, Network};
use crate::quant::kernels::CodedKernels;
use crate::quant::{BitWidth, ChannelBits, PointSets, PointSettings, Recipe};
use crate::tensor_file::{Format, MAX_DATA, TensorReader, TensorWriter};
use crate::{Error, Result, hash};
use serde::{Deserialize, Serialize};

const FORMAT: Format = Format { name: "dfsq-optimized-2", error: Error::Optimized };

/// Most choices of bits in one file.
pub const MAX_VARIANTS: usize = 64;

/// Bytes of arrays that layers of these bits take in a file, not compressed.
fn stored_bytes(layers: &[Layer], settings: &PointSettings, bits: &[[BitWidth; 2]]) -> usize {
    let row = settings.universal().values().len().div_ceil(8);
    let layer = |(layer, [weights, activations]): (&Layer, &[BitWidth; 2])| {
        let points = settings.granularity.groups(layer.conv.inputs()) * row;
        let kernels = layer.conv.weights() + layer.conv.outputs() * (row + 12);
        let of = |width: &BitWidth, bytes: usize| if *width == BitWidth::FULL { 0 } else { bytes };
        of(activations, points) + of(weights, kernels)
    };
    layers.iter().zip(bits).map(layer).sum()
}

/// Whether one file can hold all of these choices of bits.
///
/// # Errors
/// [`Error::Option`] where they are too many or would take too much.
pub fn check_choices(
    layers: &[Layer],
    settings: &PointSettings,
    choices: &[Vec<[BitWidth; 2]>],
) -> Result<()> {
    let distinct: std::collections::HashSet<_> = choices.iter().collect();
    if distinct.len() > MAX_VARIANTS {
        return Err(Error::Option(format!(
            "{} choices of bits are more than the {MAX_VARIANTS} that a file of optimized layers holds",
            distinct.len()
        )));
    }
    let bytes: usize = distinct.iter().map(|bits| stored_bytes(layers, settings, bits)).sum();
    if bytes > MAX_DATA {
        return Err(Error::Option(format!(
            "these choices of bits take {} MB, more than the {} MB that a file of optimized layers holds",
            bytes >> 20,
            MAX_DATA >> 20
        )));
    }
    Ok(())
}

/// One layer, optimized for one pair of bit widths.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizedLayer {
    /// Points of each input channel (or of all); none in full precision.
    pub points: PointSets,
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
#[derive(Debug, Clone, PartialEq)]
pub struct Optimized {
    /// How activations are normalized, and from which universal set all points are.
    pub settings: PointSettings,
    /// How all variants were made.
    pub recipe: Recipe,
    /// SHA-256 of the network's file, in hexadecimal.
    pub network: String,
    /// At most one for each choice of bits, with its digest.
    variants: Vec<(Variant, String)>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    settings: PointSettings,
    /// Not said by the first files: it is the default one.
    #[serde(default)]
    recipe: Recipe,
    network: String,
    /// Not said by the first files.
    #[serde(default)]
    ranges: String,
    variants: Vec<Vec<[BitWidth; 2]>>,
}

impl Variant {
    /// SHA-256, in hexadecimal, of all that a run depends on.
    fn digest(&self) -> String {
        let mut digest = hash::Digest::default();
        for [weights, activations] in &self.bits {
            digest.add(&[weights.bits(), activations.bits()]);
        }
        for layer in self.layers.iter().flatten() {
            layer.points.add_to(&mut digest);
            layer.bias_change.iter().for_each(|change| digest.add(&change.to_le_bytes()));
            let Some(kernels) = &layer.kernels else { continue };
            kernels.points.add_to(&mut digest);
            digest.add(&kernels.codes);
            kernels.means.iter().chain(&kernels.ranges).for_each(|v| digest.add(&v.to_le_bytes()));
        }
        digest.finish()
    }
}

impl Optimized {
    /// Nothing yet, for the network with this hash.
    pub fn empty(network: String, settings: PointSettings, recipe: Recipe) -> Self {
        Optimized { settings: settings.canonical(), recipe, network, variants: Vec::new() }
    }

    /// Whether variants made with these settings and this recipe belong here.
    pub fn takes(&self, settings: PointSettings, recipe: Recipe) -> bool {
        (self.settings, self.recipe) == (settings.canonical(), recipe)
    }

    /// The layers for these bits.
    pub fn find(&self, bits: &[[BitWidth; 2]]) -> Option<&[Option<OptimizedLayer>]> {
        let found = self.variants.iter().find(|(variant, _)| variant.bits == bits);
        found.map(|(variant, _)| variant.layers.as_slice())
    }

    /// Adds a variant in the place of one for the same bits. As many of the oldest are given up as it takes for a file to
    /// hold the others.
    pub fn insert(&mut self, layers: &[Layer], variant: Variant) {
        self.variants.retain(|(other, _)| other.bits != variant.bits);
        let digest = variant.digest();
        self.variants.push((variant, digest));
        let choices = |variants: &[(Variant, String)]| -> Vec<Vec<[BitWidth; 2]>> {
            variants.iter().map(|(variant, _)| variant.bits.clone()).collect()
        };
        while self.variants.len() > 1
            && check_choices(layers, &self.settings, &choices(&self.variants)).is_err()
        {
            self.variants.remove(0);
        }
    }

    /// The bits of every layer that there are variants for, and the SHA-256 of each variant.
    pub fn variants(&self) -> impl Iterator<Item = (&[[BitWidth; 2]], &str)> {
        self.variants.iter().map(|(variant, digest)| (variant.bits.as_slice(), digest.as_str()))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Optimized`] where it cannot be written.
    pub fn save(&self, network: &Network) -> Result<Vec<u8>> {
        let mut file = TensorWriter::default();
        for (index, (Variant { layers, .. }, _)) in self.variants.iter().enumerate() {
            for (shape, layer) in network.layers().iter().zip(layers) {
                let Some(layer) = layer else { continue };
                let name = |part: &str| format!("{index}.{}.{part}", shape.name);
                file.put_points(name("points"), &layer.points);
                let Some(CodedKernels { means, ranges, points, codes }) = &layer.kernels else { continue };
                file.put_points(name("kernel-points"), points);
                let size = codes.len() / points.len().max(1);
                file.put_u8(name("codes"), &[points.len(), size], codes.clone());
                let scales = means.iter().zip(ranges).flat_map(|(mean, range)| [*mean, *range]);
                file.put_f32(name("scales"), &[points.len(), 2], scales);
                let change = &layer.bias_change;
                file.put_f32(name("bias-change"), &[change.len()], change.iter().copied());
            }
        }
        let variants = self.variants.iter().map(|(variant, _)| variant.bits.clone()).collect();
        let (settings, recipe, made_for) = (self.settings, self.recipe, self.network.clone());
        let ranges = network.convention().ranges();
        file.save(&FORMAT, &Header { settings, recipe, network: made_for, ranges, variants })
    }

    /// Reads a file that was made for this network, whose SHA-256 is `hash`.
    ///
    /// # Errors
    /// [`Error::Optimized`] says what is wrong with it.
    pub fn load(bytes: &[u8], network: &Network, hash: &str) -> Result<Self> {
        let fail = |message: &str| Error::Optimized(message.to_owned());
        let (file, Header { settings, recipe, network: made_for, ranges, variants }) =
            TensorReader::load(FORMAT, bytes)?;
        check_ranges(&ranges, network).map_err(Error::Optimized)?;
        if made_for != hash {
            return Err(fail("it was made for another network"));
        }
        if variants.len() > MAX_VARIANTS {
            return Err(fail("it has more choices of bits than can be used"));
        }
        let mut optimized = Optimized::empty(made_for, settings, recipe);
        let layers = network.layers();
        for (index, bits) in variants.into_iter().enumerate() {
            let fits =
                |(shape, bits): (&Layer, &[BitWidth; 2])| shape.quantized || *bits == [BitWidth::FULL; 2];
            if bits.len() != layers.len() || !layers.iter().zip(&bits).all(fits) {
                return Err(fail("it was made for other layers"));
            }
            if optimized.find(&bits).is_some() {
                return Err(fail("it has the same bits twice"));
            }
            let read = |(shape, bits): (&Layer, &[BitWidth; 2])| {
                let quantized = *bits != [BitWidth::FULL; 2];
                quantized
                    .then(|| {
                        OptimizedLayer::read(&file, index, shape, *bits, (&settings, recipe.channel_bits))
                    })
                    .transpose()
            };
            let layers = layers.iter().zip(&bits).map(read).collect::<Result<_>>()?;
            optimized.insert(network.layers(), Variant { bits, layers });
        }
        Ok(optimized)
    }
}

impl OptimizedLayer {
    /// As in full precision.
    pub fn full_precision(settings: PointSettings) -> Self {
        let points = PointSets::none(settings.word_sets);
        OptimizedLayer { points, kernels: None, bias_change: Vec::new() }
    }

    fn read(
        file: &TensorReader,
        variant: usize,
        shape: &Layer,
        [weight_bits, activation_bits]: [BitWidth; 2],
        (settings, channel_bits): (&PointSettings, ChannelBits),
    ) -> Result<Self> {
        let name = |part: &str| format!("{variant}.{}.{part}", shape.name);
        let fit = |right: bool, part: &str| {
            let wrong = || Error::Optimized(format!("{} does not fit the network", name(part)));
            if right { Ok(()) } else { Err(wrong()) }
        };
        let points = if activation_bits == BitWidth::FULL {
            PointSets::none(settings.word_sets)
        } else {
            let (groups, most) =
                (settings.granularity.groups(shape.conv.inputs()), channel_bits.most_levels(activation_bits));
            let points = file.points(&name("points"), settings.word_sets, groups, most)?;
            let right = points.subsets().iter().all(|set| !set.is_empty());
            fit(right && channel_bits.allows(&points, activation_bits), "points")?;
            points
        };
        let Some(levels) = weight_bits.levels() else {
            return Ok(OptimizedLayer { points, kernels: None, bias_change: Vec::new() });
        };
        let kernel_points =
            file.points(&name("kernel-points"), settings.word_sets, shape.conv.outputs(), levels)?;
        let codes = file.u8(&name("codes"))?;
        fit(codes.len() == shape.conv.weights(), "codes")?;
        let scales = file.f32(&name("scales"))?;
        fit(scales.len() == 2 * shape.conv.outputs(), "scales")?;
        let bias_change = file.f32(&name("bias-change"))?;
        fit(bias_change.is_empty() || bias_change.len() == shape.conv.outputs(), "bias-change")?;
        let (means, ranges) = scales.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
        let kernels = CodedKernels { means, ranges, points: kernel_points, codes: codes.to_vec() };
        let known = |(points, codes): (&[u16], &[u8])| {
            let most = if points.is_empty() { levels } else { points.len() };
            codes.iter().all(|code| usize::from(*code) < most)
        };
        fit(kernels.rows().all(known), "codes")?;
        Ok(OptimizedLayer { points, kernels: Some(kernels), bias_change })
    }
}
