//! Networks that were quantized before they came here: what QuantizeLinear and DequantizeLinear do to values that are no
//! constants, as arithmetic on f32, which holds their whole numbers exactly: `Div`, `Round`, `Clip`, `Mul`. Weights become what
//! they stand for when constants are folded.

use super::numbers::whole_numbers;
use crate::network::onnx::{self, Attribute, Graph, Node, Tensor};
use crate::{Error, Result};
use std::collections::HashMap;

fn node(op: &str, name: &str, inputs: &[&str], output: &str) -> Node {
    Node::of(op, format!("{name}/{op}"), inputs, output)
}

/// A scale and a zero point, and the least and greatest of the whole numbers.
struct Grid {
    scale: Vec<f32>,
    zero: Vec<f32>,
    ends: [f32; 2],
}

/// Computes what QuantizeLinear and DequantizeLinear do to values that are no constants, by arithmetic.
///
/// # Errors
/// [`Error::Network`] for scales and zero points that are computed, or that do not fit each other.
pub fn to_arithmetic(graph: &mut Graph, opset: i64) -> Result<()> {
    let is_one = |node: &Node| matches!(node.op_type.as_str(), "QuantizeLinear" | "DequantizeLinear");
    if !graph.node.iter().any(is_one) {
        return Ok(());
    }
    let known: HashMap<&str, &Tensor> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut made = Arithmetic { nodes: Vec::new(), tensors: Vec::new(), opset };
    for whole in std::mem::take(&mut graph.node) {
        if !is_one(&whole) {
            made.nodes.push(whole);
            continue;
        }
        let fail = |what: String| {
            Error::Network(format!("its node {} ({}): {what}", onnx::node_name(&whole), whole.op_type))
        };
        let grid = grid(&whole, &known).map_err(fail)?;
        made.add(&whole, &grid).map_err(fail)?;
    }
    graph.node = made.nodes;
    graph.initializer.append(&mut made.tensors);
    Ok(())
}

fn grid(node: &Node, known: &HashMap<&str, &Tensor>) -> Result<Grid, String> {
    let input = |at: usize| node.input.get(at).filter(|name| !name.is_empty());
    let scale = input(1)
        .and_then(|name| known.get(name.as_str()))
        .and_then(|tensor| onnx::floats(tensor))
        .ok_or("its scale is computed")?;
    let stated = onnx::int_attribute(node, "output_dtype").and_then(|kind| i32::try_from(kind).ok());
    let (zero, kind) = match input(2).map(|name| known.get(name.as_str())) {
        None => (vec![0.0; scale.len()], stated.unwrap_or(Tensor::UINT8)),
        Some(None) => return Err("its zero point is computed".into()),
        Some(Some(tensor)) => {
            (whole_numbers(tensor)?.ok_or("its zero point is no whole number")?, tensor.data_type)
        }
    };
    if zero.len() != scale.len() || !scale.iter().all(|scale| *scale > 0.0 && scale.is_finite()) {
        return Err(format!("{} zero points for the scales {scale:?}", zero.len()));
    }
    let ends = match kind {
        Tensor::UINT8 => [0.0, 255.0],
        Tensor::INT8 => [-128.0, 127.0],
        Tensor::UINT16 => [0.0, 65_535.0],
        Tensor::INT16 => [-32_768.0, 32_767.0],
        Tensor::UINT4 => [0.0, 15.0],
        Tensor::INT4 => [-8.0, 7.0],
        other => return Err(format!("it makes numbers of the type {other}")),
    };
    Ok(Grid { scale, zero, ends })
}

/// Nodes as they are made.
struct Arithmetic {
    nodes: Vec<Node>,
    tensors: Vec<Tensor>,
    opset: i64,
}

impl Arithmetic {
    /// A constant that applies to all values, or to every channel of `[images, channels, rows, columns]`.
    fn constant(&mut self, name: String, values: &[f32]) -> String {
        let by_channel = [values.len(), 1, 1];
        let dims: &[usize] = if values.len() == 1 { &[] } else { &by_channel };
        self.tensors.push(Tensor::of_floats(&name, dims, values));
        name
    }

    fn add(&mut self, whole: &Node, Grid { scale, zero, ends }: &Grid) -> Result<(), String> {
        let [Some(input), Some(output)] = [whole.input.first(), whole.output.first()] else {
            return Err("it has no input or no output".into());
        };
        if onnx::int_attribute(whole, "block_size").unwrap_or(0) != 0 {
            return Err("it has a scale for each block of values".into());
        }
        if scale.len() > 1 && onnx::int_attribute(whole, "axis").unwrap_or(1) != 1 {
            return Err("it quantizes along another axis than channels".into());
        }
        let name = onnx::node_name(whole);
        let part = |what: &str| format!("{output}/{what}");
        let scales = self.constant(part("scale"), scale);
        let centred = zero.iter().all(|zero| *zero == 0.0);
        let zeros = if centred { String::new() } else { self.constant(part("zero"), zero) };
        if whole.op_type == "DequantizeLinear" {
            let shifted = if centred { input.clone() } else { part("shifted") };
            if !centred {
                self.nodes.push(node("Sub", &name, &[input, &zeros], &shifted));
            }
            self.nodes.push(node("Mul", &name, &[&shifted, &scales], output));
            return Ok(());
        }
        let [divided, rounded, shifted] = ["divided", "rounded", "shifted"].map(part);
        self.nodes.push(node("Div", &name, &[input, &scales], &divided));
        self.nodes.push(node("Round", &name, &[&divided], &rounded));
        if !centred {
            self.nodes.push(node("Add", &name, &[&rounded, &zeros], &shifted));
        }
        let last = if centred { &rounded } else { &shifted };
        let clip = if self.opset >= 11 {
            let [low, high] =
                [("low", ends[0]), ("high", ends[1])].map(|(what, end)| self.constant(part(what), &[end]));
            node("Clip", &name, &[last, &low, &high], output)
        } else {
            let limit = |at: usize, name: &str| Attribute::of_float(name, ends[at]);
            node("Clip", &name, &[last], output).with(limit(0, "min")).with(limit(1, "max"))
        };
        self.nodes.push(clip);
        Ok(())
    }
}
