//! Images on their way through a graph, step by step, and whoever has a say at each convolution.

use super::convolution::Kernels;
use super::graph::{Filter, Graph, Operation};
use super::place::{Place, Shape};
use super::plan::Plan;
use super::run::{Run, Work, Workspace, copy_input, separate};
use crate::network::layers::Layer;
use crate::network::planes::Planes;
use crate::quant::{ActivationQuantizer, NonFiniteChannel, QuantizationError};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a run does at a convolution.
pub trait Visitor {
    /// Why a run stops.
    type Error;

    /// A convolution is about to run. What the visitor wants of its input.
    fn begin(&mut self, layer: usize) -> Result<Wish, Self::Error>;

    /// The layer's input, of a run of one image, where it was wished for: `write` writes the planes of channels, from this one on.
    /// `Break` stops the run here.
    fn see(
        &mut self,
        layer: usize,
        size: [usize; 2],
        write: &dyn Fn(usize, &mut [f32]),
    ) -> Result<ControlFlow<()>, Self::Error> {
        let _ = (layer, size, write);
        Ok(ControlFlow::Continue(()))
    }

    /// The layer's input, `[images, channels, height * width]`, where it is to be changed. `Break` stops the run here.
    fn visit(
        &mut self,
        layer: usize,
        size: [usize; 2],
        inputs: &mut [f32],
    ) -> Result<ControlFlow<()>, Self::Error> {
        let _ = (layer, size, inputs);
        Ok(ControlFlow::Continue(()))
    }

    /// What is to quantize the layer's input.
    fn quantizer(&self, layer: usize) -> Option<&ActivationQuantizer> {
        let _ = layer;
        None
    }

    /// Whether to measure what quantizers do.
    fn measures_errors(&self) -> bool {
        false
    }

    /// The layer's input was quantized; the errors of its channels are empty unless they were to be measured.
    fn quantized(
        &mut self,
        layer: usize,
        result: Result<Vec<QuantizationError>, NonFiniteChannel>,
    ) -> Result<(), Self::Error> {
        let _ = (layer, result);
        Ok(())
    }

    /// Rows flow through the end of the network, which begins with this layer: so many of them have come out, in 0..1.
    fn flows(&mut self, layer: Option<usize>, share: f32) -> Result<(), Self::Error> {
        let _ = (layer, share);
        Ok(())
    }

    /// The weights that the layer takes now. Called after the visit.
    fn kernels(&mut self, layer: usize) -> Arc<Kernels>;
}

/// What a visitor wants of a convolution's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Not to see it.
    Nothing,
    /// To see it.
    See,
    /// To see it, and that what it leaves goes into the layer.
    Change,
}

/// Images on their way through a graph. A copy can go on in another way.
#[derive(Clone)]
pub struct Pass {
    pub runs: Vec<Run>,
    /// Whether it ends at the last quantized layer. What is not read until then is given away.
    walks: bool,
    /// What an image has given away, for the next that needs a buffer.
    spare: Vec<f32>,
    /// The next step.
    at: usize,
}

impl Graph {
    /// Weights for a layer as this graph needs them, from `[out, in / groups, height, width]` and what is added to the
    /// bias, for each output or nothing.
    pub fn kernels(&self, layers: &[Layer], layer: usize, weights: &[f32], bias_change: &[f32]) -> Kernels {
        let Filter { shuffle, bias } = &self.filters[layer];
        let change = bias_change.iter().copied().chain(std::iter::repeat(0.0));
        let bias: Vec<f32> = bias.iter().zip(change).map(|(bias, change)| bias + change).collect();
        Kernels::new(&layers[layer].conv, *shuffle, weights, &bias)
    }

    /// Images of the plan's size, to go through the graph side by side: as far as the last quantized layer, if the pass `walks`.
    pub fn enter(&self, plan: &Plan, images: &[Planes], walks: bool) -> Pass {
        Pass {
            walks,
            runs: images.iter().map(|image| Run::new(self, plan, image)).collect(),
            spare: Vec::new(),
            at: 0,
        }
    }

