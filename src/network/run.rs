//! Running a plan: weights and quantizers are put in place and the layers' inputs shown on the way.

use super::engine::{self, Visitor, Wish};
use super::ops::Port;
use super::plan::{Executor, Plan};
use super::{Engine, Network, Planes, unusable};
use crate::quant::{ActivationQuantizer, NonFiniteChannel, QuantizationError};
use crate::{Error, Result};
use std::sync::Arc;
use tract_onnx::prelude::*;

/// Replacement of one layer's weights and the quantizer of its input; `None` leaves either in full precision.
#[derive(Default, Clone)]
pub struct LayerQuantization {
    /// Quantized and dequantized weights.
    pub weights: Option<Weights>,
    /// Quantizer in front of the convolution's own input.
    pub activation: Option<ActivationQuantizer>,
}

/// Kernels in the layer's shape, and what is added to its bias, ready for a run.
#[derive(Clone)]
pub struct Weights(pub(super) Form);

/// As what runs them takes them.
#[derive(Clone)]
pub(super) enum Form {
    Own(Arc<engine::Kernels>),
    Tract { kernels: Arc<Tensor>, bias_change: Vec<f32> },
}

impl Weights {
    /// Whether they were made for the engine that runs the network.
    fn fit(&self, engine: Engine) -> bool {
        matches!((&self.0, engine), (Form::Own(_), Engine::Own) | (Form::Tract { .. }, Engine::Tract))
    }

    /// Puts them in the place of a port's kernels and bias.
    fn replace(&self, port: &mut TVec<TValue>) -> TractResult<()> {
        let Form::Tract { kernels, bias_change } = &self.0 else { return Err(other_engine().into()) };
        port[1] = kernels.clone().into_tvalue();
        if !bias_change.is_empty() {
            let mut bias = port.remove(2).into_tensor();
            for (bias, change) in
                bias.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?.iter_mut().zip(bias_change)
            {
                *bias += change;
            }
            port.insert(2, bias.into_tvalue());
        }
        Ok(())
    }
}

/// The input of a quantized layer as a batch comes upon it.
pub struct Visit<'a> {
    /// Index in [`Network::layers`].
    pub layer: usize,
    /// Rows and columns.
    pub size: [usize; 2],
    /// The values, shape `[images, channels, height * width]`. What the visitor leaves here goes into the layer.
    pub values: &'a mut [f32],
}

/// A layer's input as a run comes upon it, before quantization.
pub struct Tap<'a> {
    /// Index in [`Network::layers`].
    pub layer: usize,
    /// Number of channels.
    pub channels: usize,
    /// The values, shape `[channels, height * width]`.
    pub values: &'a [f32],
}

/// What happens along a run.
pub trait Observer {
    /// A layer is about to run; `done` is the share of the work behind it, in 0..1. `false` cancels.
    fn progress(&mut self, done: f32) -> bool {
        let _ = done;
        true
    }

    /// Whether to see the input of this layer.
    fn taps(&self, layer: usize) -> bool {
        let _ = layer;
        false
    }

    /// A layer's input in passing.
    fn tap(&mut self, tap: Tap<'_>) -> Result<()> {
        let _ = tap;
        Ok(())
    }

    /// Whether to measure what quantizers do; it costs a pass over every layer's input.
    fn measures_errors(&self) -> bool {
        false
    }
}

/// Watches nothing.
impl Observer for () {}

impl Network {
    /// Runs one image. `layers` is empty for full precision, or has one entry a layer.
    ///
    /// Returns the output and, where the observer measures them, what each layer's quantizer did.
    ///
    /// # Errors
    /// [`Error::NonFinite`] where a layer that is quantized meets NaN or infinity, [`Error::Cancelled`], and what the
    /// observer returns.
    pub fn run(
        &self,
        plan: &Plan,
        input: Planes,
        layers: &[LayerQuantization],
        observer: &mut dyn Observer,
    ) -> Result<(Planes, Vec<QuantizationError>)> {
        if layers.iter().filter_map(|l| l.weights.as_ref()).any(|weights| !weights.fit(self.engine())) {
            return Err(other_engine());
        }
        let mut errors = vec![QuantizationError::default(); self.layers.len()];
        let runnable = match self.executor(plan)? {
            Ready::Tract(runnable) => runnable,
            Ready::Own(graph, own, packed) => {
                let mut running =
                    Running { network: self, plan, packed, layers, observer, errors: &mut errors };
                let mut outputs = graph.run(own, &self.layers, &[input], &mut running)?;
                return Ok((outputs.remove(0), errors));
            }
        };
        let outputs = run_ports(runnable, &[input], &mut |layer, mut port| {
            if !observer.progress(plan.progress[layer]) {
                return Err(Error::Cancelled.into());
            }
            let quantization = layers.get(layer);
            if let Some(weights) = quantization.and_then(|q| q.weights.as_ref()) {
                weights.replace(&mut port)?;
            }
            let activation = quantization.and_then(|q| q.activation.as_ref());
            self.visit_input(layer, port, activation, &mut errors[layer], observer)
        })?;
        let view = outputs[0].to_plain_array_view::<f32>().map_err(unusable)?;
        let &[1, channels, height, width] = view.shape() else {
            return Err(Error::Network(format!("its output has the shape {:?}", view.shape())));
        };
        Ok((Planes { channels, height, width, values: view.iter().copied().collect() }, errors))
    }

