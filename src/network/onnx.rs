//! Reading and checking an ONNX file before anything is built from it. The bytes are not trusted.

use crate::{Error, Result};
use prost::Message;

use proto::Dimension;
pub use proto::{Attribute, Entry, Function, Graph, Model, Node, OperatorSet, Tensor, ValueInfo};
use std::collections::HashSet;
use std::ops::RangeInclusive;

pub mod exported;
mod functions;
mod order;
mod precision;
mod proto;
mod quantized_operators;
mod second_files;

pub use second_files::{join, second_files};

/// Largest network file that is opened: the paper's own RDN has 88 MB.
const MAX_BYTES: usize = 512 << 20;
const MAX_NODES: usize = 20_000;

/// Parses and checks a network.
///
/// # Errors
/// [`Error::Network`] says what is wrong with the file.
pub fn parse(bytes: &[u8]) -> Result<Model> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::Network(format!(
            "the file has {} MB, more than {}",
            bytes.len() >> 20,
            MAX_BYTES >> 20
        )));
    }
    let mut model = Model::decode(bytes)
        .map_err(|_| Error::Network("the file is not an ONNX model, or is cut short".into()))?;
    exported::leave_quantizers_out(&mut model);
    functions::inline(&mut model)?;
    let opset = opset(&model);
    let graph = model.graph.as_mut().ok_or_else(|| Error::Network("the file holds no graph".into()))?;
    precision::to_f32(graph);
    quantized_operators::split(graph);
    // Optional inputs that are left out at the end need not be named; tract would look for them.
    for node in &mut graph.node {
        let named = node.input.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        node.input.truncate(named);
    }
    name_empty_lists(graph, opset);
    order::sort(&mut graph.node);
    check(graph)?;
    check_versions(&model)?;
    Ok(model)
}

/// Before version 13, Resize was to be given lists that it does not need, as empty tensors. Some files leave them out, and
/// tract would take the next input for them.
fn name_empty_lists(graph: &mut Graph, opset: i64) {
    const EMPTY: &str = "dfsq.empty";
    let resizes = graph.node.iter_mut().filter(|node| opset < 13 && node.op_type == "Resize");
    let unnamed: Vec<&mut String> =
        resizes.flat_map(|node| node.input.iter_mut().skip(1).filter(|name| name.is_empty())).collect();
    if unnamed.is_empty() {
        return;
    }
    unnamed.into_iter().for_each(|name| EMPTY.clone_into(name));
    let empty = Tensor { name: EMPTY.into(), dims: vec![0], data_type: Tensor::FLOAT, ..Default::default() };
    graph.initializer.push(empty);
}

/// Version of ONNX's operators that the file is written in.
pub fn opset(model: &Model) -> i64 {
    let own = model.opset_import.iter().find(|set| OWN_DOMAINS.contains(&set.domain.as_str()));
    own.map_or(1, |set| set.version)
}

/// Names of ONNX's own operators.
const OWN_DOMAINS: [&str; 2] = ["", "ai.onnx"];
/// Versions of the format, and of the operators, whose meaning is known.
const FORMATS: RangeInclusive<i64> = 3..=14;
const OPSETS: RangeInclusive<i64> = 7..=28;

fn check_versions(model: &Model) -> Result<()> {
    let fail = |message: String| Err(Error::Network(message));
    let (format, opset) = (model.ir_version, opset(model));
    if !FORMATS.contains(&format) {
        return fail(format!(
            "its format is version {format}; {} to {} are known",
            FORMATS.start(),
            FORMATS.end()
        ));
    }
    if !OPSETS.contains(&opset) {
        return fail(format!(
            "its operator set is version {opset}; {} to {} are known",
            OPSETS.start(),
            OPSETS.end()
        ));
    }
    let mut nodes = model.graph.iter().flat_map(|graph| &graph.node);
    match nodes.find(|node| !OWN_DOMAINS.contains(&node.domain.as_str())) {
        Some(node) => fail(format!(
            "its node {} ({}) is of the foreign domain {}",
            node_name(node),
            node.op_type,
            node.domain
        )),
        None => Ok(()),
    }
}

