//! A quantized network as an ONNX file that other runtimes run as it is: kernels as codes and points, quantizers of activations as
//! functions of standard operators that the file defines for itself.

mod check;
mod codebook;
mod formulas;
mod functions;
mod integer;
mod names;
mod operators;
mod output_ranges;
mod whole_weights;

use crate::network::graph::{Graph as Read, forget_tensors};
use crate::network::onnx::exported::{DOMAIN, METHOD, VERSION};
use crate::network::onnx::{self, Entry, Function, Graph, Node, OperatorSet, Tensor};
use crate::network::{Layer, Weights};
use crate::quant::{ActivationQuantizer, BitWidth, Normalizer, SubsetQuantizer, UniformGrid};
use crate::session::{Method, MinMaxRange, Prepared, Session};
use crate::{Error, Result, hash};
pub use check::{LayerCheck, check};
use functions::{Call, Subset};
use integer::InIntegers;
use names::Names;
pub use output_ranges::OutputRanges;
use serde::Serialize;

/// The operator set that exported files are written in: the first with 4-bit codes.
pub const OPSET: i64 = 21;
/// The first with 2-bit codes.
pub const OPSET_OF_TWO_BITS: i64 = 25;

/// A file, and what became of each layer.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// By quantized layer.
    pub layers: Vec<ExportedLayer>,
}

/// What an exported file has for a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedLayer {
    /// Name of its node.
    pub name: String,
    /// Bits of each weight; 32 in full precision.
    pub weight_bits: u8,
    /// Bits of each activation.
    pub activation_bits: u8,
    /// How its weights are stored.
    pub weights: String,
    /// What quantizes its input.
    pub activations: String,
    /// Bytes of its weights with points, or in full precision.
    pub weight_bytes: usize,
    /// Bytes of what its input's quantizer needs.
    pub activation_bytes: usize,
}

/// What is said of integers of other than static min-max.
fn not_static() -> Error {
    Error::Option(
        "integer convolutions take min-max with static ranges: --method min-max --min-max-range static"
            .into(),
    )
}

impl Session {
    /// Writes the network as `prepared` quantizes it, simulated in floating point. `file` is what the network was read from; `opset`
    /// is 21, or 25 for codes of two bits, which fewer runtimes know.
    ///
    /// # Errors
    /// [`Error::Option`] for another file, for other operator sets and in full precision, [`Error::Network`] for operators that
    /// cannot be written in that operator set.
    pub fn export(&self, file: &[u8], prepared: &Prepared, opset: i64) -> Result<Exported> {
        self.write(file, prepared, opset, &mut Simulated)
    }

    /// Writes the network so that runtimes compute its quantized convolutions in integers: static min-max with 8 bits of activations and
    /// at most 8 of weights. What they give is rounded to 8 bits too, within `ranges`, which [`Session::output_ranges`] measures.
    ///
    /// # Errors
    /// As [`Session::export`], and [`Error::Option`] for other methods and bits.
    pub fn export_integer(
        &self,
        file: &[u8],
        prepared: &Prepared,
        ranges: &OutputRanges,
    ) -> Result<Exported> {
        if prepared.options().method != Method::MinMax {
            return Err(not_static());
        }
        if !ranges.are_of(self) {
            return Err(Error::Option("what convolutions give was measured for another network".into()));
        }
        self.write(file, prepared, OPSET, &mut InIntegers::within(ranges))
    }

