//! The operators that are added to a network's graph. Neither is evaluated by tract: [`super::Runnable`] does, while a plan runs.

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

/// Stands in front of a convolution: takes its input, kernels and bias, and on its own hands them through. What else
/// reads the same input (a skip connection) does so in front of the port and is not affected.
///
/// Weights and quantizers then belong to the run and not to the plan: a plan is built once for an image size. Optimization sees an opaque operator and never folds it.
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

/// Stands in the place of a convolution, which the native engine computes. Optimization sees an opaque operator here too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NativeConvolution {
    /// Index of the convolution in the network's list of layers.
    pub layer: usize,
    /// `[images, channels, height, width]` of what comes out.
    pub shape: TVec<usize>,
}

impl Op for NativeConvolution {
    fn name(&self) -> StaticName {
        "NativeConvolution".into()
    }

    op_as_typed_op!();
}

impl EvalOp for NativeConvolution {
    not_out_of_plan!();

    fn eval(&self, _ctx: &EvalContext, _: TVec<TValue>) -> TractResult<TVec<TValue>> {
        bail!("a convolution is not tract's to compute")
    }
}

impl TypedOp for NativeConvolution {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(&self.shape)))
    }

    as_op!();
}