    /// Takes a pass on, step by step: to the convolution of a layer, or to the plan's tail or end, unless the visitor breaks off.
    pub fn advance<V: Visitor>(
        &self,
        plan: &Plan,
        layers: &[Layer],
        pass: &mut Pass,
        before: Option<usize>,
        visitor: &mut V,
    ) -> Result<ControlFlow<()>, V::Error> {
        let runs = &mut pass.runs;
        let mut workspace = Workspace::new();
        let needs_summary = self.read_by(|layer| visitor.quantizer(layer).is_some());
        let mut planes = Vec::new();
        while let Some(step) = self.steps[..plan.tail].get(pass.at) {
            let at = pass.at;
            if let Operation::Convolution { layer, .. } = step.operation
                && before == Some(layer)
            {
                break;
            }
            pass.at += 1;
            let spare = &mut pass.spare;
            let Operation::Convolution { layer, shuffle } = step.operation else {
                for run in runs.iter_mut() {
                    run.make_room(plan, at, spare);
                    run.step(plan, step);
                    if pass.walks {
                        run.give_away(plan, at, spare);
                    }
                }
                continue;
            };
            let wish = visitor.begin(layer)?;
            let place = plan.places[step.inputs[0]];
            if wish == Wish::See {
                let buffer = &runs[0].slots[place.slot];
                let from = |channel| Place { origin: place.origin + channel, ..place };
                let write = |channel, planes: &mut [f32]| separate(buffer, from(channel), planes);
                if visitor.see(layer, place.shape.size(), &write)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if wish == Wish::Change {
                let Shape { channels, height, width } = place.shape;
                let size = channels * height * width;
                planes.resize(runs.len() * size, 0.0);
                let each = runs.iter().zip(planes.chunks_exact_mut(size));
                each.for_each(|(run, planes)| separate(&run.slots[place.slot], place, planes));
                if visitor.visit(layer, [height, width], &mut planes)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            let kernels = visitor.kernels(layer);
            let quantizer = visitor.quantizer(layer);
            let copied = quantizer.is_some() || wish == Wish::Change;
            let work = Work {
                conv: &layers[layer].conv,
                shuffle,
                kernels: &kernels,
                copy: plan.copy_place(at).map(|(_, place)| place).filter(|_| copied),
                output: plan.before_shuffle(step.output, shuffle),
                needs_summary: needs_summary[step.output],
            };
            let measured = if visitor.measures_errors() { layers[layer].conv.inputs() } else { 0 };
            let mut errors = vec![QuantizationError::default(); measured];
            let each = planes.len() / runs.len();
            let result = runs.iter_mut().enumerate().try_for_each(|(index, run)| {
                let quantizer = quantizer.map(|quantizer| (quantizer, &mut errors[..]));
                if wish == Wish::Change {
                    copy_input(plan, at, &planes[index * each..][..each], &mut workspace.copy);
                }
                run.make_room(plan, at, spare);
                run.convolve((self, plan), at, &work, &mut workspace, quantizer)?;
                if pass.walks {
                    run.give_away(plan, at, spare);
                }
                Ok(())
            });
            if quantizer.is_some() {
                visitor.quantized(layer, result.map(|()| errors))?;
            }
        }
        debug_assert!(before.is_none() || pass.at < plan.tail, "the layer is past");
        Ok(ControlFlow::Continue(()))
    }

    /// What comes out of a pass of one image that has come to the plan's tail or end.
    pub fn output<V: Visitor>(
        &self,
        plan: &Plan,
        layers: &[Layer],
        mut pass: Pass,
        visitor: &mut V,
    ) -> Result<Planes, V::Error> {
        if plan.tail < self.steps.len() {
            return self.stream(plan, layers, &mut pass, visitor);
        }
        Ok(pass.runs[0].output(plan.places[self.output]))
    }
}
