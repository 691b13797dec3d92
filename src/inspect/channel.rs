//! One channel of a layer's input, looked at closely: its values, and what each method makes of them.

use crate::analysis::{HISTOGRAM_BINS, layer_normalizer};
use crate::network::Planes;
use crate::quant::{
    ActivationQuantizer, Granularity, Normalization, Pixels, Points, QuantizationError, Summary,
};
use crate::session::{Method, Options, Session};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which channel, and how it is quantized.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct ChannelRequest {
    /// Index among the network's layers.
    pub layer: usize,
    /// Index among its inputs.
    pub channel: usize,
    /// What to make of it: methods that have what they need, each as a run would have it.
    pub methods: Vec<Options>,
    /// The method whose picture is wanted.
    pub looked_at: Method,
    /// Points that the channel is to have with that method instead of its own, on that method's normalized axis. Each is moved
    /// to the nearest value of the universal set.
    #[serde(default)]
    pub points: Option<Vec<f32>>,
}

/// A channel of a layer's input in full precision, and what becomes of it when it is quantized there.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct ChannelView {
    /// What normalization subtracts.
    pub mean: f32,
    /// What it divides by.
    pub range: f32,
    /// Smallest and largest value.
    pub extremes: [f32; 2],
    /// Number of values in equal bins of the normalized axis, over [-1, 1].
    pub counts: Vec<u32>,
    /// In the order in which they were asked for; those that leave the layer in full precision are missing.
    pub methods: Vec<MethodView>,
    /// The values that points of the method that is looked at may have, ascending; none for min-max.
    pub universal: Vec<f32>,
    /// The values, row by row.
    #[serde(skip)]
    pub values: Vec<f32>,
    /// What the method that is looked at makes of them; the values themselves where it is missing.
    #[serde(skip)]
    pub quantized: Vec<f32>,
}

/// What a method makes of the values of a channel or a kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
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
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct PointView {
    /// The value of the universal set, or of a grid on the normalized axis.
    pub value: f64,
    /// Where it lies on the normalized axis.
    pub place: f64,
    /// What it is the mean of, but for the sign: 0 or a power of two, one of each word set. None where it is not from the
    /// universal set.
    pub words: Vec<f32>,
    /// Share of the values that it stands for.
    pub share: f64,
    /// Share of the squared error that they make.
    pub error: f64,
}

impl Session {
    /// Looks at a channel of a layer's input, as [`Session::layer_input`] gives it, on the axis of DFSQ's normalization.
    ///
    /// # Errors
    /// [`Error::Option`] for a channel that is not there, and for options that make no sense for this network;
    /// [`Error::NonFinite`].
    pub fn channel(&self, input: &Planes, request: &ChannelRequest) -> Result<ChannelView> {
        let &ChannelRequest { layer, channel, .. } = request;
        let shape = self.network().layers().get(layer).filter(|l| l.quantized && channel < l.conv.inputs());
        let shape = shape.ok_or_else(|| Error::Option("there is no such channel".into()))?;
        let pixels = (input.height * input.width).max(1);
        let summaries: Vec<Summary> = input.values.chunks_exact(pixels).map(Summary::of).collect();
        let non_finite = || self.network().non_finite(layer, channel);
        let settings = self.point_settings(Method::Dfsq);
        let normalizer = layer_normalizer(&settings, self.calibration(), shape);
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
        for options in &request.methods {
            let method = options.method;
            let looked_at = method == request.looked_at;
            let Some(mut quantizer) = self.quantizer(layer, options)? else { continue };
            let mut points = self.points(options, layer)?.map(|sets| sets.subset(channel).to_vec());
            // Those of a number format are what they are.
            let from_universal = looked_at && points.is_some();
            if let (true, Some(wanted)) = (from_universal, &request.points) {
                points = Some(self.replace_points(&mut quantizer, channel, wanted, method)?);
            }
            let planes = |take: &mut dyn FnMut(usize, usize, Pixels<'_>)| {
                for (channel, values) in input.values.chunks_exact(pixels).enumerate() {
                    take(channel, 1, Pixels { values, stride: 1 });
                }
            };
            let mapping = quantizer.fit(&summaries, &planes).map_err(|_| non_finite())?;
            let mut mapped = values.clone();
            mapping.apply(channel, &mut mapped);
            let universal = self.point_settings(method).universal();
            let known = mapping.levels(channel).into_iter().enumerate().map(|(index, level)| {
                let place = f64::from((level - norm.mean) / norm.range);
                match points.as_ref().and_then(|points| points.get(index)) {
                    Some(at) => {
                        let at = usize::from(*at);
                        point(f64::from(universal.values()[at]), place, universal.words(at))
                    }
                    None => point(place, place, Vec::new()),
                }
            });
            let pairs = values.iter().zip(&mapped).map(|(x, q)| (*x, *q, mapping.index(channel, *x)));
            methods.push(look(method, known.collect(), norm, pairs));
            if looked_at {
                quantized = mapped;
            }
        }
        let extremes = [summaries[channel].low, summaries[channel].high];
        let Normalization { mean, range } = norm;
        let own = request.methods.iter().find(|options| options.method == request.looked_at);
        let universal = match own.map(|options| self.points(options, layer)).transpose()?.flatten() {
            Some(points) => points.universal().values().to_vec(),
            None => Vec::new(),
        };
        Ok(ChannelView { mean, range, extremes, counts, methods, universal, values, quantized })
    }

    /// Gives a channel other points, and tells which.
    fn replace_points(
        &self,
        quantizer: &mut ActivationQuantizer,
        channel: usize,
        wanted: &[f32],
        method: Method,
    ) -> Result<Vec<u16>> {
        let settings = self.point_settings(method);
        let mut subset: Vec<u16> =
            wanted.iter().map(|value| settings.universal().nearest(*value) as u16).collect();
        subset.sort_unstable();
        subset.dedup();
        if let ActivationQuantizer::Subset(quantizer) = quantizer {
            let values = settings.universal().values();
            let points = Points::new(subset.iter().map(|index| values[usize::from(*index)]).collect())?;
            quantizer.replace(channel, points);
        }
        Ok(subset)
    }
}

pub(super) fn bin(value: f32, norm: Normalization) -> usize {
    let place = (norm.normalize(value) + 1.0) * (HISTOGRAM_BINS as f32 / 2.0);
    (place as usize).min(HISTOGRAM_BINS - 1)
}

pub(super) fn point(value: f64, place: f64, words: Vec<f32>) -> PointView {
    PointView { value, place, words, share: 0.0, error: 0.0 }
}

/// What becomes of values, each given with what a method makes of it and which of its points that is.
pub(super) fn look(
    method: Method,
    mut points: Vec<PointView>,
    norm: Normalization,
    values: impl ExactSizeIterator<Item = (f32, f32, usize)>,
) -> MethodView {
    let mut whole = QuantizationError::default();
    let mut errors = vec![0.0; HISTOGRAM_BINS];
    let one = 1.0 / values.len().max(1) as f64;
    for (x, q, index) in values {
        let error = (f64::from(q) - f64::from(x)).powi(2);
        whole = whole.with(&QuantizationError { noise: error, signal: f64::from(x).powi(2) });
        errors[bin(x, norm)] += error;
        if let Some(point) = points.get_mut(index) {
            point.share += one;
            point.error += error;
        }
    }
    let share = if whole.noise > 0.0 { whole.noise.recip() } else { 0.0 };
    errors.iter_mut().for_each(|error| *error *= share);
    points.iter_mut().for_each(|point| point.error *= share);
    MethodView { method, db: whole.decibels(), points, errors }
}
