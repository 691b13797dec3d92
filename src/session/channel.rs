//! One channel of a layer's input, looked at closely: its values, and what each method makes of them.

use super::{Method, Options, Session};
use crate::analysis::{HISTOGRAM_BINS, layer_normalizer};
use crate::network::Planes;
use crate::quant::{
    ActivationQuantizer, Granularity, Mapping, Normalization, PointSets, QuantizationError, Summary,
};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which channel, and how it is quantized.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct ChannelRequest {
    /// Index among the network's layers.
    pub layer: usize,
    /// Index among its inputs.
    pub channel: usize,
    /// The method that is looked at, and the bits, for DFSQ, DFSQ-opt and min-max alike.
    #[serde(default)]
    pub options: Options,
    /// Points that the channel is to have with that method instead of its own, on the normalized axis. Each is moved to the
    /// nearest value of the universal set.
    #[serde(default)]
    pub points: Option<Vec<f32>>,
}

/// A channel of a layer's input in full precision, and what becomes of it when it is quantized there.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct ChannelView {
    /// What normalization subtracts.
    pub mean: f32,
    /// What it divides by.
    pub range: f32,
    /// Smallest and largest value.
    pub extremes: [f32; 2],
    /// Number of values in equal bins of the normalized axis, over [-1, 1].
    pub counts: Vec<u32>,
    /// DFSQ-opt, DFSQ and min-max; those that have nothing to go by, or leave the layer in full precision, are missing.
    pub methods: Vec<MethodView>,
    /// The values, row by row.
    #[serde(skip)]
    pub values: Vec<f32>,
    /// What the method that is looked at makes of them; the values themselves where it is missing.
    #[serde(skip)]
    pub quantized: Vec<f32>,
}

/// What a method makes of the values of a channel or a kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct MethodView {
    /// Which.
    pub method: Method,
    /// Signal-to-noise ratio in dB; infinite where nothing is changed.
    pub db: f64,
    /// The values that it knows, ascending.
    pub points: Vec<PointView>,
    /// By bin, the share of the squared error that comes from there.
    pub errors: Vec<f64>,
}

/// A value that a method knows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct PointView {
    /// On the normalized axis.
    pub value: f64,
    /// What it is the mean of, but for the sign: 0 or a power of two, one of each word set. None where it is not from the
    /// universal set.
    pub words: Vec<f32>,
    /// Share of the values that it stands for.
    pub share: f64,
    /// Share of the squared error that they make.
    pub error: f64,
}

/// The methods that a channel is looked at with, in the order of figures.
pub(super) const METHODS: [Method; 3] = [Method::DfsqOpt, Method::Dfsq, Method::MinMax];

