//! A picture's quality over bits.

use super::axes::Plot;
use super::{Style, extent, fail, key, short, svg};
use crate::Result;
use crate::session::Method;
use plotters::prelude::*;
use serde::Deserialize;

/// How far below all other values min-max is still shown in its place, in dB: where it fails, by 30 dB and more, the others
/// would be one line.
const SHOWN_BELOW: f64 = 3.0;

/// What [`quality`] is drawn from.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
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

/// A picture's quality over bits: a line for each method, and full precision dashed. Widths stand side by side evenly. Where
/// min-max is far below all others, a triangle at the lower end says by a number where.
///
/// # Errors
/// [`Error::Figure`](crate::Error::Figure) where it cannot be drawn.
pub fn quality(request: &QualityRequest) -> Result<String> {
    let QualityRequest { style, widths, decibels, full, selected } = request;
    let palette = style.palette();
    let known = |lines: &[Vec<f64>]| -> Vec<f64> {
        lines.iter().flatten().chain([full]).copied().filter(|v| v.is_finite()).collect()
    };
    let others = known(&decibels[..2]).into_iter().reduce(f64::min);
    let floor = others.map_or(f64::NEG_INFINITY, |lowest| lowest - SHOWN_BELOW);
    let y = extent(known(decibels).into_iter().map(|v| v.max(floor)));
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
        for (values, colour) in decibels.iter().zip(Method::QUANTIZED.map(|method| palette.of(method))).rev()
        {
            let points: Vec<(f64, f64)> = values
                .iter()
                .enumerate()
                .filter(|(_, v)| v.is_finite())
                .map(|(i, v)| (i as f64, *v))
                .collect();
            for ends in points.windows(2).filter_map(|ends| above(floor, ends[0], ends[1])) {
                chart.draw_series(LineSeries::new(ends, colour.stroke_width(2))).map_err(fail)?;
            }
            for (x, v) in points {
                if v >= floor {
                    chart.draw_series([Circle::new((x, v), 4, colour.filled())]).map_err(fail)?;
                } else {
                    let (left, bottom) = chart.backend_coord(&(x, floor));
                    area.draw_text(&format!("▼ {v:.1}"), &key(&colour), (left - 6, bottom - 12))
                        .map_err(fail)?;
                }
            }
        }
        // On the right, but none of them cut off.
        let first = (area.dim_in_pixel().0 as i32 - 250).max(4);
        for (method, at) in Method::QUANTIZED.into_iter().zip([0, 72, 118]) {
            area.draw_text(method.title(), &key(&palette.of(method)), (first + at, 4)).map_err(fail)?;
        }
        area.draw_text("full", &key(&palette.ink), (first + 182, 4)).map_err(fail)?;
        Ok(Plot::of(&chart))
    })
}

/// The part of a line that is not below `floor`.
fn above(floor: f64, from: (f64, f64), to: (f64, f64)) -> Option<[(f64, f64); 2]> {
    let cut = |end: (f64, f64), other: (f64, f64)| {
        let share = (floor - end.1) / (other.1 - end.1);
        if end.1 >= floor { end } else { (end.0 + share * (other.0 - end.0), floor) }
    };
    (from.1.max(to.1) >= floor).then(|| [cut(from, to), cut(to, from)])
}
