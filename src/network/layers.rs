//! The convolutions that a network has.

use super::graph::{Conv, Graph};
use super::onnx::Node;
use super::scope::{Scope, Selected};
use crate::quant::BitWidth;
use crate::{Error, Result};

/// One convolution.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The ONNX node's name; no two layers have the same.
    pub name: String,
    /// Its shape.
    pub conv: Conv,
    /// Whether the input comes straight from a ReLU.
    pub after_relu: bool,
    /// Bits of each weight in the file, where it was quantized before.
    pub stored_bits: Option<u8>,
    /// Whether it is quantized.
    pub quantized: bool,
    /// The bits of its weights and inputs where it is given none of its own, instead of those of all layers.
    pub usual_bits: Option<BitWidth>,
}

impl Layer {
    /// What the layer gets where all get these bits: its usual ones, unless they stay in full precision.
    pub fn bits(&self, of_all: BitWidth) -> BitWidth {
        self.usual_bits.filter(|_| of_all != BitWidth::FULL).unwrap_or(of_all)
    }

    /// Indices of those of the layers that are quantized.
    pub fn quantized(layers: &[Layer]) -> impl Iterator<Item = usize> {
        layers.iter().enumerate().filter(|(_, layer)| layer.quantized).map(|(index, _)| index)
    }
}

/// The convolutions of a network, with their kernels: what plans and what is made for them have in common.
pub struct Layers {
    layers: Vec<Layer>,
    /// By layer, `[out, in / groups, height, width]`.
    kernels: Vec<Vec<f32>>,
}

impl Layers {
    /// `kernels` has as many weights for each layer as it takes.
    pub(super) fn new(layers: Vec<Layer>, kernels: Vec<Vec<f32>>) -> Self {
        Layers { layers, kernels }
    }

    /// In the network's order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// A layer's kernels in full precision.
    pub fn kernels(&self, layer: usize) -> &[f32] {
        &self.kernels[layer]
    }

    /// Indices of those that are quantized.
    pub fn quantized(&self) -> impl Iterator<Item = usize> {
        Layer::quantized(&self.layers)
    }
}

/// Lists every convolution, in the graph's order, and says how those to quantize were found.
///
/// # Errors
/// [`Error::Network`] if there is none, [`Error::Option`] where the scope names what is none.
pub fn find(graph: &Graph, scope: &Scope) -> Result<(Selected, Vec<Layer>)> {
    let selected = Selected::of(graph, scope)?;
    let layer = |(node, convolution): (usize, &super::graph::Convolution)| {
        let Node { name, .. } = &graph.nodes()[node];
        Layer {
            name: name.clone(),
            conv: convolution.conv,
            stored_bits: convolution.stored_bits,
            after_relu: selected.after_relu.contains(&node),
            quantized: selected.quantized.contains(&node),
            usual_bits: selected.ends.contains(&node).then_some(BitWidth::EIGHT),
        }
    };
    let layers: Vec<Layer> = graph.convolutions().map(layer).collect();
    if layers.is_empty() {
        return Err(Error::Network("it has no two-dimensional convolution with constant kernels".into()));
    }
    Ok((selected, layers))
}
