//! A graph, to be looked at from its outputs.

use crate::network::onnx::{Graph, Node, Tensor};
use std::collections::HashMap;

/// What makes each tensor, and those that are stored.
pub struct Makers<'g> {
    makers: HashMap<&'g str, &'g Node>,
    stored: HashMap<&'g str, &'g Tensor>,
}

impl<'g> Makers<'g> {
    /// Of this graph as it is.
    pub fn of(graph: &'g Graph) -> Self {
        let made = |node: &'g Node| node.output.iter().map(move |output| (output.as_str(), node));
        Makers {
            makers: graph.node.iter().flat_map(made).collect(),
            stored: graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect(),
        }
    }

    /// What makes a node's input.
    pub fn any(&self, node: &Node, at: usize) -> Option<&'g Node> {
        self.makers.get(node.input.get(at)?.as_str()).copied()
    }

    /// What makes a node's input, where it is this operator.
    pub fn maker(&self, node: &Node, at: usize, op_type: &str) -> Option<&'g Node> {
        self.any(node, at).filter(|maker| maker.op_type == op_type)
    }

    /// A node's input, where it is stored.
    pub fn stored(&self, node: &Node, at: usize) -> Option<&'g Tensor> {
        self.stored.get(node.input.get(at)?.as_str()).copied()
    }
}
