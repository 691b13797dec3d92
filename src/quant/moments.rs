//! Second moments of what a convolution sees and what it should give, over all positions of some images.
//!
//! The patches of a convolution overlap, so the product of two inputs at offsets a and b depends on `b - a` alone: all
//! second moments of a patch follow from the correlations of the channels at few offsets (25 for a 3 x 3 kernel, of which
//! 13 have to be computed), where multiplying patches would take 81. That this holds at the borders too, positions are
//! all those at which the kernel touches the image, not only those on it, with zeros around the image.

use crate::matrix::{Panels, multiply};
use crate::parallel;
use fearless_simd::{Level, dispatch};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use std::ops::Range;

/// A convolution with stride 1 on images of one size.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Height and width of the kernel, both odd.
    pub kernel: [usize; 2],
    /// Height and width of the images.
    pub size: [usize; 2],
}

impl Window {
    /// Rows are laid out with zeros after them, so that a shift to either side never gets into another row's values.
    fn stride(&self) -> usize {
        self.size[1] + self.kernel[1] - 1
    }

    /// Length of a channel as it is laid out.
    fn length(&self) -> usize {
        self.size[0] * self.stride()
    }

    /// Number of positions at which the kernel touches the image.
    fn positions(&self) -> usize {
        (self.size[0] + self.kernel[0] - 1) * self.stride()
    }

    /// How far the outputs that an input takes part in through one place of the kernel lie behind it.
    fn shift(&self, place: usize) -> usize {
        let [rows, columns] = self.kernel;
        (rows - 1 - place / columns) * self.stride() + (columns - 1 - place % columns)
    }

    fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Lays out an image, `[channels, height * width]`.
    pub fn lay_out(&self, values: &[f32], channels: usize) -> Array2<f32> {
        let [height, width] = self.size;
        let mut result = Array2::zeros((channels, self.length()));
        let rows = values.chunks_exact(width).enumerate();
        for (row, values) in rows.take(channels * height) {
            let start = row % height * self.stride();
            for (to, value) in result.slice_mut(s![row / height, start..start + width]).iter_mut().zip(values)
            {
                *to = *value;
            }
        }
        result
    }

    /// Kernels, `[outputs, inputs * area]`, as [`Window::outputs`] reads them.
    pub fn panels(&self, kernels: ArrayView2<'_, f32>) -> Panels {
        let (area, (outputs, weights)) = (self.area(), kernels.dim());
        let inputs = weights / area;
        Panels::new(weights, outputs, |i, output| kernels[[output, i % inputs * area + i / inputs]])
    }

    /// What kernels give at all positions of an image that is laid out, `[outputs, positions]`.
    pub fn outputs(&self, kernels: &Panels, outputs: usize, image: &Array2<f32>) -> Array2<f32> {
        let (inputs, length) = image.dim();
        // Position by position, the last of zeros, for places of the kernel that are not on the image.
        let mut pixels = vec![0.0; (length + 1) * inputs];
        for ((channel, position), value) in image.indexed_iter() {
            pixels[position * inputs + channel] = *value;
        }
        let (positions, stride) = (self.positions(), kernels.columns());
        let mut products = vec![0.0; positions * stride];
        let pixel = |position: usize, place: usize| {
            let at = position.wrapping_sub(self.shift(place)).min(length);
            &pixels[at * inputs..][..inputs]
        };
        dispatch!(Level::new(), simd => {
            multiply(simd, positions, pixel, self.area(), kernels, 0..kernels.rows(), &mut products)
        });
        Array2::from_shape_fn((outputs, positions), |(output, at)| products[at * stride + output])
    }
}

/// Sums over all positions of the images seen.
#[derive(Debug, Clone)]
pub struct Moments {
    window: Window,
    /// By offset: products of channels with channels, `[inputs, inputs]`. None where the opposite offset has them.
    inputs: Vec<Option<Array2<f64>>>,
    /// By place in the kernel: products of outputs with channels, `[outputs, inputs]`.
    cross: Vec<Array2<f64>>,
    input_sum: Array1<f64>,
    output_sum: Array1<f64>,
    count: f64,
}

