//! Integer arithmetic: static min-max as QuantizeLinear and DequantizeLinear where runtimes look for them, which make integer
//! convolutions (QLinearConv) of what is between: in front of a convolution, around its weights, and behind it or its ReLU, unless
//! the next one's stand there. Weights are int8 with a zero point of 0, activations uint8.

use super::names::Names;
use super::{ExportedLayer, File, Form, Own, not_static};
use crate::image_io::Picture;
use crate::network::onnx::{Attribute, Entry, Graph, Node, Tensor};
use crate::network::{Kernels, Layer, Network, Observer, Room, Tap, convolve};
use crate::parallel::Progress;
use crate::quant::codebook::UniformCodes;
use crate::quant::uniform::range;
use crate::quant::{ActivationQuantizer, BitWidth};
use crate::session::Session;
use crate::{Error, Result};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Bits that integer convolutions take of each activation.
const ACTIVATION_BITS: u8 = 8;

/// What the convolutions of one network give.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRanges {
    /// SHA-256 of the network's file, in hexadecimal.
    network: String,
    /// By layer and output channel, the least and the greatest, without the bias. Nothing for layers that are not quantized.
    layers: Vec<Vec<[f32; 2]>>,
}

impl OutputRanges {
    pub(super) fn are_of(&self, session: &Session) -> bool {
        self.network == session.hash()
    }
}

impl Session {
    /// Measures what the quantized convolutions give on these pictures, in full precision: integer convolutions round that too.
    ///
    /// # Errors
    /// [`Error::Option`] for no pictures, [`Error::NonFinite`] for NaN and infinity, [`Error::Cancelled`], and what goes wrong in the
    /// network.
    pub fn output_ranges(&self, pictures: &[Picture], progress: &dyn Progress) -> Result<OutputRanges> {
        if pictures.is_empty() {
            return Err(Error::Option("no picture to measure what convolutions give on".into()));
        }
        let network = self.network();
        let pack = |(layer, Layer { conv, quantized, .. }): (usize, &Layer)| {
            quantized.then(|| Kernels::new(conv, None, network.kernels(layer), &vec![0.0; conv.outputs()]))
        };
        let mut measuring = Measuring {
            network,
            kernels: network.layers().iter().enumerate().map(pack).collect(),
            room: Room::default(),
            ranges: vec![Vec::new(); network.layers().len()],
        };
        for (index, picture) in pictures.iter().enumerate() {
            let (plan, input) = network.enter(picture)?;
            plan.observe(&input, &mut measuring, &())?;
            progress.step((index + 1) as f32 / pictures.len() as f32)?;
        }
        Ok(OutputRanges { network: self.hash().to_owned(), layers: measuring.ranges })
    }
}

struct Measuring<'n> {
    network: &'n Network,
    /// By layer that is quantized, without the bias.
    kernels: Vec<Option<Kernels>>,
    room: Room,
    ranges: Vec<Vec<[f32; 2]>>,
}

