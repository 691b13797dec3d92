//! Borders of nothing and of less than nothing: Pad by zeros as Identity, and by negative numbers as Slice.

use crate::network::onnx::{self, Attribute, Graph, Node, Tensor};
use std::collections::HashMap;

/// Takes away Pad that adds nothing, and puts what it cuts off as Slice before it, where that is told by stored numbers.
pub fn without_idle_pads(graph: &mut Graph, opset: i64) {
    if !graph.node.iter().any(|node| node.op_type == "Pad") {
        return;
    }
    let lists =
        graph.initializer.iter().filter_map(|tensor| Some((tensor.name.clone(), onnx::whole(tensor)?)));
    let lists: HashMap<String, Vec<i64>> = lists.collect();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for mut node in std::mem::take(&mut graph.node) {
        let stated = onnx::attribute(&node, "pads").map(|pads| pads.ints.clone());
        let pads = stated.or_else(|| lists.get(node.input.get(1)?).cloned());
        // Along stated axes there are fewer numbers, of other meanings.
        let along = node.input.get(3).is_some_and(|axes| !axes.is_empty());
        let pads = pads.filter(|_| node.op_type == "Pad" && !node.input.is_empty() && !along);
        if pads.as_ref().is_some_and(|pads| pads.iter().all(|pad| *pad == 0)) {
            node.input.truncate(1);
            nodes.push(Node { op_type: "Identity".into(), attribute: vec![], ..node });
            continue;
        }
        let pads = pads.filter(|pads| pads.iter().any(|pad| *pad < 0));
        let Some(pads) = pads.filter(|pads| pads.len() <= 16 && pads.len() % 2 == 0) else {
            nodes.push(node);
            continue;
        };
        let output = node.output[0].clone();
        let (before, behind) = pads.split_at(pads.len() / 2);
        let left: Vec<i64> = pads.iter().map(|pad| (*pad).max(0)).collect();
        let is_cut_only = left.iter().all(|pad| *pad == 0);
        let cut = if is_cut_only { output.clone() } else { format!("{output}/cut") };
        let starts = before.iter().map(|pad| pad.saturating_neg().max(0)).collect();
        let ends = behind.iter().map(|pad| if *pad < 0 { *pad } else { i64::MAX }).collect();
        let name = format!("{}/cut", onnx::node_name(&node));
        let lists = vec![("starts", starts), ("ends", ends)];
        nodes.push(slice(opset, name, [&node.input[0], &cut], lists, &mut graph.initializer));
        if is_cut_only {
            continue;
        }
        node.input[0] = cut;
        match node.attribute.iter_mut().find(|attribute| attribute.name == "pads") {
            Some(stated) => stated.ints = left,
            None => {
                node.input[1] = format!("{output}/pads");
                graph.initializer.push(Tensor::of_integers(&node.input[1], &left));
            }
        }
        nodes.push(node);
    }
    graph.node = nodes;
}

/// Slice from one tensor to another, with its lists as this operator set has them.
pub fn slice(
    opset: i64,
    name: String,
    [input, output]: [&str; 2],
    lists: Vec<(&str, Vec<i64>)>,
    tensors: &mut Vec<Tensor>,
) -> Node {
    let mut slice = Node::of("Slice", name, &[input], output);
    for (list, values) in lists {
        if opset < 10 {
            slice.attribute.push(Attribute::of_integers(list, values));
        } else {
            let stored = format!("{output}/{list}");
            tensors.push(Tensor::of_integers(&stored, &values));
            slice.input.push(stored);
        }
    }
    slice
}
