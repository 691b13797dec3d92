//! Which convolutions a network has, and which of them are quantized (paper, section 4.1).

use super::graph::{Conv, Graph};
use super::onnx::Node;
use crate::{Error, Result};
use serde::Serialize;
use std::collections::HashMap;

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
    /// Whether it belongs to the high-level feature extraction, which is what the paper quantizes.
    pub quantized: bool,
}

impl Layer {
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

/// How the quantized layers were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub enum Rule {
    /// EDSR: the convolutions of the residual blocks.
    ResidualBlocks,
    /// RDN: dense blocks, local and global fusion.
    DenseBlocks,
    /// Another network: all but the first convolution, up to the upsampler.
    General,
}

const UPSAMPLERS: [&str; 4] = ["DepthToSpace", "Resize", "Upsample", "ConvTranspose"];

/// The graph's nodes, and who makes which tensor.
struct Indexed<'a> {
    nodes: &'a [Node],
    producer: HashMap<&'a str, usize>,
}

impl<'a> Indexed<'a> {
    fn new(graph: &'a Graph) -> Self {
        let producer = graph
            .nodes()
            .iter()
            .enumerate()
            .flat_map(|(i, node)| node.output.iter().map(move |output| (output.as_str(), i)))
            .collect();
        Indexed { nodes: graph.nodes(), producer }
    }

    /// The node that computes this tensor, passing over Identity and over rounding that the file does itself.
    fn source(&self, tensor: &str) -> Option<usize> {
        let mut tensor = tensor;
        // A damaged graph may hold a loop of Identity nodes; no chain is longer than the list.
        for _ in 0..self.nodes.len() {
            let index = *self.producer.get(tensor)?;
            tensor = match self.rounded(index) {
                Some(before) => before,
                None if self.is(index, "Identity") => self.nodes[index].input.first()?,
                None => return Some(index),
            };
        }
        None
    }

    /// What this node gives rounded, if it is the last of those that stand for QuantizeLinear and DequantizeLinear.
    fn rounded(&self, last: usize) -> Option<&'a str> {
        let before = |index: usize| -> Option<usize> {
            self.producer.get(self.nodes[index].input.first()?.as_str()).copied()
        };
        let mut at = last;
        for op in ["Mul", "Sub", "Clip", "Add", "Round", "Div"] {
            // Where zero stands for zero, nothing is added and subtracted.
            if !self.is(at, op) && ["Sub", "Add"].contains(&op) {
                continue;
            }
            if !self.is(at, op) {
                return None;
            }
            if op == "Div" {
                return self.nodes[at].input.first().map(String::as_str);
            }
            at = before(at)?;
        }
        None
    }

    fn is(&self, index: usize, op: &str) -> bool {
        self.nodes[index].op_type == op
    }

    /// Where the feature extraction ends: at the addition that closes the global skip connection, else in front of
    /// the convolution that feeds the upsampler, else in front of the last convolution.
    fn trunk_end(&self) -> usize {
        let upsampler = self.nodes.iter().position(|n| UPSAMPLERS.contains(&n.op_type.as_str()));
        let end = upsampler.unwrap_or(self.nodes.len());
        let computed = |n: &Node| n.input.iter().all(|i| self.source(i).is_some());
        let last_add = self.nodes[..end].iter().rposition(|n| n.op_type == "Add" && computed(n));
        let last_conv = || self.nodes[..end].iter().rposition(|n| n.op_type == "Conv");
        last_add.or_else(last_conv).unwrap_or(end)
    }

    /// The convolutions of the residual block that this addition closes: a plain chain from one operand back to the
    /// other, with at least two of them.
    fn residual_block(&self, add: usize) -> Vec<usize> {
        let inputs = &self.nodes[add].input;
        if inputs.len() != 2 {
            return Vec::new();
        }
        for (branch, skip) in [(0, 1), (1, 0)] {
            let Some(start) = self.source(&inputs[skip]) else { continue };
            let mut convolutions = Vec::new();
            let mut at = self.source(&inputs[branch]);
            while let Some(index) = at.filter(|index| *index > start) {
                match self.nodes[index].op_type.as_str() {
                    "Conv" => convolutions.push(index),
                    "Relu" | "PRelu" | "LeakyRelu" | "Mul" => {}
                    _ => break,
                }
                at = self.nodes[index].input.iter().find_map(|tensor| self.source(tensor));
            }
            if at == Some(start) && convolutions.len() >= 2 {
                return convolutions;
            }
        }
        Vec::new()
    }

    /// The first convolution whose output goes (through an activation function) into a concatenation.
    fn first_dense(&self, end: usize) -> Option<usize> {
        (0..end).filter(|i| self.is(*i, "Concat")).find_map(|concat| {
            let feeds = self.nodes[concat].input.iter().filter_map(|t| self.source(t));
            feeds
                .filter_map(|i| {
                    if self.is(i, "Conv") { Some(i) } else { self.source(self.nodes[i].input.first()?) }
                })
                .filter(|i| self.is(*i, "Conv"))
                .max()
        })
    }

    fn quantized(&self) -> (Rule, Vec<usize>) {
        let end = self.trunk_end();
        let convolutions = || (0..end).filter(|i| self.is(*i, "Conv"));
        if let Some(first) = self.first_dense(end) {
            return (Rule::DenseBlocks, convolutions().filter(|i| *i >= first).collect());
        }
        let blocks: Vec<usize> =
            (0..end).filter(|i| self.is(*i, "Add")).flat_map(|add| self.residual_block(add)).collect();
        if blocks.is_empty() {
            (Rule::General, convolutions().skip(1).collect())
        } else {
            (Rule::ResidualBlocks, blocks)
        }
    }
}

/// Lists every convolution, in the graph's order, and says how those to quantize were found.
///
/// # Errors
/// [`Error::Network`] if there is none.
pub fn find(graph: &Graph) -> Result<(Rule, Vec<Layer>)> {
    let indexed = Indexed::new(graph);
    let (rule, quantized) = indexed.quantized();
    let layer = |(node, convolution): (usize, &super::graph::Convolution)| {
        let Node { name, input, .. } = &graph.nodes()[node];
        Layer {
            name: name.clone(),
            conv: convolution.conv,
            stored_bits: convolution.stored_bits,
            after_relu: indexed.source(&input[0]).is_some_and(|i| indexed.is(i, "Relu")),
            quantized: quantized.contains(&node),
        }
    };
    let layers: Vec<Layer> = graph.convolutions().map(layer).collect();
    if layers.is_empty() {
        return Err(Error::Network("it has no two-dimensional convolution with constant kernels".into()));
    }
    Ok((rule, layers))
}
