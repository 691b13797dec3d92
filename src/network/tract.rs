//! Networks on tract: where our own engine lacks an operator, and to compare with. The only user of tract.

mod admission;
mod memory;
mod port;

use super::convention::PROBE_SIZE;
use super::plan::Plan;
use super::run::{Form, of_another};
use super::{Layer, LayerQuantization, Network, Observer, Planes, Tap, Visit, onnx};
use crate::quant::{ActivationQuantizer, QuantizationError};
use crate::{Error, Result};
use admission::Admission;
use port::Port;
use prost::Message;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cnn::Conv;
use tract_onnx::tract_core::tract_data::knobs::KnobScope;
use tract_onnx::tract_core::tract_linalg;

/// A network that tract has read.
pub struct Tract {
    model: InferenceModel,
    admission: Admission,
    /// Why our own engine does not run it.
    pub lacking: String,
}

/// A network of one size, with a [`Port`] in front of every convolution.
pub struct Runnable(Arc<TypedSimplePlan>);

/// Kernels, and what is added to the bias.
#[derive(Clone)]
pub struct Weights {
    kernels: Arc<Tensor>,
    bias_change: Vec<f32>,
}

/// What is to go into a layer: its input, kernels and bias.
type Inputs = TVec<TValue>;

/// From now on, networks that tract runs compute without fused multiply-add on x86-64, as WebAssembly does. Then the same
/// input gives the same output, bit for bit, natively and in a browser, as it always does on our own engine; call it
/// before the first network is loaded.
///
/// A rounding error of 1e-7 decides between two quantization points for a few values in each layer, which later layers
/// enlarge: without this, scores at 4 bits were seen to differ by 0.02 dB.
pub fn round_as_browsers_do() {
    if cfg!(target_arch = "x86_64") {
        tract_linalg::knobs::TRACT_CPU_ISA.set(Some("-avx512f,-avx2,-fma".to_owned()));
    }
}

/// Says which node could not be used, and why, where tract's chain of causes names both.
fn unusable(error: TractError) -> Error {
    let links: Vec<String> = error.chain().map(|link| link.to_string()).collect();
    // "Failed analyse for node #4 "name" Operator", with rules and passes of tract below.
    let node = links.iter().find_map(|link| link.split_once("node #")?.1.split('"').nth(1));
    let cause = links.last().map_or("", |link| link.lines().next().unwrap_or_default());
    // tract's way to write a whole number.
    let cause = cause.replace("Val(", "").replace(')', "");
    Error::Network(match (node, links.len()) {
        (Some(node), _) => format!("its node {node} does not fit what it is given: {cause}"),
        (None, 0 | 1) => cause,
        (None, count) => format!("{}: {cause}", links[count - 2]),
    })
}

/// What tract says, in our words. Natively, also where it panics; in a browser the page replaces the program then.
fn guarded<R>(work: impl FnOnce() -> TractResult<R>) -> Result<R> {
    let said = |error: TractError| error.downcast::<Error>().unwrap_or_else(unusable);
    #[cfg(target_arch = "wasm32")]
    return work().map_err(said);
    #[cfg(not(target_arch = "wasm32"))]
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_or_else(
        |panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no more is known");
            Err(Error::Network(format!("tract broke down on it: {text}")))
        },
        |result| result.map_err(said),
    )
}

impl Tract {
    /// Reads a network that has been checked, of which tract sees only what was.
    pub fn read(model: &onnx::Model, graph: &onnx::Graph, channels: usize, lacking: String) -> Result<Self> {
        let admission = Admission::new(model, graph)?;
        let check = |[height, width]: [usize; 2]| admission.check([1, channels, height, width]);
        // A network of one size takes no other.
        match (check(PROBE_SIZE), onnx::DeclaredInput::of(graph).size) {
            (Err(_), Some(size)) => check(size)?,
            (free, _) => free?,
        };
        let model = guarded(|| {
            let tract = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
            let proto = tract.proto_model_for_read(&mut &model.encode_to_vec()[..])?;
            tract.parse(&proto, None).map(|parsed| parsed.model)
        })?;
        Ok(Tract { model, admission, lacking })
    }

    /// For inputs of this shape, with the number of output positions of each layer.
    pub fn plan(&self, layers: &[Layer], shape: [usize; 4]) -> Result<(Runnable, Vec<usize>)> {
        let output = self.admission.check(shape)?;
        let (runnable, areas) = guarded(|| self.build(layers, shape))?;
        let made = runnable.0.model().output_fact(0).map_err(unusable)?.shape.as_concrete();
        if made != Some(&output[..]) {
            return Err(Error::Network(format!(
                "tract broke down on it: {made:?} where {output:?} is right"
            )));
        }
        Ok((runnable, areas))
    }

