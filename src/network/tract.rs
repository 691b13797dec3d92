//! Networks on tract: where the native engine lacks an operator, and to compare with. The only user of tract.

mod admission;
mod memory;
mod port;

use super::execution::{Along, Begun, Engine, Execution, Layout, Tap, Visit, Visitor, non_finite};
use super::fit::Fit;
use super::graph::Graph;
use super::layers::{Layer, Layers};
use super::native::{Kernels, Room, convolve};
use super::planes::Planes;
use super::weights::{LayerQuantization, Weights};
use crate::parallel;
use crate::quant::{ActivationQuantizer, QuantizationError};
use crate::{Error, Result};
use admission::Admission;
use port::{NativeConvolution, Port};
use prost::Message;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cnn::Conv;
use tract_onnx::tract_core::tract_data::knobs::KnobScope;
use tract_onnx::tract_core::tract_linalg;

/// A network that tract has read.
pub struct Tract {
    model: InferenceModel,
    admission: Admission,
    convolutions: Arc<Convolutions>,
    /// Channels of the image.
    channels: usize,
}

/// A network of one size, in which every convolution is the native engine's, or has a [`Port`] in front of it.
struct Runnable {
    plan: Arc<TypedSimplePlan>,
    convolutions: Arc<Convolutions>,
}

/// The network's convolutions, with what the native engine needs to compute them.
struct Convolutions {
    layers: Arc<Layers>,
    /// By layer; none where tract computes the layer.
    biases: Vec<Option<Vec<f32>>>,
    /// By layer, in full precision.
    packed: Vec<OnceLock<Arc<Kernels>>>,
    /// Memory that no convolution has at the moment.
    rooms: Mutex<Vec<Room>>,
}

impl Convolutions {
    fn layer(&self, layer: usize) -> &Layer {
        &self.layers.layers()[layer]
    }

    /// Computes a layer for `[images, channels, height, width]`.
    fn compute(&self, layer: usize, input: &TValue, weights: Option<&Weights>) -> TractResult<TValue> {
        let Layer { conv, name, .. } = self.layer(layer);
        let bias = self.biases[layer].as_deref().unwrap_or_default();
        let pack = |kernels: &[f32], change: &[f32]| {
            let change = change.iter().copied().chain(std::iter::repeat(0.0));
            let bias: Vec<f32> = bias.iter().zip(change).map(|(bias, change)| bias + change).collect();
            Kernels::new(conv, None, kernels, &bias)
        };
        let kernels = match weights {
            Some(own) => own.packed(|| pack(own.kernels(), own.bias_change())),
            None => {
                parallel::once(&self.packed[layer], || pack(self.layers.kernels(layer), &[]).into()).clone()
            }
        };
        let fails = |what: &str| Error::Network(format!("its node {name} is given {what}"));
        let &[images, _, rows, columns] = input.shape() else { return Err(fails("no images").into()) };
        let rooms = || self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = rooms().pop().unwrap_or_default();
        let values = input.try_as_plain_ram()?.as_slice::<f32>()?;
        let output = convolve(conv, &kernels, [rows, columns], values, &mut room);
        rooms().push(room);
        let (Some(output), Some([height, width])) = (output, conv.output([rows, columns])) else {
            return Err(fails("an image that is too small").into());
        };
        let shape = [images, conv.outputs(), height, width];
        Ok(tract_ndarray::ArrayD::from_shape_vec(&shape[..], output)?.into_tvalue())
    }
}

/// What a layer is to take: its input, and other weights than its own.
type Taken = (TValue, Option<Weights>);

