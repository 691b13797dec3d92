//! How much there is of a network's layers, and the bit operations (BitOPs) that they take at some bits of weights and
//! activations: what costs are told in, and what mixed precision is given a budget of.

use crate::quant::BitWidth;
use serde::{Deserialize, Serialize};

/// How much there is of a quantized layer, by which bits are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct LayerSize {
    /// Number of weights.
    pub weights: usize,
    /// Input channels times output positions, for one pixel of the network's input.
    pub activations: f64,
    /// Multiply-accumulates for one pixel of the network's input.
    pub macs: f64,
    /// What brings partial sums to one scale.
    pub rescaling: Rescaling,
}

/// The multiplications that bring partial sums to one scale, since inputs that were quantized apart have ranges of their own:
/// one for each output and each channel that it sums over, or one for each output where all channels have one range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Rescaling {
    /// How many for one pixel of the network's input.
    pub count: f64,
    /// By how many bits a partial sum is wider than the products in it.
    pub carry_bits: u8,
    /// Bits of a range.
    pub range_bits: u8,
}

impl Rescaling {
    /// Bit operations for one pixel of the network's input, with a weight and an input value of so many bits: each of them is a
    /// product of a partial sum and a range.
    pub fn bit_ops(&self, [weights, activations]: [f64; 2]) -> f64 {
        self.count * (weights + activations + f64::from(self.carry_bits)) * f64::from(self.range_bits)
    }
}

impl LayerSize {
    /// Bit operations (BitOPs) for one pixel of the network's input, with these bits of weights and activations: both widths'
    /// product for each multiply-accumulate, and the rescaling of what is quantized.
    pub fn bit_ops(&self, bits: [BitWidth; 2]) -> f64 {
        let [weights, activations] = bits.map(|width| f64::from(width.bits()));
        let quantized = bits[1] != BitWidth::FULL;
        let rescaling = if quantized { self.rescaling.bit_ops([weights, activations]) } else { 0.0 };
        self.macs * weights * activations + rescaling
    }
}

/// Average bits over the quantized layers, counted in three ways, none of which tells all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(Deserialize))]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct AverageBits {
    /// Over weights, which is what a network takes to store.
    pub weights: f64,
    /// Over activations.
    pub activations: f64,
    /// Bits of both that would give as many BitOPs in all layers alike.
    pub bit_ops: f64,
}

impl AverageBits {
    /// Of layers of these sizes with these bits of weights and activations. NaN where there are none.
    pub fn of(layers: impl Iterator<Item = (LayerSize, [BitWidth; 2])>) -> Self {
        let (mut sums, mut totals) = ([0.0; 2], [0.0; 2]);
        let (mut bit_ops, mut quantized) = (0.0, false);
        let mut all = Uniform::default();
        for (size, bits) in layers {
            let [of_weights, of_activations] = bits.map(|width| f64::from(width.bits()));
            let terms = [(size.weights as f64, of_weights), (size.activations, of_activations)];
            for (i, (amount, bits)) in terms.into_iter().enumerate() {
                sums[i] += amount * bits;
                totals[i] += amount;
            }
            bit_ops += size.bit_ops(bits);
            quantized |= bits[1] != BitWidth::FULL;
            all.add(&size);
        }
        let [weights, activations] = [0, 1].map(|i| sums[i] / totals[i]);
        // Nothing is rescaled where nothing is quantized.
        let all = if quantized { all } else { Uniform { linear: 0.0, constant: 0.0, ..all } };
        AverageBits { weights, activations, bit_ops: all.bits(bit_ops) }
    }
}

/// BitOPs of layers that all have the same bits, as a polynomial of these.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Uniform {
    square: f64,
    linear: f64,
    constant: f64,
}

impl Uniform {
    pub fn of<'l>(layers: impl IntoIterator<Item = &'l LayerSize>) -> Self {
        let mut all = Uniform::default();
        layers.into_iter().for_each(|size| all.add(size));
        all
    }

    fn add(&mut self, LayerSize { macs, rescaling, .. }: &LayerSize) {
        self.square += macs;
        self.constant += rescaling.bit_ops([0.0, 0.0]);
        self.linear += rescaling.bit_ops([1.0, 1.0]) - rescaling.bit_ops([0.0, 0.0]);
    }

    /// With so many bits of both.
    pub fn bit_ops(&self, bits: f64) -> f64 {
        (self.square * bits + self.linear) * bits + self.constant
    }

    /// The bits that take so many BitOPs.
    fn bits(&self, bit_ops: f64) -> f64 {
        let half = self.linear / self.square / 2.0;
        (half * half + (bit_ops - self.constant) / self.square).sqrt() - half
    }
}
