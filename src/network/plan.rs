//! A network made ready for images of one size.

use super::ops::Port;
use super::{Network, engine, memory, unusable};
use crate::{Error, Result};
use std::result::Result as Outcome;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::tract_data::knobs::KnobScope;
use tract_onnx::tract_core::tract_linalg;

/// Plans kept at a time; a folder of images often has a few sizes.
const PLANS: usize = 4;

/// A network optimized for one input size.
pub struct Plan {
    pub(super) executor: Executor,
    /// Share of the multiply-accumulates that lie before each layer.
    pub(super) progress: Vec<f32>,
    /// Of values that are alive at the same time.
    pub(super) peak_bytes: usize,
}

/// What runs a network of one size.
pub(super) enum Executor {
    Own(engine::Plan),
    Tract(Arc<TypedSimplePlan>),
}

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

impl Network {
    /// The plan for images of this height and width, built on first use.
    ///
    /// # Errors
    /// [`Error::Network`] where the network cannot take this size.
    pub fn plan(&self, size: [usize; 2]) -> Result<Arc<Plan>> {
        self.batch_plan(1, size)
    }

    pub(super) fn batch_plan(&self, batch: usize, [height, width]: [usize; 2]) -> Result<Arc<Plan>> {
        let key = [batch, height, width];
        let lock = || self.plans.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, plan)) = lock().iter().find(|(k, _)| *k == key) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(self.build(batch, [height, width])?);
        let mut plans = lock();
        if plans.len() >= PLANS {
            plans.remove(0);
        }
        plans.push((key, plan.clone()));
        Ok(plan)
    }

    /// As our own executor runs it; otherwise what that lacks.
    pub(super) fn plan_own(&self, graph: &engine::Graph, size: [usize; 2]) -> Outcome<engine::Plan, String> {
        engine::Plan::new(graph, &self.layers, size, self.convention.colour.channels())
    }

    fn build(&self, batch: usize, size: [usize; 2]) -> Result<Plan> {
        let work: Vec<f64> = (0..self.layers.len()).map(|layer| self.layer_macs(layer)).collect();
        let total: f64 = work.iter().sum();
        let progress = work.iter().scan(0.0, |done, w| Some(std::mem::replace(done, *done + w) / total));
        let progress = progress.map(|p| p as f32).collect();
        if let Ok(graph) = &self.graph {
            let plan = self.plan_own(graph, size).map_err(Error::Network)?;
            return Ok(Plan { peak_bytes: plan.bytes(), executor: Executor::Own(plan), progress });
        }
        let mut typed = self.typed(batch, size)?;
        for (layer, node) in self.convolutions(&typed)?.into_iter().enumerate() {
            insert_port(&mut typed, node, layer, self.layers[layer].outputs).map_err(unusable)?;
        }
        // From 128 columns on tract would take another convolution on x86-64. It rounds differently from the one that
        // browsers get, so that scores at low bit widths differ by 0.03 dB, and took twice as long on AVX-512.
        let same_everywhere = KnobScope::new([("TRACT_DISABLE_DIRECT_SPATIAL", "true")]).map_err(unusable)?;
        let runnable = same_everywhere
            .enter(|| typed.into_optimized())
            .and_then(|model| model.into_runnable())
            .map_err(unusable)?;
        let peak_bytes = memory::peak_bytes(runnable.model()).map_err(unusable)?;
        Ok(Plan { executor: Executor::Tract(runnable), progress, peak_bytes })
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
