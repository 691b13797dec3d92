//! Transposed convolutions that enlarge by their stride, as what they are: a convolution that computes all pixels of a block, and
//! a shuffle that puts them in their places.

use super::crops::slice;
use crate::network::onnx::{self, Attribute, Graph, Node, Tensor};
use std::collections::HashMap;

/// Most pixels along a side of a block.
const MAX_STRIDE: usize = 8;
/// Most weights that are made.
const MAX_WEIGHTS: usize = 1 << 26;

/// Puts each as convolution and shuffle. What is of another kind stays.
pub fn to_convolutions(graph: &mut Graph, opset: i64) {
    if !graph.node.iter().any(|node| node.op_type == "ConvTranspose") {
        return;
    }
    let stored: HashMap<&str, &Tensor> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let (mut nodes, mut made) = (Vec::with_capacity(graph.node.len() + 1), Vec::new());
    for node in std::mem::take(&mut graph.node) {
        match Blocks::of(&node, &stored) {
            Some(blocks) => blocks.write(node, opset, &mut nodes, &mut made),
            None => nodes.push(node),
        }
    }
    graph.node = nodes;
    graph.initializer.append(&mut made);
}

/// A kernel for all pixels of a block.
struct Blocks {
    stride: usize,
    /// `[outputs * stride * stride, inputs, side, side]`.
    dims: [usize; 4],
    kernels: Vec<f32>,
    /// By output; none where there is none.
    bias: Option<Vec<f32>>,
    /// Rows and columns that the kernel looks beyond the image, before and behind it.
    pads: [usize; 2],
    /// Rows and columns that are cut off on each side of what is shuffled.
    cut: usize,
}

impl Blocks {
    /// None where the result is larger than `stride` times the image, where it is not the same down as across, or where
    /// kernels are computed.
    fn of(node: &Node, stored: &HashMap<&str, &Tensor>) -> Option<Self> {
        if node.op_type != "ConvTranspose" || onnx::int_attribute(node, "group").unwrap_or(1) != 1 {
            return None;
        }
        let list = |name: &str, otherwise: i64, count: usize| -> Option<usize> {
            let stated = onnx::attribute(node, name).map(|attribute| &attribute.ints[..]);
            match stated {
                None => usize::try_from(otherwise).ok(),
                Some(list) if list.len() == count && list.iter().all(|value| *value == list[0]) => {
                    usize::try_from(list[0]).ok()
                }
                Some(_) => None,
            }
        };
        let (stride, pad) = (list("strides", 1, 2)?, list("pads", 0, 4)?);
        let (extra, dilation) = (list("output_padding", 0, 2)?, list("dilations", 1, 2)?);
        let auto = onnx::attribute(node, "auto_pad").is_some_and(|attribute| attribute.s != b"NOTSET");
        if auto || dilation != 1 || onnx::attribute(node, "output_shape").is_some() {
            return None;
        }
        let tensor = stored.get(node.input.get(1)?.as_str())?;
        let values = onnx::floats(tensor).filter(|values| onnx::length(tensor) == Some(values.len()))?;
        let dims: Vec<usize> = tensor.dims.iter().map(|side| *side as usize).collect();
        let [inputs, outputs, side, columns] = <[usize; 4]>::try_from(dims).ok()?;
        let fits = side == columns && side >= 1 && outputs >= 1 && (1..=MAX_STRIDE).contains(&stride);
        if !fits || pad >= side {
            return None;
        }
        // What is smaller is a part of one that is not.
        let twice = (side + extra).checked_sub(stride).filter(|twice| twice.is_multiple_of(2))?;
        let cut = pad.checked_sub(twice / 2)?;
        let pad = twice / 2;
        let bias = match node.input.get(2).filter(|name| !name.is_empty()) {
            None => None,
            Some(name) => {
                Some(onnx::floats(stored.get(name.as_str())?).filter(|bias| bias.len() == outputs)?)
            }
        };
        // A pixel of the image counts in blocks from `behind` before its own on, to `before` behind it.
        let (before, behind) = ((side - 1 - pad) / stride, pad.div_ceil(stride));
        let taps = before + behind + 1;
        let parts = stride * stride;
        let count = [parts, outputs, inputs, taps, taps]
            .iter()
            .try_fold(1usize, |count, side| count.checked_mul(*side));
        let mut kernels = vec![0.0; count.filter(|count| *count <= MAX_WEIGHTS)?];
        let weight = |part: usize, tap: usize| {
            let at = (stride * before + part + pad).checked_sub(stride * tap)?;
            (at < side).then_some(at)
        };
        for (at, value) in kernels.iter_mut().enumerate() {
            let (x, y, rest) = (at % taps, at / taps % taps, at / (taps * taps));
            let (input, rest) = (rest % inputs, rest / inputs);
            let (output, part) = (rest % outputs, rest / outputs);
            if let (Some(y), Some(x)) = (weight(part / stride, y), weight(part % stride, x)) {
                *value = values[((input * outputs + output) * side + y) * side + x];
            }
        }
        let dims = [parts * outputs, inputs, taps, taps];
        Some(Blocks { stride, dims, kernels, bias, pads: [before, behind], cut })
    }

    fn write(self, whole: Node, opset: i64, nodes: &mut Vec<Node>, tensors: &mut Vec<Tensor>) {
        let name = onnx::node_name(&whole);
        let output = whole.output[0].clone();
        let [kernels, bias, blocks] = ["kernels", "bias", "blocks"].map(|part| format!("{output}/{part}"));
        let mut input = vec![&whole.input[0][..], &kernels];
        tensors.push(Tensor::of_floats(&kernels, &self.dims, &self.kernels));
        if let Some(list) = &self.bias {
            tensors.push(Tensor::of_floats(&bias, &[self.dims[0]], &list.repeat(self.stride * self.stride)));
            input.push(&bias);
        }
        let [before, behind] = self.pads.map(|pad| pad as i64);
        let pads = Attribute::of_integers("pads", vec![before, before, behind, behind]);
        nodes.push(Node::of("Conv", name.clone(), &input, &blocks).with(pads));
        let side = Attribute::of_integer("blocksize", self.stride as i64);
        let shuffled = if self.cut == 0 { output.clone() } else { format!("{output}/whole") };
        nodes.push(Node::of("DepthToSpace", format!("{name}/shuffle"), &[&blocks], &shuffled).with(side));
        if self.cut == 0 {
            return;
        }
        let cut = self.cut as i64;
        let lists = vec![("starts", vec![cut; 2]), ("ends", vec![-cut; 2]), ("axes", vec![2, 3])];
        nodes.push(slice(opset, format!("{name}/cut"), [&shuffled, &output], lists, tensors));
    }
}
