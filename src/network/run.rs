//! Running a plan: weights and quantizers are put in place and the layers' inputs shown on the way.

use super::plan::{Executor, Plan};
use super::{Network, Planes, Runner, engine};
use crate::Result;
use crate::quant::{ActivationQuantizer, QuantizationError};
use std::sync::Arc;

/// Replacement of one layer's weights and the quantizer of its input; `None` leaves either in full precision.
#[derive(Default, Clone)]
pub struct LayerQuantization {
    /// Quantized and dequantized weights.
    pub weights: Option<Weights>,
    /// Quantizer in front of the convolution's own input.
    pub activation: Option<ActivationQuantizer>,
}

/// Kernels in the layer's shape, and what is added to its bias, ready for a run of the network that made them.
#[derive(Clone)]
pub struct Weights(pub(super) Form);

/// As what runs them takes them.
#[derive(Clone)]
pub(super) enum Form {
    Own(Arc<engine::Kernels>),
    #[cfg(feature = "tract")]
    Tract(super::tract::Weights),
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
    /// Rows and columns.
    pub size: [usize; 2],
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
    /// Returns the output and, where the observer measures them, what each layer's quantizer did to each channel.
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) where a layer that is quantized meets NaN or infinity,
    /// [`Error::Cancelled`](crate::Error::Cancelled), and what the observer returns.
    pub fn run(
        &self,
        plan: &Plan,
        input: Planes,
        layers: &[LayerQuantization],
        observer: &mut dyn Observer,
    ) -> Result<(Planes, Vec<Vec<QuantizationError>>)> {
        let mut errors = vec![Vec::new(); self.layers.len()];
        let output = match (&self.runner, &plan.executor) {
            (Runner::Own(own), Executor::Own(of_own)) => {
                own.finish(self, (plan, of_own), own.enter(of_own, input), layers, observer, &mut errors)?
            }
            #[cfg(feature = "tract")]
            (Runner::Tract(_), Executor::Tract(runnable)) => {
                runnable.run(self, plan, input, layers, observer, &mut errors)?
            }
            #[cfg(feature = "tract")]
            _ => return Err(of_another()),
        };
        Ok((output, errors))
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
        match (&self.runner, &plan.executor) {
            (Runner::Own(own), Executor::Own(of_own)) => own.walk(self, of_own, inputs, visit),
            #[cfg(feature = "tract")]
            (Runner::Tract(_), Executor::Tract(runnable)) => runnable.walk(self, inputs, visit),
            #[cfg(feature = "tract")]
            _ => Err(of_another()),
        }
    }
}

/// Plans and weights belong to one network.
#[cfg(feature = "tract")]
pub(super) fn of_another() -> crate::Error {
    crate::Error::Network("plan or weights are those of another".into())
}
