//! Integer arithmetic: static min-max as QuantizeLinear and DequantizeLinear where runtimes look for them, which make integer
//! convolutions (QLinearConv) of what is between: in front of a convolution, around its weights, and behind it or its ReLU, unless
//! the next one's stand there. Weights are int8 with a zero point of 0, activations uint8.

use super::names::Names;
use super::{ExportedLayer, File, Form, Own, not_static};
use crate::image_io::Picture;
use crate::network::onnx::{self, Attribute, Entry, Graph, Node, Tensor};
use crate::network::{Network, Observer, Planes, Tap};
use crate::parallel::Progress;
use crate::quant::codebook::UniformCodes;
use crate::quant::{ActivationQuantizer, BitWidth};
use crate::session::Session;
use crate::{Error, Result};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Bits that integer convolutions take of each activation.
const ACTIVATION_BITS: u8 = 8;

/// By layer and output channel, the least and the greatest that a convolution gives, its bias left out. Nothing for layers that are not
/// quantized.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRanges(Vec<Vec<[f32; 2]>>);

impl Session {
    /// Measures what the quantized convolutions give on these pictures, in full precision: integer convolutions round that too.
    ///
    /// # Errors
    /// [`Error::Option`] for no pictures, [`Error::Cancelled`], and what goes wrong in the network.
    pub fn output_ranges(&self, pictures: &[Picture], progress: &dyn Progress) -> Result<OutputRanges> {
        if pictures.is_empty() {
            return Err(Error::Option("no picture to measure what convolutions give on".into()));
        }
        let network = self.network();
        let mut measuring = Measuring { network, ranges: vec![Vec::new(); network.layers().len()] };
        for (index, picture) in pictures.iter().enumerate() {
            let (plan, input) = network.enter(picture)?;
            plan.observe(&input, &mut measuring, &())?;
            progress.step((index + 1) as f32 / pictures.len() as f32)?;
        }
        Ok(OutputRanges(measuring.ranges))
    }
}

struct Measuring<'n> {
    network: &'n Network,
    ranges: Vec<Vec<[f32; 2]>>,
}

impl Observer for Measuring<'_> {
    fn taps(&self, layer: usize) -> bool {
        self.network.layers()[layer].quantized
    }

    fn tap(&mut self, tap: Tap<'_>) -> Result<ControlFlow<()>> {
        if let Some(Planes { height, width, values, .. }) = self.network.convolve(&tap) {
            let ranges = &mut self.ranges[tap.layer];
            for (index, plane) in values.chunks_exact((height * width).max(1)).enumerate() {
                if ranges.len() == index {
                    ranges.push([f32::INFINITY, f32::NEG_INFINITY]);
                }
                let [low, high] = &mut ranges[index];
                plane.iter().for_each(|value| (*low, *high) = (low.min(*value), high.max(*value)));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

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

/// Weights as whole numbers: by weight, and by kernel the scale.
struct Whole {
    weights: Vec<i8>,
    scales: Vec<f32>,
    /// Whether they are the very weights.
    exact: bool,
}

impl Whole {
    fn of(originals: &[f32], weights: &[f32], kernels: usize, bits: BitWidth) -> Self {
        let size = (weights.len() / kernels.max(1)).max(1);
        if let Some(UniformCodes { firsts, scales, codes }) =
            UniformCodes::of(originals, weights, kernels, bits)
        {
            let whole = codes.iter().enumerate().map(|(at, code)| f32::from(*code) + firsts[at / size]);
            let limits = f32::from(i8::MIN)..=f32::from(i8::MAX);
            let fit: Option<Vec<i8>> =
                whole.map(|whole| limits.contains(&whole).then_some(whole as i8)).collect();
            if let Some(weights) = fit.filter(|_| scales.iter().all(|scale| *scale > 0.0)) {
                return Whole { weights, scales, exact: true };
            }
        }
        // One side is too long for a byte whose middle is 0: the steps become a little longer.
        let mut whole =
            Whole { weights: Vec::with_capacity(weights.len()), scales: Vec::new(), exact: false };
        for kernel in weights.chunks_exact(size) {
            let largest = kernel.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
            let scale = if largest > 0.0 { largest / f32::from(i8::MAX) } else { 1.0 };
            whole.weights.extend(kernel.iter().map(|weight| (weight / scale).round_ties_even() as i8));
            whole.scales.push(scale);
        }
        whole
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
        let Whole { weights, scales, exact } = Whole::of(original, weights.kernels(), outputs, bits[0]);
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
            let whole = bias.iter().zip(&steps).flat_map(|(bias, step)| {
                ((f64::from(*bias) / f64::from(*step)).round_ties_even() as i32).to_le_bytes()
            });
            let whole = whole.collect();
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
        let range = measured(&integers.ranges.0[index], bias.as_deref());
        let behind = self.put_output(node, &names, range.ok_or_else(|| unmeasured(&layer.name))?, integers);

        let size = |tensors: &[Tensor]| tensors.iter().map(|tensor| tensor.raw_data.len()).sum();
        let steps = if exact { "its own steps" } else { "steps of 1/127 of the largest" };
        self.layers.push(ExportedLayer {
            name: layer.name.clone(),
            weight_bits: bits[0].bits(),
            activation_bits: bits[1].bits(),
            weights: format!("INT8 in {steps}"),
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

    /// What is stored for the bias of a node, if it has one.
    fn bias(&self, node: usize, names: &Names, outputs: usize) -> Result<Option<Vec<f32>>> {
        let Some(name) = self.graph.node[node].input.get(2).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let tensor = self.graph.initializer.iter().find(|tensor| tensor.name == *name);
        let bias = tensor.and_then(onnx::floats).filter(|bias| bias.len() == outputs);
        bias.map(Some)
            .ok_or_else(|| Error::Network(format!("the bias of {} is computed, not stored", names.node)))
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
    let bias = |channel: usize| bias.map_or(0.0, |bias| bias[channel]);
    let with_bias = ranges.iter().enumerate().map(|(channel, range)| range.map(|end| end + bias(channel)));
    with_bias.reduce(|all, own| [all[0].min(own[0]), all[1].max(own[1])])
}

fn unmeasured(layer: &str) -> Error {
    Error::Option(format!("what {layer} gives was not measured for this network"))
}
