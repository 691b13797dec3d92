//! Functions that a file defines for itself, put in the place of the nodes that call them.

use super::proto::{Attribute, Function, Model, Node};
use super::{MAX_BYTES, MAX_NODES, node_name};
use crate::{Error, Result};
use prost::Message;
use std::collections::{HashMap, HashSet};

/// Functions within functions, at most.
const MAX_DEPTH: usize = 16;

/// Replaces calls of the file's own functions by what these consist of.
///
/// # Errors
/// [`Error::Network`] for functions that call themselves, that make too many nodes, or that are written in other operators than
/// the graph.
pub fn inline(model: &mut Model) -> Result<()> {
    let functions = std::mem::take(&mut model.functions);
    let Some(graph) = model.graph.as_mut().filter(|_| !functions.is_empty()) else { return Ok(()) };
    let find = |node: &Node| functions.iter().find(|f| (&f.domain, &f.name) == (&node.domain, &node.op_type));
    let version =
        |domain: &str| model.opset_import.iter().find(|set| set.domain == domain).map(|set| set.version);
    let mut bytes = 0;
    for _ in 0..MAX_DEPTH {
        if !graph.node.iter().any(|node| find(node).is_some()) {
            return Ok(());
        }
        let mut nodes = Vec::with_capacity(graph.node.len());
        for (at, node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
            let Some(function) = find(&node) else {
                nodes.push(node);
                continue;
            };
            let other = function.opset_import.iter().find(|set| {
                super::OWN_DOMAINS.contains(&set.domain.as_str())
                    && version(&set.domain).is_some_and(|own| own != set.version)
            });
            if let Some(other) = other {
                return Err(Error::Network(format!(
                    "its function {} is written in operator set {}, and the graph in another",
                    function.name, other.version
                )));
            }
            bytes += function
                .node
                .iter()
                .flat_map(|node| &node.attribute)
                .map(Message::encoded_len)
                .sum::<usize>();
            if nodes.len() + function.node.len() > MAX_NODES || bytes > MAX_BYTES {
                return Err(Error::Network("its functions make too much of it".into()));
            }
            nodes.extend(body(function, &node, at));
        }
        graph.node = nodes;
    }
    Err(Error::Network(format!("its functions call each other more than {MAX_DEPTH} deep")))
}

/// What a call consists of: the `at`th node of the graph, whose name goes before the names that are the function's own.
fn body(function: &Function, call: &Node, at: usize) -> Vec<Node> {
    let nothing = String::new();
    let given = |list: &[String], at: usize| list.get(at).unwrap_or(&nothing).clone();
    let outside: HashMap<&str, String> = function
        .input
        .iter()
        .enumerate()
        .map(|(at, name)| (name.as_str(), given(&call.input, at)))
        .chain(function.output.iter().enumerate().map(|(at, name)| (name.as_str(), given(&call.output, at))))
        .collect();
    let own = format!("{}.{at}", node_name(call));
    let renamed = |name: &String| match outside.get(name.as_str()) {
        _ if name.is_empty() => String::new(),
        // An output that the call has no use for is still one.
        Some(outer) if !outer.is_empty() || function.input.contains(name) => outer.clone(),
        _ => format!("{own}/{name}"),
    };
    let attribute = |attribute: &Attribute| {
        if attribute.ref_attr_name.is_empty() {
            return Some(attribute.clone());
        }
        let wanted = &attribute.ref_attr_name;
        let stated =
            call.attribute.iter().chain(&function.attribute_proto).find(|known| known.name == *wanted);
        stated.map(|stated| Attribute { name: attribute.name.clone(), ..stated.clone() })
    };
    let mut nodes: Vec<Node> = function
        .node
        .iter()
        .map(|node| Node {
            input: node.input.iter().map(renamed).collect(),
            output: node.output.iter().map(renamed).collect(),
            name: if node.name.is_empty() { String::new() } else { format!("{own}/{}", node.name) },
            attribute: node.attribute.iter().filter_map(attribute).collect(),
            ..node.clone()
        })
        .collect();
    // An input that is an output as it is.
    let made: HashSet<&String> = function.node.iter().flat_map(|node| &node.output).collect();
    for (name, output) in function.output.iter().zip(&call.output) {
        if !made.contains(name) && !output.is_empty() {
            let input =
                outside.iter().find(|(inner, _)| **inner == name.as_str()).map(|(_, outer)| outer.clone());
            nodes.push(Node {
                input: input.into_iter().collect(),
                output: vec![output.clone()],
                op_type: "Identity".into(),
                ..Node::default()
            });
        }
    }
    nodes
}
