//! Channels that are put in the place of others, as torch's exporter writes `x[:, :k] = y`: a concatenation.

use super::planes_first::undo_transpositions;
use crate::network::onnx::{self, Attribute, Graph, Node, Tensor};
use std::collections::HashMap;

/// The order of axes in which channels come before images.
const CHANNELS_FIRST: [i64; 4] = [1, 0, 2, 3];

/// Puts Slice and Concat in the place of ScatterND that replaces consecutive channels of a convolution's output.
pub fn to_concatenations(graph: &mut Graph, opset: i64) {
    if opset < 13 || !graph.node.iter().any(|node| node.op_type == "ScatterND") {
        return;
    }
    let tensors: HashMap<&str, &Tensor> = graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();
    // What a tensor is with images before channels, and how many channels a convolution's output has.
    let (mut turned, mut channels) = (HashMap::new(), HashMap::new());
    let mut stored = Vec::new();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for node in std::mem::take(&mut graph.node) {
        let perm = onnx::attribute(&node, "perm").is_some_and(|perm| perm.ints == CHANNELS_FIRST);
        match (node.op_type.as_str(), &node.input[..], &node.output[..]) {
            ("Transpose", [input], [output]) if perm => {
                turned.insert(output.clone(), input.clone());
            }
            ("Conv", [_, kernels, ..], [output]) => {
                let outputs = tensors.get(kernels.as_str()).and_then(|kernels| kernels.dims.first());
                outputs.map(|outputs| channels.insert(output.clone(), *outputs));
            }
            ("ScatterND", [data, indices, updates], [output]) => {
                let adds =
                    onnx::attribute(&node, "reduction").is_some_and(|reduction| reduction.s != b"none");
                let replaced =
                    tensors.get(indices.as_str()).filter(|_| !adds).and_then(|tensor| consecutive(tensor));
                let whole = turned.get(data).and_then(|data| Some((data, *channels.get(data)?)));
                if let (Some([first, end]), Some((data, all)), Some(updates)) =
                    (replaced, whole, turned.get(updates))
                    && end <= all
                {
                    let parts = [(0, first), (end, all)].map(|(from, to)| {
                        (from < to).then(|| {
                            let part = format!("{output}/{from} to {to}");
                            let mut slice = Node::of("Slice", String::new(), &[data], &part);
                            for (what, value) in [("from", from), ("to", to), ("axis", 1)] {
                                let name = format!("{part}/{what}");
                                stored.push(Tensor::of_integers(&name, &[value]));
                                slice.input.push(name);
                            }
                            nodes.push(slice);
                            part
                        })
                    });
                    let [before, behind] = &parts;
                    let list: Vec<&str> = [before.as_ref(), Some(updates), behind.as_ref()]
                        .into_iter()
                        .flatten()
                        .map(String::as_str)
                        .collect();
                    let whole = format!("{output}/whole");
                    let axis = Attribute::of_integer("axis", 1);
                    nodes.push(Node::of("Concat", node.name.clone(), &list, &whole).with(axis));
                    let perm = Attribute::of_integers("perm", CHANNELS_FIRST.to_vec());
                    nodes.push(Node::of("Transpose", String::new(), &[&whole], output).with(perm));
                    continue;
                }
            }
            _ => {}
        }
        nodes.push(node);
    }
    graph.node = nodes;
    graph.initializer.extend(stored);
    undo_transpositions(graph);
}

/// The first of whole numbers `[count, 1]` that follow each other, and the one behind the last.
fn consecutive(tensor: &Tensor) -> Option<[i64; 2]> {
    let list = onnx::whole(tensor).filter(|_| matches!(tensor.dims[..], [_, 1]))?;
    let (first, last) = (*list.first()?, *list.last()?);
    let follow = list.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
    (follow && first >= 0).then_some([first, last.checked_add(1)?])
}