    fn build(&self, layers: &[Layer], shape: [usize; 4]) -> TractResult<(Runnable, Vec<usize>)> {
        let mut typed = self.model.clone().with_input_fact(0, f32::fact(shape).into())?.into_typed()?;
        let find = |layer: &Layer| typed.nodes().iter().find(|n| n.name == layer.name && n.op_is::<Conv>());
        let nodes: Option<Vec<_>> = layers.iter().map(find).collect();
        let nodes = nodes.ok_or_else(|| {
            Error::Network("a convolution changed its form when the network was read".into())
        })?;
        let area = |node: &&TypedNode| {
            node.outputs[0].fact.shape.as_concrete().unwrap_or(&[]).iter().skip(2).product()
        };
        let areas = nodes.iter().map(area).collect();
        let ids: Vec<usize> = nodes.iter().map(|node| node.id).collect();
        for (layer, id) in ids.into_iter().enumerate() {
            insert_port(&mut typed, id, layer, layers[layer].outputs)?;
        }
        // From 128 columns on tract would take another convolution on x86-64. It rounds differently from the one that
        // browsers get, so that scores at low bit widths differ by 0.03 dB, and took twice as long on AVX-512.
        let same_everywhere = KnobScope::new([("TRACT_DISABLE_DIRECT_SPATIAL", "true")])?;
        let runnable = same_everywhere.enter(|| typed.into_optimized()).and_then(|m| m.into_runnable())?;
        Ok((Runnable(runnable), areas))
    }
}

/// A layer's kernels in its own shape.
pub fn weights(layer: &Layer, kernels: &[f32], bias_change: &[f32]) -> Result<Weights> {
    let [height, width] = layer.kernel;
    let shape = [layer.outputs, layer.inputs / layer.groups, height, width];
    let kernels = Tensor::from_shape(&shape, kernels).map_err(unusable)?.into_arc_tensor();
    Ok(Weights { kernels, bias_change: bias_change.to_vec() })
}

fn insert_port(model: &mut TypedModel, node: usize, layer: usize, outputs: usize) -> TractResult<()> {
    let node = model.node(node).clone();
    let mut patch = TypedModelPatch::new("a port in front of a convolution");
    let mut inputs = patch.taps(model, &node.inputs)?;
    let bias = patch.outlet_fact(inputs[2])?.clone();
    if let (0, Some(value)) = (bias.rank(), &bias.konst) {
        let bias = value.broadcast_scalar_to_shape(&[outputs])?;
        inputs[2] = patch.add_const(format!("{}.bias", node.name), bias)?;
    }
    let ports = patch.wire_node(format!("{}.port", node.name), Port { layer }, &inputs)?;
    let output = patch.wire_node(&node.name, node.op.clone(), &ports)?[0];
    patch.shunt_outside(model, node.id.into(), output)?;
    patch.obliterate(node.id)?;
    patch.apply(model)
}

/// Puts weights in the place of a layer's kernels and bias.
fn replace(weights: &super::Weights, inputs: &mut Inputs) -> TractResult<()> {
    let Form::Tract(Weights { kernels, bias_change }) = &weights.0 else { return Err(of_another().into()) };
    inputs[1] = kernels.clone().into_tvalue();
    if !bias_change.is_empty() {
        let mut bias = inputs.remove(2).into_tensor();
        let mut view = bias.try_as_plain_ram_mut()?;
        view.as_slice_mut::<f32>()?.iter_mut().zip(bias_change).for_each(|(bias, change)| *bias += change);
        inputs.insert(2, bias.into_tvalue());
    }
    Ok(())
}

impl Runnable {
    /// The most bytes of values that are alive at the same time.
    pub fn peak_bytes(&self) -> Result<u64> {
        memory::peak_bytes(self.0.model()).map_err(unusable)
    }

    /// Channels, rows and columns of what comes out.
    pub fn output(&self) -> Result<[usize; 3]> {
        match self.0.model().output_fact(0).map_err(unusable)?.shape.as_concrete() {
            Some(&[1, channels, height, width]) => Ok([channels, height, width]),
            shape => Err(Error::Network(format!("its output has the shape {:?}", shape.unwrap_or(&[])))),
        }
    }