/// `sum += left right`, with these rows of `right`, as many as `left` has columns.
fn add_product(sum: &mut Array2<f64>, left: ArrayView2<'_, f32>, right: &Panels, across: Range<usize>) {
    if across.is_empty() {
        return;
    }
    let ((rows, columns), stride) = (sum.dim(), right.columns());
    let mut products = vec![0.0; rows * stride];
    // Rows of the standard layout are slices.
    let row = |at: usize, _| left.index_axis_move(Axis(0), at).to_slice().unwrap_or_default();
    dispatch!(Level::new(), simd => multiply(simd, rows, row, 1, right, across.clone(), &mut products));
    // One image at a time in f32, all of them in f64.
    for (mut sum, products) in sum.outer_iter_mut().zip(products.chunks_exact(stride)) {
        sum.iter_mut().zip(&products[..columns]).for_each(|(sum, product)| *sum += f64::from(*product));
    }
}

impl Moments {
    /// Nothing seen yet.
    pub fn new(window: Window, inputs: usize, outputs: usize) -> Self {
        let [rows, columns] = window.kernel;
        let offsets = (0..rows).flat_map(|dy| (0..2 * columns - 1).map(move |dx| (dy, dx)));
        let first = |(dy, dx): (usize, usize)| dy > 0 || dx + 1 >= columns;
        Moments {
            window,
            inputs: offsets.map(|d| first(d).then(|| Array2::zeros((inputs, inputs)))).collect(),
            cross: vec![Array2::zeros((outputs, inputs)); window.area()],
            input_sum: Array1::zeros(inputs),
            output_sum: Array1::zeros(outputs),
            count: 0.0,
        }
    }

    /// Adds an image that is laid out, with the wanted outputs at all positions, `[outputs, positions]`.
    pub fn add(&mut self, image: &Array2<f32>, outputs: &Array2<f32>) {
        let columns = self.window.kernel[1];
        let (image, outputs) = (image.as_standard_layout(), outputs.as_standard_layout());
        let (channels, length) = image.dim();
        let panels = Panels::new(length, channels, |position, channel| image[[channel, position]]);
        let window = self.window;
        parallel::for_each_mut(&mut self.inputs, |index, sum| {
            let Some(sum) = sum else { return };
            let (dy, dx) = (index / (2 * columns - 1), index % (2 * columns - 1));
            let shift = (dy * window.stride() + dx + 1 - columns).min(length);
            add_product(sum, image.slice(s![.., ..length - shift]), &panels, shift..length);
        });
        parallel::for_each_mut(&mut self.cross, |place, sum| {
            let start = window.shift(place);
            let length = length.min(outputs.ncols() - start);
            add_product(sum, outputs.slice(s![.., start..start + length]), &panels, 0..length);
        });
        self.input_sum += &image.map_axis(Axis(1), |row| row.iter().map(|v| f64::from(*v)).sum::<f64>());
        self.output_sum += &outputs.map_axis(Axis(1), |row| row.iter().map(|v| f64::from(*v)).sum::<f64>());
        self.count += self.window.positions() as f64;
    }

    /// Means of a patch, `[inputs * area]`, and of the outputs.
    pub fn means(&self) -> (Array1<f64>, Array1<f64>) {
        let area = self.window.area();
        let inputs = &self.input_sum / self.count;
        (Array1::from_shape_fn(inputs.len() * area, |i| inputs[i / area]), &self.output_sum / self.count)
    }