/// From now on, networks that tract runs compute without fused multiply-add on x86-64, as WebAssembly does. Then the same
/// input gives the same output, bit for bit, natively and in a browser, as it always does on the native engine; call it
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
    /// Has tract read a network for images of so many channels, of which it sees only what was admitted; and what it does to
    /// their size. The native engine computes the convolutions, unless tract is to compute all by itself, to compare with.
    ///
    /// # Errors
    /// [`Error::Network`] says what is not admitted.
    pub fn read(graph: &Graph, layers: Arc<Layers>, channels: usize, alone: bool) -> Result<(Self, Fit)> {
        let admission = Admission::new(graph)?;
        let output = |[height, width]: [usize; 2]| {
            let dims = admission.check([1, channels, height, width])?;
            match dims[..] {
                [1, channels, height, width] => Ok([channels, height, width]),
                _ => Err(Error::Network(format!("its output has the shape {dims:?}"))),
            }
        };
        let fit = Fit::find(&output, channels, graph.declared().size)?;
        let model = guarded(|| {
            let tract = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
            let proto = tract.proto_model_for_read(&mut &graph.model().encode_to_vec()[..])?;
            tract.parse(&proto, None).map(|parsed| parsed.model)
        })?;
        let biases = graph.convolutions().map(|(_, own)| own.bias.clone().filter(|_| !alone)).collect();
        let packed = layers.layers().iter().map(|_| OnceLock::new()).collect();
        let convolutions = Arc::new(Convolutions { layers, biases, packed, rooms: Mutex::default() });
        Ok((Tract { model, admission, convolutions, channels }, fit))
    }

    fn build(&self, shape: [usize; 4]) -> TractResult<(Arc<TypedSimplePlan>, Vec<usize>)> {
        let layers = self.convolutions.layers.layers();
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
            match self.convolutions.biases[layer] {
                Some(_) => replace_convolution(&mut typed, id, layer)?,
                None => insert_port(&mut typed, id, layer, layers[layer].conv.outputs())?,
            }
        }
        // From 128 columns on tract would take another convolution on x86-64. It rounds differently from the one that
        // browsers get, so that scores at low bit widths differ by 0.03 dB, and took twice as long on AVX-512.
        let same_everywhere = KnobScope::new([("TRACT_DISABLE_DIRECT_SPATIAL", "true")])?;
        let runnable = same_everywhere.enter(|| typed.into_optimized()).and_then(|m| m.into_runnable())?;
        Ok((runnable, areas))
    }
}

impl Engine for Tract {
    fn lay_out(&self, batch: usize, [height, width]: [usize; 2]) -> Result<Layout> {
        let shape = [batch, self.channels, height, width];
        let promised = self.admission.check(shape)?;
        let (plan, areas) = guarded(|| self.build(shape))?;
        let made = plan.model().output_fact(0).map_err(unusable)?.shape.as_concrete();
        if made != Some(&promised[..]) {
            return Err(Error::Network(format!(
                "tract broke down on it: {made:?} where {promised:?} is right"
            )));
        }
        let &[images, channels, height, width] = &promised[..] else {
            return Err(Error::Network(format!("its output has the shape {promised:?}")));
        };
        if images != batch {
            return Err(Error::Network(format!("it makes {images} images of {batch}")));
        }
        let peak_bytes = memory::peak_bytes(plan.model()).map_err(unusable)?;
        let output = [channels, height, width];
        Ok(Layout {
            execution: Box::new(Runnable { plan, convolutions: self.convolutions.clone() }),
            areas,
            output,
            peak_bytes,
            walk_bytes: peak_bytes,
        })
    }
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

fn replace_convolution(model: &mut TypedModel, node: usize, layer: usize) -> TractResult<()> {
    let node = model.node(node).clone();
    let shape = node.outputs[0].fact.shape.as_concrete();
    let shape = shape.ok_or_else(|| Error::Network(format!("its node {} has no size", node.name)))?.into();
    let mut patch = TypedModelPatch::new("a convolution of the native engine's");
    let input = patch.tap_model(model, node.inputs[0])?;
    let output = patch.wire_node(&node.name, NativeConvolution { layer, shape }, &[input])?[0];
    patch.shunt_outside(model, node.id.into(), output)?;
    patch.obliterate(node.id)?;
    patch.apply(model)
}

/// Puts weights in the place of a layer's kernels and bias; inputs are the layer's input, kernels and bias.
fn replace(weights: &Weights, inputs: &mut TVec<TValue>) -> TractResult<()> {
    let kernels = Tensor::from_shape(inputs[1].shape(), weights.kernels())?;
    inputs[1] = kernels.into_tvalue();
    let change = weights.bias_change();
    if !change.is_empty() {
        let mut bias = inputs.remove(2).into_tensor();
        let mut view = bias.try_as_plain_ram_mut()?;
        view.as_slice_mut::<f32>()?.iter_mut().zip(change).for_each(|(bias, change)| *bias += change);
        inputs.insert(2, bias.into_tvalue());
    }
    Ok(())
}

/// Ends a run of tract's early, as an error that nobody gets to see.
#[derive(Debug)]
struct SeenEnough;

impl std::fmt::Display for SeenEnough {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("there is nothing more to see")
    }
}

