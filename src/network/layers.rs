//! Which convolutions a network has, and which of them are quantized (paper, section 4.1).

use super::onnx::{self, Graph, Node};
use crate::{Error, Result};
use serde::Serialize;
use std::collections::HashMap;

/// One convolution.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct Layer {
    /// The ONNX node's name, or its first output's where it has none.
    pub name: String,
    /// Input channels.
    pub inputs: usize,
    /// Output channels, which is the number of kernels.
    pub outputs: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Channel groups.
    pub groups: usize,
    /// Whether every output position is a weighted sum of the inputs around that very position: one group, stride 1,
    /// no dilation, zero padding that keeps the size.
    pub same: bool,
    /// Whether the input comes straight from a ReLU.
    pub after_relu: bool,
    /// Whether it belongs to the high-level feature extraction, which is what the paper quantizes.
    pub quantized: bool,
}

impl Layer {
    /// Multiply-accumulates for one output position.
    pub fn macs(&self) -> usize {
        self.outputs * (self.inputs / self.groups) * self.kernel[0] * self.kernel[1]
    }

    /// Indices of those of the layers that are quantized.
    pub fn quantized(layers: &[Layer]) -> impl Iterator<Item = usize> {
        layers.iter().enumerate().filter(|(_, layer)| layer.quantized).map(|(index, _)| index)
    }

    /// Number of weights, without the bias.
    pub fn weights(&self) -> usize {
        self.macs()
    }
}

/// How the quantized layers were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
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
            .node
            .iter()
            .enumerate()
            .flat_map(|(i, node)| node.output.iter().map(move |output| (output.as_str(), i)))
            .collect();
        Indexed { nodes: &graph.node, producer }
    }

    /// The node that computes this tensor, passing over Identity.
    fn source(&self, tensor: &str) -> Option<usize> {
        let mut tensor = tensor;
        // A damaged graph may hold a loop of Identity nodes; no chain is longer than the list.
        for _ in 0..self.nodes.len() {
            let index = *self.producer.get(tensor)?;
            if self.nodes[index].op_type != "Identity" {
                return Some(index);
            }
            tensor = self.nodes[index].input.first()?;
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
                    "Relu" | "PRelu" | "LeakyRelu" | "Mul" | "Constant" => {}
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

/// The convolutions of a network.
pub struct Found {
    pub rule: Rule,
    pub layers: Vec<Layer>,
    /// By layer, `[out, in / groups, height, width]`.
    pub kernels: Vec<Vec<f32>>,
}

/// Lists every convolution with constant kernels, in the graph's order.
///
/// # Errors
/// [`Error::Network`] if there is none, or one whose kernels are not f32.
pub fn find(graph: &Graph) -> Result<Found> {
    let indexed = Indexed::new(graph);
    let (rule, quantized) = indexed.quantized();
    let constants = onnx::constants(graph);
    let (mut layers, mut kernels) = (Vec::new(), Vec::new());
    for (index, node) in graph.node.iter().enumerate() {
        let Some(tensor) = node.input.get(1).and_then(|kernel| constants.get(kernel.as_str())) else {
            continue;
        };
        let shape: Vec<usize> = tensor.dims.iter().map(|d| *d as usize).collect();
        let [outputs, inputs_per_group, height, width] = shape[..] else { continue };
        if node.op_type != "Conv" {
            continue;
        }
        let values = onnx::floats(tensor).filter(|values| Some(values.len()) == onnx::length(tensor));
        kernels.push(values.ok_or_else(|| {
            Error::Network(format!("the kernels of {} are not plain f32", onnx::node_name(node)))
        })?);
        let groups = onnx::int_attribute(node, "group").unwrap_or(1).max(1) as usize;
        let all = |name: &str, values: &[i64]| {
            let list = node.attribute.iter().find(|a| a.name == name);
            list.map_or(values.iter().all(|v| *v <= 1 && name != "pads" || *v == 0), |a| a.ints == values)
        };
        let [top, left] = [height, width].map(|side| (side / 2) as i64);
        let same = groups == 1
            && height % 2 == 1
            && width % 2 == 1
            && all("strides", &[1, 1])
            && all("dilations", &[1, 1])
            && all("pads", &[top, left, top, left]);
        layers.push(Layer {
            name: onnx::node_name(node),
            inputs: inputs_per_group * groups,
            outputs,
            kernel: [height, width],
            groups,
            same,
            after_relu: indexed.source(&node.input[0]).is_some_and(|i| indexed.is(i, "Relu")),
            quantized: quantized.contains(&index),
        });
    }
    if layers.is_empty() {
        return Err(Error::Network("it has no two-dimensional convolution with constant kernels".into()));
    }
    Ok(Found { rule, layers, kernels })
}