    /// [`Network::run`].
    pub fn run(
        &self,
        network: &Network,
        plan: &Plan,
        input: Planes,
        layers: &[LayerQuantization],
        observer: &mut dyn Observer,
        errors: &mut [Vec<QuantizationError>],
    ) -> Result<Planes> {
        let outputs = self.run_ports(&[input], &mut |layer, mut inputs| {
            if !observer.progress(plan.progress[layer]) {
                return Err(Error::Cancelled.into());
            }
            let quantization = layers.get(layer);
            if let Some(weights) = quantization.and_then(|q| q.weights.as_ref()) {
                replace(weights, &mut inputs)?;
            }
            let activation = quantization.and_then(|q| q.activation.as_ref());
            visit_input(network, layer, inputs, activation, &mut errors[layer], observer)
        })?;
        let view = outputs[0].to_plain_array_view::<f32>().map_err(unusable)?;
        let &[1, channels, height, width] = view.shape() else {
            return Err(Error::Network(format!("its output has the shape {:?}", view.shape())));
        };
        Ok(Planes { channels, height, width, values: view.iter().copied().collect() })
    }

    /// [`Network::walk`].
    pub fn walk(
        &self,
        network: &Network,
        images: &[Planes],
        visit: &mut dyn FnMut(Visit<'_>) -> Result<Option<super::Weights>>,
    ) -> Result<()> {
        let mut left = Layer::quantized(&network.layers).count();
        let result = self.run_ports(images, &mut |layer, mut inputs| {
            if !network.layers[layer].quantized {
                return Ok(inputs);
            }
            let mut tensor = inputs.remove(0).into_tensor();
            let size = [tensor.shape()[2], tensor.shape()[3]];
            let mut view = tensor.try_as_plain_ram_mut()?;
            let weights = visit(Visit { layer, size, values: view.as_slice_mut::<f32>()? })?;
            left -= 1;
            if left == 0 {
                return Err(Error::Cancelled.into());
            }
            inputs.insert(0, tensor.into_tvalue());
            if let Some(weights) = weights {
                replace(&weights, &mut inputs)?;
            }
            Ok(inputs)
        });
        match result {
            Err(Error::Cancelled) if left == 0 => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Runs a batch. `port` gets every layer's inputs, and answers with what the layer is to take.
    fn run_ports(
        &self,
        images: &[Planes],
        port: &mut dyn FnMut(usize, Inputs) -> TractResult<Inputs>,
    ) -> Result<TVec<TValue>> {
        let Planes { channels, height, width, .. } = images[0];
        let values: Vec<f32> = images.iter().flat_map(|planes| planes.values.iter().copied()).collect();
        let tensor =
            Tensor::from_shape(&[images.len(), channels, height, width], &values).map_err(unusable)?;
        drop(values);
        guarded(|| {
            let mut state = self.0.spawn()?;
            state.run_plan_with_eval(
                tvec!(tensor.into_tvalue()),
                |context, op_state, node, inputs| match node.op_as::<Port>() {
                    Some(at) => port(at.layer, inputs),
                    None => tract_onnx::tract_core::plan::eval(context, op_state, node, inputs),
                },
            )
        })
    }
}

fn visit_input(
    network: &Network,
    layer: usize,
    mut inputs: Inputs,
    quantizer: Option<&ActivationQuantizer>,
    errors: &mut Vec<QuantizationError>,
    observer: &mut dyn Observer,
) -> TractResult<Inputs> {
    let channels = network.layers[layer].inputs;
    if observer.taps(layer) {
        let size = [inputs[0].shape()[2], inputs[0].shape()[3]];
        let values = inputs[0].try_as_plain_ram()?.as_slice::<f32>()?;
        observer.tap(Tap { layer, channels, size, values })?;
    }
    let Some(quantizer) = quantizer else { return Ok(inputs) };
    let original = inputs.remove(0);
    let measured = observer.measures_errors().then(|| original.clone());
    // Copies where the tensor is still needed elsewhere: by a skip connection, or to be measured against.
    let mut quantized = original.into_tensor();
    let mut view = quantized.try_as_plain_ram_mut()?;
    let values = view.as_slice_mut::<f32>()?;
    quantizer.apply(values, channels).map_err(|channel| network.non_finite(layer, channel.0))?;
    if let Some(original) = measured {
        let pixels = (values.len() / channels).max(1);
        let original = original.try_as_plain_ram()?.as_slice::<f32>()?;
        *errors = vec![QuantizationError::default(); channels];
        for ((error, original), values) in
            errors.iter_mut().zip(original.chunks_exact(pixels)).zip(values.chunks_exact(pixels))
        {
            error.add(original, values);
        }
    }
    inputs.insert(0, quantized.into_tvalue());
    Ok(inputs)
}
