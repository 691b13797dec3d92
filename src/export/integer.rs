//! Integer arithmetic: static min-max as QuantizeLinear and DequantizeLinear where runtimes look for them, which make integer
//! convolutions (QLinearConv) of what is between: in front of a convolution, around its weights, and behind it or its ReLU, unless
//! the next one's stand there. Weights are int8 with a zero point of 0, activations uint8.

use super::names::Names;
use super::output_ranges::OutputRanges;
use super::whole_weights::WholeWeights;
use super::{ExportedLayer, File, Form, Own, not_static};
use crate::network::onnx::{Attribute, Entry, Graph, Node, Tensor};
use crate::quant::ActivationQuantizer;
use crate::{Error, Result};
use std::collections::HashMap;

/// Bits that integer convolutions take of each activation.
const ACTIVATION_BITS: u8 = 8;

/// An 8-bit grid with a whole zero point.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Levels {
    scale: f32,
    zero: u8,
}

impl Levels {
    /// On which 0 is a value.
    fn spanning(low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = if high > low { (high - low) / 255.0 } else { 1.0 };
        Levels { scale, zero: (-low / scale).round_ties_even() as u8 }
    }
}

/// Between what runtimes fuse.
pub struct InIntegers<'r> {
    ranges: &'r OutputRanges,
    /// By node that is quantized, the grid of its input.
    grids: HashMap<usize, Levels>,
    /// By tensor, the nodes that read it, and as which input.
    readers: HashMap<String, Vec<(usize, usize)>>,
    /// What the graph gives.
    outputs: Vec<String>,
}

impl<'r> InIntegers<'r> {
    /// What convolutions give is rounded within these ranges.
    pub fn within(ranges: &'r OutputRanges) -> Self {
        InIntegers { ranges, grids: HashMap::new(), readers: HashMap::new(), outputs: Vec::new() }
    }

    fn readers(&self, tensor: &str) -> &[(usize, usize)] {
        self.readers.get(tensor).map_or(&[], Vec::as_slice)
    }
}

impl Form for InIntegers<'_> {
    fn look(&mut self, graph: &Graph, all: &[Own<'_>]) -> Result<()> {
        for Own { node, layer, weights, activation, bits, .. } in all {
            let Some(ActivationQuantizer::StaticMinMax(grid)) = activation else { return Err(not_static()) };
            if bits[1].bits() != ACTIVATION_BITS || weights.is_none() {
                return Err(Error::Option(format!(
                    "{} cannot be computed in integers: its activations have {} bits and its weights {}; integer convolutions take \
                     {ACTIVATION_BITS}, and at most 8",
                    layer.name,
                    bits[1].bits(),
                    bits[0].bits(),
                )));
            }
            self.grids.insert(*node, Levels::spanning(grid.origin, grid.origin + grid.scale * grid.steps));
        }
        for (at, node) in graph.node.iter().enumerate() {
            for (input, name) in node.input.iter().enumerate() {
                self.readers.entry(name.clone()).or_default().push((at, input));
            }
        }
        self.outputs = graph.output.iter().map(|output| output.name.clone()).collect();
        Ok(())
    }

    fn put(&self, file: &mut File<'_>, own: &Own<'_>) -> Result<()> {
        file.put_integers(own, self)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry { key: "dfsq.arithmetic".into(), value: "integer".into() })
    }
}

fn linear(op_type: &str, output: &str, input: [&str; 3], axis: Option<i64>) -> Node {
    Node {
        op_type: op_type.into(),
        name: output.into(),
        input: input.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.into()],
        attribute: axis.map(|axis| Attribute::of_integer("axis", axis)).into_iter().collect(),
        ..Node::default()
    }
}

