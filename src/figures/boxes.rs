//! Box plots: of all channels of a sample, and of one channel in all samples.

use super::axes::Plot;
use super::{Style, extent, fail, short, svg};
use crate::Result;
use crate::analysis::ChannelSummary;
use crate::session::Method;
use plotters::prelude::*;

/// Box plots (minimum, quartiles, maximum), one for each entry; `selected` is drawn in the accent colour.
fn boxes(
    style: &Style,
    title: &str,
    x_label: &str,
    rows: &[[f32; 5]],
    names: &[String],
    selected: usize,
) -> Result<String> {
    let palette = style.palette();
    let y = extent(rows.iter().flatten().map(|v| f64::from(*v)));
    let count = rows.len().max(1) as f64;
    svg(style, |area| {
        let name = |x: &f64| match names.get(x.round() as usize) {
            Some(name) if (x - x.round()).abs() < 1e-6 => name.clone(),
            _ => String::new(),
        };
        let mut chart = axes!(area, style, title, -0.6..count - 0.4, y, x_label, "", |mesh| {
            mesh.disable_x_mesh()
                .x_labels(rows.len().clamp(1, 10))
                .x_label_formatter(&name)
                .y_labels(5)
                .y_label_formatter(&short)
        });
        let half = 0.36f64.min(8.0 * count / f64::from(style.width));
        for (i, five) in rows.iter().enumerate() {
            let [low, q1, median, q3, high] = five.map(f64::from);
            let x = i as f64;
            let colour = if i == selected { palette.of(Method::Dfsq) } else { palette.body };
            let shapes = [
                Rectangle::new([(x - half, q1), (x + half, q3)], colour.mix(0.55).filled()),
                Rectangle::new([(x - half, q1), (x + half, q3)], colour.stroke_width(1)),
            ];
            chart.draw_series(shapes).map_err(fail)?;
            let lines = [
                vec![(x, low), (x, q1)],
                vec![(x, q3), (x, high)],
                vec![(x - half, median), (x + half, median)],
            ];
            chart
                .draw_series(lines.map(|points| PathElement::new(points, colour.stroke_width(1))))
                .map_err(fail)?;
        }
        Ok(Plot::of(&chart))
    })
}

/// Box plots of channels of one sample (paper, figure 1, left), in the order that is given by their indices; `selected` is a
/// channel.
///
/// # Errors
/// [`Error::Figure`](crate::Error::Figure) where drawing fails, as for every figure.
pub fn channels(
    style: &Style,
    channels: &[ChannelSummary],
    order: &[usize],
    selected: usize,
) -> Result<String> {
    let (order, rows): (Vec<usize>, Vec<_>) =
        order.iter().filter_map(|index| Some((*index, channels.get(*index)?.five))).unzip();
    let names: Vec<_> = order.iter().map(usize::to_string).collect();
    let selected = order.iter().position(|index| *index == selected).unwrap_or(usize::MAX);
    boxes(style, "All channels of this sample", "channel", &rows, &names, selected)
}

/// Box plots of one channel over all samples (paper, figure 1, right).
///
/// # Errors
/// As [`channels`].
pub fn samples(style: &Style, samples: &[(String, &ChannelSummary)], selected: usize) -> Result<String> {
    let rows: Vec<_> = samples.iter().map(|(_, channel)| channel.five).collect();
    let room = (style.width as usize / 9 / rows.len().max(1)).max(3);
    let names: Vec<_> = samples.iter().map(|(name, _)| name.chars().take(room).collect()).collect();
    boxes(style, "This channel in all samples", "sample", &rows, &names, selected)
}
