//! Names of what an export adds to a graph.

use crate::network::onnx::Graph;
use crate::network::onnx::exported::DOMAIN;

/// A beginning that no name of a graph has: one that was exported before has names of ours.
pub fn prefix(graph: &Graph) -> String {
    let made = graph.node.iter().flat_map(|node| &node.output);
    let stored = graph.initializer.iter().map(|tensor| &tensor.name);
    let names: Vec<&String> = made.chain(stored).chain(graph.input.iter().map(|input| &input.name)).collect();
    let taken = |prefix: &String| names.iter().any(|name| name.starts_with(prefix.as_str()));
    let mut prefix = format!("{DOMAIN}/");
    let mut number = 2;
    while taken(&prefix) {
        prefix = format!("{DOMAIN}{number}/");
        number += 1;
    }
    prefix
}

/// Of one node.
pub struct Names<'n> {
    pub prefix: &'n str,
    pub node: &'n str,
}

impl Names<'_> {
    /// Of a tensor that belongs to the node.
    pub fn of(&self, what: &str) -> String {
        format!("{}{}/{what}", self.prefix, self.node)
    }
}
