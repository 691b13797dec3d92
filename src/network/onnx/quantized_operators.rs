//! Operators on quantized tensors (ONNX's QOperator form), as DequantizeLinear, the operator itself, and QuantizeLinear.

use super::node_name;
use super::proto::{Attribute, Graph, Node};

fn node(op: &str, name: &str, inputs: &[&str], output: &str) -> Node {
    Node::of(op, format!("{name}/{op}"), inputs, output)
}

fn with_axis(node: Node, axis: i64) -> Node {
    node.with(Attribute::of_integer("axis", axis))
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
pub fn split(graph: &mut Graph) {
    let mut nodes = Vec::with_capacity(graph.node.len());
    for whole in std::mem::take(&mut graph.node) {
        let (name, input) = (node_name(&whole), whole.input.clone());
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
