//! What a run puts in the place of a layer's weights and of its input.

use super::graph::Conv;
use super::layers::Layers;
use super::native::Kernels;
use crate::parallel;
use crate::quant::ActivationQuantizer;
use crate::{Error, Result};
use std::sync::{Arc, OnceLock};

/// Replacement of one layer's weights and the quantizer of its input; `None` leaves either in full precision.
#[derive(Default, Clone)]
pub struct LayerQuantization {
    /// Quantized and dequantized weights.
    pub weights: Option<Weights>,
    /// Quantizer in front of the convolution's own input.
    pub activation: Option<ActivationQuantizer>,
}

/// Kernels of one layer, and what is added to its bias.
#[derive(Clone)]
pub struct Weights(Arc<Held>);

struct Held {
    kernels: Vec<f32>,
    bias_change: Vec<f32>,
    /// In the order in which the native engine reads them, once it does.
    packed: OnceLock<Arc<Kernels>>,
}

impl Weights {
    /// `kernels` are `[out, in / groups, height, width]`; `bias_change` has one value for each output, or none.
    pub(super) fn new(kernels: Vec<f32>, bias_change: Vec<f32>) -> Self {
        Weights(Arc::new(Held { kernels, bias_change, packed: OnceLock::new() }))
    }

    /// Whether there are as many as a convolution has.
    pub(super) fn fit(&self, conv: &Conv) -> bool {
        self.kernels().len() == conv.weights() && [0, conv.outputs()].contains(&self.bias_change().len())
    }

    /// The kernels.
    pub fn kernels(&self) -> &[f32] {
        &self.0.kernels
    }

    /// What is added to the bias, for each output or nothing.
    pub fn bias_change(&self) -> &[f32] {
        &self.0.bias_change
    }

    pub(super) fn packed(&self, pack: impl FnOnce() -> Kernels) -> Arc<Kernels> {
        parallel::once(&self.0.packed, || Arc::new(pack())).clone()
    }
}

/// What a run of one network puts into its layers.
#[derive(Clone)]
pub struct Quantized {
    pub(super) network: Arc<Layers>,
    /// None in full precision, else one a layer.
    pub(super) layers: Vec<LayerQuantization>,
}

impl Quantized {
    /// None in full precision, else one a layer.
    pub fn layers(&self) -> &[LayerQuantization] {
        &self.layers
    }

    pub(super) fn new(network: Arc<Layers>, layers: Vec<LayerQuantization>) -> Result<Self> {
        let known = network.layers();
        if !layers.is_empty() && layers.len() != known.len() {
            return Err(Error::Option(format!("{} layers for a network of {}", layers.len(), known.len())));
        }
        for (layer, LayerQuantization { weights, activation }) in known.iter().zip(&layers) {
            let fits = weights.as_ref().is_none_or(|weights| weights.fit(&layer.conv));
            let points = activation.as_ref().is_none_or(|quantizer| quantizer.fits(layer.conv.inputs()));
            if !fits || !points {
                let what = if fits { "points" } else { "weights" };
                return Err(Error::Option(format!("the {what} do not fit the layer {}", layer.name)));
            }
        }
        Ok(Quantized { network, layers })
    }
}