impl File<'_> {
    /// Puts a layer's kernels, input and output on whole numbers.
    fn put_integers(&mut self, own: &Own<'_>, integers: &InIntegers<'_>) -> Result<()> {
        let Own { index, node, layer, original, bits, .. } = *own;
        let names = Names { prefix: self.prefix, node: &layer.name };
        let (Some(weights), Some(input)) = (own.weights, integers.grids.get(&node)) else {
            return Err(not_static());
        };
        let outputs = layer.conv.outputs();
        let begin = self.graph.initializer.len();
        let uneven =
            || Error::Network(format!("the weights of {} are on no grid of whole steps", layer.name));
        let whole = WholeWeights::of(original, weights.kernels(), outputs, bits[0]).ok_or_else(uneven)?;
        let WholeWeights { weights, scales, longer } = whole;
        let bias = self.bias(node, &names, outputs)?;

        let [height, width] = layer.conv.kernel();
        let dims = [outputs, layer.conv.inputs() / layer.conv.groups(), height, width];
        let bytes = weights.iter().map(|weight| *weight as u8).collect();
        let stored = [
            self.store(Tensor::stored(&names.of("weights_quantized"), &dims, Tensor::INT8, bytes)),
            self.store(Tensor::of_floats(&names.of("weights_scale"), &[outputs], &scales)),
            self.store(Tensor::stored(&names.of("weights_zero"), &[outputs], Tensor::INT8, vec![0; outputs])),
        ];
        self.dequantize(node, 1, &names.of("weights"), stored);
        if let Some(bias) = &bias {
            let steps: Vec<f32> = scales.iter().map(|scale| scale * input.scale).collect();
            let whole = bias.iter().zip(&steps).map(|(bias, step)| {
                let steps = (f64::from(*bias) / f64::from(*step)).round_ties_even();
                (steps.abs() <= f64::from(i32::MAX)).then_some((steps as i32).to_le_bytes())
            });
            let whole: Option<Vec<[u8; 4]>> = whole.collect();
            let too_long =
                || Error::Network(format!("the bias of {} is too large for its steps", layer.name));
            let whole = whole.ok_or_else(too_long)?.concat();
            let zeros = vec![0; 4 * outputs];
            let stored = [
                self.store(Tensor::stored(&names.of("bias_quantized"), &[outputs], Tensor::INT32, whole)),
                self.store(Tensor::of_floats(&names.of("bias_scale"), &[outputs], &steps)),
                self.store(Tensor::stored(&names.of("bias_zero"), &[outputs], Tensor::INT32, zeros)),
            ];
            self.dequantize(node, 2, &names.of("bias"), stored);
        }
        let middle = self.graph.initializer.len();
        let from = self.graph.node[node].input[0].clone();
        self.round(node, &names, ["input", &from, &names.of("input")], *input);
        self.graph.node[node].input[0] = names.of("input");
        let range = integers.ranges.layers.get(index).and_then(|ranges| measured(ranges, bias.as_deref()));
        let behind = self.put_output(node, &names, range.ok_or_else(|| unmeasured(&layer.name))?, integers);

        let size = |tensors: &[Tensor]| tensors.iter().map(|tensor| tensor.raw_data.len()).sum();
        self.layers.push(ExportedLayer {
            name: layer.name.clone(),
            weight_bits: bits[0].bits(),
            activation_bits: bits[1].bits(),
            weights: match longer {
                0 => "INT8 in their own steps".into(),
                _ => format!("INT8, {longer} of {outputs} kernels in steps of 1/64 of their largest"),
            },
            activations: format!("QuantizeLinear to UINT8, and {behind} behind"),
            weight_bytes: size(&self.graph.initializer[begin..middle]),
            activation_bytes: size(&self.graph.initializer[middle..]),
        });
        Ok(())
    }

    fn store(&mut self, tensor: Tensor) -> String {
        let name = tensor.name.clone();
        self.graph.initializer.push(tensor);
        name
    }

    /// An input of a node from stored whole numbers, their scales and zero points, one for each output.
    fn dequantize(&mut self, node: usize, input: usize, name: &str, stored: [String; 3]) {
        let call = linear("DequantizeLinear", name, stored.each_ref().map(String::as_str), Some(0));
        self.before.push((node, call));
        self.graph.node[node].input[input] = name.into();
    }

    /// Puts `from` on a grid, as `to`, before this node.
    fn round(
        &mut self,
        before: usize,
        names: &Names,
        [what, from, to]: [&str; 3],
        Levels { scale, zero }: Levels,
    ) {
        let scale = self.store(Tensor::of_floats(&names.of(&format!("{what}_scale")), &[], &[scale]));
        let zero =
            self.store(Tensor::stored(&names.of(&format!("{what}_zero")), &[], Tensor::UINT8, vec![zero]));
        let whole = names.of(&format!("{what}_quantized"));
        self.before.push((before, linear("QuantizeLinear", &whole, [from, &scale, &zero], None)));
        let back = linear("DequantizeLinear", to, [&whole, &scale, &zero], None);
        // The tensor may have the name of the node that made it before.
        self.before.push((before, Node { name: names.of(&format!("{what}_rounded")), ..back }));
    }

    /// Puts what a convolution gives on whole numbers, unless who reads it does; says who does.
    fn put_output(
        &mut self,
        node: usize,
        names: &Names,
        [low, high]: [f32; 2],
        integers: &InIntegers<'_>,
    ) -> &'static str {
        let given = self.graph.node[node].output[0].clone();
        let is_output = |name: &String| integers.outputs.contains(name);
        let (maker, end, low) = match integers.readers(&given) {
            [(relu, 0)] if self.graph.node[*relu].op_type == "Relu" && !is_output(&given) => {
                (*relu, self.graph.node[*relu].output[0].clone(), 0.0)
            }
            _ => (node, given, low),
        };
        let readers = integers.readers(&end);
        let grid_of = |(reader, input): &(usize, usize)| integers.grids.get(reader).filter(|_| *input == 0);
        if readers.len() == 1 && !is_output(&end) && grid_of(&readers[0]).is_some() {
            return "the next layer's";
        }
        let grid = readers.iter().find_map(grid_of).copied().unwrap_or_else(|| Levels::spanning(low, high));
        let unrounded = names.of("unrounded");
        self.graph.node[maker].output[0].clone_from(&unrounded);
        self.round(maker + 1, names, ["output", &unrounded, &end], grid);
        "its own"
    }
}

/// Over all channels, with their biases.
fn measured(ranges: &[[f32; 2]], bias: Option<&[f32]>) -> Option<[f32; 2]> {
    let bias = bias.unwrap_or_default().iter().copied().chain(std::iter::repeat(0.0));
    let with_bias = ranges.iter().zip(bias).map(|(range, bias)| range.map(|end| end + bias));
    with_bias.reduce(|all, own| [all[0].min(own[0]), all[1].max(own[1])])
}

fn unmeasured(layer: &str) -> Error {
    Error::Option(format!("what {layer} gives was not measured"))
}
