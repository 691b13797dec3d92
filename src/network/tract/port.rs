//! The one operator that is added to a network's graph.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

/// Stands in front of a convolution: takes its input, kernels and bias, and on its own hands them through. What else
/// reads the same input (a skip connection) does so in front of the port and is not affected.
///
/// [`super::Network::run`] acts on it while a plan runs, so that weights and quantizers belong to the run and not to
/// the plan: a plan is built once for an image size. Optimization sees an opaque operator and never folds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Port {
    /// Index of the convolution in the network's list of layers.
    pub layer: usize,
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
        Ok(inputs.iter().map(|fact| fact.without_value()).collect())
    }

    as_op!();
}