    fn write(&self, file: &[u8], prepared: &Prepared, opset: i64, form: &mut dyn Form) -> Result<Exported> {
        if hash::sha256(file) != self.hash() {
            return Err(Error::Option("this is not the file that the network was read from".into()));
        }
        if ![OPSET, OPSET_OF_TWO_BITS].contains(&opset) {
            return Err(Error::Option(format!(
                "files are exported in operator set {OPSET} or {OPSET_OF_TWO_BITS}"
            )));
        }
        let quantized = prepared.quantized().layers();
        if quantized.is_empty() {
            return Err(Error::Option(
                "there is nothing to export in full precision: the file is there already".into(),
            ));
        }
        let layers = self.network().layers();
        let bits = prepared.options().bits(layers)?;
        let read = Read::read(onnx::parse(file)?)?;
        let nodes: Vec<usize> = read.convolutions().map(|(node, _)| node).collect();
        let mut model = read.into_model();
        let before = onnx::opset(&model);
        let Some(graph) = model.graph.as_mut() else {
            return Err(Error::Network("the file holds no graph".into()));
        };
        // Whatever images were, they are f32 since the file was read.
        let declared =
            graph.input.iter_mut().chain(&mut graph.output).filter_map(|value| value.r#type.as_mut());
        declared
            .filter_map(|known| known.tensor_type.as_mut())
            .for_each(|known| known.elem_type = Tensor::FLOAT);
        let prefix = names::prefix(graph);
        operators::update(graph, &prefix, before)?;
        let mut file = File {
            graph,
            prefix: &prefix,
            opset,
            functions: Vec::new(),
            before: Vec::new(),
            layers: Vec::new(),
        };
        let all = nodes.into_iter().zip(layers).zip(quantized).zip(bits).enumerate();
        let own = all.map(|(index, (((node, layer), own), bits))| {
            let original = self.network().kernels(index);
            Own {
                index,
                node,
                layer,
                original,
                weights: own.weights.as_ref(),
                activation: own.activation.as_ref(),
                bits,
            }
        });
        let own: Vec<Own> = own.filter(|own| own.weights.is_some() || own.activation.is_some()).collect();
        form.look(file.graph, &own)?;
        own.iter().try_for_each(|own| form.put(&mut file, own))?;
        let (functions, layers) = file.finish();
        let own = OperatorSet { domain: String::new(), version: opset.max(before) };
        model.opset_import = vec![own.clone(), OperatorSet { domain: DOMAIN.into(), version: 1 }];
        let written_in = |function| Function { opset_import: vec![own.clone()], ..function };
        model.functions = functions.into_iter().map(written_in).collect();
        // Types of two bits came with a version of the format.
        model.ir_version = model.ir_version.max(if opset == OPSET { 10 } else { 13 });
        model.producer_name = DOMAIN.into();
        model.producer_version = env!("CARGO_PKG_VERSION").into();
        self.describe(&mut model.metadata_props, prepared)?;
        model.metadata_props.extend(form.entry());
        Ok(Exported { bytes: prost::Message::encode_to_vec(&model), layers })
    }

    /// Says in the file what was done.
    fn describe(&self, properties: &mut Vec<Entry>, prepared: &Prepared) -> Result<()> {
        let options = prepared.options();
        let words = |error: serde_json::Error| Error::Option(error.to_string());
        let mut own = vec![
            (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
            ("dfsq.network", self.hash().to_owned()),
            (METHOD, options.method.to_string()),
            ("dfsq.options", serde_json::to_string(options).map_err(words)?),
            // So that the same layers are quantized where the file is read again.
            ("quantization_scope", self.network().scope().to_string()),
        ];
        let calibrated = match options.method {
            Method::Dfsq => true,
            Method::MinMax => options.min_max_range == MinMaxRange::Static,
            _ => false,
        };
        if let Some(calibration) = self.calibration().filter(|_| calibrated) {
            own.push(("dfsq.calibration", calibration.digest().to_owned()));
        }
        // What was found out about the network by trying it need not be found out again.
        own.extend(self.network().convention().properties());
        for (key, value) in own {
            properties.retain(|entry| entry.key != key);
            properties.push(Entry { key: key.into(), value });
        }
        Ok(())
    }
}

/// A layer that is quantized.
struct Own<'o> {
    /// Among the network's layers, and of its node.
    index: usize,
    node: usize,
    layer: &'o Layer,
    /// Its kernels in full precision.
    original: &'o [f32],
    weights: Option<&'o Weights>,
    activation: Option<&'o ActivationQuantizer>,
    bits: [BitWidth; 2],
}

/// How quantized layers are written. What a program does not call for is not in it.
trait Form {
    /// The graph before it is changed.
    fn look(&mut self, graph: &Graph, own: &[Own<'_>]) -> Result<()> {
        let _ = (graph, own);
        Ok(())
    }

    /// Writes one layer.
    fn put(&self, file: &mut File<'_>, own: &Own<'_>) -> Result<()>;

    /// What the file says of it.
    fn entry(&self) -> Option<Entry> {
        None
    }
}

/// In floating point, by functions of dfsq's own.
struct Simulated;

impl Form for Simulated {
    fn put(&self, file: &mut File<'_>, own: &Own<'_>) -> Result<()> {
        file.put(own)
    }
}

/// A file while it is made.
struct File<'f> {
    graph: &'f mut Graph,
    /// What names of ours begin with.
    prefix: &'f str,
    /// Which codes there may be.
    opset: i64,
    functions: Vec<Function>,
    /// Nodes that come before that of this index.
    before: Vec<(usize, Node)>,
    layers: Vec<ExportedLayer>,
}

impl File<'_> {
    fn put(&mut self, own: &Own<'_>) -> Result<()> {
        let Own { node, layer, original, bits, .. } = *own;
        let names = Names { prefix: self.prefix, node: &layer.name };
        let before = self.graph.initializer.len();
        let weights = match own.weights {
            Some(weights) => {
                let kernels = weights.kernels();
                self.add_to_bias(node, &names, weights.bias_change())?;
                match codebook::put(self.graph, &names, &layer.conv, [original, kernels], bits[0], self.opset)
                {
                    Some((call, words)) => {
                        self.input(node, 1, call);
                        words
                    }
                    None => {
                        return Err(Error::Network(format!(
                            "a kernel of {} has more than 256 different weights",
                            layer.name
                        )));
                    }
                }
            }
            None => "full precision".to_owned(),
        };
        let middle = self.graph.initializer.len();
        let activations = match own.activation {
            Some(quantizer) => self.quantize(node, &names, quantizer)?,
            None => "full precision".to_owned(),
        };
        let bytes = |tensors: &[Tensor]| tensors.iter().map(|tensor| tensor.raw_data.len()).sum();
        let stored = bytes(&self.graph.initializer[before..middle]);
        self.layers.push(ExportedLayer {
            name: layer.name.clone(),
            weight_bits: bits[0].bits(),
            activation_bits: bits[1].bits(),
            weight_bytes: if own.weights.is_some() { stored } else { 4 * layer.conv.weights() },
            activation_bytes: bytes(&self.graph.initializer[middle..]),
            weights,
            activations,
        });
        Ok(())
    }

