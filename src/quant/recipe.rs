//! How DFSQ-opt's weights are made and its bits divided, with the bounds of every field.

use super::ChannelBits;
use super::compensate::Rounding;
use super::kernels::WeightGrid;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// How a network is optimized.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct Recipe {
    /// What the weights are rounded to.
    pub weights: WeightGrid,
    /// How they are.
    pub rounding: Rounding,
    /// Added to the covariance's diagonal, as a share of its mean, above 0 and at most 10.
    #[serde(deserialize_with = "damping")]
    pub damping: f32,
    /// Times that mean and range of every kernel are fitted to its rounded weights, at most 20.
    #[serde(deserialize_with = "refits")]
    pub refits: usize,
    /// How activations' bits are divided among the channels of a layer.
    pub channel_bits: ChannelBits,
}

fn damping<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    let damping = f32::deserialize(from)?;
    if damping > 0.0 && damping <= 10.0 {
        Ok(damping)
    } else {
        Err(D::Error::custom(format!("a damping of {damping} is not between 0 and 10")))
    }
}

fn refits<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    match usize::deserialize(from)? {
        refits @ 0..=20 => Ok(refits),
        other => Err(D::Error::custom(format!("{other} refits are more than 20"))),
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            weights: WeightGrid::Subset,
            rounding: Rounding::Compensated,
            damping: 0.01,
            refits: 2,
            channel_bits: ChannelBits::Equal,
        }
    }
}
