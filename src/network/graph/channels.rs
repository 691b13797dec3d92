//! How graphs tell which channels they take, and take them.

use super::crops::slice;
use super::makers::Makers;
use crate::network::onnx::{self, Node, Tensor};

/// An operator set in which Slice has its lists as inputs.
const LISTS_ARE_INPUTS: i64 = 13;

impl Makers<'_> {
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

    /// How many channels a node's input has, where that is a convolution's output.
    pub fn channels(&self, node: &Node, at: usize) -> Option<i64> {
        self.stored(self.maker(node, at, "Conv")?, 1)?.dims.first().copied()
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