    /// Puts what a call gives in the place of a node's input.
    fn input(&mut self, node: usize, input: usize, Call { node: call, function }: Call) {
        self.graph.node[node].input[input].clone_from(&call.output[0]);
        self.before.push((node, call));
        if !self.functions.iter().any(|known| known.name == function.name) {
            self.functions.push(function);
        }
    }

    /// What is stored for the bias of a node, if it has one.
    fn bias(&self, node: usize, names: &Names, outputs: usize) -> Result<Option<Vec<f32>>> {
        let Some(name) = self.graph.node[node].input.get(2).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let tensor = self.graph.initializer.iter().find(|tensor| tensor.name == *name);
        let bias = tensor.and_then(onnx::floats).filter(|bias| bias.len() == outputs);
        let computed = || Error::Network(format!("the bias of {} is computed, not stored", names.node));
        bias.map(Some).ok_or_else(computed)
    }

    /// Another bias than the one that is stored.
    fn add_to_bias(&mut self, node: usize, names: &Names, change: &[f32]) -> Result<()> {
        if change.iter().all(|change| *change == 0.0) {
            return Ok(());
        }
        let stored = self.bias(node, names, change.len())?.unwrap_or_else(|| vec![0.0; change.len()]);
        let bias: Vec<f32> = stored.iter().zip(change).map(|(bias, change)| bias + change).collect();
        let tensor = Tensor::of_floats(&names.of("bias"), &[bias.len()], &bias);
        let inputs = &mut self.graph.node[node].input;
        inputs.resize(3, String::new());
        inputs[2].clone_from(&tensor.name);
        self.graph.initializer.push(tensor);
        Ok(())
    }

