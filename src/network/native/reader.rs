//! ONNX nodes as steps of the engine.

mod blocks;
mod lists;
mod spatial;

use super::curve::Curve;
use super::graph::{Expectation, Extent, Filter, Graph, Operation, Post, Shuffle, Step, Value};
use super::numbers::Numbers;
use crate::network::graph::{self, Convolution};
use crate::network::layers::Layer;
use crate::network::onnx::{self, Node, Tensor};
use blocks::Axes;
use lists::List;
use std::collections::HashMap;

/// Translates a graph for an image of so many channels.
///
/// # Errors
/// In words, what the engine does not have.
pub fn read(graph: &graph::Graph, layers: &[Layer], channels: usize) -> Result<Graph, String> {
    let mut reader = Reader {
        tensors: HashMap::new(),
        steps: Vec::new(),
        extents: vec![Extent { channels, pooled: false }],
        biases: vec![],
        outputs: vec![],
        lists: HashMap::new(),
        numbers: Numbers::default(),
        expected: vec![],
    };
    for tensor in graph.tensors() {
        reader.constant(&tensor.name, tensor);
    }
    reader.tensors.insert(graph.input().to_owned(), Known::Value(0));
    for (at, node) in graph.nodes().iter().enumerate() {
        let read = match graph.convolution(at) {
            Some(convolution) => reader.convolution(node, convolution),
            None => reader.node(node),
        };
        read.map_err(|what| format!("{what} (node {})", node.name))?;
    }
    let output = reader.value(graph.output())?;
    let mut graph = Graph {
        steps: reader.steps,
        values: reader.extents.len(),
        output,
        filters: vec![],
        extents: reader.extents,
        numbers: reader.numbers,
        expected: reader.expected,
    };
    graph.join(layers);
    // Joining moves no convolution, so that they are in the order of the layers.
    let filter = |(step, bias): (&Step, Vec<f32>)| match step.operation {
        Operation::Convolution { shuffle, .. } => Some(Filter { shuffle, bias }),
        _ => None,
    };
    let convolutions =
        graph.steps.iter().filter(|step| matches!(step.operation, Operation::Convolution { .. }));
    graph.filters = convolutions.zip(reader.biases).filter_map(filter).collect();
    Ok(graph)
}

/// Pixels along a side of a block.
fn block_side(side: i64) -> Option<usize> {
    usize::try_from(side).ok().filter(|side| (1..=16).contains(side))
}

/// A tensor of the ONNX graph.
enum Known {
    Value(Value),
    Constant { dims: Vec<usize>, values: Vec<f32> },
    Axes(Axes),
}

/// Translates nodes one after another.
struct Reader {
    tensors: HashMap<String, Known>,
    steps: Vec<Step>,
    /// By value.
    extents: Vec<Extent>,
    /// Of the convolutions so far.
    biases: Vec<Vec<f32>>,
    /// The same, how many channels each makes.
    outputs: Vec<usize>,
    /// Lists of whole numbers.
    lists: HashMap<String, List>,
    numbers: Numbers,
    /// What the network says of sizes.
    expected: Vec<Expectation>,
}

impl Reader {
    /// Keeps a tensor, if it holds f32, or whole numbers of 64 bits.
    fn constant(&mut self, name: &str, tensor: &Tensor) {
        self.keep_list(tensor);
        if let Some(values) = onnx::floats(tensor) {
            let dims = tensor.dims.iter().map(|d| *d as usize).collect();
            self.tensors.insert(name.to_owned(), Known::Constant { dims, values });
        }
    }

    /// The image of this name, or what a step makes.
    pub fn value(&self, name: &str) -> Result<Value, String> {
        match self.tensors.get(name) {
            Some(Known::Value(value)) => Ok(*value),
            _ => Err(format!("{name} is no image")),
        }
    }

    /// A constant that applies to every value, or to every channel.
    fn list(&self, name: &str) -> Result<Option<Vec<f32>>, String> {
        match self.tensors.get(name) {
            Some(Known::Value(_)) => Ok(None),
            Some(Known::Axes(_)) => Err("an image whose axes are taken apart".into()),
            Some(Known::Constant { dims, values }) => {
                let by_channel = match dims[..] {
                    [1, c, 1, 1] | [c, 1, 1] => c == values.len(),
                    _ => values.len() == 1,
                };
                if by_channel {
                    Ok(Some(values.clone()))
                } else {
                    Err(format!("a constant of shape {dims:?}"))
                }
            }
            None => Err(format!("the tensor {name}")),
        }
    }