    /// Runs inputs of one size side by side, as far as the last quantized layer. `visit` sees the input of each
    /// quantized layer in the order of computation; it may change the input, and the weights that come next.
    ///
    /// # Errors
    /// What `visit` returns, and what goes wrong in the network.
    pub fn walk(
        &self,
        inputs: &[Planes],
        visit: &mut dyn FnMut(Visit<'_>) -> Result<Option<Weights>>,
    ) -> Result<()> {
        let Some(first) = inputs.first() else { return Ok(()) };
        let plan = self.batch_plan(inputs.len(), [first.height, first.width])?;
        let mut left = self.layers.iter().filter(|l| l.quantized).count();
        let runnable = match self.executor(&plan)? {
            Ready::Tract(runnable) => runnable,
            Ready::Own(graph, own, packed) => {
                let mut walking = Walking { network: self, packed, visit, weights: None, left };
                return match graph.run(own, &self.layers, inputs, &mut walking) {
                    Err(Error::Cancelled) if walking.left == 0 => Ok(()),
                    other => other.map(|_| ()),
                };
            }
        };
        let result = run_ports(runnable, inputs, &mut |layer, mut port| {
            if !self.layers[layer].quantized {
                return Ok(port);
            }
            let mut tensor = port.remove(0).into_tensor();
            let size = [tensor.shape()[2], tensor.shape()[3]];
            let mut view = tensor.try_as_plain_ram_mut()?;
            let weights = visit(Visit { layer, size, values: view.as_slice_mut::<f32>()? })?;
            left -= 1;
            if left == 0 {
                return Err(Error::Cancelled.into());
            }
            port.insert(0, tensor.into_tvalue());
            if let Some(weights) = weights {
                weights.replace(&mut port)?;
            }
            Ok(port)
        });
        match result {
            Err(Error::Cancelled) if left == 0 => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// What runs this plan, which must have been made since the engine was chosen.
    fn executor<'a>(&'a self, plan: &'a Plan) -> Result<Ready<'a>> {
        match (&plan.executor, &self.graph) {
            (Executor::Tract(runnable), _) => Ok(Ready::Tract(runnable)),
            (Executor::Own(own), Ok(graph)) => Ok(Ready::Own(graph, own, self.packed(graph)?)),
            (Executor::Own(_), Err(_)) => Err(other_engine()),
        }
    }

    fn visit_input(
        &self,
        layer: usize,
        mut inputs: TVec<TValue>,
        quantizer: Option<&ActivationQuantizer>,
        error: &mut QuantizationError,
        observer: &mut dyn Observer,
    ) -> TractResult<TVec<TValue>> {
        let channels = self.layers[layer].inputs;
        if observer.taps(layer) {
            observer.tap(Tap {
                layer,
                channels,
                values: inputs[0].try_as_plain_ram()?.as_slice::<f32>()?,
            })?;
        }
        let Some(quantizer) = quantizer else { return Ok(inputs) };
        let original = inputs.remove(0);
        let measured = observer.measures_errors().then(|| original.clone());
        // Copies where the tensor is still needed elsewhere: by a skip connection, or to be measured against.
        let mut quantized = original.into_tensor();
        let mut view = quantized.try_as_plain_ram_mut()?;
        let values = view.as_slice_mut::<f32>()?;
        quantizer.apply(values, channels).map_err(|channel| self.non_finite(layer, channel.0))?;
        if let Some(original) = measured {
            error.add(original.try_as_plain_ram()?.as_slice::<f32>()?, values);
        }
        inputs.insert(0, quantized.into_tvalue());
        Ok(inputs)
    }
}

fn other_engine() -> Error {
    Error::Network("plan or weights were prepared before its engine was changed: prepare them again".into())
}

/// What a run needs of plan and network.
enum Ready<'a> {
    Own(&'a engine::Graph, &'a engine::Plan, &'a [Arc<engine::Kernels>]),
    Tract(&'a Arc<TypedSimplePlan>),
}

/// One image on our own engine.
struct Running<'a> {
    network: &'a Network,
    plan: &'a Plan,
    packed: &'a [Arc<engine::Kernels>],
    layers: &'a [LayerQuantization],
    observer: &'a mut dyn Observer,
    errors: &'a mut [QuantizationError],
}

impl Visitor for Running<'_> {
    type Error = Error;

    fn begin(&mut self, layer: usize) -> Result<Wish> {
        if !self.observer.progress(self.plan.progress[layer]) {
            return Err(Error::Cancelled);
        }
        Ok(if self.observer.taps(layer) { Wish::See } else { Wish::Nothing })
    }

    fn visit(&mut self, layer: usize, _: [usize; 2], values: &mut [f32]) -> Result<()> {
        self.observer.tap(Tap { layer, channels: self.network.layers[layer].inputs, values })
    }

    fn quantizer(&self, layer: usize) -> Option<&ActivationQuantizer> {
        self.layers.get(layer).and_then(|q| q.activation.as_ref())
    }

    fn measures_errors(&self) -> bool {
        self.observer.measures_errors()
    }

    fn quantized(
        &mut self,
        layer: usize,
        result: std::result::Result<QuantizationError, NonFiniteChannel>,
    ) -> Result<()> {
        self.errors[layer] = result.map_err(|channel| self.network.non_finite(layer, channel.0))?;
        Ok(())
    }

    fn kernels(&mut self, layer: usize) -> Arc<engine::Kernels> {
        match self.layers.get(layer).and_then(|q| q.weights.as_ref()) {
            Some(Weights(Form::Own(kernels))) => kernels.clone(),
            _ => self.packed[layer].clone(),
        }
    }
}

/// A batch on our own engine, as far as the last quantized layer.
struct Walking<'a> {
    network: &'a Network,
    packed: &'a [Arc<engine::Kernels>],
    visit: &'a mut dyn FnMut(Visit<'_>) -> Result<Option<Weights>>,
    /// What the visitor wants the present layer to take.
    weights: Option<Weights>,
    /// Quantized layers to come.
    left: usize,
}

