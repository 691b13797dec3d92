//! Networks on our own engine.

use super::convention::PROBE_SIZE;
use super::engine::{Graph, Kernels, Pass, Plan, Visitor, Wish, read};
use super::run::Form;
use super::{Layer, LayerQuantization, Network, Observer, Planes, Tap, Visit, Weights, onnx, plan};
use crate::quant::{ActivationQuantizer, NonFiniteChannel, QuantizationError};
use crate::{Error, Result};
use std::sync::{Arc, OnceLock};

/// A graph for our own engine.
pub struct Own {
    graph: Graph,
    /// By layer, kernels and biases in full precision.
    packed: OnceLock<Vec<Arc<Kernels>>>,
}

impl Own {
    /// # Errors
    /// In words, what the engine lacks.
    pub fn read(graph: &onnx::Graph, layers: &[Layer], channels: usize) -> Result<Self, String> {
        let graph = read(graph, layers)?;
        Plan::new(&graph, layers, PROBE_SIZE, channels)?;
        Ok(Own { graph, packed: OnceLock::new() })
    }

    pub fn plan(&self, layers: &[Layer], size: [usize; 2], channels: usize) -> Result<Plan> {
        Plan::new(&self.graph, layers, size, channels).map_err(Error::Network)
    }

    /// Output positions of each layer.
    pub fn areas(&self, plan: &Plan) -> Vec<usize> {
        plan.areas(&self.graph)
    }

    /// Channels, rows and columns of what comes out.
    pub fn output(&self, plan: &Plan) -> [usize; 3] {
        let shape = plan.places[self.graph.output].shape;
        [shape.channels, shape.height, shape.width]
    }

    /// A layer's weights, from `[out, in / groups, height, width]` and what is added to the bias, for each output or nothing.
    pub fn kernels(&self, layers: &[Layer], layer: usize, kernels: &[f32], bias_change: &[f32]) -> Kernels {
        self.graph.kernels(layers, layer, kernels, bias_change)
    }

    /// The weights in full precision.
    fn packed(&self, network: &Network) -> &[Arc<Kernels>] {
        let pack = |layer| Arc::new(self.kernels(&network.layers, layer, network.kernels(layer), &[]));
        self.packed.get_or_init(|| (0..network.layers.len()).map(pack).collect())
    }

    /// An image at the network's input.
    pub fn enter(&self, plan: &Plan, input: Planes) -> Pass {
        self.graph.enter(plan, &[input])
    }

    /// Takes an image on in full precision as far as a layer.
    pub fn advance(
        &self,
        network: &Network,
        (plan, own): (&plan::Plan, &Plan),
        pass: &mut Pass,
        layer: usize,
    ) -> Result<()> {
        let packed = self.packed(network);
        let mut running = Running { network, plan, packed, layers: &[], observer: &mut (), errors: &mut [] };
        self.graph.advance(own, &network.layers, pass, Some(layer), &mut running)
    }

    /// Takes an image to the end, as [`Network::run`].
    pub fn finish(
        &self,
        network: &Network,
        (plan, own): (&plan::Plan, &Plan),
        mut pass: Pass,
        layers: &[LayerQuantization],
        observer: &mut dyn Observer,
        errors: &mut [Vec<QuantizationError>],
    ) -> Result<Planes> {
        let packed = self.packed(network);
        let mut running = Running { network, plan, packed, layers, observer, errors };
        self.graph.advance(own, &network.layers, &mut pass, None, &mut running)?;
        Ok(self.graph.outputs(own, &pass).remove(0))
    }

    /// [`Network::walk`].
    pub fn walk(
        &self,
        network: &Network,
        plan: &Plan,
        inputs: &[Planes],
        visit: &mut dyn FnMut(Visit<'_>) -> Result<Option<Weights>>,
    ) -> Result<()> {
        let left = Layer::quantized(&network.layers).count();
        let mut walking = Walking { network, packed: self.packed(network), visit, weights: None, left };
        let mut pass = self.graph.enter(plan, inputs);
        match self.graph.advance(plan, &network.layers, &mut pass, None, &mut walking) {
            Err(Error::Cancelled) if walking.left == 0 => Ok(()),
            other => other,
        }
    }
}

/// One image on our own engine.
struct Running<'a> {
    network: &'a Network,
    plan: &'a plan::Plan,
    packed: &'a [Arc<Kernels>],
    layers: &'a [LayerQuantization],
    observer: &'a mut dyn Observer,
    errors: &'a mut [Vec<QuantizationError>],
}

impl Visitor for Running<'_> {
    type Error = Error;

    fn begin(&mut self, layer: usize) -> Result<Wish> {
        if !self.observer.progress(self.plan.progress[layer]) {
            return Err(Error::Cancelled);
        }
        Ok(if self.observer.taps(layer) { Wish::See } else { Wish::Nothing })
    }

    fn visit(&mut self, layer: usize, size: [usize; 2], values: &mut [f32]) -> Result<()> {
        self.observer.tap(Tap { layer, channels: self.network.layers[layer].inputs, size, values })
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
        result: Result<Vec<QuantizationError>, NonFiniteChannel>,
    ) -> Result<()> {
        self.errors[layer] = result.map_err(|channel| self.network.non_finite(layer, channel.0))?;
        Ok(())
    }

    fn kernels(&mut self, layer: usize) -> Arc<Kernels> {
        match self.layers.get(layer).and_then(|q| q.weights.as_ref()) {
            Some(Weights(Form::Own(kernels))) => kernels.clone(),
            _ => self.packed[layer].clone(),
        }
    }
}

/// A batch on our own engine, as far as the last quantized layer.
struct Walking<'a> {
    network: &'a Network,
    packed: &'a [Arc<Kernels>],
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

    fn kernels(&mut self, layer: usize) -> Arc<Kernels> {
        match self.weights.take() {
            Some(Weights(Form::Own(kernels))) => kernels,
            _ => self.packed[layer].clone(),
        }
    }
}
