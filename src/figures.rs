//! The figures: one function each, from plain numbers to SVG text. The only user of plotters.

mod backend;
#[macro_use]
mod axes;
mod quality;

pub use quality::{QualityRequest, quality};

use crate::analysis::{ChannelSummary, HISTOGRAM_BINS};
use crate::{Error, Result};
use backend::MeasuredByRule;
use plotters::coord::Shift;
use plotters::prelude::*;
use serde::Deserialize;

/// Size and colours of a figure.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct Style {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Light ink for a dark page.
    pub dark: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style { width: 480, height: 220, dark: false }
    }
}

struct Palette {
    ink: RGBColor,
    faint: RGBColor,
    body: RGBColor,
    dfsq: RGBColor,
    dfsq_opt: RGBColor,
    min_max: RGBColor,
}

impl Style {
    /// The page's colours (`www/style.css` has the same).
    fn palette(&self) -> Palette {
        let c = RGBColor;
        if self.dark {
            Palette {
                ink: c(200, 205, 214),
                faint: c(58, 64, 75),
                body: c(104, 114, 131),
                dfsq: c(94, 176, 255),
                dfsq_opt: c(255, 122, 194),
                min_max: c(255, 159, 94),
            }
        } else {
            Palette {
                ink: c(64, 70, 82),
                faint: c(226, 228, 233),
                body: c(154, 162, 177),
                dfsq: c(11, 104, 203),
                dfsq_opt: c(176, 38, 126),
                min_max: c(199, 78, 16),
            }
        }
    }

    fn label(&self) -> TextStyle<'static> {
        ("sans-serif", 14).into_font().color(&self.palette().ink)
    }
}

type Area<'a> = DrawingArea<MeasuredByRule<SVGBackend<'a>>, Shift>;

fn fail(error: impl std::fmt::Display) -> Error {
    Error::Figure(error.to_string())
}

fn svg(style: &Style, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    // Below this the axes have no room.
    let size = (style.width.max(160), style.height.max(90));
    let mut text = String::new();
    {
        let area = MeasuredByRule(SVGBackend::with_string(&mut text, size)).into_drawing_area();
        draw(&area)?;
        area.present().map_err(fail)?;
    }
    // Scaled by the page; a fixed size would overflow a narrow column.
    Ok(text.replacen("<svg ", "<svg role=\"img\" ", 1))
}

/// The ends of an axis around these values, with a little room; never empty.
fn extent(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return 0.0..1.0;
    }
    let room = ((high - low) * 0.04).max(1e-6);
    low - room..high + room
}

/// Text in a method's colour.
fn key(colour: &RGBColor) -> TextStyle<'static> {
    ("sans-serif", 13).into_font().color(colour)
}

fn short(value: &f64) -> String {
    let text = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

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
            let colour = if i == selected { palette.dfsq } else { palette.body };
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
        Ok(())
    })
}

/// Box plots of all channels of one sample (paper, figure 1, left).
///
/// # Errors
/// [`Error::Figure`] where drawing fails, as for every function here.
pub fn channels(style: &Style, channels: &[ChannelSummary], selected: usize) -> Result<String> {
    let rows: Vec<_> = channels.iter().map(|c| c.five).collect();
    let names: Vec<_> = (0..rows.len()).map(|i| i.to_string()).collect();
    boxes(style, "All channels of this sample", "channel", &rows, &names, selected)
}

/// Box plots of one channel over all samples (paper, figure 1, right).
pub fn samples(style: &Style, samples: &[(String, &ChannelSummary)], selected: usize) -> Result<String> {
    let rows: Vec<_> = samples.iter().map(|(_, channel)| channel.five).collect();
    let room = (style.width as usize / 9 / rows.len().max(1)).max(3);
    let names: Vec<_> = samples.iter().map(|(name, _)| name.chars().take(room).collect()).collect();
    boxes(style, "This channel in all samples", "sample", &rows, &names, selected)
}

