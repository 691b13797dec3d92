//! Which figure of which layer, sample and channel the page asks for.

use crate::Result;
use crate::analysis::{self, SampleAnalysis};
use crate::figures::{self, Style};
use crate::network::Layer;
use crate::quant::UniformGrid;
use crate::session::{Method, Options, Session};
use serde::Deserialize;

/// What a figure shows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    kind: Kind,
    #[serde(default)]
    style: Style,
    /// Index among the network's layers.
    layer: usize,
    #[serde(default)]
    sample: usize,
    #[serde(default)]
    channel: usize,
    #[serde(default)]
    options: Options,
    /// For `layers`: dB of every layer of the network under each method.
    #[serde(default)]
    dfsq: Vec<f64>,
    #[serde(default)]
    min_max: Vec<f64>,
    #[serde(default)]
    dfsq_opt: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Channels,
    Samples,
    Histogram,
    UniversalSet,
    Layers,
}

/// Draws what is asked for of the samples, which have names. Empty where the sample has not been analyzed.
pub fn draw(session: &Session, samples: &[(String, SampleAnalysis)], request: &Request) -> Result<String> {
    let style = &request.style;
    let of_sample = |(_, sample): &(String, SampleAnalysis)| {
        sample.layers.get(request.layer).is_some_and(|layer| !layer.is_empty())
    };
    let Some((_, sample)) = samples.get(request.sample).filter(|sample| of_sample(sample)) else {
        return Ok(String::new());
    };
    let channels = &sample.layers[request.layer];
    let channel = request.channel.min(channels.len() - 1);
    let points = |method| {
        let options = Options { method, ..request.options.clone() };
        session.points(&options, request.layer, channel)
    };
    match request.kind {
        Kind::Channels => figures::channels(style, channels, channel),
        Kind::Samples => {
            let analyzed = samples.iter().enumerate().filter(|(_, sample)| of_sample(sample));
            let selected = analyzed.clone().position(|(i, _)| i == request.sample).unwrap_or(0);
            let rows: Vec<_> =
                analyzed.map(|(_, (name, s))| (name.clone(), &s.layers[request.layer][channel])).collect();
            figures::samples(style, &rows, selected)
        }
        Kind::Histogram => {
            let (low, high) = analysis::range(channels);
            let bits = request.options.bits(session.network().layers())?;
            let grid = UniformGrid::spanning(low, high, bits[request.layer][1]).values();
            let (opt, dfsq) = (points(Method::DfsqOpt)?, points(Method::Dfsq)?);
            figures::histogram(style, &channels[channel], [&opt, &dfsq], &grid)
        }
        Kind::UniversalSet => {
            let (opt, dfsq) = (points(Method::DfsqOpt)?, points(Method::Dfsq)?);
            figures::universal_set(style, session.universal_set(Method::Dfsq)?.values(), [&opt, &dfsq])
        }
        Kind::Layers => {
            let quantized: Vec<usize> = Layer::quantized(session.network().layers()).collect();
            let pick = |values: &[f64]| -> Vec<f64> {
                quantized.iter().map(|i| values.get(*i).copied().unwrap_or(f64::NAN)).collect()
            };
            let selected = quantized.iter().position(|i| *i == request.layer).unwrap_or(0);
            let [opt, dfsq, min_max] = [&request.dfsq_opt, &request.dfsq, &request.min_max].map(|v| pick(v));
            figures::layers(style, [&opt, &dfsq, &min_max], selected)
        }
    }
}