/// Weights must be numbers. Single values may be infinite, as limits are.
///
/// # Errors
/// [`Error::Network`] names the tensor, and who reads it.
pub fn check_finite(graph: &Graph) -> Result<()> {
    for tensor in &graph.initializer {
        let name = tensor.name.as_str();
        let wrong = |value: &f32| if length(tensor) == Some(1) { value.is_nan() } else { !value.is_finite() };
        if floats(tensor).unwrap_or_default().iter().any(wrong) {
            let reader = graph.node.iter().find(|node| node.input.iter().any(|input| input == name));
            let reader = reader.map(|node| format!(" of its node {} ({})", node_name(node), node.op_type));
            return Err(Error::Network(format!(
                "the weights {name}{} are not all finite",
                reader.unwrap_or_default()
            )));
        }
    }
    Ok(())
}

/// What a file says of the graph's input, `[1, channels, height, width]`, and its output.
pub struct Declared {
    pub channels: Option<usize>,
    pub size: Option<[usize; 2]>,
    /// Whether input and output are of 8-bit levels.
    pub bytes: [bool; 2],
}

impl Declared {
    /// Whether a file says that an image's channels come last: `[1, height, width, channels]`.
    pub fn is_channels_last(value: &ValueInfo) -> bool {
        let side = |at: usize| Some(Self::dims(value)?.get(at)?.dim_value.unwrap_or(0));
        let channels = |at: usize| side(at).is_some_and(|side| [1, 3, 4].contains(&side));
        Self::dims(value).is_some_and(|dims| dims.len() == 4) && channels(3) && !channels(1)
    }

    fn dims(value: &ValueInfo) -> Option<&Vec<Dimension>> {
        Some(&value.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?.dim)
    }

    /// Moves the last of an image's dimensions to the second place.
    pub fn put_channels_first(value: &mut ValueInfo) {
        let tensor = value.r#type.as_mut().and_then(|known| known.tensor_type.as_mut());
        if let Some(shape) = tensor.and_then(|tensor| tensor.shape.as_mut())
            && shape.dim.len() == 4
        {
            shape.dim[1..].rotate_right(1);
        }
    }

    pub fn of([input, output]: [Option<&ValueInfo>; 2]) -> Self {
        let tensor = |value: Option<&ValueInfo>| value?.r#type.as_ref()?.tensor_type.clone();
        let bytes = [input, output]
            .map(|value| tensor(value).is_some_and(|tensor| tensor.elem_type == Tensor::UINT8));
        let declared = tensor(input);
        let shape = || declared.as_ref()?.shape.as_ref();
        let dimension = |axis: usize| {
            let Dimension { dim_value, .. } = shape()?.dim.get(axis)?;
            usize::try_from((*dim_value)?).ok().filter(|l| (1..=1 << 16).contains(l))
        };
        let size = dimension(2).zip(dimension(3)).map(|(h, w)| [h, w]);
        Declared { channels: dimension(1), size, bytes }
    }
}

