//! One channel's values, and the points of each method.

use super::axes::Plot;
use super::{Style, fail, key, short, svg};
use crate::Result;
use crate::session::Method;
use plotters::prelude::*;

/// What a histogram is drawn from. Places are on the normalized axis.
#[derive(Debug, Clone)]
pub struct ChannelHistogram<'a> {
    /// Number of values in equal bins over [-1, 1].
    pub counts: &'a [u32],
    /// By bin, the share of the squared error that comes from there, under the method that is looked at; empty where it is
    /// not known.
    pub errors: &'a [f64],
    /// Of DFSQ-opt, DFSQ and min-max.
    pub rugs: [Rug; 3],
    /// Which of them is looked at.
    pub looked_at: usize,
    /// What normalization subtracts and divides by.
    pub normalization: [f32; 2],
    /// What they are of.
    pub what: &'a str,
    /// Whether values are to stand on the axis as they are, not normalized.
    pub raw: bool,
    /// Whether counts are drawn as they are, not as their logarithms.
    pub linear: bool,
}

/// A method's points for a channel.
#[derive(Debug, Clone, Default)]
pub struct Rug {
    /// The points. One outside [-1, 1] is not drawn: the channel never gets there.
    pub points: Vec<f64>,
    /// Signal-to-noise ratio in dB, where it is known.
    pub decibels: Option<f64>,
}

/// Of the axis, in units of the histogram's height: what lies below 0, and what a rug takes of that.
const BELOW: f64 = 0.6;
const PITCH: f64 = 0.2;
/// Ends of the axis: beyond 1 is room for words.
const START: f64 = -1.06;
const END: f64 = 1.2;

/// The histogram of a channel, in front of it where the squared error comes from, and three rugs below: the points of DFSQ-opt
/// and DFSQ, and the min-max grid.
///
/// # Errors
/// [`Error::Figure`](crate::Error::Figure) where drawing fails.
pub fn histogram(style: &Style, channel: &ChannelHistogram<'_>) -> Result<String> {
    let palette = style.palette();
    let colours = Method::QUANTIZED.map(|method| palette.of(method));
    let scale = |n: &u32| if channel.linear { f64::from(*n) } else { f64::from(*n).ln_1p() };
    let heights: Vec<f64> = channel.counts.iter().map(scale).collect();
    let top = heights.iter().copied().fold(1.0, f64::max);
    let most = channel.errors.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let [mean, range] = channel.normalization.map(f64::from);
    let label = |x: &f64| match x {
        beyond if beyond.abs() > 1.01 => String::new(),
        x if channel.raw => short(&(x * range + mean)),
        x => short(x),
    };
    let description = if channel.raw { "value" } else { "normalized value" };
    svg(style, |area| {
        let y = -BELOW * top..1.05 * top;
        let mut chart = axes!(area, style, channel.what, START..END, y, description, "", |mesh| {
            mesh.disable_y_mesh().x_labels(12).x_label_formatter(&label).y_labels(0).disable_y_axis()
        });
        let bars = |heights: Vec<f64>, colour: RGBAColor| {
            let width = 2.0 / heights.len().max(1) as f64;
            heights.into_iter().enumerate().filter(|(_, h)| *h > 0.0).map(move |(i, h)| {
                let x = i as f64 * width - 1.0;
                Rectangle::new([(x, 0.0), (x + width * 0.9, h)], colour.filled())
            })
        };
        chart.draw_series(bars(heights, palette.body.mix(1.0))).map_err(fail)?;
        let errors = channel.errors.iter().map(|share| share / most * 0.7 * top).collect();
        let shade = colours[channel.looked_at.min(2)].mix(0.45);
        chart.draw_series(bars(errors, shade)).map_err(fail)?;
        let words = [
            (if channel.linear { "count" } else { "log count" }, palette.ink, 0.95),
            (if channel.errors.is_empty() { "" } else { "error" }, colours[channel.looked_at.min(2)], 0.8),
        ];
        for (word, colour, height) in words {
            let (_, y) = chart.plotting_area().map_coordinate(&(0.0, height * top));
            area.draw_text(word, &key(&colour), (4, y)).map_err(fail)?;
        }
        let names = Method::QUANTIZED.map(Method::title);
        for (row, ((Rug { points, decibels }, name), colour)) in
            channel.rugs.iter().zip(names).zip(&colours).enumerate()
        {
            let low = -PITCH * (row + 1) as f64;
            let tick = |x: &f64| {
                PathElement::new(vec![(*x, low * top), (*x, (low + 0.14) * top)], colour.stroke_width(2))
            };
            let inside = points.iter().filter(|x| (-1.0..=1.0).contains(*x));
            chart.draw_series(inside.map(tick)).map_err(fail)?;
            let (right, y) = chart.plotting_area().map_coordinate(&(1.03, (low + 0.13) * top));
            area.draw_text(name, &key(colour), (4, y)).map_err(fail)?;
            if let Some(decibels) = decibels {
                area.draw_text(&decibels_text(*decibels), &key(colour), (right, y)).map_err(fail)?;
            }
        }
        Ok(Plot::of(&chart))
    })
}

fn decibels_text(decibels: f64) -> String {
    match decibels {
        f64::INFINITY => "exact".to_owned(),
        // Of a channel of zeros, which some point should have met.
        f64::NEG_INFINITY => "zeros".to_owned(),
        decibels => format!("{decibels:.1} dB"),
    }
}
