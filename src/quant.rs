//! Quantizers, free of networks, images and browsers.
//!
//! All of them map f32 to f32: they *simulate* low-bit arithmetic by quantizing and dequantizing.

mod activation;
pub mod bounded;
pub mod channel_bits;
pub mod codebook;
mod error;
pub mod exact;
pub mod fixed_points;
pub mod histogram;
pub mod kernels;
pub mod kmeans;
mod lattice;
pub mod normalize;
mod pixel_points;
mod pixels;
pub mod point_sets;
pub mod points;
pub mod ranges;
pub mod recipe;
pub mod settings;
mod shortest_path;
pub mod subset;
mod summary;
mod thresholds;
pub mod uniform;
pub mod universal_set;
mod vector;

pub use activation::{ActivationQuantizer, Mapping, PixelMapping, SubsetQuantizer};
pub use bounded::{Damping, Refits, Restarts};
pub use channel_bits::ChannelBits;
pub use error::QuantizationError;
pub use fixed_points::PointSource;
pub use histogram::Histogram;
pub use normalize::{Granularity, MeanMode, Normalization, NormalizationMode, Normalizer};
pub use pixels::Pixels;
pub use point_sets::PointSets;
pub use points::Points;
pub use ranges::{EstimatedRange, RangeEstimator};
pub use recipe::{Recipe, Rounding};
pub use settings::PointSettings;
pub use summary::{ChannelSummaries, Summary};
pub use uniform::UniformGrid;
pub use universal_set::{UniversalSet, WordSets};
pub use vector::QuantizedVector;

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Bits of one weight or activation: 1 to 8, or 32 for full precision (no quantization).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[cfg_attr(feature = "web", derive(tsify::Tsify), tsify(type = "number"))]
pub struct BitWidth(u8);

impl BitWidth {
    /// Full precision: values pass unchanged.
    pub const FULL: BitWidth = BitWidth(32);

    /// The most that are quantized to.
    pub const EIGHT: BitWidth = BitWidth(8);

    /// # Errors
    /// [`Error::Option`] unless `bits` is 1 to 8 or 32.
    pub fn new(bits: u8) -> Result<Self> {
        match bits {
            1..=8 | 32 => Ok(BitWidth(bits)),
            _ => Err(Error::Option(format!(
                "{bits} bits are not offered: choose 1 to 8, or 32 for full precision"
            ))),
        }
    }

    /// Every quantized width, 1 to 8.
    pub fn quantized() -> impl DoubleEndedIterator<Item = BitWidth> {
        (1..=8).map(BitWidth)
    }

    /// The widths that are offered for all layers alike, widest first.
    pub fn offered() -> impl Iterator<Item = BitWidth> {
        [32, 8, 6, 4, 3, 2].into_iter().map(BitWidth)
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

impl std::str::FromStr for BitWidth {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let bits = text.parse().map_err(|_| Error::Option("choose 1 to 8 bits, or 32".into()))?;
        Self::new(bits)
    }
}

impl std::fmt::Display for BitWidth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
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

/// A NaN or infinite value in this channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonFiniteChannel(pub usize);