fn check(graph: &Graph) -> Result<()> {
    let fail = |message: String| Err(Error::Network(message));
    if graph.node.is_empty() {
        return fail("the graph is empty".into());
    }
    if graph.node.len() > MAX_NODES {
        return fail(format!("it has {} nodes, more than {MAX_NODES}", graph.node.len()));
    }
    for tensor in &graph.initializer {
        if !tensor.external_data.is_empty() {
            let entry = tensor.external_data.iter().find(|entry| entry.key == "location");
            let file = entry.map_or("", |entry| &entry.value);
            return fail(format!("its weights are in a second file, {file}: open both together"));
        }
        if tensor.dims.iter().any(|d| *d < 0 || *d > 1 << 24) {
            return fail(format!("the tensor {} has an impossible shape {:?}", tensor.name, tensor.dims));
        }
        if tensor.data_type == Tensor::FLOAT {
            let stored =
                if tensor.raw_data.is_empty() { tensor.float_data.len() } else { tensor.raw_data.len() / 4 };
            if length(tensor) != Some(stored) {
                return fail(format!(
                    "the tensor {} should have shape {:?} but stores {stored} values",
                    tensor.name, tensor.dims
                ));
            }
        }
    }
    let constants: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    if constants.len() < graph.initializer.len() {
        return fail("two of its tensors have the same name".into());
    }
    let inputs = graph.input.iter().filter(|i| !constants.contains(i.name.as_str())).count();
    if inputs != 1 || graph.output.len() != 1 {
        return fail(format!(
            "it has {inputs} inputs and {} outputs; one image in, one image out is needed",
            graph.output.len()
        ));
    }
    let mut defined = constants;
    defined.extend(graph.input.iter().map(|i| i.name.as_str()));
    for node in &graph.node {
        if let Some(missing) = node.input.iter().find(|i| !i.is_empty() && !defined.contains(i.as_str())) {
            return fail(format!(
                "node {} reads {missing}, which nothing before it computes",
                node_name(node)
            ));
        }
        if node.output.first().is_none_or(String::is_empty) {
            return fail(format!("a {} has no output", node.op_type));
        }
        for output in node.output.iter().filter(|o| !o.is_empty()) {
            if !defined.insert(output) {
                return fail(format!("two nodes compute {output}"));
            }
        }
    }
    match graph.output.iter().find(|o| !defined.contains(o.name.as_str())) {
        Some(output) => fail(format!("nothing computes its output {}", output.name)),
        None => Ok(()),
    }
}

/// The node's name, or its first output's where it has none (what tract calls it too).
pub fn node_name(node: &Node) -> String {
    if node.name.is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name.clone() }
}

/// An integer attribute.
pub fn int_attribute(node: &Node, name: &str) -> Option<i64> {
    node.attribute.iter().find(|a| a.name == name && a.r#type == Attribute::INT).map(|a| a.i())
}

/// An attribute of this name.
pub fn attribute<'n>(node: &'n Node, name: &str) -> Option<&'n Attribute> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

/// Number of values that a tensor should have.
pub fn length(tensor: &Tensor) -> Option<usize> {
    tensor.dims.iter().try_fold(1usize, |n, d| n.checked_mul(usize::try_from(*d).ok()?))
}

/// The values of an f32 tensor.
pub fn floats(tensor: &Tensor) -> Option<Vec<f32>> {
    if tensor.data_type != Tensor::FLOAT {
        return None;
    }
    Some(if tensor.raw_data.is_empty() {
        tensor.float_data.clone()
    } else {
        tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    })
}

/// The values of a tensor of whole numbers of 64 bits.
pub fn whole(tensor: &Tensor) -> Option<Vec<i64>> {
    if tensor.data_type != Tensor::INT64 {
        return None;
    }
    Some(if tensor.raw_data.is_empty() {
        tensor.int64_data.clone()
    } else {
        tensor.raw_data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
    })
}

/// The values of a tensor of f32 or whole numbers.
#[cfg(feature = "tract")]
pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    match tensor.data_type {
        Tensor::FLOAT => floats(tensor).unwrap_or_default().into_iter().map(f64::from).collect(),
        Tensor::INT32 if tensor.raw_data.is_empty() => {
            tensor.int32_data.iter().map(|v| f64::from(*v)).collect()
        }
        Tensor::INT32 => tensor
            .raw_data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f64::from(i32::from_le_bytes(*bytes)))
            .collect(),
        Tensor::INT64 if tensor.raw_data.is_empty() => tensor.int64_data.iter().map(|v| *v as f64).collect(),
        Tensor::INT64 => {
            tensor.raw_data.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect()
        }
        _ => Vec::new(),
    }
}
