//! Networks that take and give images with channels last, `[1, height, width, channels]`, as TensorFlow's exporters write them:
//! turned into what everything here has, and transpositions that undo each other taken away.

use super::unread::forget_nodes;
use crate::network::onnx::{Attribute, Declared, Graph, Node};
use std::collections::{HashMap, HashSet};

const TO_PLANES: [i64; 4] = [0, 3, 1, 2];
const FROM_PLANES: [i64; 4] = [0, 2, 3, 1];

fn transpose(order: &[i64], input: &str, output: &str) -> Node {
    Node::of("Transpose", String::new(), &[input], output)
        .with(Attribute::of_integers("perm", order.to_vec()))
}

/// Puts channels first where the file says that they come last.
pub fn put_channels_first(graph: &mut Graph) {
    let [Some(input), Some(output)] = [graph.input.first_mut(), graph.output.first_mut()] else { return };
    if !Declared::is_channels_last(input) {
        return;
    }
    [&mut *input, &mut *output].into_iter().for_each(Declared::put_channels_first);
    let [taken, given] =
        [&input.name, &output.name].map(|name| (name.clone(), format!("{name}/channels last")));
    for node in &mut graph.node {
        node.input.iter_mut().filter(|name| **name == taken.0).for_each(|name| name.clone_from(&taken.1));
        let names = node.input.iter_mut().chain(&mut node.output);
        names.filter(|name| **name == given.0).for_each(|name| name.clone_from(&given.1));
    }
    graph.node.insert(0, transpose(&FROM_PLANES, &taken.0, &taken.1));
    graph.node.push(transpose(&TO_PLANES, &given.1, &given.0));
    undo_transpositions(graph);
}

/// Reads past transpositions of transpositions that come to nothing, and forgets those that nobody reads then.
pub fn undo_transpositions(graph: &mut Graph) {
    // What a tensor is a transposition of, and in which order its axes are.
    let mut of: HashMap<String, (String, Vec<i64>)> = HashMap::new();
    let mut same: HashMap<String, String> = HashMap::new();
    let kept: HashSet<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    for node in &mut graph.node {
        for name in &mut node.input {
            if let Some(other) = same.get(name) {
                name.clone_from(other);
            }
        }
        let ("Transpose", [input], [output]) = (node.op_type.as_str(), &node.input[..], &node.output[..])
        else {
            continue;
        };
        let Some(perm) = node.attribute.iter().find(|attribute| attribute.name == "perm") else { continue };
        let (root, order) = match of.get(input) {
            Some((root, before)) => {
                let axis =
                    |axis: &i64| usize::try_from(*axis).ok().and_then(|axis| before.get(axis)).copied();
                let Some(order) = perm.ints.iter().map(axis).collect::<Option<Vec<i64>>>() else { continue };
                (root.clone(), order)
            }
            None => (input.clone(), perm.ints.clone()),
        };
        if order.iter().enumerate().all(|(at, axis)| at as i64 == *axis) {
            if kept.contains(output.as_str()) {
                *node =
                    Node { op_type: "Identity".into(), input: vec![root], attribute: vec![], ..node.clone() };
            } else {
                same.insert(output.clone(), root);
            }
            continue;
        }
        of.insert(output.clone(), (root, order));
    }
    forget_nodes(graph, |node| node.op_type == "Transpose");
}
