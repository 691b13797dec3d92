//! A graph of older operators in those of operator set 21, in which exported files are written.

use crate::network::onnx::{self, Attribute, Graph, Node, Tensor};
use crate::{Error, Result};

/// Rewrites what has another meaning since, or is told in another way.
///
/// # Errors
/// [`Error::Network`] names the node that cannot be rewritten.
pub fn update(graph: &mut Graph, prefix: &str, opset: i64) -> Result<()> {
    let mut added = Vec::new();
    for node in &mut graph.node {
        // Writers that leave zeros out would have these be nothing.
        for attribute in &mut node.attribute {
            match attribute.r#type {
                Attribute::INT => attribute.i = Some(attribute.i()),
                Attribute::FLOAT => attribute.f = Some(attribute.f()),
                _ => {}
            }
        }
        Updating { node, prefix, opset, added: &mut added }.update()?;
    }
    graph.initializer.extend(added);
    Ok(())
}

struct Updating<'u> {
    node: &'u mut Node,
    prefix: &'u str,
    opset: i64,
    added: &'u mut Vec<Tensor>,
}

impl Updating<'_> {
    fn update(&mut self) -> Result<()> {
        let before = self.opset;
        match self.node.op_type.as_str() {
            "Clip" if before < 11 => {
                let limit =
                    |node: &Node, name: &str, none: f32| onnx::attribute(node, name).map_or(none, |a| a.f());
                let limits = [limit(self.node, "min", f32::MIN), limit(self.node, "max", f32::MAX)];
                self.take(&["min", "max"]);
                for (at, limit) in limits.into_iter().enumerate() {
                    let tensor = Tensor::of_floats(&self.name(at + 1), &[], &[limit]);
                    self.input(at + 1, tensor);
                }
            }
            "Pad" if before < 11 => {
                let value = onnx::attribute(self.node, "value").map_or(0.0, |value| value.f());
                self.take(&["value"]);
                self.list("pads", 1);
                let tensor = Tensor::of_floats(&self.name(2), &[], &[value]);
                self.input(2, tensor);
            }
            "Resize" if before < 11 => {
                // Places were found so, before they could be chosen.
                self.node.input.insert(1, String::new());
                for (name, value) in
                    [("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")]
                {
                    let s = value.as_bytes().to_vec();
                    self.node.attribute.push(Attribute {
                        name: name.into(),
                        r#type: Attribute::STRING,
                        s,
                        ..Attribute::default()
                    });
                }
            }
            "Slice" if before < 10 => {
                self.list("starts", 1);
                self.list("ends", 2);
                self.list("axes", 3);
            }
            "Squeeze" | "Unsqueeze" | "ReduceSum" if before < 13 => self.list("axes", 1),
            "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceL2" if before < 18 => self.list("axes", 1),
            "Split" if before < 18 => {
                if before < 13 {
                    self.list("split", 1);
                }
                if self.node.input.len() < 2 {
                    let outputs = self.node.output.len() as i64;
                    self.node.attribute.push(Attribute::of_integer("num_outputs", outputs));
                }
            }
            // Over all axes from this one on, before: the same where it is the last.
            "Softmax" if before < 13 && onnx::int_attribute(self.node, "axis") != Some(-1) => {
                return Err(self.refused());
            }
            "BatchNormalization" if before < 9 => self.take(&["spatial"]),
            _ => {}
        }
        Ok(())
    }

    fn refused(&self) -> Error {
        Error::Network(format!(
            "it cannot be exported: its node {} ({}) is of operator set {}, and means something else in {}",
            self.node.name,
            self.node.op_type,
            self.opset,
            super::OPSET
        ))
    }

    fn name(&self, input: usize) -> String {
        super::Names { prefix: self.prefix, node: &self.node.name }.of(&format!("input{input}"))
    }

    fn take(&mut self, names: &[&str]) {
        self.node.attribute.retain(|attribute| !names.contains(&attribute.name.as_str()));
    }

    /// Makes a list among the attributes this input.
    fn list(&mut self, name: &str, input: usize) {
        let Some(values) = onnx::attribute(self.node, name).map(|attribute| attribute.ints.clone()) else {
            return;
        };
        self.take(&[name]);
        let tensor = Tensor::of_integers(&self.name(input), &values);
        self.input(input, tensor);
    }

    fn input(&mut self, at: usize, tensor: Tensor) {
        let least = self.node.input.len().max(at + 1);
        self.node.input.resize(least, String::new());
        self.node.input[at].clone_from(&tensor.name);
        self.added.push(tensor);
    }
}
