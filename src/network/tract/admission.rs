//! What tract is given: operators of a list, with attributes and inputs that fit, whose shapes are found and bounded before
//! anything is computed. tract trusts what it reads; files from strangers are not to be trusted.

mod call;
mod layout;
mod spatial;

use crate::network::graph::{Conv, Graph};
use crate::network::limits::most_values;
use crate::network::onnx::{self, Node, Tensor};
use crate::{Error, Result};
use call::{Call, broadcast};
use std::collections::HashMap;

/// Values of all tensors together that are computed from constants alone, which tract does when it reads a network.
const MAX_CONSTANTS: u64 = 1 << 28;
/// Axes of a tensor.
const MAX_AXES: usize = 8;
/// Values of a tensor that are followed, since shapes may be computed from them.
const MAX_FOLLOWED: u64 = 4096;
/// Stored whole numbers that are looked at.
const MAX_INDICES: u64 = 1 << 18;

/// The kind of numbers of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Integer,
    /// Of a comparison.
    Boolean,
}

/// What is known of a tensor.
#[derive(Debug, Clone, PartialEq)]
struct Fact {
    dims: Vec<u64>,
    kind: Kind,
    /// Where there are few, and they do not depend on the image's values.
    values: Option<Vec<f64>>,
    /// Whether it does not depend on the image.
    constant: bool,
}

impl Fact {
    /// Of a stored tensor.
    fn stored(tensor: &Tensor) -> Result<Self, String> {
        let (kind, bytes, unpacked) = match tensor.data_type {
            Tensor::FLOAT => (Kind::Float, 4, tensor.float_data.len()),
            Tensor::INT32 => (Kind::Integer, 4, tensor.int32_data.len()),
            Tensor::INT64 => (Kind::Integer, 8, tensor.int64_data.len()),
            other => {
                return Err(format!(
                    "the tensor {} has numbers of the type {other}, not f32, i32 or i64",
                    tensor.name
                ));
            }
        };
        let stored = if tensor.raw_data.is_empty() { unpacked } else { tensor.raw_data.len() / bytes };
        if onnx::length(tensor) != Some(stored) {
            return Err(format!(
                "the tensor {} should have shape {:?} but stores {stored} values",
                tensor.name, tensor.dims
            ));
        }
        let dims = tensor.dims.iter().map(|d| *d as u64).collect();
        // Tables of indices are large.
        let most = if tensor.data_type == Tensor::INT64 { MAX_INDICES } else { MAX_FOLLOWED };
        let values = (stored as u64 <= most).then(|| onnx::numbers(tensor));
        Ok(Fact { dims, kind, values, constant: true })
    }

    fn count(&self) -> Option<u64> {
        self.dims.iter().try_fold(1u64, |count, side| count.checked_mul(*side))
    }

    /// Whether its values are known, and are in f64 just what they are for tract, which computes sizes in 32 bits.
    fn exact(&self) -> bool {
        let exact = |v: &f64| match self.kind {
            Kind::Float => v.is_finite() && f64::from(*v as f32) == *v,
            Kind::Integer => v.abs() < f64::from(1u32 << 31),
            Kind::Boolean => true,
        };
        self.values.as_ref().is_some_and(|values| values.iter().all(exact))
    }

    fn rank(&self) -> usize {
        self.dims.len()
    }
}

/// A graph without its weights, with the shapes of all constants.
pub struct Admission {
    opset: i64,
    /// With what is known of it, where it is a convolution.
    nodes: Vec<(Node, Option<Conv>)>,
    constants: HashMap<String, Fact>,
    input: String,
    output: String,
}

impl Admission {
    /// # Errors
    /// [`Error::Network`] for constants of other kinds of numbers.
    pub fn new(graph: &Graph) -> Result<Self> {
        let mut constants = HashMap::new();
        for tensor in graph.tensors() {
            constants.insert(tensor.name.clone(), Fact::stored(tensor).map_err(Error::Network)?);
        }
        let conv = |at: usize| graph.convolution(at).map(|convolution| convolution.conv);
        Ok(Admission {
            opset: onnx::opset(graph.model()),
            nodes: graph.nodes().iter().enumerate().map(|(at, node)| (node.clone(), conv(at))).collect(),
            input: graph.input().to_owned(),
            output: graph.output().to_owned(),
            constants,
        })
    }

