//! Which figure of which layer, sample and channel is asked for, and what it is drawn from.

use super::{Method, Options, Session};
use crate::Result;
use crate::analysis::{self, SampleAnalysis};
use crate::figures::{self, Chosen, Style};
use crate::network::Layer;
use crate::quant::UniformGrid;
use serde::Deserialize;

/// What a figure shows.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
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
    /// The bits, for DFSQ, DFSQ-opt and min-max alike.
    #[serde(default)]
    pub options: Options,
    /// For [`FigureKind::Layers`]: dB of every layer of the network under DFSQ-opt, DFSQ and min-max.
    #[serde(default)]
    pub decibels: [Vec<f64>; 3],
}

/// How a sample is found, and called.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct SampleName {
    /// What its distributions are kept under.
    pub key: String,
    /// For people.
    pub name: String,
}

/// The figures there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub enum FigureKind {
    /// The spread of every channel of a layer's input.
    Channels,
    /// The spread of one channel in all samples.
    Samples,
    /// A normalized channel, with the points of each method.
    Histogram,
    /// Universal sets and the points chosen from them.
    UniversalSet,
    /// Signal to quantization noise of all layers.
    Layers,
}

impl Session {
    /// Draws what is asked for, as SVG text. `find` gives the distributions that are kept under a key. Empty where those of
    /// the chosen sample are not known.
    ///
    /// # Errors
    /// [`Error::Figure`](crate::Error::Figure), and [`Error::Option`](crate::Error::Option) for options that make no sense
    /// for this network.
    pub fn figure<'s>(
        &self,
        request: &FigureRequest,
        find: &dyn Fn(&str) -> Option<&'s SampleAnalysis>,
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
            FigureKind::Channels => figures::channels(&style, own, channel),
            FigureKind::Samples => {
                let known =
                    || request.samples.iter().enumerate().filter_map(|(i, s)| Some((i, s, channels(s)?)));
                let selected = known().position(|(i, ..)| i == request.sample).unwrap_or(0);
                let rows: Vec<_> = known()
                    .filter_map(|(_, sample, channels)| Some((sample.name.clone(), channels.get(channel)?)))
                    .collect();
                figures::samples(&style, &rows, selected)
            }
            FigureKind::Histogram => {
                let (low, high) = analysis::range(own);
                let bits = request.options.bits(self.network.layers())?;
                let grid = UniformGrid::spanning(low, high, bits[layer][1]).values();
                let [opt, dfsq] = self.chosen(request, channel)?.map(|chosen| chosen.points);
                figures::histogram(&style, &own[channel], [&opt, &dfsq], &grid)
            }
            FigureKind::UniversalSet => figures::universal_set(&style, &self.chosen(request, channel)?),
            FigureKind::Layers => {
                let quantized: Vec<usize> = Layer::quantized(self.network.layers()).collect();
                let pick = |values: &Vec<f64>| -> Vec<f64> {
                    quantized.iter().map(|i| values.get(*i).copied().unwrap_or(f64::NAN)).collect()
                };
                let selected = quantized.iter().position(|i| *i == layer).unwrap_or(0);
                let [opt, dfsq, min_max] = request.decibels.each_ref().map(pick);
                figures::layers(&style, [&opt, &dfsq, &min_max], selected)
            }
        }
    }

    /// The points of one channel under DFSQ-opt and DFSQ, each with the universal set that they are from.
    fn chosen(&self, request: &FigureRequest, channel: usize) -> Result<[Chosen; 2]> {
        let chosen = |method| -> Result<Chosen> {
            let options = Options { method, ..request.options.clone() };
            let universal = self.point_settings(method).universal().values();
            let points = self.points(&options, request.layer)?;
            Ok(Chosen { universal, points: points.map_or_else(Vec::new, |points| points.values(channel)) })
        };
        Ok([chosen(Method::DfsqOpt)?, chosen(Method::Dfsq)?])
    }
}
