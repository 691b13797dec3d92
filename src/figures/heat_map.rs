//! What quantization does to every channel of every layer.

use super::axes::Plot;
use super::{Style, fail, key, short, svg, whole};
use crate::{Error, Result};
use plotters::prelude::*;
use plotters::style::colors::colormaps::ViridisRGB;
use serde::Deserialize;
use std::cmp::Ordering;

/// What [`heat_map`] is drawn from.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct HeatMapRequest {
    /// Size and colours.
    #[serde(default)]
    pub style: Style,
    /// By layer, then channel: signal-to-noise ratio in dB. Channels that are exact, or of zeros, and so not finite, are grey.
    pub decibels: Vec<Vec<f64>>,
    /// dB at the lower and upper end of the colours.
    pub scale: [f64; 2],
    /// Indices of the layer and channel that are looked at.
    pub selected: [usize; 2],
}

/// Least height of a cell, in pixels.
const LEAST: usize = 2;
/// Steps of the legend.
const STEPS: i32 = 60;

/// Layers side by side, the channels of each below one another over the whole height, the first on top. Where a layer has
/// more channels than there is room for, neighbours share a cell, which shows the worst of them.
///
/// # Errors
/// [`Error::Option`] for a scale that does not go up, [`Error::Figure`] where drawing fails.
pub fn heat_map(request: &HeatMapRequest) -> Result<String> {
    let HeatMapRequest { style, decibels, scale: [low, high], selected: [layer, channel] } = request;
    if low.partial_cmp(high) != Some(Ordering::Less) || !(high - low).is_finite() {
        return Err(Error::Option(format!("a scale of colours goes up, and not from {low} to {high} dB")));
    }
    let palette = style.palette();
    let count = decibels.len().max(1) as f64;
    let colour = |db: f64| ViridisRGB.get_color_normalized(db.clamp(*low, *high), *low, *high);
    svg(style, |area| {
        let title = "Signal to quantization noise of every channel";
        let mut chart = axes!(area, style, title, -0.5..count - 0.5, 0.0..1.0, "layer", "", |mesh| {
            mesh.disable_mesh().x_labels(10).x_label_formatter(&whole).y_labels(0)
        });
        let (_, height) = chart.plotting_area().dim_in_pixel();
        for (index, channels) in decibels.iter().enumerate() {
            let rows = channels.len().min((height as usize / LEAST).max(1));
            let x = index as f64;
            for row in 0..rows {
                let [first, last] = [row, row + 1].map(|row| row * channels.len() / rows);
                let worst = channels[first..last].iter().copied().filter(|db| db.is_finite());
                let worst = worst.fold(f64::INFINITY, f64::min);
                let colour = if worst.is_finite() { colour(worst) } else { palette.faint };
                let [top, bottom] = [row, row + 1].map(|row| 1.0 - row as f64 / rows as f64);
                let cell = Rectangle::new([(x - 0.48, top), (x + 0.48, bottom)], colour.filled());
                chart.draw_series([cell]).map_err(fail)?;
            }
        }
        if let Some(channels) = decibels.get(*layer).map(Vec::len).filter(|channels| channel < channels) {
            let x = *layer as f64;
            let [top, bottom] = [*channel, channel + 1].map(|channel| 1.0 - channel as f64 / channels as f64);
            let frame = Rectangle::new([(x - 0.5, top), (x + 0.5, bottom)], palette.ink.stroke_width(2));
            chart.draw_series([frame]).map_err(fail)?;
        }
        let (right, bottom) = area.dim_in_pixel();
        // In the row of the axis's name.
        let (right, y) = (right as i32 - 50, bottom as i32 - 15);
        let left = right - 2 * STEPS;
        for step in 0..STEPS {
            let share = f64::from(step) / f64::from(STEPS - 1);
            let x = left + 2 * step;
            let shade = colour(low + share * (high - low));
            area.draw(&Rectangle::new([(x, y), (x + 2, y + 10)], shade.filled())).map_err(fail)?;
        }
        let text = style.label();
        area.draw_text(&short(low), &text, (left - 24, y - 3)).map_err(fail)?;
        area.draw_text(&format!("{} dB", short(high)), &text, (right + 4, y - 3)).map_err(fail)?;
        area.draw_text("channel", &key(&palette.ink), (2, 34)).map_err(fail)?;
        Ok(Plot::of(&chart))
    })
}