    /// The shape of what comes out for an input of this shape.
    ///
    /// # Errors
    /// [`Error::Network`] names the node that cannot be admitted, and says why.
    pub fn check(&self, shape: [usize; 4]) -> Result<Vec<usize>> {
        let image = Fact {
            dims: shape.map(|side| side as u64).to_vec(),
            kind: Kind::Float,
            values: None,
            constant: false,
        };
        let most = most_values([0, 2, 3].map(|axis| shape[axis] as u64).iter().product());
        let mut computed = HashMap::from([(self.input.as_str(), image)]);
        let mut constants = 0;
        for (node, conv) in &self.nodes {
            let refuse = |what: String| {
                Error::Network(format!(
                    "its node {} ({}, operator set {}): {what}",
                    node.name, node.op_type, self.opset
                ))
            };
            let fact = |name: &String| computed.get(name.as_str()).or_else(|| self.constants.get(name));
            let inputs: Vec<Option<&Fact>> = node.input.iter().map(fact).collect();
            // An empty tensor is a list that is not given; nothing else is made of one.
            let empty = |(at, fact): (usize, &Option<&Fact>)| {
                fact.is_some_and(|fact| fact.count() == Some(0)) && !(at > 0 && node.op_type == "Resize")
            };
            if let Some(at) = inputs.iter().enumerate().position(empty) {
                return Err(refuse(format!("its input {at} is empty")));
            }
            let outputs = facts(&Call { node, conv: *conv, opset: self.opset, inputs }).map_err(refuse)?;
            for (name, mut fact) in node.output.iter().zip(outputs).filter(|(name, _)| !name.is_empty()) {
                let count =
                    fact.count().filter(|count| (1..=most).contains(count) && fact.rank() <= MAX_AXES);
                let Some(count) = count else {
                    return Err(refuse(format!("it would make a tensor of shape {:?}", fact.dims)));
                };
                constants += if fact.constant { count } else { 0 };
                if count > MAX_FOLLOWED || !fact.exact() {
                    fact.values = None;
                }
                computed.insert(name, fact);
            }
            if constants > MAX_CONSTANTS {
                return Err(refuse("too much is computed from constants alone".into()));
            }
        }
        let output = computed.get(self.output.as_str()).or_else(|| self.constants.get(&self.output));
        Ok(output.map(|fact| fact.dims.iter().map(|side| *side as usize).collect()).unwrap_or_default())
    }
}