impl std::error::Error for SeenEnough {}

impl Runnable {
    fn layer(&self, layer: usize) -> &Layer {
        self.convolutions.layer(layer)
    }

    /// Runs a batch. `visit` gets every layer's input, and answers with what the layer is to take.
    fn run_layers(
        &self,
        images: &[&Planes],
        visit: &mut dyn FnMut(usize, TValue) -> Result<ControlFlow<(), Taken>>,
    ) -> Result<ControlFlow<(), TVec<TValue>>> {
        let [channels, height, width] = images[0].shape();
        let values: Vec<f32> = images.iter().flat_map(|planes| planes.values.iter().copied()).collect();
        let tensor =
            Tensor::from_shape(&[images.len(), channels, height, width], &values).map_err(unusable)?;
        drop(values);
        let mut take = |layer: usize, input: TValue| match visit(layer, input)? {
            ControlFlow::Continue(taken) => Ok(taken),
            ControlFlow::Break(()) => Err(TractError::from(SeenEnough)),
        };
        guarded(|| {
            let mut state = self.plan.spawn()?;
            let outputs = state.run_plan_with_eval(
                tvec!(tensor.into_tvalue()),
                |context, op_state, node, mut inputs| {
                    if let Some(at) = node.op_as::<NativeConvolution>() {
                        let (input, weights) = take(at.layer, inputs.remove(0))?;
                        return Ok(tvec!(self.convolutions.compute(at.layer, &input, weights.as_ref())?));
                    }
                    if let Some(at) = node.op_as::<Port>() {
                        let (input, weights) = take(at.layer, inputs.remove(0))?;
                        inputs.insert(0, input);
                        weights.iter().try_for_each(|weights| replace(weights, &mut inputs))?;
                        return Ok(inputs);
                    }
                    tract_onnx::tract_core::plan::eval(context, op_state, node, inputs)
                },
            );
            match outputs {
                Ok(outputs) => Ok(ControlFlow::Continue(outputs)),
                Err(error) if error.chain().any(|link| link.is::<SeenEnough>()) => Ok(ControlFlow::Break(())),
                Err(error) => Err(error),
            }
        })
    }

