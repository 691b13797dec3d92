//! How DFSQ-opt's weights are made and its bits divided, with the bounds of every field.

use super::ChannelBits;
use super::bounded::{Damping, Refits};
use super::kernels::WeightGrid;
use crate::choice::choices;
use serde::{Deserialize, Serialize};

choices! {
    /// How weights are rounded to their grid.
    pub enum Rounding: Compensated {
        /// Each to the nearest value (the paper).
        Nearest = "nearest",
        /// One after another, each making up for the errors before it.
        Compensated = "compensated",
    }
}

/// How a network is optimized.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Recipe {
    /// What the weights are rounded to.
    pub weights: WeightGrid,
    /// How they are.
    pub rounding: Rounding,
    /// Added to the covariance's diagonal, as a share of its mean.
    pub damping: Damping,
    /// Times that mean and range of every kernel are fitted to its rounded weights.
    pub refits: Refits,
    /// How activations' bits are divided among the channels of a layer.
    pub channel_bits: ChannelBits,
}

impl Default for Recipe {
    fn default() -> Self {
        let (Ok(damping), Ok(refits)) = (Damping::new(0.01), Refits::new(2)) else {
            unreachable!("they are within bounds")
        };
        Recipe {
            weights: WeightGrid::Subset,
            rounding: Rounding::Compensated,
            damping,
            refits,
            channel_bits: ChannelBits::Equal,
        }
    }
}
