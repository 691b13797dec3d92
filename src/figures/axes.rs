//! Axes that all figures have alike, and where they lie.

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::fmt;

/// Where a figure's axes lie.
pub struct Plot {
    /// Left, right, upper and lower end in pixels.
    pixels: [i32; 4],
    /// What stands at the left, right, lower and upper end.
    values: [f64; 4],
}

impl Plot {
    pub fn of<DB: DrawingBackend>(
        chart: &ChartContext<'_, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    ) -> Self {
        let (columns, rows) = chart.plotting_area().get_pixel_range();
        let (x, y) = (chart.x_range(), chart.y_range());
        Plot {
            pixels: [columns.start, columns.end, rows.start, rows.end],
            values: [x.start, x.end, y.start, y.end],
        }
    }
}

impl fmt::Display for Plot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [left, right, top, bottom] = self.pixels;
        let [first, last, low, high] = self.values;
        write!(f, "{left} {right} {top} {bottom} {first} {last} {low} {high}")
    }
}

/// Axes with a title; `x` and `y` are the ranges, labels are drawn by the given formats.
macro_rules! axes {
    ($area:expr, $style:expr, $title:expr, $x:expr, $y:expr, $x_label:expr, $y_label:expr, |$mesh:ident| $configure:expr) => {{
        let palette = $style.palette();
        let mut chart = ChartBuilder::on($area)
            .caption($title, ("sans-serif", 16).into_font().color(&palette.ink))
            .margin(4)
            .margin_right(10)
            .x_label_area_size(34)
            .y_label_area_size(46)
            .build_cartesian_2d($x, $y)
            .map_err(fail)?;
        let mut $mesh = chart.configure_mesh();
        $mesh
            .axis_style(palette.body)
            .bold_line_style(palette.faint)
            .light_line_style(TRANSPARENT)
            .label_style($style.label())
            .axis_desc_style($style.label())
            .x_desc($x_label)
            .y_desc($y_label);
        $configure;
        $mesh.draw().map_err(fail)?;
        chart
    }};
}
