//! Networks that were quantized before they came here (ONNX's QDQ and QOperator forms): their arithmetic on whole numbers as
//! arithmetic on f32, which holds these numbers exactly. Weights become what they stand for when constants are folded.
//!
//! Rounding then is `Div`, `Round`, `Clip`, `Mul`: what ONNX says QuantizeLinear and DequantizeLinear do.

use super::fold::whole_numbers;
use crate::network::onnx::{self, Attribute, Graph, Node, Tensor};
use crate::{Error, Result};
use std::collections::HashMap;

/// A node of an operator of the standard.
fn node(op: &str, name: &str, inputs: &[&str], output: &str) -> Node {
    Node {
        op_type: op.into(),
        name: format!("{name}/{op}"),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Node::default()
    }
}

fn with_axis(mut node: Node, axis: i64) -> Node {
    node.attribute.push(Attribute {
        name: "axis".into(),
        r#type: Attribute::INT,
        i: axis,
        ..Attribute::default()
    });
    node
}

/// How the inputs of an operator on quantized tensors are given, each with its scale and zero point; those of the result follow,
/// or go before them.
enum Form {
    Each(usize),
    /// Any number, after scale and zero point of the result.
    Any,
}

/// The operator that one on quantized tensors stands for.
fn float_operator(node: &Node) -> Option<(&'static str, Form)> {
    Some(match (node.domain.as_str(), node.op_type.as_str()) {
        ("", "QLinearMatMul") => ("MatMul", Form::Each(2)),
        ("com.microsoft", "QLinearAdd") => ("Add", Form::Each(2)),
        ("com.microsoft", "QLinearMul") => ("Mul", Form::Each(2)),
        ("com.microsoft", "QLinearLeakyRelu") => ("LeakyRelu", Form::Each(1)),
        ("com.microsoft", "QLinearSigmoid") => ("Sigmoid", Form::Each(1)),
        ("com.microsoft", "QLinearConcat") => ("Concat", Form::Any),
        _ => return None,
    })
}

/// Puts the operators on quantized tensors as DequantizeLinear, the operator itself, and QuantizeLinear.
pub fn split_operators(graph: &mut Graph) {
    let mut nodes = Vec::with_capacity(graph.node.len());
    for whole in std::mem::take(&mut graph.node) {
        let (name, input) = (onnx::node_name(&whole), whole.input.clone());
        // What the format of the quantizer of onnxruntime calls its own.
        if whole.domain == "com.microsoft"
            && matches!(&whole.op_type[..], "QuantizeLinear" | "DequantizeLinear")
        {
            nodes.push(Node { domain: String::new(), ..whole });
            continue;
        }
        let at = |at: usize| input.get(at).map_or("", String::as_str);
        let Some(output) = whole.output.first().cloned() else {
            nodes.push(whole);
            continue;
        };
        let inner = |part: &str| format!("{output}/{part}");
        if whole.domain.is_empty() && whole.op_type == "QLinearConv" && input.len() >= 8 {
            let [x, kernels, scale, bias, result] = ["x", "kernels", "scale", "bias", "result"].map(inner);
            nodes.push(node("DequantizeLinear", &x, &[at(0), at(1), at(2)], &x));
            nodes.push(with_axis(node("DequantizeLinear", &kernels, &[at(3), at(4), at(5)], &kernels), 0));
            let mut conv = vec![x, kernels];
            if !at(8).is_empty() {
                nodes.push(node("Mul", &scale, &[at(1), at(4)], &scale));
                nodes.push(with_axis(node("DequantizeLinear", &bias, &[at(8), &scale], &bias), 0));
                conv.push(bias);
            }
            nodes.push(Node { op_type: "Conv".into(), input: conv, output: vec![result.clone()], ..whole });
            nodes.push(node("QuantizeLinear", &name, &[&result, at(6), at(7)], &output));
            continue;
        }
        let Some((op, form)) = float_operator(&whole) else {
            nodes.push(whole);
            continue;
        };
        let (first, count, result) = match form {
            Form::Each(count) => (0, count, 3 * count),
            Form::Any => (2, input.len().saturating_sub(2) / 3, 0),
        };
        let mut inputs = Vec::with_capacity(count);
        for index in 0..count {
            let from = first + 3 * index;
            let x = inner(&format!("x{index}"));
            nodes.push(node("DequantizeLinear", &x, &[at(from), at(from + 1), at(from + 2)], &x));
            inputs.push(x);
        }
        let computed = inner("result");
        nodes.push(Node {
            op_type: op.into(),
            domain: String::new(),
            input: inputs,
            output: vec![computed.clone()],
            ..whole
        });
        nodes.push(node("QuantizeLinear", &name, &[&computed, at(result), at(result + 1)], &output));
    }
    graph.node = nodes;
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
        let dims = if values.len() == 1 { vec![] } else { vec![values.len() as i64, 1, 1] };
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.push(Tensor {
            name: name.clone(),
            dims,
            data_type: Tensor::FLOAT,
            raw_data,
            ..Tensor::default()
        });
        name
    }

    fn add(&mut self, whole: &Node, Grid { scale, zero, ends }: &Grid) -> Result<(), String> {
        let [Some(input), Some(output)] = [whole.input.first(), whole.output.first()] else {
            return Err("it has no input or no output".into());
        };
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
            let mut clip = node("Clip", &name, &[last], output);
            clip.attribute = [("min", ends[0]), ("max", ends[1])]
                .map(|(name, f)| Attribute {
                    name: name.into(),
                    r#type: Attribute::FLOAT,
                    f,
                    ..Attribute::default()
                })
                .into();
            clip
        };
        self.nodes.push(clip);
        Ok(())
    }
}
