//! The native engine: our own, for the graphs of super-resolution networks. Pixels lie one after another, each with all its
//! channels (NHWC); a run walks through the steps of a [`Graph`] with the buffers of a [`Plan`](plan::Plan).

mod bands;
mod convolution;
mod curve;
mod depthwise;
mod graph;
pub mod matrix;
mod numbers;
pub mod padded;
mod pass;
mod place;
mod plan;
mod planes;
mod quantized_input;
mod reader;
mod resample;
mod run;
mod shapes;
mod step;
mod tail;
pub mod winograd;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use convolution::{Kernels, full_convolution};
pub use planes::{Room, convolve};

use super::execution::{Along, Begun, Engine, Execution, Layout, Tap, Visit, Visitor, non_finite};
use super::fit::Fit;
use super::graph::Graph as Read;
use super::layers::Layers;
use super::planes::Planes;
use super::weights::{LayerQuantization, Weights};
use crate::parallel;
use crate::quant::{ActivationQuantizer, NonFiniteChannel, QuantizationError};
use crate::{Error, Result};
use graph::Graph;
use pass::{Pass, Wish};
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

/// A network for the native engine.
#[derive(Clone)]
pub struct Native(Arc<Shared>);

struct Shared {
    graph: Graph,
    layers: Arc<Layers>,
    /// Channels of the image.
    channels: usize,
    /// By layer, kernels and biases in full precision.
    packed: Vec<OnceLock<Arc<Kernels>>>,
}

impl Native {
    /// For images of so many channels, and what it does to their size.
    ///
    /// # Errors
    /// In words, what the engine lacks.
    pub fn read(graph: &Read, layers: Arc<Layers>, channels: usize) -> Result<(Self, Fit), String> {
        let declared = graph.declared().size;
        let graph = reader::read(graph, layers.layers(), channels)?;
        let output = |size: [usize; 2]| {
            let plan = plan::Plan::new(&graph, layers.layers(), size, channels).map_err(Error::Network)?;
            let place::Shape { channels, height, width } = plan.places[graph.output].shape;
            Ok([channels, height, width])
        };
        let fit = Fit::find(&output, channels, declared).map_err(|error| match error {
            Error::Network(what) => what,
            other => other.to_string(),
        })?;
        let packed = layers.layers().iter().map(|_| OnceLock::new()).collect();
        Ok((Native(Arc::new(Shared { graph, layers, channels, packed })), fit))
    }
}

impl Shared {
    fn pack(&self, layer: usize, kernels: &[f32], bias_change: &[f32]) -> Kernels {
        self.graph.kernels(self.layers.layers(), layer, kernels, bias_change)
    }

    /// A layer's weights in full precision.
    fn full_precision(&self, layer: usize) -> Arc<Kernels> {
        let pack = || Arc::new(self.pack(layer, self.layers.kernels(layer), &[]));
        parallel::once(&self.packed[layer], pack).clone()
    }

    fn packed(&self, layer: usize, weights: Option<&Weights>) -> Arc<Kernels> {
        match weights {
            Some(own) => own.packed(|| self.pack(layer, own.kernels(), own.bias_change())),
            None => self.full_precision(layer),
        }
    }
}

impl Engine for Native {
    fn lay_out(&self, batch: usize, size: [usize; 2]) -> Result<Layout> {
        let Shared { graph, layers, channels, .. } = &*self.0;
        let plan = plan::Plan::new(graph, layers.layers(), size, *channels).map_err(Error::Network)?;
        let shape = plan.places[graph.output].shape;
        Ok(Layout {
            areas: plan.areas(graph),
            output: [shape.channels, shape.height, shape.width],
            peak_bytes: plan.bytes(batch),
            walk_bytes: plan.walk_bytes(batch),
            execution: Box::new(Planned {
                network: self.0.clone(),
                plan,
                flowing: OnceLock::new(),
                whole: OnceLock::new(),
            }),
        })
    }
}

/// Bytes that a run takes without looking for a way to take less.
const PLENTY: u64 = 512 << 20;

/// The network, laid out for one size.
struct Planned {
    network: Arc<Shared>,
    plan: plan::Plan,
    /// For full precision, and without a tail, where they are needed.
    flowing: OnceLock<plan::Plan>,
    whole: OnceLock<plan::Plan>,
}

impl Planned {
    /// The plan in which every layer's input is there as a whole.
    fn whole(&self) -> &plan::Plan {
        let Shared { graph, layers, .. } = &*self.network;
        parallel::once(&self.whole, || self.plan.whole(graph, layers.layers()))
    }

    /// The plan for a run, with a tail that nobody looks into or quantizes.
    fn plan_for(&self, layers: &[LayerQuantization], along: &Along<'_>) -> &plan::Plan {
        let Shared { graph, layers: known, .. } = &*self.network;
        let flows = |layer: usize| {
            !along.observer.taps(layer) && layers.get(layer).is_none_or(|own| own.activation.is_none())
        };
        if graph.layers_from(0).all(flows) {
            let flowing = parallel::once(&self.flowing, || self.plan.flowing(graph, known.layers()));
            // Bands cost some time: rows of all layers leave the cache before they are read.
            if self.plan.bytes(1) > PLENTY && flowing.bytes(1) < self.plan.bytes(1) / 4 * 3 {
                return flowing;
            }
        }
        if graph.layers_from(self.plan.tail).all(flows) { &self.plan } else { self.whole() }
    }

    fn advance<V: pass::Visitor<Error = Error>>(
        &self,
        plan: &plan::Plan,
        pass: &mut Pass,
        before: Option<usize>,
        visitor: &mut V,
    ) -> Result<ControlFlow<()>> {
        self.network.graph.advance(plan, self.network.layers.layers(), pass, before, visitor)
    }