    /// The covariances of a patch with itself, and of the outputs with a patch, `[outputs, inputs * area]`.
    pub fn covariances(&self) -> (Array2<f32>, Array2<f32>) {
        let (area, columns) = (self.window.area(), self.window.kernel[1]);
        let (inputs, outputs) = self.means();
        let n = inputs.len();
        let mut h = Array2::zeros((n, n));
        for (a, b) in (0..area).flat_map(|a| (0..area).map(move |b| (a, b))) {
            // From the place of a to that of b.
            let (from, to) = ((a / columns, a % columns), (b / columns, b % columns));
            let Some(dy) = to.0.checked_sub(from.0) else { continue };
            let Some(sums) = &self.inputs[dy * (2 * columns - 1) + to.1 + columns - 1 - from.1] else {
                continue;
            };
            for ((c, d), sum) in sums.indexed_iter() {
                let (i, j) = (c * area + a, d * area + b);
                let value = (sum / self.count - inputs[i] * inputs[j]) as f32;
                h[[i, j]] = value;
                h[[j, i]] = value;
            }
        }
        let g = Array2::from_shape_fn((outputs.len(), n), |(o, i)| {
            (self.cross[i % area][[o, i / area]] / self.count - outputs[o] * inputs[i]) as f32
        });
        (h, g)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// All patches of an image, `[positions, inputs * area]`, one value after another.
    fn patches(window: Window, values: &[f32], channels: usize) -> Array2<f32> {
        let ([rows, columns], [height, width]) = (window.kernel, window.size);
        let across = width + columns - 1;
        let area = rows * columns;
        Array2::from_shape_fn(((height + rows - 1) * across, channels * area), |(p, i)| {
            // Position p is the one whose last row and column of the kernel come first to the image.
            let y = (p / across + i % area / columns).checked_sub(rows - 1);
            let x = (p % across + i % area % columns).checked_sub(columns - 1);
            match (y, x) {
                (Some(y), Some(x)) if y < height && x < width => values[(i / area * height + y) * width + x],
                _ => 0.0,
            }
        })
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn moments_are_those_of_all_patches() {
        let mut rng = fastrand::Rng::with_seed(0);
        for (kernel, size) in [([3, 3], [7, 5]), ([1, 1], [4, 6]), ([5, 3], [3, 4]), ([1, 3], [1, 1])] {
            let window = Window { kernel, size };
            let (channels, outputs, pixels) = (4, 3, size[0] * size[1]);
            let kernels =
                Array2::from_shape_fn((outputs, channels * kernel[0] * kernel[1]), |_| rng.f32() - 0.4);
            let mut moments = Moments::new(window, channels, outputs);
            let mut all: Vec<Array2<f32>> = Vec::new();
            for _ in 0..3 {
                let values: Vec<f32> = (0..channels * pixels).map(|_| rng.f32() - 0.3).collect();
                let image = window.lay_out(&values, channels);
                let wanted = window.outputs(&window.panels(kernels.view()), outputs, &image);
                let naive = patches(window, &values, channels);
                let difference = wanted.t().to_owned() - naive.dot(&kernels.t());
                assert!(difference.iter().all(|d| d.abs() < 1e-5), "outputs, {window:?}");
                moments.add(&image, &wanted);
                all.push(naive);
            }
            let views: Vec<ArrayView2<'_, f32>> = all.iter().map(|patches| patches.view()).collect();
            let x: Array2<f64> = ndarray::concatenate(Axis(0), &views).unwrap().mapv(f64::from);
            let y: Array2<f64> = x.dot(&kernels.mapv(f64::from).t());
            let centred = |a: &Array2<f64>| a - &a.mean_axis(Axis(0)).unwrap();
            let count = x.nrows() as f64;
            let (h, g) = moments.covariances();
            let near = |a: &Array2<f32>, b: Array2<f64>| {
                a.iter().zip(&b).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5)
            };
            assert!(near(&h, centred(&x).t().dot(&centred(&x)) / count), "{window:?}");
            assert!(near(&g, centred(&y).t().dot(&centred(&x)) / count), "{window:?}");
            let (inputs, outputs) = moments.means();
            assert!((inputs - x.mean_axis(Axis(0)).unwrap()).iter().all(|d| d.abs() < 1e-6));
            assert!((outputs - y.mean_axis(Axis(0)).unwrap()).iter().all(|d| d.abs() < 1e-5));
        }
    }
}