impl Observer for Measuring<'_> {
    fn taps(&self, layer: usize) -> bool {
        self.kernels[layer].is_some()
    }

    fn tap(&mut self, tap: Tap<'_>) -> Result<ControlFlow<()>> {
        let conv = &self.network.layers()[tap.layer].conv;
        let Some(kernels) = &self.kernels[tap.layer] else { return Ok(ControlFlow::Continue(())) };
        let given = convolve(conv, kernels, tap.size, &tap.to_planes().values, &mut self.room);
        let given = given.unwrap_or_default();
        let ranges = &mut self.ranges[tap.layer];
        ranges.resize(conv.outputs(), [f32::INFINITY, f32::NEG_INFINITY]);
        let planes = given.chunks_exact((given.len() / conv.outputs()).max(1));
        for (channel, (known, plane)) in ranges.iter_mut().zip(planes).enumerate() {
            let (low, high) = range(plane).ok_or_else(|| self.network.non_finite(tap.layer, channel))?;
            *known = [known[0].min(low), known[1].max(high)];
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
    /// How many kernels are not the very ones.
    longer: usize,
}

impl Whole {
    /// Of weights that were put on uniform grids. Where a kernel's steps are too many, they become longer, and the original is rounded
    /// to them. `[kernels, weights.len() / kernels]`, both.
    fn of(originals: &[f32], weights: &[f32], kernels: usize, bits: BitWidth) -> Option<Self> {
        let size = (weights.len() / kernels.max(1)).max(1);
        let UniformCodes { firsts, scales, codes } = UniformCodes::of(originals, weights, kernels, bits)?;
        let mut whole = Whole { weights: Vec::with_capacity(weights.len()), scales: Vec::new(), longer: 0 };
        let grids = firsts.iter().zip(&scales).zip(codes.chunks_exact(size));
        for (((first, scale), codes), original) in grids.zip(originals.chunks_exact(size)) {
            // Where all weights are alike, they are one step, which may go down or nowhere.
            let side = if *scale == 0.0 { 0.0 } else { scale.signum() };
            let mut steps: Vec<f32> = codes.iter().map(|code| (f32::from(*code) + first) * side).collect();
            let mut scale = if *scale == 0.0 { 1.0 } else { scale.abs() };
            if !fits(&steps) {
                scale = original.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs())) / STEPS;
                steps = original.iter().map(|weight| (weight / scale).round_ties_even()).collect();
                whole.longer += 1;
            }
            whole.weights.extend(steps.iter().map(|steps| *steps as i8));
            whole.scales.push(scale);
        }
        Some(whole)
    }
}

/// Steps on each side of 0 that always fit.
const STEPS: f32 = 64.0;

/// Whether a byte holds each weight, and 16 bits the sum of any two products with activations of 8 bits: that is where onnxruntime's
/// kernels add them on processors without VNNI, and what does not fit is cut off there without a word.
fn fits(steps: &[f32]) -> bool {
    [1.0, -1.0].iter().all(|side| {
        let two = |[first, second]: [f32; 2], steps: &f32| match steps * side {
            steps if steps > first => [steps, first],
            steps => [first, second.max(steps)],
        };
        let [first, second] = steps.iter().fold([0.0; 2], two);
        first <= f32::from(i8::MAX) && first + second <= 2.0 * STEPS
    })
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
        let whole = Whole::of(original, weights.kernels(), outputs, bits[0]).ok_or_else(uneven)?;
        let Whole { weights, scales, longer } = whole;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_the_very_ones_where_their_steps_fit() {
        let mut rng = fastrand::Rng::with_seed(3);
        // All alike below and above 0, all zero, from 0 up; then any, of which most are on both sides of it.
        let some = [[-0.3; 4], [0.7; 4], [0.0; 4], [0.0, 0.5, 0.75, 1.0]].concat();
        let kernels: Vec<f32> = some.into_iter().chain((0..400).map(|_| rng.f32() - 0.4)).collect();
        let count = kernels.len() / 4;
        for bits in 1..=8 {
            let bits = BitWidth::new(bits).unwrap();
            let mut weights = kernels.clone();
            crate::quant::uniform::quantize_kernels(&mut weights, count, bits).unwrap();
            let whole = Whole::of(&kernels, &weights, count, bits).unwrap();
            let mut longer = 0;
            for at in (0..kernels.len()).step_by(4) {
                let steps = &whole.weights[at..at + 4];
                for (a, b) in (0..4).flat_map(|a| (0..a).map(move |b| (a, b))) {
                    assert!(
                        i16::try_from(255 * (i32::from(steps[a]) + i32::from(steps[b]))).is_ok(),
                        "{steps:?}"
                    );
                }
                let scale = whole.scales[at / 4];
                let back: Vec<f32> = steps.iter().map(|steps| f32::from(*steps) * scale).collect();
                if back != weights[at..at + 4] {
                    longer += 1;
                    let below = kernels[at..at + 4].iter().filter(|weight| **weight < 0.0).count();
                    assert!(bits.bits() > 6 || below == 0 || below == 4, "{bits:?}: {back:?}");
                    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= scale * 0.5001;
                    assert!(back.iter().zip(&kernels[at..at + 4]).all(near), "{bits:?}: {back:?}");
                }
            }
            assert_eq!(longer, whole.longer, "{bits:?}");
            assert!(bits.bits() < 8 || longer > 0);
        }
    }
}
