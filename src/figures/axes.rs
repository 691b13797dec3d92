//! Axes that all figures have alike.

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
