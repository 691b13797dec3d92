//! What a user chooses: the method, its bits, and its variants.

use crate::network::Layer;
use crate::quant::BitWidth;
pub use crate::quant::kernels::WeightGrid;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A way to enlarge a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(all(feature = "cli", not(target_arch = "wasm32")), derive(clap::ValueEnum))]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub enum Method {
    /// Interpolation, no network.
    Bicubic,
    /// The network in full precision.
    Fp32,
    /// Uniform weights, one uniform grid a layer for activations.
    MinMax,
    /// Distribution-flexible subset quantization of activations, uniform weights (the paper).
    #[default]
    Dfsq,
    /// Exactly chosen subsets for activations and weights, weights rounded with compensation (ours).
    DfsqOpt,
}

impl Method {
    /// Those that round something, in the order of figures and tables.
    pub const QUANTIZED: [Method; 3] = [Method::DfsqOpt, Method::Dfsq, Method::MinMax];

    /// The id used in options, test ids and reports.
    pub fn id(self) -> &'static str {
        match self {
            Method::Bicubic => "bicubic",
            Method::Fp32 => "fp32",
            Method::MinMax => "min-max",
            Method::Dfsq => "dfsq",
            Method::DfsqOpt => "dfsq-opt",
        }
    }

    /// Whether the method rounds anything.
    pub fn quantizes(self) -> bool {
        !matches!(self, Method::Bicubic | Method::Fp32)
    }
}

/// Where min-max takes an activation's range from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(all(feature = "cli", not(target_arch = "wasm32")), derive(clap::ValueEnum))]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub enum MinMaxRange {
    /// From the very input that is quantized.
    #[default]
    Dynamic,
    /// From the calibration images.
    Static,
}

/// How a picture is upscaled. Missing fields take the defaults: DFSQ, 4 bits for weights and activations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct Options {
    /// The method.
    pub method: Method,
    /// Bits of each weight of the quantized layers.
    pub weight_bits: BitWidth,
    /// Bits of each input value of the quantized layers.
    pub activation_bits: BitWidth,
    /// Bits of weights and input values of single layers, by name, instead of the above: 32 and 32 leave a layer out.
    #[cfg_attr(target_arch = "wasm32", tsify(type = "Record<string, [BitWidth, BitWidth]>"))]
    pub layer_bits: BTreeMap<String, [BitWidth; 2]>,
    /// For [`Method::MinMax`].
    pub min_max_range: MinMaxRange,
    /// For [`Method::Dfsq`] and [`Method::MinMax`], which round each weight to the nearest value.
    pub weights: WeightGrid,
    /// For [`Method::Dfsq`] and [`Method::DfsqOpt`]: bits of the means and ranges that points are de-normalized with.
    pub denormalization_bits: BitWidth,
}

impl Default for Options {
    fn default() -> Self {
        let Ok(four) = BitWidth::new(4) else { unreachable!("4 is a bit width") };
        Options {
            method: Method::default(),
            weight_bits: four,
            activation_bits: four,
            layer_bits: BTreeMap::new(),
            min_max_range: MinMaxRange::Dynamic,
            weights: WeightGrid::Uniform,
            denormalization_bits: BitWidth::FULL,
        }
    }
}

impl Options {
    /// The network as it is.
    pub fn full_precision() -> Self {
        Options { method: Method::Fp32, ..Options::default() }
    }

    /// Bits of weights and inputs of every layer; 32 where a layer or the method does not quantize.
    ///
    /// # Errors
    /// [`Error::Option`] where single layers are named that are not quantized.
    pub fn bits(&self, layers: &[Layer]) -> Result<Vec<[BitWidth; 2]>> {
        let known = |name: &&String| layers.iter().any(|layer| layer.quantized && layer.name == **name);
        if let Some(name) = self.layer_bits.keys().find(|name| !known(name)) {
            return Err(Error::Option(format!("bits are given for {name}, which is no quantized layer")));
        }
        let bits = |layer: &Layer| match self.layer_bits.get(&layer.name) {
            _ if !layer.quantized || !self.method.quantizes() => [BitWidth::FULL; 2],
            Some(own) => *own,
            None => [self.weight_bits, self.activation_bits],
        };
        Ok(layers.iter().map(bits).collect())
    }
}
