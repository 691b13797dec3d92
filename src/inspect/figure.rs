//! Which figure of which layer, sample and channel is asked for, and what it is drawn from.

use super::{ChannelRequest, MethodView};
use crate::Result;
use crate::analysis::{self, ChannelSummary, SampleAnalysis};
use crate::figures::{self, ChannelHistogram, Chosen, Rug, Style};
use crate::network::Planes;
use crate::quant::{Granularity, RangeEstimator, UniformGrid};
use crate::session::{Method, MinMaxRange, Options, Session};
use serde::Deserialize;

/// What a figure shows.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct FigureRequest {
    /// Which figure.
    pub kind: FigureKind,
    /// Size and colours.
    #[serde(default)]
    pub style: Style,
    /// Index among the network's layers.
    pub layer: usize,
    /// All samples; those that have not been analyzed are left out.
    pub samples: Vec<SampleName>,
    /// Index of the sample that the figure is of.
    #[serde(default)]
    pub sample: usize,
    /// The channel that the figure is of, or that it points out.
    #[serde(default)]
    pub channel: usize,
    /// The kernel that a figure of weights is of.
    #[serde(default)]
    pub kernel: usize,
    /// The methods whose points are shown, each with the options of a run.
    #[serde(default)]
    pub methods: Vec<Options>,
    /// Which of them is looked at.
    #[serde(default)]
    pub looked_at: Method,
    /// For [`FigureKind::Channels`]: the channels, in the order in which they are to stand; all as they are where there is none.
    #[serde(default)]
    pub order: Vec<usize>,
    /// For [`FigureKind::UniversalSet`]: centres of k-means, where they are known ([`Study::centres`](super::Study)).
    #[serde(default)]
    pub centres: Vec<f64>,
    /// For [`FigureKind::Histogram`].
    #[serde(default)]
    pub histogram: HistogramChoice,
}

/// How a histogram is drawn.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct HistogramChoice {
    /// With values as they are on the axis, not normalized.
    pub raw: bool,
    /// With counts as they are, not as their logarithms.
    pub linear: bool,
    /// As [`ChannelRequest::points`].
    pub points: Option<Vec<f32>>,
}

/// How a sample is found, and called.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct SampleName {
    /// What its distributions are kept under.
    pub key: String,
    /// For people.
    pub name: String,
}

/// The figures there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub enum FigureKind {
    /// The spread of every channel of a layer's input.
    Channels,
    /// The spread of one channel in all samples.
    Samples,
    /// A normalized channel, with the points of each method.
    Histogram,
    /// The weights of one kernel, with the values that each method rounds them to.
    Weights,
    /// Universal sets and the points chosen from them.
    UniversalSet,
}

