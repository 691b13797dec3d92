//! Which points were chosen from the universal set.

use super::axes::Plot;
use super::{Style, fail, key, short, svg};
use crate::Result;
use crate::quant::universal_set::nearest;
use crate::session::Method;
use plotters::prelude::*;

/// Points, and the universal set that they are from, ascending.
pub struct Chosen {
    /// Values of the universal set.
    pub universal: &'static [f32],
    /// The points.
    pub points: Vec<f64>,
}

/// The universal sets of DFSQ-opt (below) and DFSQ (above) as rugs, with the points that each chose; between them centres of
/// k-means, hollow where two of them snap to the same value.
///
/// # Errors
/// [`Error::Figure`](crate::Error::Figure) where drawing fails.
pub fn universal_set(style: &Style, [opt, dfsq]: &[Chosen; 2], centres: &[f64]) -> Result<String> {
    let palette = style.palette();
    svg(style, |area| {
        let of = |chosen: &Chosen| format!("{} of {}", chosen.points.len(), chosen.universal.len());
        let title = format!("Universal set: {}, {}", of(dfsq), of(opt));
        let mut chart = axes!(area, style, &title, -1.02..1.02, 0.0..1.0, "normalized value", "", |mesh| {
            mesh.disable_y_mesh().x_labels(9).x_label_formatter(&short).y_labels(0).disable_y_axis()
        });
        let rug = |x: f64, [low, high]: [f64; 2], colour: RGBColor, width: u32| {
            PathElement::new(vec![(x, low), (x, high)], colour.stroke_width(width))
        };
        for (chosen, set, points, colour) in [
            (dfsq, [0.52, 0.66], [0.52, 0.96], palette.of(Method::Dfsq)),
            (opt, [0.34, 0.48], [0.04, 0.48], palette.of(Method::DfsqOpt)),
        ] {
            let all = chosen.universal.iter().map(|v| rug(f64::from(*v), set, palette.body, 1));
            chart.draw_series(all).map_err(fail)?;
            chart.draw_series(chosen.points.iter().map(|p| rug(*p, points, colour, 2))).map_err(fail)?;
        }
        let snapped: Vec<usize> =
            centres.iter().map(|centre| nearest(dfsq.universal, *centre as f32)).collect();
        let merged = |at: usize| snapped.iter().filter(|other| **other == snapped[at]).count() > 1;
        for (at, centre) in centres.iter().enumerate() {
            let colour = if merged(at) { palette.of(Method::MinMax) } else { palette.ink };
            let dot = if merged(at) { colour.stroke_width(1) } else { colour.filled() };
            chart.draw_series([Circle::new((*centre, 0.5), 3, dot)]).map_err(fail)?;
        }
        if !centres.is_empty() {
            let count = (0..centres.len()).filter(|at| merged(*at)).count();
            let text = format!("k-means for this picture: {} centres, {count} merged", centres.len());
            area.draw_text(&text, &key(&palette.ink), (4, 22)).map_err(fail)?;
        }
        let bottom = area.dim_in_pixel().1 as i32;
        let plot = f64::from(bottom - 34 - 4 - 26);
        let at = |y: f64| bottom - 45 - (plot * y) as i32;
        for (method, height) in [(Method::Dfsq, 0.8), (Method::DfsqOpt, 0.2)] {
            area.draw_text(method.title(), &key(&palette.of(method)), (4, at(height))).map_err(fail)?;
        }
        Ok(Plot::of(&chart))
    })
}
