//! The figures: one function each, from plain numbers to SVG text. The only user of plotters.
//!
//! Every SVG says where its axes lie, so that what points at it can be told what is there: its attribute `data-plot` has the
//! left, right, upper and lower end in pixels, and what stands at the left, right, lower and upper one.

mod backend;
#[macro_use]
mod axes;
mod boxes;
mod heat_map;
mod histogram;
mod layers;
mod quality;
mod universal_set;

pub use boxes::{channels, samples};
pub use heat_map::{HeatMapRequest, heat_map};
pub use histogram::{ChannelHistogram, Rug, histogram};
pub use layers::{LayersRequest, layers};
pub use quality::{QualityRequest, quality};
pub use universal_set::{Chosen, universal_set};

use crate::session::Method;
use crate::{Error, Result};
use axes::Plot;
use backend::MeasuredByRule;
use plotters::coord::Shift;
use plotters::prelude::*;
use serde::Deserialize;

/// Size and colours of a figure.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
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

/// A method's colour, on light or dark ground.
pub fn colour(method: Method, dark: bool) -> [u8; 3] {
    let [light, on_dark] = match method {
        Method::Bicubic => [[138, 143, 154], [138, 147, 163]],
        Method::Fp32 => [[60, 138, 78], [124, 207, 143]],
        Method::MinMax => [[199, 78, 16], [255, 159, 94]],
        Method::Dfsq => [[11, 104, 203], [94, 176, 255]],
        Method::DfsqOpt => [[176, 38, 126], [255, 122, 194]],
    };
    if dark { on_dark } else { light }
}

struct Palette {
    ink: RGBColor,
    faint: RGBColor,
    body: RGBColor,
    dark: bool,
}

impl Palette {
    fn of(&self, method: Method) -> RGBColor {
        let [r, g, b] = colour(method, self.dark);
        RGBColor(r, g, b)
    }
}

impl Style {
    fn palette(&self) -> Palette {
        let (c, dark) = (RGBColor, self.dark);
        if dark {
            Palette { ink: c(200, 205, 214), faint: c(58, 64, 75), body: c(104, 114, 131), dark }
        } else {
            Palette { ink: c(64, 70, 82), faint: c(226, 228, 233), body: c(154, 162, 177), dark }
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

/// Draws, and adds where the axes lie.
fn svg(style: &Style, draw: impl FnOnce(&Area<'_>) -> Result<Plot>) -> Result<String> {
    // Below this the axes have no room.
    let size = (style.width.max(160), style.height.max(90));
    let mut text = String::new();
    let plot = {
        let area = MeasuredByRule(SVGBackend::with_string(&mut text, size)).into_drawing_area();
        let plot = draw(&area)?;
        area.present().map_err(fail)?;
        plot
    };
    // Scaled by the page; a fixed size would overflow a narrow column.
    Ok(text.replacen("<svg ", &format!("<svg role=\"img\" data-plot=\"{plot}\" "), 1))
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

/// A whole number; nothing between them.
fn whole(value: &f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { String::new() }
}

fn short(value: &f64) -> String {
    let text = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{ChannelSummary, HISTOGRAM_BINS};
    use wasm_bindgen_test::wasm_bindgen_test;

    fn summary(shift: f32) -> ChannelSummary {
        let mut histogram = vec![0; HISTOGRAM_BINS];
        histogram[60] = 10;
        ChannelSummary { five: [-1.0, -0.5, shift, 0.5, 1.0], mean: 0.0, range: 1.0, histogram }
    }

    fn of<'a>(counts: &'a [u32], rugs: [&[f64]; 3]) -> ChannelHistogram<'a> {
        let rugs = rugs.map(|points| Rug { points: points.to_vec(), decibels: Some(20.0) });
        let normalization = [0.0, 1.0];
        ChannelHistogram {
            counts,
            errors: &[],
            rugs,
            looked_at: 1,
            normalization,
            what: "Values",
            raw: false,
            linear: false,
        }
    }

    fn lines(inputs: [Vec<f64>; 3], selected: usize) -> LayersRequest {
        LayersRequest { style: Style::default(), inputs, weights: Default::default(), selected }
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
            channels(&style, &all, &[1, 0], 1).unwrap(),
            samples(&style, &named, 0).unwrap(),
            histogram(&style, &of(&all[0].histogram, [&[0.25], &[-0.5, 0.5], &[-7.0, 0.0, 0.9]])).unwrap(),
            universal_set(
                &style,
                &[chosen(&[-1.0, 0.0, 0.5, 1.0], &[-1.0, 1.0]), chosen(&[-1.0, 0.0, 1.0], &[0.0])],
                &[],
            )
            .unwrap(),
            layers(&lines([vec![], vec![20.0, f64::INFINITY], vec![10.0, 12.0]], 0)).unwrap(),
        ];
        for figure in &figures {
            assert!(
                figure.starts_with("<svg role=\"img\" data-plot=\"") && figure.trim_end().ends_with("</svg>")
            );
            assert!(!figure.contains("NaN") && !figure.contains("inf\""));
        }
        assert!(figures[1].contains("&lt;b&gt;"));
        let rugs = |figure: &str, colour: &str| figure.matches(&format!("stroke=\"{colour}\"")).count();
        assert_eq!(rugs(&figures[2], "#0B68CB"), 2);
        assert_eq!(rugs(&figures[2], "#C74E10"), 2);
        assert_eq!(["#B0267E", "#0B68CB"].map(|colour| rugs(&figures[3], colour)), [2, 1]);
        // Each method's points stand over the set that they are from.
        let empty = universal_set(&style, &[chosen(&[], &[]), chosen(&[], &[])], &[]).unwrap();
        assert_eq!(rugs(&figures[3], "#9AA2B1") - rugs(&empty, "#9AA2B1"), 4 + 3);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn nothing_to_draw_is_no_error() {
        let style = Style { width: 1, height: 1, dark: true };
        channels(&style, &[], &[], 0).unwrap();
        samples(&style, &[], 0).unwrap();
        layers(&lines(Default::default(), 3)).unwrap();
        histogram(&style, &of(&[], [&[]; 3])).unwrap();
        let (decibels, scale) = (vec![vec![], vec![f64::NAN]], [0.0, 60.0]);
        heat_map(&HeatMapRequest { style, decibels, scale, selected: [1, 7] }).unwrap();
    }
}