    fn visit_input(
        &self,
        layer: usize,
        input: TValue,
        quantizer: Option<&ActivationQuantizer>,
        along: &mut Along<'_>,
    ) -> TractResult<ControlFlow<(), TValue>> {
        let channels = self.layer(layer).conv.inputs();
        if along.observer.taps(layer) {
            let size = [input.shape()[2], input.shape()[3]];
            let values = input.try_as_plain_ram()?.as_slice::<f32>()?;
            if along.observer.tap(Tap::of_planes(layer, channels, size, values))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let Some(quantizer) = quantizer else { return Ok(ControlFlow::Continue(input)) };
        let measured = along.observer.measures_errors().then(|| input.clone());
        // Copies where the tensor is still needed elsewhere: by a skip connection, or to be measured against.
        let mut quantized = input.into_tensor();
        let mut view = quantized.try_as_plain_ram_mut()?;
        let values = view.as_slice_mut::<f32>()?;
        quantizer.apply(values, channels).map_err(|channel| non_finite(self.layer(layer), channel.0))?;
        if let Some(original) = measured {
            let pixels = (values.len() / channels).max(1);
            let original = original.try_as_plain_ram()?.as_slice::<f32>()?;
            let mut errors = vec![QuantizationError::default(); channels];
            for ((error, original), values) in
                errors.iter_mut().zip(original.chunks_exact(pixels)).zip(values.chunks_exact(pixels))
            {
                error.add(original, values);
            }
            along.errors[layer] = errors;
        }
        Ok(ControlFlow::Continue(quantized.into_tvalue()))
    }
}

/// An error of tract's in our words, or ours that went through it.
fn said(error: TractError) -> Error {
    error.downcast::<Error>().unwrap_or_else(unusable)
}

impl Execution for Runnable {
    fn run(
        &self,
        input: &Planes,
        layers: &[LayerQuantization],
        along: &mut Along<'_>,
    ) -> Result<ControlFlow<(), Planes>> {
        let outputs = self.run_layers(&[input], &mut |layer, input| {
            along.begin(layer)?;
            let quantization = layers.get(layer);
            let activation = quantization.and_then(|q| q.activation.as_ref());
            let weights = quantization.and_then(|q| q.weights.clone());
            let input = self.visit_input(layer, input, activation, along).map_err(said)?;
            Ok(input.map_continue(|input| (input, weights)))
        })?;
        let ControlFlow::Continue(outputs) = outputs else { return Ok(ControlFlow::Break(())) };
        let view = outputs[0].to_plain_array_view::<f32>().map_err(unusable)?;
        let &[1, channels, height, width] = view.shape() else {
            return Err(Error::Network(format!("its output has the shape {:?}", view.shape())));
        };
        let values = view.iter().copied().collect();
        Ok(ControlFlow::Continue(Planes { channels, height, width, values }))
    }

    fn walk(&self, images: &[Planes], visit: &mut Visitor<'_>) -> Result<()> {
        let images: Vec<&Planes> = images.iter().collect();
        let mut visit = |layer: usize, input: TValue| -> TractResult<ControlFlow<(), Taken>> {
            if !self.layer(layer).quantized {
                return Ok(ControlFlow::Continue((input, None)));
            }
            let mut tensor = input.into_tensor();
            let size = [tensor.shape()[2], tensor.shape()[3]];
            let mut view = tensor.try_as_plain_ram_mut()?;
            let values = view.as_slice_mut::<f32>()?;
            let going_on = visit(Visit { layer, size, values })?;
            Ok(going_on.map_continue(|weights| (tensor.into_tvalue(), weights)))
        };
        self.run_layers(&images, &mut |layer, input| visit(layer, input).map_err(said)).map(|_| ())
    }

    fn begin(&self, input: Planes) -> Box<dyn Begun + '_> {
        Box::new(Anew { runnable: self, input })
    }
}

/// tract cannot go on from the middle: it begins anew each time.
struct Anew<'r> {
    runnable: &'r Runnable,
    input: Planes,
}

impl Begun for Anew<'_> {
    fn advance(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    fn finish(&self, layers: &[LayerQuantization]) -> Result<Planes> {
        let count = self.runnable.convolutions.layers.layers().len();
        let (done, mut errors) = (vec![0.0; count], vec![Vec::new(); count]);
        let mut along = Along { observer: &mut (), progress: &(), done: &done, errors: &mut errors };
        match self.runnable.run(&self.input, layers, &mut along)? {
            ControlFlow::Continue(planes) => Ok(planes),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }
}
