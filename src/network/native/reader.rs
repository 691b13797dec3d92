//! ONNX nodes as steps of the engine.

use super::graph::{Filter, Graph, Operation, Post, Shuffle, Step, Value};
use crate::network::graph::{self, Convolution};
use crate::network::layers::Layer;
use crate::network::onnx::{self, Node, Tensor};
use std::collections::HashMap;

/// Translates a graph.
///
/// # Errors
/// In words, what the engine does not have.
pub fn read(graph: &graph::Graph, layers: &[Layer]) -> Result<Graph, String> {
    let mut reader = Reader { tensors: HashMap::new(), steps: Vec::new(), values: 1, biases: vec![] };
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
    let mut graph = Graph { steps: reader.steps, values: reader.values, output, filters: vec![] };
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

/// A tensor of the ONNX graph.
enum Known {
    Value(Value),
    Constant { dims: Vec<usize>, values: Vec<f32> },
}

/// Translates nodes one after another.
struct Reader {
    tensors: HashMap<String, Known>,
    steps: Vec<Step>,
    values: usize,
    /// Of the convolutions so far.
    biases: Vec<Vec<f32>>,
}

impl Reader {
    /// Keeps a tensor, if it holds f32.
    fn constant(&mut self, name: &str, tensor: &Tensor) {
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
        let output = self.values;
        self.values += 1;
        self.steps.push(Step { operation, inputs, posts, output });
        self.tensors.insert(node.output[0].clone(), Known::Value(output));
    }

    /// Adds what a node does.
    fn node(&mut self, node: &Node) -> Result<(), String> {
        let input = |at: usize| node.input.get(at).map(String::as_str).filter(|name| !name.is_empty());
        let first = input(0).unwrap_or_default();
        let int = |name: &str, otherwise: i64| onnx::int_attribute(node, name).unwrap_or(otherwise);
        let float = |name: &str| node.attribute.iter().find(|a| a.name == name).map(|a| a.f);
        let text = |name: &str| node.attribute.iter().find(|a| a.name == name).map_or(&b""[..], |a| &a.s[..]);
        if node.output.len() != 1 {
            return Err(format!("{} with {} outputs", node.op_type, node.output.len()));
        }
        match node.op_type.as_str() {
            "Identity" => {
                let value = self.value(first)?;
                self.tensors.insert(node.output[0].clone(), Known::Value(value));
            }
            "Round" => self.push(node, Operation::Copy, vec![self.value(first)?], vec![Post::Round]),
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
            "Concat" if int("axis", 1) == 1 => {
                let inputs = node.input.iter().map(|name| self.value(name)).collect::<Result<_, _>>()?;
                self.push(node, Operation::Concat, inputs, vec![]);
            }
            "DepthToSpace" => {
                let side = usize::try_from(int("blocksize", 0)).ok().filter(|side| (1..=16).contains(side));
                let side = side.ok_or("DepthToSpace with an impossible block size")?;
                let channel_first = match text("mode") {
                    b"CRD" => true,
                    b"DCR" | b"" => false,
                    _ => return Err("DepthToSpace of an unknown mode".into()),
                };
                let shuffle = Shuffle { side, channel_first };
                self.push(node, Operation::DepthToSpace(shuffle), vec![self.value(first)?], vec![]);
            }
            "Resize" => {
                let floor = text("mode") == b"nearest"
                    && text("nearest_mode") == b"floor"
                    && text("coordinate_transformation_mode") == b"asymmetric";
                let scales = match input(2).map(|name| self.tensors.get(name)) {
                    Some(Some(Known::Constant { values, .. })) => values.clone(),
                    _ => vec![],
                };
                match scales[..] {
                    [1.0, 1.0, y, x]
                        if floor
                            && input(3).is_none()
                            && y == x
                            && y.fract() == 0.0
                            && (1.0..=16.0).contains(&y) =>
                    {
                        self.push(node, Operation::Repeat(y as usize), vec![self.value(first)?], vec![]);
                    }
                    _ => return Err("this kind of Resize".into()),
                }
            }
            other => return Err(other.to_owned()),
        }
        Ok(())
    }

    fn convolution(&mut self, node: &Node, Convolution { bias, .. }: &Convolution) -> Result<(), String> {
        let layer = self.biases.len();
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
        let (input, posts) = match (node.op_type.as_str(), listed_a, listed_b) {
            ("Add", None, None) => (a, vec![Post::AddValue(self.value(b)?)]),
            ("Sub", None, None) => (a, vec![Post::SubtractValue(self.value(b)?)]),
            ("Mul", None, None) => (a, vec![Post::MultiplyValue(self.value(b)?)]),
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