    /// Takes a pass to its end.
    fn finish(
        &self,
        plan: &plan::Plan,
        mut pass: Pass,
        layers: &[LayerQuantization],
        along: &mut Along<'_>,
    ) -> Result<ControlFlow<(), Planes>> {
        let mut running = Running { network: &self.network, layers, along };
        if self.advance(plan, &mut pass, None, &mut running)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let planes = self.network.graph.output(plan, self.network.layers.layers(), pass, &mut running)?;
        Ok(ControlFlow::Continue(planes))
    }
}

impl Execution for Planned {
    fn run(
        &self,
        input: &Planes,
        layers: &[LayerQuantization],
        along: &mut Along<'_>,
    ) -> Result<ControlFlow<(), Planes>> {
        let plan = self.plan_for(layers, along);
        self.finish(plan, self.network.graph.enter(plan, std::slice::from_ref(input), false), layers, along)
    }

    fn walk(&self, images: &[Planes], visit: &mut Visitor<'_>) -> Result<()> {
        let mut pass = self.network.graph.enter(&self.plan, images, true);
        let mut walking = Walking { network: &self.network, visit, weights: None };
        self.advance(&self.plan, &mut pass, None, &mut walking).map(|_| ())
    }

    fn begin(&self, input: Planes) -> Box<dyn Begun + '_> {
        let pass = self.network.graph.enter(&self.plan, &[input], false);
        Box::new(Halfway { planned: self, pass })
    }
}

/// An image in full precision, as far as a layer that can be quantized: none of these lies in the plan's tail.
struct Halfway<'p> {
    planned: &'p Planned,
    pass: Pass,
}

/// Takes an image on with nobody watching.
fn alone<R>(layers: usize, work: impl FnOnce(&mut Along<'_>) -> Result<R>) -> Result<R> {
    let (done, mut errors) = (vec![0.0; layers], vec![Vec::new(); layers]);
    work(&mut Along { observer: &mut (), progress: &(), done: &done, errors: &mut errors })
}

impl Begun for Halfway<'_> {
    fn advance(&mut self, layer: usize) -> Result<()> {
        let network = &self.planned.network;
        alone(network.layers.layers().len(), |along| {
            let mut running = Running { network, layers: &[], along };
            self.planned.advance(&self.planned.plan, &mut self.pass, Some(layer), &mut running).map(|_| ())
        })
    }

    fn finish(&self, layers: &[LayerQuantization]) -> Result<Planes> {
        let count = self.planned.network.layers.layers().len();
        match alone(count, |along| self.planned.finish(&self.planned.plan, self.pass.clone(), layers, along))?
        {
            ControlFlow::Continue(planes) => Ok(planes),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }
}

/// What a run of one image does at a convolution.
struct Running<'r, 'a> {
    network: &'r Shared,
    layers: &'r [LayerQuantization],
    along: &'r mut Along<'a>,
}

impl pass::Visitor for Running<'_, '_> {
    type Error = Error;

    fn begin(&mut self, layer: usize) -> Result<Wish> {
        self.along.begin(layer)?;
        Ok(if self.along.observer.taps(layer) { Wish::See } else { Wish::Nothing })
    }

    fn flows(&mut self, layer: Option<usize>, share: f32) -> Result<()> {
        let before = layer.map_or(0.0, |layer| self.along.done[layer]);
        self.along.progress.step(before + (1.0 - before) * share)
    }

    fn see(
        &mut self,
        layer: usize,
        size: [usize; 2],
        write: &dyn Fn(usize, &mut [f32]),
    ) -> Result<ControlFlow<()>> {
        let channels = self.network.layers.layers()[layer].conv.inputs();
        self.along.observer.tap(Tap::in_parts(layer, channels, size, write))
    }

    fn quantizer(&self, layer: usize) -> Option<&ActivationQuantizer> {
        self.layers.get(layer).and_then(|q| q.activation.as_ref())
    }

    fn measures_errors(&self) -> bool {
        self.along.observer.measures_errors()
    }

    fn quantized(
        &mut self,
        layer: usize,
        result: Result<Vec<QuantizationError>, NonFiniteChannel>,
    ) -> Result<()> {
        let of = &self.network.layers.layers()[layer];
        self.along.errors[layer] = result.map_err(|channel| non_finite(of, channel.0))?;
        Ok(())
    }

    fn kernels(&mut self, layer: usize) -> Arc<Kernels> {
        self.network.packed(layer, self.layers.get(layer).and_then(|q| q.weights.as_ref()))
    }
}

/// What a batch does at a convolution.
struct Walking<'w, 'v> {
    network: &'w Shared,
    visit: &'w mut Visitor<'v>,
    /// What the visitor wants the present layer to take.
    weights: Option<Weights>,
}

impl pass::Visitor for Walking<'_, '_> {
    type Error = Error;

    fn begin(&mut self, layer: usize) -> Result<Wish> {
        Ok(if self.network.layers.layers()[layer].quantized { Wish::Change } else { Wish::Nothing })
    }

    fn visit(&mut self, layer: usize, size: [usize; 2], values: &mut [f32]) -> Result<ControlFlow<()>> {
        Ok(match (self.visit)(Visit { layer, size, values })? {
            ControlFlow::Continue(weights) => {
                self.weights = weights;
                ControlFlow::Continue(())
            }
            ControlFlow::Break(()) => ControlFlow::Break(()),
        })
    }

    fn kernels(&mut self, layer: usize) -> Arc<Kernels> {
        let weights = self.weights.take();
        self.network.packed(layer, weights.as_ref())
    }
}
