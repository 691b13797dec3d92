//! Files that dfsq exported ([`export`](crate::export)), read again: their weights are as they were written; what quantizes their
//! activations is left out, since that is chosen here.

use super::proto::{Model, Node};
use std::collections::HashMap;

/// The domain of the functions that exported files define, and what its own metadata begin with.
pub const DOMAIN: &str = "dfsq";

/// What names of functions that quantize activations have in common.
pub const QUANTIZE: &str = "Quantize";

/// What exported files say of themselves.
pub const METHOD: &str = "dfsq.method";
pub const VERSION: &str = "dfsq.version";

/// Quantizers one behind another, at most.
const MAX_DEPTH: usize = 16;

/// Has who reads a quantized activation read what was quantized.
pub fn leave_quantizers_out(model: &mut Model) {
    let Some(graph) = model.graph.as_mut() else { return };
    let is_one = |node: &Node| {
        let named = |name: Option<&String>| name.is_some_and(|name| !name.is_empty());
        node.domain == DOMAIN
            && node.op_type.contains(QUANTIZE)
            && named(node.input.first())
            && node.output.len() == 1
            && named(node.output.first())
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
        for _ in 0..MAX_DEPTH {
            let Some(from) = quantized.get(input) else { break };
            input.clone_from(from);
        }
    }
}