    fn push(&mut self, node: &Node, operation: Operation, inputs: Vec<Value>, posts: Vec<Post>) {
        self.push_as(&node.output[0], operation, inputs, posts);
    }

    fn push_as(&mut self, name: &str, operation: Operation, inputs: Vec<Value>, posts: Vec<Post>) {
        let input = self.extents[inputs[0]];
        let extent = match &operation {
            Operation::Copy | Operation::Repeat(_) | Operation::Normalize { .. } => input,
            Operation::Part { channels, .. } => Extent { channels: *channels, ..input },
            Operation::Pool { .. } => Extent { pooled: true, ..input },
            Operation::Resample { .. } | Operation::WindowPool(_) => Extent { pooled: false, ..input },
            Operation::SpaceToDepth(Shuffle { side, .. }) => {
                Extent { channels: input.channels.saturating_mul(side * side), pooled: false }
            }
            Operation::ChannelMean => Extent { channels: 1, ..input },
            // What does not divide is refused when it is laid out.
            Operation::DepthToSpace(Shuffle { side, .. }) => {
                Extent { channels: input.channels / (side * side).max(1), pooled: false }
            }
            Operation::Concat => {
                Extent { channels: inputs.iter().map(|value| self.extents[*value].channels).sum(), ..input }
            }
            Operation::Convolution { layer, .. } => Extent { channels: self.outputs[*layer], ..input },
        };
        let output = self.extents.len();
        self.extents.push(extent);
        self.steps.push(Step { operation, inputs, posts, output });
        self.tensors.insert(name.to_owned(), Known::Value(output));
    }

    /// Does a function to every value.
    fn curve(&mut self, node: &Node, curve: Curve) -> Result<(), String> {
        let input = self.value(node.input.first().map_or("", String::as_str))?;
        self.push(node, Operation::Copy, vec![input], vec![Post::Curve(curve)]);
        Ok(())
    }

    /// Parts of the channels, of these numbers one after another.
    fn parts(&mut self, node: &Node, lengths: &[usize]) -> Result<(), String> {
        let input = self.value(&node.input[0])?;
        if lengths.len() != node.output.len() || lengths.contains(&0) {
            return Err(format!("{} into parts of {lengths:?} channels", node.op_type));
        }
        let mut first = 0;
        for (name, channels) in node.output.iter().zip(lengths) {
            if !name.is_empty() {
                self.push_as(name, Operation::Part { first, channels: *channels }, vec![input], vec![]);
            }
            first += channels;
        }
        Ok(())
    }

