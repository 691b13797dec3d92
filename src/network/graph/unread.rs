//! What nothing reads is forgotten.

use crate::network::onnx::{Graph, Node};
use std::collections::HashSet;

/// Forgets those nodes that nothing reads, of which `may` says that they may go. Nodes are in order.
pub fn forget_nodes(graph: &mut Graph, may: impl Fn(&Node) -> bool) {
    let mut read: HashSet<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    // From the end, so that what only they read is forgotten too.
    graph.node.reverse();
    graph.node.retain(|node| {
        let stays = !may(node) || node.output.iter().any(|name| read.contains(name));
        if stays {
            read.extend(node.input.iter().cloned());
        }
        stays
    });
    graph.node.reverse();
}

/// Forgets stored tensors that nothing reads.
pub fn forget_tensors(graph: &mut Graph) {
    let read: HashSet<&String> =
        graph.node.iter().flat_map(|node| &node.input).chain(graph.output.iter().map(|o| &o.name)).collect();
    graph.initializer.retain(|tensor| read.contains(&tensor.name));
}