/// The histogram of a normalized channel, with three rugs below: the points of dfsq-opt and DFSQ, and the min-max grid,
/// all on the normalized axis. A grid value outside [-1, 1] is not drawn: the channel never gets there.
pub fn histogram(
    style: &Style,
    channel: &ChannelSummary,
    [opt, dfsq]: [&[f64]; 2],
    grid: &[f32],
) -> Result<String> {
    let palette = style.palette();
    let heights: Vec<f64> = channel.histogram.iter().map(|n| f64::from(*n).ln_1p()).collect();
    let top = heights.iter().copied().fold(1.0, f64::max);
    let grid: Vec<f64> = grid
        .iter()
        .map(|g| f64::from((g - channel.mean) / channel.range))
        .filter(|g| (-1.0..=1.0).contains(g))
        .collect();
    let rugs = [
        ("DFSQ-opt", opt, palette.dfsq_opt),
        ("DFSQ", dfsq, palette.dfsq),
        ("min-max", grid.as_slice(), palette.min_max),
    ];
    // Of the axis, in units of the histogram's height: what lies below 0, and what a rug takes of that.
    let (below, pitch) = (0.6, 0.2);
    svg(style, |area| {
        let title = "Normalized channel and quantization points";
        let y = -below * top..1.05 * top;
        let mut chart = axes!(area, style, title, -1.02..1.02, y, "normalized value", "", |mesh| {
            mesh.disable_y_mesh().x_labels(9).x_label_formatter(&short).y_labels(0).disable_y_axis()
        });
        let width = 2.0 / HISTOGRAM_BINS as f64;
        let bars = heights.iter().enumerate().filter(|(_, h)| **h > 0.0).map(|(i, h)| {
            let x = i as f64 * width - 1.0;
            Rectangle::new([(x, 0.0), (x + width * 0.9, *h)], palette.body.filled())
        });
        chart.draw_series(bars).map_err(fail)?;
        let (left, bottom) = (4, area.dim_in_pixel().1 as i32);
        // Heights in pixels, from the chart's own axis: title above, labels below.
        let plot = f64::from(bottom - 34 - 4 - 26);
        let at = |y: f64| bottom - 38 - (plot * (y + below) / (1.05 + below)) as i32;
        area.draw_text("log count", &style.label(), (left, at(0.55))).map_err(fail)?;
        for (row, (name, values, colour)) in rugs.into_iter().enumerate() {
            let low = -pitch * (row + 1) as f64;
            let tick = |x: &f64| {
                PathElement::new(vec![(*x, low * top), (*x, (low + 0.14) * top)], colour.stroke_width(2))
            };
            chart.draw_series(values.iter().map(tick)).map_err(fail)?;
            area.draw_text(name, &key(&colour), (left, at(low + 0.13))).map_err(fail)?;
        }
        Ok(())
    })
}

/// Points, and the universal set that they are from, ascending.
pub struct Chosen {
    /// Values of the universal set.
    pub universal: &'static [f32],
    /// The points.
    pub points: Vec<f64>,
}

/// The universal sets of DFSQ-opt (below) and DFSQ (above) as rugs, with the points that each chose.
pub fn universal_set(style: &Style, [opt, dfsq]: &[Chosen; 2]) -> Result<String> {
    let palette = style.palette();
    svg(style, |area| {
        let of = |chosen: &Chosen| format!("{} of {}", chosen.points.len(), chosen.universal.len());
        let title = format!("Points chosen from the universal set: {}, {}", of(dfsq), of(opt));
        let mut chart = axes!(area, style, &title, -1.02..1.02, 0.0..1.0, "normalized value", "", |mesh| {
            mesh.disable_y_mesh().x_labels(9).x_label_formatter(&short).y_labels(0).disable_y_axis()
        });
        let rug = |x: f64, [low, high]: [f64; 2], colour: RGBColor, width: u32| {
            PathElement::new(vec![(x, low), (x, high)], colour.stroke_width(width))
        };
        for (chosen, set, points, colour) in [
            (dfsq, [0.52, 0.66], [0.52, 0.96], palette.dfsq),
            (opt, [0.34, 0.48], [0.04, 0.48], palette.dfsq_opt),
        ] {
            let all = chosen.universal.iter().map(|v| rug(f64::from(*v), set, palette.body, 1));
            chart.draw_series(all).map_err(fail)?;
            chart.draw_series(chosen.points.iter().map(|p| rug(*p, points, colour, 2))).map_err(fail)?;
        }
        let bottom = area.dim_in_pixel().1 as i32;
        let plot = f64::from(bottom - 34 - 4 - 26);
        let at = |y: f64| bottom - 45 - (plot * y) as i32;
        area.draw_text("DFSQ", &key(&palette.dfsq), (4, at(0.8))).map_err(fail)?;
        area.draw_text("DFSQ-opt", &key(&palette.dfsq_opt), (4, at(0.2))).map_err(fail)
    })
}