/// What a node's outputs are, in words why it cannot be admitted.
fn facts(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let op = call.node.op_type.as_str();
    let compared = call.inputs.iter().flatten().any(|input| input.kind == Kind::Boolean);
    if compared && !matches!(op, "Where" | "Cast" | "Identity" | "Not") {
        return Err("it takes numbers only".into());
    }
    let one = match op {
        "Split" => return layout::split(call),
        "Relu" | "Sigmoid" | "Tanh" | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Elu" | "Selu"
        | "Softplus" | "Erf" | "Exp" | "Log" | "Sqrt" | "Reciprocal" | "Gelu" | "Mish" => {
            call.arity(1, 1)?;
            call.word("approximate", &["none", "tanh"])?;
            let input = call.input(0)?;
            if input.kind != Kind::Float {
                return Err("it takes f32 only".into());
            }
            Fact { values: None, ..input.clone() }
        }
        "Abs" | "Neg" | "Floor" | "Ceil" | "Round" | "Identity" => {
            call.arity(1, 1)?;
            let change: fn(f64) -> f64 = match op {
                "Abs" => f64::abs,
                "Neg" => |v| -v,
                "Floor" => f64::floor,
                "Ceil" => f64::ceil,
                "Round" => f64::round_ties_even,
                _ => |v| v,
            };
            let input = call.input(0)?;
            let values = input.values.as_ref().map(|values| values.iter().map(|v| change(*v)).collect());
            Fact { values, ..input.clone() }
        }
        "Cast" => {
            call.arity(1, 1)?;
            let input = call.input(0)?;
            let kind = match call.int("to", 0)? {
                to if to == i64::from(Tensor::FLOAT) => Kind::Float,
                to if to == i64::from(Tensor::INT32) || to == i64::from(Tensor::INT64) => Kind::Integer,
                to => return Err(format!("it makes numbers of the type {to}, not f32, i32 or i64")),
            };
            let whole = |v: &f64| if kind == Kind::Integer { v.trunc() } else { f64::from(*v as f32) };
            let values = input.values.as_ref().map(|values| values.iter().map(whole).collect());
            Fact { kind, values, ..input.clone() }
        }
        "Clip" => {
            call.arity(1, 3)?;
            let kind = call.input(0)?.kind;
            if (1..3)
                .filter_map(|at| call.optional(at))
                .any(|limit| limit.count() != Some(1) || limit.kind != kind)
            {
                return Err("its limits are no single numbers of its kind".into());
            }
            Fact { values: None, ..call.input(0)?.clone() }
        }
        "PRelu" => {
            call.arity(2, 2)?;
            let (input, slopes) = (call.input(0)?, call.input(1)?);
            if broadcast(&input.dims, &slopes.dims).as_ref() != Some(&input.dims) || slopes.kind != input.kind
            {
                return Err(format!("slopes of shape {:?} for {:?}", slopes.dims, input.dims));
            }
            Fact { values: None, ..input.clone() }
        }
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" => call.arithmetic()?,
        "Min" | "Max" | "Sum" => {
            call.arity(1, 16)?;
            (1..call.inputs.len())
                .try_fold(call.input(0)?.clone(), |so_far, at| call.broadcast(&so_far, call.input(at)?))?
        }
        "Not" => {
            call.arity(1, 1)?;
            let input = call.input(0)?;
            if input.kind != Kind::Boolean {
                return Err("it takes what is so or not only".into());
            }
            let values = input.values.as_ref().map(|values| values.iter().map(|v| 1.0 - v).collect());
            Fact { values, ..input.clone() }
        }
        "Equal" => call.comparison()?,
        "Where" => call.choice()?,
        "MatMul" => call.product()?,
        "Gemm" => call.affine()?,
        "BatchNormalization" => spatial::batch_normalization(call)?,
        "LayerNormalization" => layout::layer_normalization(call)?,
        "InstanceNormalization" => spatial::instance_normalization(call)?,
        "Conv" => spatial::convolution(call)?,
        "ConvTranspose" => spatial::transposed_convolution(call)?,
        "MaxPool" | "AveragePool" => spatial::pool(call)?,
        "GlobalAveragePool" | "GlobalMaxPool" => spatial::global_pool(call)?,
        "DepthToSpace" | "SpaceToDepth" => spatial::blocks(call)?,
        "Resize" | "Upsample" => spatial::resize(call)?,
        "Pad" => spatial::pad(call)?,
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceL2" => layout::reduce(call)?,
        "Softmax" => {
            call.arity(1, 1)?;
            let input = call.input(0)?;
            call.axis(call.int("axis", if call.opset < 13 { 1 } else { -1 })?, input.rank())?;
            Fact { values: None, ..input.clone() }
        }
        "Concat" => layout::concat(call)?,
        "Slice" => layout::slice(call)?,
        "Range" => layout::range(call)?,
        "Tile" => layout::tile(call)?,
        "ConstantOfShape" => layout::constant_of_shape(call)?,
        "Gather" => layout::gather(call)?,
        "GatherND" => layout::gather_nd(call)?,
        "Shape" => layout::shape(call)?,
        "Reshape" => layout::reshape(call)?,
        "Flatten" => layout::flatten(call)?,
        "Expand" => layout::expand(call)?,
        "Squeeze" | "Unsqueeze" => layout::squeeze(call)?,
        "Transpose" => layout::transpose(call)?,
        _ => return Err("this operator is not supported".into()),
    };
    if call.node.output.len() != 1 {
        return Err(format!("it has {} outputs", call.node.output.len()));
    }
    Ok(vec![one])
}