    /// Puts a quantizer in front of a convolution; says which.
    fn quantize(&mut self, node: usize, names: &Names, quantizer: &ActivationQuantizer) -> Result<String> {
        let from = self.graph.node[node].input[0].clone();
        let (defined, inputs) = match quantizer {
            ActivationQuantizer::Subset(subset) => self.subset(names, subset),
            ActivationQuantizer::DynamicMinMax(bits) => {
                let steps = bits.levels().map_or(f32::INFINITY, |levels| (levels - 1) as f32);
                (functions::dynamic_uniform(), vec![self.number(names, "steps", steps)])
            }
            ActivationQuantizer::StaticMinMax(UniformGrid { scale, origin, steps, .. }) => {
                let numbers = [("origin", *origin), ("scale", *scale), ("steps", *steps)];
                (functions::uniform(), numbers.map(|(name, value)| self.number(names, name, value)).to_vec())
            }
            ActivationQuantizer::Estimated(range) => {
                let (estimator, granularity) = range.found();
                return Err(Error::Option(format!(
                    "ranges of a {granularity}, found by {estimator}, cannot be exported: only minimum and maximum of a layer can",
                )));
            }
        };
        let call = defined.call(&names.of("quantized"), [vec![from], inputs].concat());
        let words = format!("{DOMAIN}.{}", call.function.name);
        self.input(node, 0, call);
        Ok(words)
    }

    fn number(&mut self, names: &Names, name: &str, value: f32) -> String {
        let tensor = Tensor::of_floats(&names.of(name), &[], &[value]);
        self.graph.initializer.push(tensor);
        names.of(name)
    }

    fn subset(&mut self, names: &Names, quantizer: &SubsetQuantizer) -> (functions::Defined, Vec<String>) {
        let sets = quantizer.points();
        let most = sets.iter().map(|points| points.values().len()).max().unwrap_or(1);
        let (measured, mean, range) = match quantizer.normalizer() {
            Normalizer::Sample { subtract_mean } => (true, subtract_mean, None),
            Normalizer::Fixed(fixed) => (false, false, Some(fixed.range)),
        };
        let subset = Subset {
            points: Subset::padded(most),
            measured,
            mean,
            together: sets.len() == 1,
            denormalization: quantizer.denormalization_bits(),
        };
        // Where a channel has fewer, its last is repeated.
        let point =
            |at: usize| sets.iter().map(move |points| points.values()[at.min(points.values().len() - 1)]);
        let values: Vec<f32> = (0..subset.points).flat_map(point).collect();
        let tensor = Tensor::of_floats(&names.of("points"), &[subset.points, sets.len(), 1, 1], &values);
        self.graph.initializer.push(tensor);
        let mut inputs = vec![names.of("points")];
        inputs.extend(range.map(|range| self.number(names, "range", range)));
        (subset.define(), inputs)
    }

    /// The nodes in their places, without the tensors that nobody reads any more.
    fn finish(self) -> (Vec<Function>, Vec<ExportedLayer>) {
        let File { graph, functions, mut before, layers, .. } = self;
        let mut nodes = std::mem::take(&mut graph.node).into_iter();
        for at in 0..=nodes.len() {
            let calls = before.iter_mut().filter(|(next, _)| *next == at);
            graph.node.extend(calls.map(|(_, call)| std::mem::take(call)));
            graph.node.extend(nodes.next());
        }
        forget_tensors(graph);
        if graph.name.is_empty() {
            graph.name = DOMAIN.into();
        }
        (functions, layers)
    }
}
