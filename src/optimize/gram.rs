//! Gram matrices of what a convolution sees, and of that with what it should give, over all positions of some images.
//!
//! The patches of a convolution overlap, so the product of two inputs at offsets a and b depends on `b - a` alone: all
//! products of a patch follow from the correlations of the channels at few offsets, as many as the places of two
//! kernels, where multiplying patches would take 81 for a 3 x 3 kernel. That this holds at the borders too, positions are
//! all those at which the kernel touches the image, not only those on it, with zeros around the image.

use super::correlation::Correlation;
use crate::network::padded::PaddedImage;
use crate::parallel;
use ndarray::{Array1, Array2};

/// Sums over all positions of the images seen.
#[derive(Debug, Clone)]
pub struct GramMatrices {
    /// Height and width of the kernel.
    kernel: [usize; 2],
    /// Products of channels with channels, of those to the right and below, and of those to the left and below; the latter is
    /// not needed of a kernel of one column.
    right: Correlation,
    left: Option<Correlation>,
    /// By place in the kernel: products of outputs with channels.
    cross: Correlation,
    input_sum: Array1<f64>,
    output_sum: Array1<f64>,
    count: f64,
}

fn add_pixels(sum: &mut Array1<f64>, image: &PaddedImage) {
    for pixel in image.rows().flat_map(|row| row.chunks_exact(image.pixel)) {
        sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += f64::from(*value));
    }
}

impl GramMatrices {
    /// Nothing seen yet, of a convolution with a kernel of this height and width, both odd.
    pub fn new(kernel: [usize; 2], inputs: usize, outputs: usize) -> Self {
        let [up, left] = kernel.map(|side| 1 - side as isize);
        let correlation = |channels, first| Correlation::new(channels, first, kernel);
        GramMatrices {
            kernel,
            right: correlation([inputs; 2], [0, 0]),
            left: (left < 0).then(|| correlation([inputs; 2], [0, left])),
            cross: correlation([outputs, inputs], [up, left]),
            input_sum: Array1::zeros(inputs),
            output_sum: Array1::zeros(outputs),
            count: 0.0,
        }
    }

    /// Adds an image that is padded for the kernel, with the wanted outputs at all positions.
    pub fn add(&mut self, image: &PaddedImage, outputs: &PaddedImage) {
        let mut all = vec![(&mut self.right, image), (&mut self.cross, outputs)];
        all.extend(self.left.as_mut().map(|left| (left, image)));
        parallel::for_each_mut(&mut all, |_, (correlation, other)| correlation.add(other, image));
        add_pixels(&mut self.input_sum, image);
        add_pixels(&mut self.output_sum, outputs);
        self.count += outputs.size.iter().product::<usize>() as f64;
    }

    /// Means of a patch, `[inputs * area]`, and of the outputs.
    pub fn means(&self) -> (Array1<f64>, Array1<f64>) {
        let area = self.kernel[0] * self.kernel[1];
        let inputs = &self.input_sum / self.count;
        (Array1::from_shape_fn(inputs.len() * area, |i| inputs[i / area]), &self.output_sum / self.count)
    }

    /// The covariances of a patch with itself, and of the outputs with a patch, `[outputs, inputs * area]`.
    pub fn covariances(&self) -> (Array2<f32>, Array2<f32>) {
        let [rows, columns] = self.kernel;
        let area = rows * columns;
        let (right, cross) = (self.right.sums(), self.cross.sums());
        let left = self.left.as_ref().map_or_else(Vec::new, Correlation::sums);
        let (inputs, outputs) = self.means();
        let n = inputs.len();
        let mut h = Array2::zeros((n, n));
        for (a, b) in (0..area).flat_map(|a| (0..area).map(move |b| (a, b))) {
            // From the place of a to that of b, and not back.
            let Some(down) = (b / columns).checked_sub(a / columns) else { continue };
            let sums = match (b % columns).checked_sub(a % columns) {
                Some(across) => &right[down * columns + across],
                None if down == 0 => continue,
                None => &left[down * columns + b % columns + columns - 1 - a % columns],
            };
            for ((c, d), sum) in sums.indexed_iter() {
                let (i, j) = (c * area + a, d * area + b);
                let value = (sum / self.count - inputs[i] * inputs[j]) as f32;
                h[[i, j]] = value;
                h[[j, i]] = value;
            }
        }
        let g = Array2::from_shape_fn((outputs.len(), n), |(o, i)| {
            (cross[i % area][[o, i / area]] / self.count - outputs[o] * inputs[i]) as f32
        });
        (h, g)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Axis;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// All patches of an image, `[positions, inputs * area]`, one value after another.
    fn patches(
        [rows, columns]: [usize; 2],
        [height, width]: [usize; 2],
        values: &[f32],
        channels: usize,
    ) -> Array2<f64> {
        let (across, area) = (width + columns - 1, rows * columns);
        Array2::from_shape_fn(((height + rows - 1) * across, channels * area), |(p, i)| {
            // Position p is the one whose last row and column of the kernel come first to the image.
            let y = (p / across + i % area / columns).checked_sub(rows - 1);
            let x = (p % across + i % area % columns).checked_sub(columns - 1);
            match (y, x) {
                (Some(y), Some(x)) if y < height && x < width => {
                    f64::from(values[(i / area * height + y) * width + x])
                }
                _ => 0.0,
            }
        })
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn moments_are_those_of_all_patches() {
        let mut rng = fastrand::Rng::with_seed(0);
        let cases =
            [([3, 3], [7, 5]), ([3, 3], [50, 41]), ([1, 1], [4, 6]), ([5, 3], [3, 4]), ([1, 3], [1, 1])];
        for (kernel, size) in cases {
            let (channels, outputs) = (5, 3);
            let positions = [0, 1].map(|axis| size[axis] + kernel[axis] - 1);
            let mut grams = GramMatrices::new(kernel, channels, outputs);
            let mut all: [Vec<Array2<f64>>; 2] = Default::default();
            for _ in 0..3 {
                let mut noise = |count: usize| (0..count).map(|_| rng.f32() - 0.3).collect::<Vec<_>>();
                let values = noise(channels * size[0] * size[1]);
                let wanted = noise(outputs * positions[0] * positions[1]);
                grams.add(
                    &PaddedImage::of(&values, channels, size, kernel),
                    &PaddedImage::of(&wanted, outputs, positions, [1, 1]),
                );
                all[0].push(patches(kernel, size, &values, channels));
                all[1].push(Array2::from_shape_fn((positions[0] * positions[1], outputs), |(p, o)| {
                    f64::from(wanted[o * positions[0] * positions[1] + p])
                }));
            }
            let [x, y] = all.map(|parts| {
                let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
                ndarray::concatenate(Axis(0), &views).unwrap()
            });
            let centred = |a: &Array2<f64>| a - &a.mean_axis(Axis(0)).unwrap();
            let count = x.nrows() as f64;
            let (h, g) = grams.covariances();
            let near = |a: &Array2<f32>, b: Array2<f64>| {
                a.iter().zip(&b).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6)
            };
            assert!(near(&h, centred(&x).t().dot(&centred(&x)) / count), "{kernel:?} {size:?}");
            assert!(near(&g, centred(&y).t().dot(&centred(&x)) / count), "{kernel:?} {size:?}");
            let (inputs, outputs) = grams.means();
            assert!((inputs - x.mean_axis(Axis(0)).unwrap()).iter().all(|d| d.abs() < 1e-9));
            assert!((outputs - y.mean_axis(Axis(0)).unwrap()).iter().all(|d| d.abs() < 1e-9));
        }
    }
}