    /// Adds what a node does.
    fn node(&mut self, node: &Node) -> Result<(), String> {
        if self.computes_list(node) {
            return Ok(());
        }
        if node.input.is_empty() {
            return Err(node.op_type.clone());
        }
        let input = |at: usize| node.input.get(at).map(String::as_str).filter(|name| !name.is_empty());
        let first = input(0).unwrap_or_default();
        let int = |name: &str, otherwise: i64| onnx::int_attribute(node, name).unwrap_or(otherwise);
        let float = |name: &str| node.attribute.iter().find(|a| a.name == name).map(|a| a.f());
        let text = |name: &str| node.attribute.iter().find(|a| a.name == name).map_or(&b""[..], |a| &a.s[..]);
        if node.op_type == "Split" && [1, -3].contains(&int("axis", 0)) {
            let channels = self.extents[self.value(first)?].channels;
            let equal = || vec![(channels / node.output.len()) as i64; node.output.len()];
            let is_stated = onnx::attribute(node, "split").is_some() || input(1).is_some();
            let lengths = if is_stated { self.whole(node, "split", 1) } else { Some(equal()) };
            let lengths: Option<Vec<usize>> =
                lengths.and_then(|all| all.iter().map(|length| usize::try_from(*length).ok()).collect());
            return match lengths.filter(|lengths| lengths.iter().sum::<usize>() == channels) {
                Some(lengths) => self.parts(node, &lengths),
                None => Err("Split of computed or other lengths".into()),
            };
        }
        if node.output.len() != 1 {
            return Err(format!("{} with {} outputs", node.op_type, node.output.len()));
        }
        match node.op_type.as_str() {
            "Sigmoid" => self.curve(node, Curve::Sigmoid)?,
            "Tanh" => self.curve(node, Curve::Tanh)?,
            "HardSigmoid" => {
                let (slope, offset) = (float("alpha").unwrap_or(0.2), float("beta").unwrap_or(0.5));
                self.curve(node, Curve::Hard { slope, offset, gates: false })?;
            }
            "HardSwish" => self.curve(node, Curve::Hard { slope: 1.0 / 6.0, offset: 0.5, gates: true })?,
            "Gelu" if text("approximate") == b"tanh" => self.curve(node, Curve::GeluByTanh)?,
            "Gelu" => self.curve(node, Curve::Gelu)?,
            "Softplus" => self.curve(node, Curve::Softplus)?,
            "Mish" => self.curve(node, Curve::Mish)?,
            "Erf" => self.curve(node, Curve::Erf)?,
            "Exp" => self.curve(node, Curve::Exp)?,
            "Abs" => self.curve(node, Curve::Abs)?,
            "Sqrt" => self.curve(node, Curve::Sqrt)?,
            "Pow" if self.list(input(1).unwrap_or_default())?.as_deref() == Some(&[2.0]) => {
                self.curve(node, Curve::Square)?;
            }
            "GlobalAveragePool" | "GlobalMaxPool" => {
                let greatest = node.op_type == "GlobalMaxPool";
                self.push(node, Operation::Pool { greatest }, vec![self.value(first)?], vec![]);
            }
            "ReduceMean" | "ReduceMax" => {
                let axes = self.whole(node, "axes", 1).unwrap_or_default();
                if node.op_type == "ReduceMean" && matches!(axes[..], [1 | -3]) && int("keepdims", 1) == 1 {
                    self.push(node, Operation::ChannelMean, vec![self.value(first)?], vec![]);
                    return Ok(());
                }
                let of_pixels = axes.len() == 2 && axes.iter().all(|axis| [2, 3, -1, -2].contains(axis));
                if !of_pixels || axes[0].rem_euclid(4) == axes[1].rem_euclid(4) || int("keepdims", 1) != 1 {
                    return Err(format!("{} over the axes {axes:?}", node.op_type));
                }
                let greatest = node.op_type == "ReduceMax";
                self.push(node, Operation::Pool { greatest }, vec![self.value(first)?], vec![]);
            }
            "LayerNormalization" => self.layer_normalization(node)?,
            "Slice" => self.slice(node)?,
            "Pad" => self.pad(node)?,
            "MaxPool" | "AveragePool" => self.window_pool(node)?,
            "Identity" => {
                let value = self.value(first)?;
                self.tensors.insert(node.output[0].clone(), Known::Value(value));
            }
            "Round" => self.curve(node, Curve::Round)?,
            "Relu" => self.push(node, Operation::Copy, vec![self.value(first)?], vec![Post::Relu]),
            "LeakyRelu" => {
                let slope = Post::Leaky(vec![float("alpha").unwrap_or(0.01)]);
                self.push(node, Operation::Copy, vec![self.value(first)?], vec![slope]);
            }
            "PRelu" => {
                let slopes = self.list(input(1).unwrap_or_default())?.ok_or("PRelu with computed slopes")?;
                self.push(node, Operation::Copy, vec![self.value(first)?], vec![Post::Leaky(slopes)]);
            }
            "Clip" => {
                let limit = |at: usize, name: &str, otherwise: f32| match input(at) {
                    Some(tensor) => match self.list(tensor)?.as_deref() {
                        Some([limit]) => Ok(*limit),
                        _ => Err("Clip with computed limits".to_owned()),
                    },
                    None => Ok(float(name).unwrap_or(otherwise)),
                };
                let (low, high) = (limit(1, "min", f32::MIN)?, limit(2, "max", f32::MAX)?);
                self.push(node, Operation::Copy, vec![self.value(first)?], vec![Post::Clip(low, high)]);
            }
            "Add" | "Sub" | "Mul" | "Div" => self.arithmetic(node)?,
            "Concat" if [1, -3].contains(&int("axis", 1)) => {
                let inputs: Vec<Value> =
                    node.input.iter().map(|name| self.value(name)).collect::<Result<_, _>>()?;
                if inputs.is_empty() {
                    return Err("Concat of nothing".into());
                }
                self.push(node, Operation::Concat, inputs, vec![]);
            }
            "DepthToSpace" => {
                let side =
                    block_side(int("blocksize", 0)).ok_or("DepthToSpace with an impossible block size")?;
                let channel_first = match text("mode") {
                    b"CRD" => true,
                    b"DCR" | b"" => false,
                    _ => return Err("DepthToSpace of an unknown mode".into()),
                };
                let shuffle = Shuffle { side, channel_first };
                self.push(node, Operation::DepthToSpace(shuffle), vec![self.value(first)?], vec![]);
            }
            "SpaceToDepth" => {
                let side =
                    block_side(int("blocksize", 0)).ok_or("SpaceToDepth with an impossible block size")?;
                let shuffle = Shuffle { side, channel_first: false };
                self.push(node, Operation::SpaceToDepth(shuffle), vec![self.value(first)?], vec![]);
            }
            "Resize" | "Upsample" => self.resize(node)?,
            "Reshape" => self.reshape(node)?,
            "Transpose" => self.transpose(node)?,
            "Unsqueeze" | "Squeeze" => self.squeeze(node)?,
            other => return Err(other.to_owned()),
        }
        Ok(())
    }

