//! A picture's quality over bits.

use super::axes::Plot;
use super::{Style, extent, fail, key, short, svg};
use crate::Result;
use plotters::prelude::*;
use serde::Deserialize;

/// What [`quality`] is drawn from.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct QualityRequest {
    /// Size and colours.
    #[serde(default)]
    pub style: Style,
    /// Bits of weights and activations, ascending.
    pub widths: Vec<u8>,
    /// PSNR in dB at each width under DFSQ-opt, DFSQ and min-max; NaN where it is not known.
    pub decibels: [Vec<f64>; 3],
    /// PSNR in dB in full precision; NaN where it is not known.
    pub full: f64,
    /// Index of the width that is looked at; another than those for none.
    pub selected: usize,
}

/// A picture's quality over bits: a line for each method, and full precision dashed. Widths stand side by side evenly.
///
/// # Errors
/// [`Error::Figure`](crate::Error::Figure) where it cannot be drawn.
pub fn quality(request: &QualityRequest) -> Result<String> {
    let QualityRequest { style, widths, decibels, full, selected } = request;
    let palette = style.palette();
    let y = extent(decibels.iter().flatten().copied().chain([*full]));
    let end = widths.len().max(1) as f64 - 0.5;
    svg(style, |area| {
        let name = |x: &f64| {
            let width = widths.get(x.round().max(0.0) as usize).filter(|_| x.fract() == 0.0);
            width.map_or(String::new(), u8::to_string)
        };
        let mut chart = axes!(area, style, "", -0.5..end, y.clone(), "bits", "PSNR, dB", |mesh| {
            mesh.disable_x_mesh()
                .x_labels(2 * widths.len())
                .x_label_formatter(&name)
                .y_labels(5)
                .y_label_formatter(&short)
        });
        if *selected < widths.len() {
            let x = *selected as f64;
            let band =
                Rectangle::new([(x - 0.5, y.start), (x + 0.5, y.end)], palette.body.mix(0.25).filled());
            chart.draw_series([band]).map_err(fail)?;
        }
        if full.is_finite() {
            let ends = [(-0.5, *full), (end, *full)];
            chart
                .draw_series(DashedLineSeries::new(ends, 5, 4, palette.ink.stroke_width(1)))
                .map_err(fail)?;
        }
        for (values, colour) in decibels.iter().zip([palette.dfsq_opt, palette.dfsq, palette.min_max]).rev() {
            let points =
                || values.iter().enumerate().filter(|(_, v)| v.is_finite()).map(|(i, v)| (i as f64, *v));
            chart.draw_series(LineSeries::new(points(), colour.stroke_width(2))).map_err(fail)?;
            chart.draw_series(points().map(|p| Circle::new(p, 4, colour.filled()))).map_err(fail)?;
        }
        let right = area.dim_in_pixel().0 as i32;
        let keys = [
            ("DFSQ-opt", palette.dfsq_opt, 250),
            ("DFSQ", palette.dfsq, 178),
            ("min-max", palette.min_max, 132),
        ];
        for (name, colour, left) in keys {
            area.draw_text(name, &key(&colour), (right - left, 4)).map_err(fail)?;
        }
        area.draw_text("full", &key(&palette.ink), (right - 68, 4)).map_err(fail)?;
        Ok(Plot::of(&chart))
    })
}
