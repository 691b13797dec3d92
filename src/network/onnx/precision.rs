//! Networks in other floating-point numbers than f32, which everything here is computed in.

use super::proto::{Attribute, Graph, Tensor};

/// Bits of the numbers of a type that f32 takes the place of.
fn width(data_type: i32) -> Option<usize> {
    match data_type {
        Tensor::FLOAT16 | Tensor::BFLOAT16 => Some(2),
        Tensor::DOUBLE => Some(8),
        _ => None,
    }
}

/// Turns float16, bfloat16 and double into f32: stored tensors, constants, conversions, and what the graph takes and gives.
pub fn to_f32(graph: &mut Graph) {
    graph.initializer.iter_mut().for_each(tensor);
    for node in &mut graph.node {
        for Attribute { name, i, t, .. } in &mut node.attribute {
            t.iter_mut().for_each(tensor);
            let names_type =
                name == "to" && node.op_type == "Cast" || name == "dtype" || name == "output_dtype";
            let kind = i.and_then(|kind| i32::try_from(kind).ok());
            if names_type && kind.and_then(width).is_some() {
                *i = Some(i64::from(Tensor::FLOAT));
            }
        }
    }
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        if let Some(declared) = value.r#type.as_mut().and_then(|known| known.tensor_type.as_mut())
            && width(declared.elem_type).is_some()
        {
            declared.elem_type = Tensor::FLOAT;
        }
    }
}

/// What is not whole stays as it is, to be refused.
fn tensor(tensor: &mut Tensor) {
    let Some(width) = width(tensor.data_type) else { return };
    if !tensor.raw_data.len().is_multiple_of(width) {
        return;
    }
    let half = |bits: u16| match tensor.data_type {
        Tensor::FLOAT16 => half::f16::from_bits(bits).to_f32(),
        _ => half::bf16::from_bits(bits).to_f32(),
    };
    let values: Vec<f32> = match (width, tensor.raw_data.is_empty()) {
        (2, true) => tensor.int32_data.iter().map(|bits| half(*bits as u16)).collect(),
        (2, false) => {
            tensor.raw_data.as_chunks().0.iter().map(|bytes| half(u16::from_le_bytes(*bytes))).collect()
        }
        (_, true) => tensor.double_data.iter().map(|value| *value as f32).collect(),
        (_, false) => {
            tensor.raw_data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect()
        }
    };
    tensor.raw_data = values.into_iter().flat_map(f32::to_le_bytes).collect();
    tensor.data_type = Tensor::FLOAT;
    (tensor.int32_data, tensor.double_data) = (Vec::new(), Vec::new());
}
