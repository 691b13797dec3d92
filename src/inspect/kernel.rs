//! One kernel's weights, looked at closely, and what each method makes of them.

use super::MethodView;
use super::channel::{bin, look, point};
use crate::analysis::HISTOGRAM_BINS;
use crate::quant::Normalization;
use crate::session::{Options, Session};
use crate::{Error, Result};
use serde::Serialize;

/// The weights of one of a layer's kernels, which make one of its outputs. Places are in units of the largest weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct KernelView {
    /// The largest weight, without its sign.
    pub range: f32,
    /// Number of weights in equal bins over [-1, 1].
    pub counts: Vec<u32>,
    /// In the order in which they were asked for, each with the values that it rounds these weights to; those that leave them
    /// in full precision are missing.
    pub methods: Vec<MethodView>,
}

impl Session {
    /// Looks at a kernel of a quantized layer, and what each method makes of it.
    ///
    /// # Errors
    /// [`Error::Option`] for a kernel that is not there, and for options that make no sense for this network.
    pub fn kernel(&self, layer: usize, kernel: usize, methods: &[Options]) -> Result<KernelView> {
        let shape = self.network().layers().get(layer).filter(|l| l.quantized && kernel < l.conv.outputs());
        let shape = shape.ok_or_else(|| Error::Option("there is no such kernel".into()))?;
        let size = shape.conv.weights() / shape.conv.outputs();
        let part = |weights: &[f32]| weights[kernel * size..][..size].to_vec();
        let own = part(self.network().kernels(layer));
        let largest = own.iter().fold(f32::MIN_POSITIVE, |most, weight| most.max(weight.abs()));
        let norm = Normalization { mean: 0.0, range: largest };
        let mut counts = vec![0; HISTOGRAM_BINS];
        own.iter().for_each(|weight| counts[bin(*weight, norm)] += 1);
        let mut views = Vec::new();
        for options in methods {
            let Some(weights) = self.quantized_weights(layer, options)? else { continue };
            let rounded = part(&weights);
            let mut known = rounded.clone();
            known.sort_unstable_by(f32::total_cmp);
            known.dedup();
            let place = |weight: &f32| f64::from(weight / largest);
            let points = known.iter().map(|w| point(place(w), place(w), Vec::new())).collect();
            let index = |q: &f32| known.partition_point(|level| level.total_cmp(q).is_lt());
            let pairs = own.iter().zip(&rounded).map(|(x, q)| (*x, *q, index(q)));
            views.push(look(options.method, points, norm, pairs));
        }
        Ok(KernelView { range: largest, counts, methods: views })
    }
}