    fn convolution(
        &mut self,
        node: &Node,
        Convolution { conv, bias, .. }: &Convolution,
    ) -> Result<(), String> {
        let layer = self.biases.len();
        self.outputs.push(conv.outputs());
        let input = self.value(&node.input[0])?;
        self.biases.push(bias.clone().ok_or("a computed bias")?);
        self.push(node, Operation::Convolution { layer, shuffle: None }, vec![input], vec![]);
        Ok(())
    }

    fn arithmetic(&mut self, node: &Node) -> Result<(), String> {
        let [a, b] = &node.input[..] else {
            return Err(format!("{} of other than two inputs", node.op_type));
        };
        let (listed_a, listed_b) = (self.list(a)?, self.list(b)?);
        let negated = |list: Vec<f32>| list.into_iter().map(|v| -v).collect();
        // What is repeated over pixels or channels is done to the other.
        let mut pair = [a, b];
        if listed_a.is_none() && listed_b.is_none() {
            let [one, other] = [self.value(a)?, self.value(b)?];
            let [first, second] = [self.extents[one], self.extents[other]];
            let smaller = first.pooled && !second.pooled || first.channels < second.channels;
            if smaller {
                pair.reverse();
                if node.op_type == "Sub" {
                    let input = self.value(b)?;
                    let posts = vec![Post::Multiply(vec![-1.0]), Post::AddValue(one)];
                    self.push(node, Operation::Copy, vec![input], posts);
                    return Ok(());
                }
            }
        }
        let [a, b] = pair;
        let (input, posts) = match (node.op_type.as_str(), listed_a, listed_b) {
            ("Add", None, None) => (a, vec![Post::AddValue(self.value(b)?)]),
            ("Sub", None, None) => (a, vec![Post::SubtractValue(self.value(b)?)]),
            ("Mul", None, None) => (a, vec![Post::MultiplyValue(self.value(b)?)]),
            // Turned around, it would be another quotient.
            ("Div", None, None) if *a == node.input[0] => (a, vec![Post::DivideValue(self.value(b)?)]),
            ("Add", None, Some(list)) => (a, vec![Post::Add(list)]),
            ("Add", Some(list), None) => (b, vec![Post::Add(list)]),
            ("Sub", None, Some(list)) => (a, vec![Post::Add(negated(list))]),
            ("Sub", Some(list), None) => (b, vec![Post::Multiply(vec![-1.0]), Post::Add(list)]),
            ("Mul", None, Some(list)) => (a, vec![Post::Multiply(list)]),
            ("Mul", Some(list), None) => (b, vec![Post::Multiply(list)]),
            ("Div", None, Some(list)) => (a, vec![Post::Divide(list)]),
            (op, ..) => return Err(format!("{op} of these inputs")),
        };
        let input = self.value(input)?;
        self.push(node, Operation::Copy, vec![input], posts);
        Ok(())
    }
}