impl Visitor for Walking<'_> {
    type Error = Error;

    fn begin(&mut self, layer: usize) -> Result<Wish> {
        Ok(if self.network.layers[layer].quantized { Wish::Change } else { Wish::Nothing })
    }

    fn visit(&mut self, layer: usize, size: [usize; 2], values: &mut [f32]) -> Result<()> {
        self.weights = (self.visit)(Visit { layer, size, values })?;
        self.left -= 1;
        // What comes after the last of them nobody sees.
        if self.left == 0 { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn kernels(&mut self, layer: usize) -> Arc<engine::Kernels> {
        match self.weights.take() {
            Some(Weights(Form::Own(kernels))) => kernels,
            _ => self.packed[layer].clone(),
        }
    }
}

/// Runs a batch. `port` gets every layer's input, kernels and bias, and answers with what the layer is to take.
fn run_ports(
    runnable: &Arc<TypedSimplePlan>,
    inputs: &[Planes],
    port: &mut dyn FnMut(usize, TVec<TValue>) -> TractResult<TVec<TValue>>,
) -> Result<TVec<TValue>> {
    let Planes { channels, height, width, .. } = inputs[0];
    let values: Vec<f32> = inputs.iter().flat_map(|planes| planes.values.iter().copied()).collect();
    let tensor = Tensor::from_shape(&[inputs.len(), channels, height, width], &values).map_err(unusable)?;
    drop(values);
    let mut state = runnable.spawn().map_err(unusable)?;
    let outputs = state.run_plan_with_eval(tvec!(tensor.into_tvalue()), |context, op_state, node, inputs| {
        match node.op_as::<Port>() {
            Some(at) => port(at.layer, inputs),
            None => tract_onnx::tract_core::plan::eval(context, op_state, node, inputs),
        }
    });
    outputs.map_err(|e| e.downcast::<Error>().unwrap_or_else(unusable))
}