impl Session {
    /// Draws what is asked for, as SVG text. `find` gives the distributions that are kept under a key; `held` is the layer's
    /// input, where there is one: with it a histogram shows where the error comes from. Empty where the distributions of the
    /// chosen sample are not known.
    ///
    /// # Errors
    /// [`Error::Figure`](crate::Error::Figure), and [`Error::Option`](crate::Error::Option) for options that make no sense
    /// for this network.
    pub fn figure<'s>(
        &self,
        request: &FigureRequest,
        find: &dyn Fn(&str) -> Option<&'s SampleAnalysis>,
        held: Option<&Planes>,
    ) -> Result<String> {
        let &FigureRequest { style, layer, channel, .. } = request;
        let channels = |sample: &SampleName| {
            find(&sample.key).and_then(|s| s.layers.get(layer)).filter(|channels| !channels.is_empty())
        };
        let Some(own) = request.samples.get(request.sample).and_then(channels) else {
            return Ok(String::new());
        };
        let channel = channel.min(own.len() - 1);
        match request.kind {
            FigureKind::Channels if request.order.is_empty() => {
                figures::channels(&style, own, &(0..own.len()).collect::<Vec<_>>(), channel)
            }
            FigureKind::Channels => figures::channels(&style, own, &request.order, channel),
            FigureKind::Samples => {
                let known =
                    || request.samples.iter().enumerate().filter_map(|(i, s)| Some((i, s, channels(s)?)));
                let selected = known().position(|(i, ..)| i == request.sample).unwrap_or(0);
                let rows: Vec<_> = known()
                    .filter_map(|(_, sample, channels)| Some((sample.name.clone(), channels.get(channel)?)))
                    .collect();
                figures::samples(&style, &rows, selected)
            }
            FigureKind::Histogram => match held {
                Some(input) => self.close_histogram(request, input, channel),
                None => self.coarse_histogram(request, own, channel),
            },
            FigureKind::Weights => self.weights(request),
            FigureKind::UniversalSet => {
                figures::universal_set(&style, &self.chosen(request, channel)?, &request.centres)
            }
        }
    }

    /// From a channel's distribution alone.
    fn coarse_histogram(
        &self,
        request: &FigureRequest,
        channels: &[ChannelSummary],
        channel: usize,
    ) -> Result<String> {
        let own = &channels[channel];
        let (low, high) = analysis::range(channels);
        let normalize = |value: f32| f64::from((value - own.mean) / own.range);
        let mut rugs: [Rug; 3] = Default::default();
        for options in &request.methods {
            // Of ranges that this distribution does not tell, the values of the layer must be looked at.
            let found = (options.min_max_range, options.range_estimator, options.range_granularity);
            let told = found == (MinMaxRange::Dynamic, RangeEstimator::MinMax, Granularity::Layer);
            let points = if options.method == Method::MinMax && told {
                let bits = options.bits(self.network().layers())?[request.layer][1];
                UniformGrid::spanning(low, high, bits).values().into_iter().map(normalize).collect()
            } else {
                self.points(options, request.layer)?.map_or_else(Vec::new, |points| points.values(channel))
            };
            if let Some(row) = row(options.method) {
                rugs[row] = Rug { points, decibels: None };
            }
        }
        let histogram = ChannelHistogram {
            counts: &own.histogram,
            errors: &[],
            rugs,
            looked_at: 0,
            normalization: [own.mean, own.range],
            what: "Values and quantization points",
            raw: request.histogram.raw,
            linear: request.histogram.linear,
        };
        figures::histogram(&request.style, &histogram)
    }

    /// From a channel's values.
    fn close_histogram(&self, request: &FigureRequest, input: &Planes, channel: usize) -> Result<String> {
        let HistogramChoice { raw, linear, points } = request.histogram.clone();
        let &FigureRequest { layer, looked_at, .. } = request;
        let methods = request.methods.clone();
        let view = self.channel(input, &ChannelRequest { layer, channel, methods, looked_at, points })?;
        let what = "Values and quantization points";
        let normalization = [view.mean, view.range];
        figures::histogram(
            &request.style,
            &ChannelHistogram {
                normalization,
                raw,
                linear,
                what,
                ..of(&view.counts, &view.methods, request)
            },
        )
    }

    fn weights(&self, request: &FigureRequest) -> Result<String> {
        let view = self.kernel(request.layer, request.kernel, &request.methods)?;
        let what = format!("Weights of kernel {}", request.kernel);
        let normalization = [0.0, view.range];
        let histogram = of(&view.counts, &view.methods, request);
        let (raw, linear) = (true, request.histogram.linear);
        figures::histogram(
            &request.style,
            &ChannelHistogram { normalization, raw, linear, what: &what, ..histogram },
        )
    }

    /// The points of one channel under DFSQ-opt and DFSQ, each with the universal set that they are from.
    fn chosen(&self, request: &FigureRequest, channel: usize) -> Result<[Chosen; 2]> {
        let chosen = |method| -> Result<Chosen> {
            let universal = self.point_settings(method).universal().values();
            let options = request.methods.iter().find(|options| options.method == method);
            let points = options.map_or(Ok(None), |options| self.points(options, request.layer))?;
            Ok(Chosen { universal, points: points.map_or_else(Vec::new, |points| points.values(channel)) })
        };
        Ok([chosen(Method::DfsqOpt)?, chosen(Method::Dfsq)?])
    }
}

/// Where a method stands in a histogram.
fn row(method: Method) -> Option<usize> {
    Method::QUANTIZED.iter().position(|known| *known == method)
}

/// Counts, and what the methods make of them.
fn of<'v>(counts: &'v [u32], methods: &'v [MethodView], request: &FigureRequest) -> ChannelHistogram<'v> {
    let mut rugs: [Rug; 3] = Default::default();
    for view in methods {
        if let Some(row) = row(view.method) {
            let points = view.points.iter().map(|point| point.place).collect();
            rugs[row] = Rug { points, decibels: Some(view.db) };
        }
    }
    let looked_at = methods.iter().find(|view| view.method == request.looked_at);
    ChannelHistogram {
        counts,
        errors: looked_at.map_or(&[], |view| &view.errors),
        rugs,
        looked_at: row(request.looked_at).unwrap_or(0),
        normalization: [0.0, 1.0],
        what: "",
        raw: false,
        linear: false,
    }
}
