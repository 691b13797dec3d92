//! What a quantized network would cost on hardware made for it. Here low-bit arithmetic is simulated, in f32.

use super::{Method, Options, Prepared, Session, WeightGrid};
use crate::Result;
use crate::bit_ops::AverageBits;
use crate::network::Layer;
use crate::quant::kernels::CodedKernels;
use crate::quant::{BitWidth, PointSets, PointSource};
use serde::Serialize;

/// Storage and arithmetic of a network under some options.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Costs {
    /// Bytes stored.
    pub bytes: Bytes,
    /// Their sum.
    pub total_bytes: usize,
    /// Bits on average over the layers that can be quantized; none for interpolation.
    pub average_bits: Option<AverageBits>,
    /// Multiply-accumulates for one pixel of the input, by the widths of their operands, widest first.
    pub macs_per_pixel: Vec<OperandMacs>,
    /// Multiplications that bring partial sums to one scale, for one pixel of the input: where each channel has a range of its
    /// own, one for each output and channel, which is a ninth of the multiply-accumulates of a 3x3 convolution.
    pub rescalings_per_pixel: f64,
    /// Sum over the multiply-accumulates of weight bits times activation bits, and over the rescalings of the bits of a partial
    /// sum times those of a range (BitOPs), for one pixel of the input.
    pub bit_ops_per_pixel: f64,
    /// Where values of the universal set are multiplied.
    pub product: Option<Product>,
}

/// Bytes that a network takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Bytes {
    /// Codes of quantized weights.
    pub codes: usize,
    /// Quantization points: a bit for each universal value, for each channel and each kernel that has its own.
    pub points: usize,
    /// Two numbers a kernel (scale and zero point, or mean and range), and calibrated ranges of activations.
    pub scales: usize,
    /// Weights in full precision, and biases.
    pub full_precision: usize,
}

impl Bytes {
    fn total(&self) -> usize {
        self.codes + self.points + self.scales + self.full_precision
    }
}

/// Multiply-accumulates with operands of some widths.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct OperandMacs {
    /// Bits of the weight.
    pub weight_bits: BitWidth,
    /// Bits of the input value.
    pub activation_bits: BitWidth,
    /// How many for one pixel of the network's input.
    pub macs: f64,
}

/// A product with values of the universal set, which are sums of powers of two: the mean over all products.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Product {
    /// Shifts: one for each power of two in the one times each in the other.
    pub shifts: f64,
    /// Additions of what was shifted.
    pub additions: f64,
}

/// Of how many powers of two an operand consists.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The mean.
    pub mean: f64,
    /// Share of the values that are not 0.
    pub nonzero: f64,
}

/// A whole number, which is shifted as it is.
impl Default for Terms {
    fn default() -> Self {
        Terms { mean: 1.0, nonzero: 1.0 }
    }
}

impl Terms {
    fn mean_of(terms: impl IntoIterator<Item = usize>) -> Self {
        let (mut count, mut sum, mut nonzero) = (0usize, 0usize, 0usize);
        for terms in terms {
            count += 1;
            sum += terms;
            nonzero += usize::from(terms > 0);
        }
        let count = count.max(1) as f64;
        Terms { mean: sum as f64 / count, nonzero: nonzero as f64 / count }
    }

    /// Of quantization points, each counted once.
    pub fn of_points(points: &PointSets) -> Self {
        let universal = points.universal();
        Self::mean_of(points.subsets().iter().flatten().map(|index| universal.terms(usize::from(*index))))
    }

    /// Of the weights of kernels.
    pub fn of_kernels(kernels: &CodedKernels) -> Self {
        let universal = kernels.points.universal();
        Self::mean_of(kernels.rows().flat_map(|(points, codes)| {
            // Codes of a uniform grid are whole numbers.
            let terms: Vec<usize> = points.iter().map(|index| universal.terms(usize::from(*index))).collect();
            codes.iter().map(move |code| terms.get(usize::from(*code)).copied().unwrap_or(1))
        }))
    }
}

impl Session {
    /// What the prepared network costs. All zero for interpolation.
    ///
    /// # Errors
    /// As [`Session::costs_of`].
    pub fn costs(&self, prepared: &Prepared) -> Result<Costs> {
        let mut costs = self.costs_of(&prepared.options)?;
        let (mut macs, mut shifts, mut additions) = (0.0, 0.0, 0.0);
        for (layer, terms) in prepared.terms.iter().enumerate() {
            let Some([input, weight]) = terms else { continue };
            let share = self.network.layer_macs(layer);
            macs += share;
            shifts += share * input.mean * weight.mean;
            // A product of n terms takes n - 1 additions, one of none takes none.
            additions += share * (input.mean * weight.mean - input.nonzero * weight.nonzero);
        }
        costs.product = (macs > 0.0).then(|| Product { shifts: shifts / macs, additions: additions / macs });
        Ok(costs)
    }

