//! One channel in depth: what every way of choosing its points gives, and takes.

use crate::analysis::layer_normalizer;
use crate::choice::Choice as _;
use crate::network::Planes;
use crate::quant::histogram::Cumulative;
use crate::quant::subset::Selection;
use crate::quant::{BitWidth, Histogram, PointSettings, PointSource, exact};
use crate::session::Session;
use crate::{Error, Result};
use serde::Serialize;

/// What points chosen for one channel of one picture are worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Study {
    /// Values of the universal set.
    pub universal: usize,
    /// Points to choose, `2^b`.
    pub levels: usize,
    /// Ways to choose them.
    pub subsets: f64,
    /// The centres that k-means found, before they snapped to values of the universal set.
    pub centres: Vec<f64>,
    /// The ways of choosing.
    pub choices: Vec<Choice>,
    /// Number formats that have these bits.
    pub formats: Vec<Format>,
    /// Signal-to-noise ratio in dB of the best points that need not be universal: no choice is above it.
    pub bound_db: f64,
}

/// One way of choosing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Choice {
    /// Which way.
    pub selection: Selection,
    /// The points; none where there are too many subsets to try.
    pub points: Vec<f64>,
    /// Signal-to-noise ratio of the normalized values in dB; infinite where they are all met.
    pub db: Option<f64>,
    /// Seconds it took.
    pub seconds: Option<f64>,
}

/// A number format, whose points are what they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Format {
    /// Which.
    pub source: PointSource,
    /// Its points.
    pub points: Vec<f64>,
    /// Signal-to-noise ratio of the normalized values in dB.
    pub db: f64,
}

/// Fast choices are repeated until they have taken this long, in seconds.
const LONG_ENOUGH: f64 = 0.01;

impl Session {
    /// Compares the ways of choosing points of one channel for this very input of a layer ([`Session::layer_input`]); as
    /// `settings` say, but for the selection. `clock` tells seconds.
    ///
    /// # Errors
    /// [`Error::Option`] for a layer or channel that is not there.
    pub fn study(
        &self,
        input: &Planes,
        (layer, channel): (usize, usize),
        bits: BitWidth,
        settings: PointSettings,
        clock: &dyn Fn() -> f64,
    ) -> Result<Study> {
        let shape = self.network().layers().get(layer).filter(|l| l.quantized && channel < l.conv.inputs());
        let shape = shape.ok_or_else(|| Error::Option("there is no such channel".into()))?;
        let levels = bits.levels().ok_or_else(|| Error::Option("32 bits have no points".into()))?;
        let universal = settings.universal();
        let groups = settings.granularity.groups(shape.conv.inputs());
        let group = (input.values.len() / groups).max(1);
        let values = input.values.chunks_exact(group).nth(channel.min(groups - 1)).unwrap_or_default();
        let mut histogram = Histogram::new(universal);
        let mut signed = true;
        if let Some(norm) = layer_normalizer(&settings, self.calibration(), shape).measure(values) {
            histogram.add(values.iter().map(|x| norm.normalize(*x)))?;
            signed = values.iter().any(|x| norm.normalize(*x) < 0.0);
        }
        let data = histogram.cumulative();
        let db = |error: f64| 10.0 * (data.squares() / error).log10();
        let choices = [Selection::Kmeans, Selection::Exact, Selection::Exhaustive]
            .map(|selection| choose(selection, &data, levels, &settings, clock));
        // Those that have other widths are passed over.
        let points = |source: &PointSource| Some((*source, source.points(bits, signed).ok()??));
        let formats = PointSource::ALL.iter().filter_map(points).map(|(source, points)| {
            let points: Vec<f64> = points.values().iter().map(|point| f64::from(*point)).collect();
            Format { source, db: db(data.squared_error(&points)), points }
        });
        Ok(Study {
            universal: universal.values().len(),
            levels,
            subsets: exact::subsets(universal.values().len(), levels),
            centres: settings.kmeans(&data, levels, 0).centres,
            choices: choices.into(),
            formats: formats.collect(),
            bound_db: db(exact::lower_bound(&data, levels)),
        })
    }
}

fn choose(
    selection: Selection,
    data: &Cumulative,
    levels: usize,
    settings: &PointSettings,
    clock: &dyn Fn() -> f64,
) -> Choice {
    let settings = PointSettings { selection, ..*settings };
    let (start, mut runs) = (clock(), 0.0);
    loop {
        let Ok(indices) = settings.select(data, levels, 0) else {
            return Choice { selection, points: Vec::new(), db: None, seconds: None };
        };
        runs += 1.0;
        let seconds = clock() - start;
        // A clock that stands still must not keep this going.
        if seconds >= LONG_ENOUGH || runs >= 1000.0 {
            let points = settings.universal().pick(&indices);
            let db = 10.0 * (data.squares() / data.squared_error(&points)).log10();
            return Choice { selection, points, db: Some(db), seconds: Some(seconds / runs) };
        }
    }
}
