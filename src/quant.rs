//! Quantizers, free of networks, images and browsers.
//!
//! All of them map f32 to f32: they *simulate* low-bit arithmetic by quantizing and dequantizing.

pub mod compensate;
pub mod histogram;
pub mod kernels;
pub mod kmeans;
pub mod normalize;
pub mod points;
pub mod subset;
pub mod uniform;
pub mod universal_set;

pub use histogram::Histogram;
pub use normalize::{MeanMode, Normalization};
pub use points::Points;
pub use uniform::UniformGrid;
pub use universal_set::UniversalSet;

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Bits of one weight or activation: 2 to 8, or 32 for full precision (no quantization).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct BitWidth(u8);

impl BitWidth {
    /// Full precision: values pass unchanged.
    pub const FULL: BitWidth = BitWidth(32);

    /// # Errors
    /// [`Error::Option`] unless `bits` is 2 to 8 or 32.
    pub fn new(bits: u8) -> Result<Self> {
        match bits {
            2..=8 | 32 => Ok(BitWidth(bits)),
            _ => Err(Error::Option(format!(
                "{bits} bits are not offered: choose 2 to 8, or 32 for full precision"
            ))),
        }
    }

    /// Every quantized width, 2 to 8.
    pub fn quantized() -> impl Iterator<Item = BitWidth> {
        (2..=8).map(BitWidth)
    }

    /// The number of bits.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Number of quantization points, `2^bits`; `None` in full precision.
    pub fn levels(self) -> Option<usize> {
        (self != Self::FULL).then(|| 1 << self.0)
    }
}

impl TryFrom<u8> for BitWidth {
    type Error = Error;
    fn try_from(bits: u8) -> Result<Self> {
        Self::new(bits)
    }
}

impl From<BitWidth> for u8 {
    fn from(width: BitWidth) -> u8 {
        width.0
    }
}

/// A map from f32 onto finitely many values.
pub trait Quantizer {
    /// The representable value that stands for `value`.
    fn quantize_dequantize(&self, value: f32) -> f32;

    /// Replaces every value by its representable one.
    fn apply(&self, values: &mut [f32]) {
        for v in values {
            *v = self.quantize_dequantize(*v);
        }
    }
}

/// How the inputs of one layer are quantized.
#[derive(Debug, Clone)]
pub enum ActivationQuantizer {
    /// DFSQ (paper, eq. 1 to 5): each channel is normalized on the fly and mapped to its own points.
    Subset {
        /// One set of points a channel.
        points: Vec<Points>,
        /// Whether normalization subtracts the channel's mean.
        subtract_mean: bool,
    },
    /// One uniform grid over the minimum and maximum of this very input.
    DynamicMinMax(BitWidth),
    /// One uniform grid over a calibrated range.
    StaticMinMax(UniformGrid),
}

/// A NaN or infinite value in this channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonFiniteChannel(pub usize);

impl ActivationQuantizer {
    /// Quantizes and dequantizes `values` in place, shape `[channels, values.len() / channels]`.
    ///
    /// # Errors
    /// [`NonFiniteChannel`] for NaN or infinity; `values` is then partly quantized.
    pub fn apply(&self, values: &mut [f32], channels: usize) -> Result<(), NonFiniteChannel> {
        let pixels = values.len() / channels.max(1);
        if pixels == 0 {
            return Ok(());
        }
        match self {
            ActivationQuantizer::Subset { points, subtract_mean } => {
                for (c, (channel, points)) in values.chunks_exact_mut(pixels).zip(points).enumerate() {
                    let norm = Normalization::measure(channel, *subtract_mean).ok_or(NonFiniteChannel(c))?;
                    norm.quantize(channel, points);
                }
            }
            ActivationQuantizer::DynamicMinMax(bits) => {
                let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
                for (c, channel) in values.chunks_exact(pixels).enumerate() {
                    let (l, h) = uniform::range(channel).ok_or(NonFiniteChannel(c))?;
                    (low, high) = (low.min(l), high.max(h));
                }
                UniformGrid::spanning(low, high, *bits).apply(values);
            }
            ActivationQuantizer::StaticMinMax(grid) => {
                for (c, channel) in values.chunks_exact_mut(pixels).enumerate() {
                    uniform::range(channel).ok_or(NonFiniteChannel(c))?;
                    grid.apply(channel);
                }
            }
        }
        Ok(())
    }
}
