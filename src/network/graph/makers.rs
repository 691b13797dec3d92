//! A graph, to be looked at from its outputs.

use super::crops::slice;
use crate::network::onnx::{self, Graph, Node, Tensor};
use std::collections::HashMap;

/// An operator set in which Slice has its lists as inputs.
const LISTS_ARE_INPUTS: i64 = 13;

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

    /// What makes a node's input, where it is this operator.
    pub fn maker(&self, node: &Node, at: usize, op_type: &str) -> Option<&'g Node> {
        self.makers.get(node.input.get(at)?.as_str()).copied().filter(|maker| maker.op_type == op_type)
    }

    /// A node's input, where it is stored.
    pub fn stored(&self, node: &Node, at: usize) -> Option<&'g Tensor> {
        self.stored.get(node.input.get(at)?.as_str()).copied()
    }

    /// A stored list of so many whole numbers.
    pub fn whole<const N: usize>(&self, node: &Node, at: usize) -> Option<[i64; N]> {
        onnx::whole(self.stored(node, at)?)?.try_into().ok()
    }

    /// The part that a Slice takes along one axis, without steps.
    pub fn range(&self, slice: &Node, axis: i64) -> Option<[i64; 2]> {
        let steps = slice.input.get(4).map_or(Some([1]), |_| self.whole(slice, 4));
        let ([first], [end]) = (self.whole(slice, 1)?, self.whole(slice, 2)?);
        let plain = self.whole(slice, 3) == Some([axis]) && steps == Some([1]) && 0 <= first && first < end;
        plain.then_some([first, end])
    }

    /// How many channels a convolution's output has.
    pub fn channels(&self, name: &str) -> Option<i64> {
        let conv = self.makers.get(name).filter(|maker| maker.op_type == "Conv")?;
        self.stored(conv, 1)?.dims.first().copied()
    }
}

/// A node for channels of a tensor, with what it reads among those that are stored; `output` begins its name.
pub fn channels_between(data: &str, [from, to]: [i64; 2], output: &str, stored: &mut Vec<Tensor>) -> Node {
    let part = format!("{output}/{from} to {to}");
    let lists = [("starts", from), ("ends", to), ("axes", 1)].map(|(list, value)| (list, vec![value]));
    slice(LISTS_ARE_INPUTS, String::new(), [data, &part], lists.to_vec(), stored)
}

/// Whether a Shape is the whole of a tensor's.
pub fn is_shape_of(shape: &Node, tensor: &str) -> bool {
    shape.attribute.is_empty() && shape.input == [tensor]
}
