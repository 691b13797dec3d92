//! What a user chooses: the method, its bits, and its variants.

use crate::choice::choices;
use crate::network::Layer;
pub use crate::quant::kernels::WeightGrid;
use crate::quant::{BitWidth, Granularity, PointSource, RangeEstimator};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

choices! {
    /// A way to enlarge a picture.
    pub enum Method: Dfsq {
        /// Interpolation, no network.
        Bicubic = "bicubic",
        /// The network in full precision.
        Fp32 = "fp32",
        /// Uniform weights, and a uniform grid for activations: by default one a layer, from minimum to maximum.
        MinMax = "min-max",
        /// Distribution-flexible subset quantization of activations, uniform weights (the paper).
        Dfsq = "dfsq",
        /// Exactly chosen subsets for activations and weights, weights rounded with compensation (ours).
        DfsqOpt = "dfsq-opt",
    }
}

impl Method {
    /// Those that round something, in the order of figures and tables.
    pub const QUANTIZED: [Method; 3] = [Method::DfsqOpt, Method::Dfsq, Method::MinMax];

    /// What it is called in figures and on the page.
    pub fn title(self) -> &'static str {
        match self {
            Method::Bicubic => "Bicubic",
            Method::Fp32 => "Full precision",
            Method::MinMax => "Min-max",
            Method::Dfsq => "DFSQ",
            Method::DfsqOpt => "DFSQ-opt",
        }
    }

    /// Whether the method rounds anything.
    pub fn quantizes(self) -> bool {
        !matches!(self, Method::Bicubic | Method::Fp32)
    }
}

choices! {
    /// Where min-max takes an activation's range from.
    pub enum MinMaxRange: Dynamic {
        /// From the very input that is quantized.
        Dynamic = "dynamic",
        /// From the calibration images.
        Static = "static",
    }
}

/// How a picture is upscaled. Missing fields take the defaults: DFSQ, 4 bits for weights and activations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Options {
    /// The method.
    pub method: Method,
    /// Bits of each weight of the quantized layers.
    pub weight_bits: BitWidth,
    /// Bits of each input value of the quantized layers.
    pub activation_bits: BitWidth,
    /// Bits of weights and input values of single layers, by name, instead of the above: 32 and 32 leave a layer out.
    #[cfg_attr(feature = "web", tsify(type = "Record<string, [BitWidth, BitWidth]>"))]
    pub layer_bits: BTreeMap<String, [BitWidth; 2]>,
    /// For [`Method::MinMax`].
    pub min_max_range: MinMaxRange,
    /// For [`Method::MinMax`] with a dynamic range: how its ends are found.
    pub range_estimator: RangeEstimator,
    /// For [`Method::MinMax`] with a dynamic range: what has a range of its own.
    pub range_granularity: Granularity,
    /// For [`Method::Dfsq`]: where points are from. Those that are not calibrated stand behind the normalization of each channel of
    /// each sample.
    pub point_source: PointSource,
    /// For [`Method::Dfsq`] and [`Method::MinMax`], which round each weight to the nearest value.
    pub weights: WeightGrid,
    /// For [`Method::Dfsq`] and [`Method::DfsqOpt`]: bits of the means and ranges that points are dequantized with.
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
            range_estimator: RangeEstimator::MinMax,
            range_granularity: Granularity::Layer,
            point_source: PointSource::Calibrated,
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

    /// A method at so many bits, for weights and activations alike.
    ///
    /// ```
    /// use dfsq::session::{Method, Options};
    /// let options = Options::dfsq(4)?.weights(3)?;
    /// assert_eq!(options, Options::new(Method::Dfsq, 4)?.weights(3)?.activations(4)?);
    /// # Ok::<(), dfsq::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`] unless `bits` is 1 to 8 or 32.
    pub fn new(method: Method, bits: u8) -> Result<Self> {
        let width = BitWidth::new(bits)?;
        Ok(Options { method, weight_bits: width, activation_bits: width, ..Options::default() })
    }

    /// The paper's method.
    ///
    /// # Errors
    /// As [`Options::new`].
    pub fn dfsq(bits: u8) -> Result<Self> {
        Options::new(Method::Dfsq, bits)
    }

    /// Ours.
    ///
    /// # Errors
    /// As [`Options::new`].
    pub fn dfsq_opt(bits: u8) -> Result<Self> {
        Options::new(Method::DfsqOpt, bits)
    }

    /// What both are compared with.
    ///
    /// # Errors
    /// As [`Options::new`].
    pub fn min_max(bits: u8) -> Result<Self> {
        Options::new(Method::MinMax, bits)
    }

    /// With other bits of weights.
    ///
    /// # Errors
    /// As [`Options::new`].
    pub fn weights(self, bits: u8) -> Result<Self> {
        Ok(Options { weight_bits: BitWidth::new(bits)?, ..self })
    }

    /// With other bits of activations.
    ///
    /// # Errors
    /// As [`Options::new`].
    pub fn activations(self, bits: u8) -> Result<Self> {
        Ok(Options { activation_bits: BitWidth::new(bits)?, ..self })
    }

    /// With a layer that has bits of its own, for weights and activations; 32 and 32 leave it in full precision.
    ///
    /// # Errors
    /// As [`Options::new`].
    pub fn layer(mut self, name: &str, [weights, activations]: [u8; 2]) -> Result<Self> {
        let bits = [BitWidth::new(weights)?, BitWidth::new(activations)?];
        self.layer_bits.insert(name.to_owned(), bits);
        Ok(self)
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
            None => [self.weight_bits, self.activation_bits].map(|bits| layer.bits(bits)),
        };
        Ok(layers.iter().map(bits).collect())
    }
}