impl Session {
    /// Looks at a channel of a layer's input, as [`Session::layer_input`] gives it.
    ///
    /// # Errors
    /// [`Error::Option`] for a channel that is not there, and for options that make no sense for this network;
    /// [`Error::NonFinite`].
    pub fn channel(&self, input: &Planes, request: &ChannelRequest) -> Result<ChannelView> {
        let &ChannelRequest { layer, channel, .. } = request;
        let shape = self.network.layers().get(layer).filter(|l| l.quantized && channel < l.inputs);
        let shape = shape.ok_or_else(|| Error::Option("there is no such channel".into()))?;
        let pixels = (input.height * input.width).max(1);
        let summaries: Vec<Summary> = input.values.chunks_exact(pixels).map(Summary::of).collect();
        let non_finite = || self.network.non_finite(layer, channel);
        let settings = self.point_settings(Method::Dfsq);
        let normalizer = layer_normalizer(&settings, self.calibration.as_ref(), shape);
        let own = match settings.granularity {
            Granularity::Channel => summaries[channel],
            Granularity::Layer => summaries.iter().fold(Summary::EMPTY, Summary::with),
        };
        let norm = normalizer.normalization(&own).ok_or_else(non_finite)?;
        let values = input.values[channel * pixels..][..pixels].to_vec();
        let mut counts = vec![0; HISTOGRAM_BINS];
        values.iter().for_each(|value| counts[bin(*value, norm)] += 1);
        let mut quantized = values.clone();
        let mut methods = Vec::new();
        for method in METHODS {
            let looked_at = method == request.options.method;
            let options = Options { method, ..request.options.clone() };
            // Without a calibration, or optimized layers, a method is left out.
            let Ok(Some(mut quantizer)) = self.quantizer(layer, &options) else { continue };
            let mut points = self.points(&options, layer)?.map(|sets| sets.subset(channel).to_vec());
            if let (true, Some(wanted)) = (looked_at, &request.points) {
                points = Some(self.replace_points(&mut quantizer, channel, wanted, method));
            }
            let mapping = quantizer.fit(&summaries).map_err(|_| non_finite())?;
            let mut mapped = values.clone();
            mapping.apply(channel, &mut mapped);
            let words = points.map(|points| (self.point_settings(method).universal(), points));
            let known: Vec<PointView> = match (&mapping, words) {
                (Mapping::Grid(grid), _) => {
                    let value = |raw: f32| f64::from((raw - norm.mean) / norm.range);
                    grid.values().into_iter().map(|raw| point(value(raw), Vec::new())).collect()
                }
                (Mapping::Points(_), Some((universal, points))) => {
                    let value = |i: &u16| f64::from(universal.values()[usize::from(*i)]);
                    points.iter().map(|i| point(value(i), universal.words(usize::from(*i)))).collect()
                }
                (Mapping::Points(_), None) => Vec::new(),
            };
            methods.push(look(method, known, norm, &values, &mapped));
            if looked_at {
                quantized = mapped;
            }
        }
        let extremes = [summaries[channel].low, summaries[channel].high];
        let Normalization { mean, range } = norm;
        Ok(ChannelView { mean, range, extremes, counts, methods, values, quantized })
    }

    /// Gives a channel other points, and tells which.
    fn replace_points(
        &self,
        quantizer: &mut ActivationQuantizer,
        channel: usize,
        wanted: &[f32],
        method: Method,
    ) -> Vec<u16> {
        let settings = self.point_settings(method);
        let mut subset: Vec<u16> =
            wanted.iter().map(|value| settings.universal().nearest(*value) as u16).collect();
        subset.sort_unstable();
        subset.dedup();
        if let ActivationQuantizer::Subset { points, .. } = quantizer {
            let replaced = PointSets::new(settings.word_sets, vec![subset.clone()]).points();
            let at = channel.min(points.len() - 1);
            points[at] = replaced[0].clone();
        }
        subset
    }
}

pub(super) fn bin(value: f32, norm: Normalization) -> usize {
    let place = (norm.normalize(value) + 1.0) * (HISTOGRAM_BINS as f32 / 2.0);
    (place as usize).min(HISTOGRAM_BINS - 1)
}

pub(super) fn point(value: f64, words: Vec<f32>) -> PointView {
    PointView { value, words, share: 0.0, error: 0.0 }
}

/// What becomes of values, of which a method knows these points.
pub(super) fn look(
    method: Method,
    mut points: Vec<PointView>,
    norm: Normalization,
    values: &[f32],
    mapped: &[f32],
) -> MethodView {
    let mut whole = QuantizationError::default();
    let mut errors = vec![0.0; HISTOGRAM_BINS];
    for (x, q) in values.iter().zip(mapped) {
        let error = (f64::from(*q) - f64::from(*x)).powi(2);
        whole = whole.with(&QuantizationError { noise: error, signal: f64::from(*x).powi(2) });
        errors[bin(*x, norm)] += error;
        let place = f64::from(norm.normalize(*q));
        let above = points.partition_point(|point| point.value < place);
        let nearer = |at: &usize| (points[*at].value - place).abs();
        let around = [above.wrapping_sub(1), above].into_iter().filter(|at| *at < points.len());
        if let Some(at) = around.min_by(|a, b| nearer(a).total_cmp(&nearer(b))) {
            points[at].share += 1.0 / values.len() as f64;
            points[at].error += error;
        }
    }
    let share = if whole.noise > 0.0 { whole.noise.recip() } else { 0.0 };
    errors.iter_mut().for_each(|error| *error *= share);
    points.iter_mut().for_each(|point| point.error *= share);
    MethodView { method, db: whole.decibels(), points, errors }
}