    /// What the network costs under these options, without what depends on the points that are chosen.
    ///
    /// # Errors
    /// [`Error::Option`](crate::Error::Option) for options that make no sense for this network.
    pub fn costs_of(&self, options: &Options) -> Result<Costs> {
        let mut costs = Costs {
            bytes: Bytes::default(),
            total_bytes: 0,
            average_bits: None,
            macs_per_pixel: Vec::new(),
            rescalings_per_pixel: 0.0,
            bit_ops_per_pixel: 0.0,
            product: None,
        };
        if options.method == Method::Bicubic {
            return Ok(costs);
        }
        let layers = self.network.layers();
        let set_bytes = self.point_settings(options.method).universal().values().len().div_ceil(8);
        let total_weights: usize = layers.iter().map(|layer| layer.conv.weights()).sum();
        costs.bytes.full_precision = 4 * self.network.parameters().saturating_sub(total_weights);
        let bits = options.bits(layers)?;
        costs.average_bits = Some(self.average_bits(&bits, options));
        let optimized = self.optimized.find(&bits).filter(|_| options.method == Method::DfsqOpt);
        for (index, (layer, bits)) in layers.iter().zip(bits).enumerate() {
            // Where nothing has been optimized yet, it will be as by default.
            let kernels = optimized.and_then(|layers| layers[index].as_ref()?.kernels.as_ref());
            let subset = match options.method {
                Method::DfsqOpt => {
                    kernels.is_none_or(|kernels| kernels.points.subsets().iter().any(|p| !p.is_empty()))
                }
                _ => options.weights == WeightGrid::Subset,
            };
            let kernel_set_bytes = if subset { set_bytes } else { 0 };
            self.add_bytes(&mut costs.bytes, layer, bits, options, [kernel_set_bytes, set_bytes]);
            let [weight_bits, activation_bits] = bits;
            let macs = self.network.layer_macs(index);
            let size = self.layer_size(index, options);
            costs.bit_ops_per_pixel += size.bit_ops(bits);
            if activation_bits != BitWidth::FULL {
                costs.rescalings_per_pixel += size.rescaling.count;
            }
            let same = |known: &&mut OperandMacs| [known.weight_bits, known.activation_bits] == bits;
            match costs.macs_per_pixel.iter_mut().find(same) {
                Some(known) => known.macs += macs,
                None => costs.macs_per_pixel.push(OperandMacs { weight_bits, activation_bits, macs }),
            }
        }
        costs.total_bytes = costs.bytes.total();
        costs.macs_per_pixel.sort_unstable_by_key(|m| std::cmp::Reverse((m.weight_bits, m.activation_bits)));
        Ok(costs)
    }

    fn add_bytes(
        &self,
        bytes: &mut Bytes,
        layer: &Layer,
        [weight_bits, activation_bits]: [BitWidth; 2],
        options: &Options,
        [kernel_set_bytes, set_bytes]: [usize; 2],
    ) {
        if weight_bits == BitWidth::FULL {
            bytes.full_precision += 4 * layer.conv.weights();
        } else {
            bytes.codes += (layer.conv.weights() * usize::from(weight_bits.bits())).div_ceil(8);
            bytes.scales += 8 * layer.conv.outputs();
            bytes.points += kernel_set_bytes * layer.conv.outputs();
        }
        if activation_bits == BitWidth::FULL {
            return;
        }
        match (options.method, &self.calibration) {
            (Method::DfsqOpt, _) => {
                bytes.points += set_bytes * self.optimized.settings.granularity.groups(layer.conv.inputs());
            }
            // Those of a number format need not be stored.
            (Method::Dfsq, _) if options.point_source != PointSource::Calibrated => {}
            (Method::Dfsq, calibration) => {
                let granularity = calibration.as_ref().map(|c| c.settings.granularity).unwrap_or_default();
                bytes.points += set_bytes * granularity.groups(layer.conv.inputs());
            }
            _ if options.min_max_range == super::MinMaxRange::Static => bytes.scales += 8,
            _ => {}
        }
    }
}
