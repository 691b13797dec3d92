//! An ONNX file as everybody here reads it: constants computed, names unique, convolutions understood. Layers, the native engine
//! and what is given to tract are all made from this, and none of them reads a convolution's attributes again.

#[cfg(feature = "tract")]
mod channels;
mod conv;
mod crops;
#[cfg(feature = "tract")]
mod einsum;
mod fold;
pub mod makers;
mod numbers;
mod planes_first;
mod quantized;
#[cfg(feature = "tract")]
mod repeated;
#[cfg(feature = "tract")]
mod scattered;
mod transposed;
mod unread;

#[cfg(feature = "tract")]
pub use conv::groups;
pub use conv::pool_kernel;
pub use conv::{Conv, Pads, Window};
pub use unread::forget_tensors;

use super::onnx::{self, Model, Node, Tensor};
use crate::{Error, Result};
use std::collections::{HashMap, HashSet};

/// A graph that was read.
pub struct Graph {
    model: Model,
    /// By node.
    convolutions: HashMap<usize, Convolution>,
}

/// A convolution with its numbers.
pub struct Convolution {
    pub conv: Conv,
    /// `[out, in / groups, height, width]`.
    pub kernels: Vec<f32>,
    /// One for each output; None where the network computes them.
    pub bias: Option<Vec<f32>>,
    /// Bits of each weight in the file, where it was quantized before.
    pub stored_bits: Option<u8>,
}

impl Graph {
    /// Reads a file whose parts fit together.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with it.
    pub fn read(mut model: Model) -> Result<Self> {
        let opset = onnx::opset(&model);
        let graph = model.graph.as_mut().ok_or_else(|| Error::Network("the file holds no graph".into()))?;
        let stored = fold::fold(graph, opset)?;
        quantized::to_arithmetic(graph, opset)?;
        fold::fold(graph, opset)?;
        planes_first::put_channels_first(graph);
        transposed::to_convolutions(graph, opset);
        crops::without_idle_pads(graph, opset);
        // The native engine has nothing of this, but for what channels are put in the place of others by.
        #[cfg(feature = "tract")]
        {
            einsum::to_matrix_products(graph);
            scattered::to_concatenations(graph, opset);
            repeated::to_concatenations(graph, opset);
        }
        forget_tensors(graph);
        // What was made may have the name of what was there.
        let made = graph.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty());
        let all = made.chain(graph.initializer.iter().map(|tensor| &tensor.name));
        let mut names = HashSet::new();
        if let Some(name) =
            all.chain(graph.input.iter().map(|input| &input.name)).find(|name| !names.insert(*name))
        {
            return Err(Error::Network(format!("two of its tensors have the name {name}")));
        }
        onnx::check_finite(graph)?;
        name_nodes(&mut graph.node);
        let tensors: HashMap<&str, &Tensor> =
            graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let nodes = graph.node.iter().enumerate().filter(|(_, node)| node.op_type == "Conv");
        let read = |(at, node): (usize, &Node)| {
            let convolution = convolution(node, &tensors, &stored);
            let convolution = convolution.map_err(|what| {
                Error::Network(format!("its node {} (Conv, operator set {opset}): {what}", node.name))
            });
            Ok((at, convolution?))
        };
        let convolutions = nodes.map(read).collect::<Result<_>>()?;
        Ok(Graph { model, convolutions })
    }

    /// The file, as it was understood.
    #[cfg(feature = "tract")]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The file, as it was understood, to be changed.
    pub fn into_model(self) -> Model {
        self.model
    }

    fn graph(&self) -> Option<&onnx::Graph> {
        self.model.graph.as_ref()
    }

    /// Its nodes, each of which reads tensors, the image, and what nodes before it make. No two have the same name.
    pub fn nodes(&self) -> &[Node] {
        self.graph().map_or(&[], |graph| &graph.node)
    }

    /// The stored tensors.
    pub fn tensors(&self) -> &[Tensor] {
        self.graph().map_or(&[], |graph| &graph.initializer)
    }

    /// The name of the image.
    pub fn input(&self) -> &str {
        self.graph().and_then(|graph| graph.input.first()).map_or("", |input| &input.name)
    }

    /// The name of what comes out.
    pub fn output(&self) -> &str {
        self.graph().and_then(|graph| graph.output.first()).map_or("", |output| &output.name)
    }

    /// What the file says of the image.
    pub fn declared(&self) -> onnx::Declared {
        let graph = self.graph();
        onnx::Declared::of([
            graph.and_then(|graph| graph.input.first()),
            graph.and_then(|graph| graph.output.first()),
        ])
    }

    /// The convolution that a node is.
    pub fn convolution(&self, node: usize) -> Option<&Convolution> {
        self.convolutions.get(&node)
    }

    /// The convolutions in the order of their nodes.
    pub fn convolutions(&self) -> impl Iterator<Item = (usize, &Convolution)> {
        (0..self.nodes().len()).filter_map(|node| Some((node, self.convolution(node)?)))
    }
}

/// Gives every node a name that no other has: its own, its output's where it has none, and with a number behind it where that
/// is another's already. What is learned of layers is kept by name.
fn name_nodes(nodes: &mut [Node]) {
    let mut taken: HashSet<String> = nodes.iter().map(onnx::node_name).collect();
    let mut given = HashSet::with_capacity(nodes.len());
    for node in nodes {
        let own = onnx::node_name(node);
        let mut name = own.clone();
        let mut number = 2;
        while given.contains(&name) || name != own && taken.contains(&name) {
            name = format!("{own}_{number}");
            number += 1;
        }
        taken.insert(name.clone());
        given.insert(name.clone());
        node.name = name;
    }
}

fn convolution(
    node: &Node,
    tensors: &HashMap<&str, &Tensor>,
    stored: &fold::StoredBits,
) -> Result<Convolution, String> {
    if !(2..=3).contains(&node.input.len()) {
        return Err(format!("it has {} inputs", node.input.len()));
    }
    let constant = |at: usize| tensors.get(node.input[at].as_str()).copied();
    let tensor = constant(1).ok_or("its kernels are not stored in the file, but computed")?;
    let floats = |tensor: &Tensor| onnx::floats(tensor).filter(|v| onnx::length(tensor) == Some(v.len()));
    let kernels = floats(tensor).ok_or("its kernels are not plain f32")?;
    let dims: Vec<usize> = tensor.dims.iter().map(|side| *side as usize).collect();
    let shape = <[usize; 4]>::try_from(dims).map_err(|dims| {
        format!("its kernels have the shape {dims:?}, not [outputs, inputs, height, width]")
    })?;
    let conv = Conv::read(node, shape)?;
    let bias = match node.input.get(2).filter(|name| !name.is_empty()) {
        None => Some(vec![0.0; conv.outputs()]),
        Some(_) => constant(2).map(|tensor| floats(tensor).ok_or("its bias is not plain f32")).transpose()?,
    };
    match &bias {
        Some(bias) if bias.len() != conv.outputs() => {
            Err(format!("a bias of {} values for {} channels", bias.len(), conv.outputs()))
        }
        _ => Ok(Convolution { conv, kernels, bias, stored_bits: stored.get(&node.input[1]).copied() }),
    }
}
