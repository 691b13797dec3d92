//! Nodes in an order in which they can be computed: exporters and tools that change graphs do not all keep one.

use super::proto::Node;
use std::collections::{BTreeSet, HashMap};

/// Puts every node behind those whose outputs it reads, and leaves the order as it is otherwise. Where nodes read each other in
/// a circle, these stay behind all others, which whoever checks the order will find.
pub fn sort(nodes: &mut Vec<Node>) {
    let mut maker: HashMap<&str, usize> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        node.output.iter().filter(|name| !name.is_empty()).for_each(|name| {
            maker.entry(name).or_insert(at);
        });
    }
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut waits_for: Vec<usize> = vec![0; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        let before: BTreeSet<usize> =
            node.input.iter().filter_map(|name| maker.get(name.as_str()).copied()).collect();
        waits_for[at] = before.len();
        before.into_iter().for_each(|before| readers[before].push(at));
    }
    let mut ready: BTreeSet<usize> = (0..nodes.len()).filter(|at| waits_for[*at] == 0).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for reader in &readers[at] {
            waits_for[*reader] -= 1;
            if waits_for[*reader] == 0 {
                ready.insert(*reader);
            }
        }
    }
    if order.iter().enumerate().all(|(place, at)| place == *at) && order.len() == nodes.len() {
        return;
    }
    order.extend((0..nodes.len()).filter(|at| waits_for[*at] > 0));
    let mut taken: Vec<Option<Node>> = std::mem::take(nodes).into_iter().map(Some).collect();
    nodes.extend(order.into_iter().filter_map(|at| taken[at].take()));
}
