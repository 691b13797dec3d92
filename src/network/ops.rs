//! The one operator that is added to a network's graph.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

/// What passes through a [`Port`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The convolution's own input. What else reads the same tensor (a skip connection) is not affected.
    Input,
    /// The convolution's kernels, `[out, in, height, width]`.
    Kernels,
}

/// Stands in front of a convolution; on its own it hands its input through.
///
/// [`super::Network::run`] acts on it while a plan runs, so that weights and quantizers belong to the run and not to
/// the plan: a plan is built once for an image size. Optimization sees an opaque operator and never folds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Port {
    /// Index of the convolution in the network's list of layers.
    pub layer: usize,
    /// Which of its inputs this is.
    pub part: Part,
}

impl Op for Port {
    fn name(&self) -> StaticName {
        "Port".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Port {
    not_out_of_plan!();

    fn eval(&self, _ctx: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        Ok(inputs)
    }
}

impl TypedOp for Port {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].without_value()))
    }

    as_op!();
}
