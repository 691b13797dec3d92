//! Files that dfsq exported, read again: their weights are as they were written; what quantizes their activations is left out, since
//! that is chosen here.

use super::proto::{Model, Node};
use crate::export::DOMAIN;
use crate::export::functions::OF_WEIGHTS;
use std::collections::HashMap;

/// Has who reads a quantized activation read what was quantized.
pub fn leave_quantizers_out(model: &mut Model) {
    let Some(graph) = model.graph.as_mut() else { return };
    let is_one = |node: &Node| {
        node.domain == DOMAIN
            && !OF_WEIGHTS.contains(&node.op_type.as_str())
            && !node.input.is_empty()
            && node.output.len() == 1
    };
    let quantized: HashMap<String, String> = graph
        .node
        .iter()
        .filter(|node| is_one(node))
        .map(|node| (node.output[0].clone(), node.input[0].clone()))
        .collect();
    if graph.output.iter().any(|output| quantized.contains_key(&output.name)) {
        return;
    }
    graph.node.retain(|node| !is_one(node));
    for input in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        if let Some(from) = quantized.get(input) {
            input.clone_from(from);
        }
    }
}