/// Signal-to-noise ratio in dB of every quantized layer's input under dfsq-opt, DFSQ and min-max; an entry that is not
/// finite is left out. `selected` is the index of a layer in these lists.
pub fn layers(style: &Style, decibels: [&[f64]; 3], selected: usize) -> Result<String> {
    let palette = style.palette();
    let y = extent(decibels.iter().flat_map(|values| values.iter().copied()));
    let count = decibels.iter().map(|values| values.len()).max().unwrap_or(0).max(1) as f64;
    let colours = [palette.dfsq_opt, palette.dfsq, palette.min_max];
    svg(style, |area| {
        let title = "Signal to quantization noise of all layers";
        let mut chart = axes!(area, style, title, -0.6..count - 0.4, y.clone(), "", "dB", |mesh| {
            mesh.disable_x_mesh()
                .x_labels(10)
                .x_label_formatter(&|x: &f64| format!("{x:.0}"))
                .y_labels(5)
                .y_label_formatter(&short)
        });
        let x = selected as f64;
        chart
            .draw_series([Rectangle::new(
                [(x - 0.5, y.start), (x + 0.5, y.end)],
                palette.body.mix(0.25).filled(),
            )])
            .map_err(fail)?;
        for (values, colour) in decibels.iter().zip(&colours).rev() {
            let points =
                || values.iter().enumerate().filter(|(_, v)| v.is_finite()).map(|(i, v)| (i as f64, *v));
            chart.draw_series(LineSeries::new(points(), colour.stroke_width(2))).map_err(fail)?;
            chart.draw_series(points().map(|p| Circle::new(p, 2, colour.filled()))).map_err(fail)?;
        }
        let (right, bottom) = area.dim_in_pixel();
        let at = |left: i32| (right as i32 - left, bottom as i32 - 17);
        area.draw_text("layer", &style.label(), (46, bottom as i32 - 17)).map_err(fail)?;
        area.draw_text("DFSQ-opt", &key(&palette.dfsq_opt), at(184)).map_err(fail)?;
        area.draw_text("DFSQ", &key(&palette.dfsq), at(112)).map_err(fail)?;
        area.draw_text("min-max", &key(&palette.min_max), at(66)).map_err(fail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn summary(shift: f32) -> ChannelSummary {
        let mut histogram = vec![0; HISTOGRAM_BINS];
        histogram[60] = 10;
        ChannelSummary { five: [-1.0, -0.5, shift, 0.5, 1.0], mean: 0.0, range: 1.0, histogram }
    }

    fn chosen(universal: &'static [f32], points: &[f64]) -> Chosen {
        Chosen { universal, points: points.to_vec() }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn every_figure_is_svg_with_its_parts() {
        let style = Style::default();
        let all = vec![summary(0.0), summary(0.25)];
        let named: Vec<_> = all.iter().map(|c| ("a <b> & c".to_owned(), c)).collect();
        let figures = [
            channels(&style, &all, 1).unwrap(),
            samples(&style, &named, 0).unwrap(),
            histogram(&style, &all[0], [&[0.25], &[-0.5, 0.5]], &[-7.0, 0.0, 0.9]).unwrap(),
            universal_set(
                &style,
                &[chosen(&[-1.0, 0.0, 0.5, 1.0], &[-1.0, 1.0]), chosen(&[-1.0, 0.0, 1.0], &[0.0])],
            )
            .unwrap(),
            layers(&style, [&[], &[20.0, f64::INFINITY], &[10.0, 12.0]], 0).unwrap(),
        ];
        for figure in &figures {
            assert!(figure.starts_with("<svg role=\"img\"") && figure.trim_end().ends_with("</svg>"));
            assert!(!figure.contains("NaN") && !figure.contains("inf\""));
        }
        assert!(figures[1].contains("&lt;b&gt;"));
        let rugs = |figure: &str, colour: &str| figure.matches(&format!("stroke=\"{colour}\"")).count();
        assert_eq!(rugs(&figures[2], "#0B68CB"), 2);
        assert_eq!(rugs(&figures[2], "#C74E10"), 2);
        assert_eq!(["#B0267E", "#0B68CB"].map(|colour| rugs(&figures[3], colour)), [2, 1]);
        // Each method's points stand over the set that they are from.
        let empty = universal_set(&style, &[chosen(&[], &[]), chosen(&[], &[])]).unwrap();
        assert_eq!(rugs(&figures[3], "#9AA2B1") - rugs(&empty, "#9AA2B1"), 4 + 3);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn nothing_to_draw_is_no_error() {
        let style = Style { width: 1, height: 1, dark: true };
        channels(&style, &[], 0).unwrap();
        samples(&style, &[], 0).unwrap();
        layers(&style, [&[]; 3], 3).unwrap();
        histogram(&style, &ChannelSummary { histogram: vec![], ..summary(0.0) }, [&[]; 2], &[]).unwrap();
    }
}
