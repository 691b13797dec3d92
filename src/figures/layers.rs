//! What quantization does to every layer.

use super::axes::Plot;
use super::{Style, extent, fail, key, short, svg, whole};
use crate::Result;
use crate::session::Method;
use plotters::prelude::*;
use serde::Deserialize;

/// What [`layers`] is drawn from: signal-to-noise ratios in dB of every quantized layer under DFSQ-opt, DFSQ and min-max.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct LayersRequest {
    /// Size and colours.
    #[serde(default)]
    pub style: Style,
    /// Of the layers' inputs. What is not finite is left out.
    pub inputs: [Vec<f64>; 3],
    /// Of their weights.
    pub weights: [Vec<f64>; 3],
    /// Index of the layer that is looked at; another than those for none.
    pub selected: usize,
}

/// The noise of every layer: of its input as a line, of its weights dashed.
///
/// # Errors
/// [`Error::Figure`](crate::Error::Figure) where drawing fails.
pub fn layers(request: &LayersRequest) -> Result<String> {
    let LayersRequest { style, inputs, weights, selected } = request;
    let palette = style.palette();
    let all = || inputs.iter().chain(weights);
    let y = extent(all().flat_map(|values| values.iter().copied()));
    let count = all().map(Vec::len).max().unwrap_or(0).max(1) as f64;
    let colours = Method::QUANTIZED.map(|method| palette.of(method));
    svg(style, |area| {
        let title = "Signal to quantization noise of all layers";
        let mut chart = axes!(area, style, title, -0.5..count - 0.5, y.clone(), "", "dB", |mesh| {
            mesh.disable_x_mesh().x_labels(10).x_label_formatter(&whole).y_labels(5).y_label_formatter(&short)
        });
        let x = *selected as f64;
        let band = Rectangle::new([(x - 0.5, y.start), (x + 0.5, y.end)], palette.body.mix(0.25).filled());
        chart.draw_series([band]).map_err(fail)?;
        for ((inputs, weights), colour) in inputs.iter().zip(weights).zip(&colours).rev() {
            let points = |values: &[f64]| -> Vec<(f64, f64)> {
                let known = values.iter().enumerate().filter(|(_, v)| v.is_finite());
                known.map(|(i, v)| (i as f64, *v)).collect()
            };
            let dashed = DashedLineSeries::new(points(weights), 4, 3, colour.mix(0.8).stroke_width(1));
            chart.draw_series(dashed).map_err(fail)?;
            chart.draw_series(LineSeries::new(points(inputs), colour.stroke_width(2))).map_err(fail)?;
            let dots = points(inputs).into_iter().map(|p| Circle::new(p, 2, colour.filled()));
            chart.draw_series(dots).map_err(fail)?;
        }
        let (right, bottom) = area.dim_in_pixel();
        let [best, dfsq, uniform] = Method::QUANTIZED.map(|method| (method.title(), palette.of(method)));
        let keys = [(best, 184), (dfsq, 112), (uniform, 66), (("— inputs  ┄ weights", palette.ink), 320)];
        // Where there is room beside the keys.
        if right > 420 {
            area.draw_text("layer", &style.label(), (46, bottom as i32 - 17)).map_err(fail)?;
        }
        for ((name, colour), left) in keys {
            area.draw_text(name, &key(&colour), (right as i32 - left, bottom as i32 - 17)).map_err(fail)?;
        }
        Ok(Plot::of(&chart))
    })
}
