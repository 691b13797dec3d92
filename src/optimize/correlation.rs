//! Sums of products of two images' channels, over all positions, at several offsets.
//!
//! At the offsets of a 3x3 kernel they are what a convolution's gradient by its kernel is, and so Winograd's F(4x4, 3x3)
//! needs a quarter of the products.

use crate::network::matrix::{NARROW, add_transposed};
use crate::network::padded::PaddedImage;
use crate::network::winograd::{self, Source};
use crate::parallel;
use fearless_simd::{Level, Simd, dispatch};
use ndarray::Array2;

/// Tiles that are transformed together.
const TILES: usize = 128;

/// Offsets at which there is a transform.
const TRANSFORMED: [usize; 2] = [3, 3];

/// `sums[offset][l, r]` of `left[p][l] * right[p + first + offset][r]` over the pixels p of the left images; what is around an
/// image is zero.
#[derive(Debug, Clone)]
pub struct Correlation {
    /// Channels of the left and of the right images.
    channels: [usize; 2],
    /// Rows and columns of offsets.
    offsets: [usize; 2],
    /// The first of them.
    first: [isize; 2],
    /// By offset, or by the points of Winograd's transforms. One image at a time in f32, all of them in f64.
    sums: Vec<Vec<f64>>,
}

impl Correlation {
    /// Nothing seen yet, of images with so many channels, at the offsets of a kernel's places.
    pub fn new(channels: [usize; 2], first: [isize; 2], kernel: [usize; 2]) -> Self {
        let count = if kernel == TRANSFORMED { winograd::POINTS } else { kernel[0] * kernel[1] };
        let [left, right] = channels.map(|channels| channels.next_multiple_of(NARROW));
        Correlation { channels, offsets: kernel, first, sums: vec![vec![0.0; left * right]; count] }
    }

    /// Whether the sums are of Winograd's transforms.
    fn is_transformed(&self) -> bool {
        self.offsets == TRANSFORMED
    }

    /// Adds two images that are padded for this kernel.
    pub fn add(&mut self, left: &PaddedImage, right: &PaddedImage) {
        if self.is_transformed() { self.add_tiles(left, right) } else { self.add_offsets(left, right) }
    }

    fn add_offsets(&mut self, left: &PaddedImage, right: &PaddedImage) {
        let (columns, first) = (self.offsets[1], self.first);
        parallel::for_each_mut(&mut self.sums, |index, sums| {
            let offset = [first[0] + (index / columns) as isize, first[1] + (index % columns) as isize];
            let mut products = vec![0.0; left.pixel * right.pixel];
            add_at(offset, left, right, &mut products);
            add_to(sums, &products);
        });
    }

    fn add_tiles(&mut self, left: &PaddedImage, right: &PaddedImage) {
        let [down, across] = left.size.map(|side| side.div_ceil(winograd::TILE));
        let tiles: Vec<[usize; 2]> = (0..down * across)
            .map(|tile| [tile / across * winograd::TILE, tile % across * winograd::TILE])
            .collect();
        for tiles in tiles.chunks(TILES) {
            let lengths = [left.pixel, right.pixel].map(|pixel| tiles.len() * pixel);
            let strides = lengths.map(|length| length + winograd::PADDING);
            let mut transformed = strides.map(|stride| vec![0.0; winograd::POINTS * stride]);
            dispatch!(Level::new(), simd => {
                transform(simd, tiles, self.first, [left, right], &mut transformed, strides)
            });
            let values =
                |image: usize, point: usize| &transformed[image][point * strides[image]..][..lengths[image]];
            parallel::for_each_mut(&mut self.sums, |point, sums| {
                let mut products = vec![0.0; left.pixel * right.pixel];
                let (left, right) = ((values(0, point), left.pixel), (values(1, point), right.pixel));
                add_transposed(left, right, &mut products);
                add_to(sums, &products);
            });
        }
    }

    /// By offset, row by row: `[left channels, right channels]`.
    pub fn sums(&self) -> Vec<Array2<f64>> {
        let [left, right] = self.channels;
        let pixel = right.next_multiple_of(NARROW);
        let matrix = |sums: &[f64]| Array2::from_shape_fn((left, right), |(l, r)| sums[l * pixel + r]);
        if !self.is_transformed() {
            return self.sums.iter().map(|sums| matrix(sums)).collect();
        }
        let places = (0..9).map(|place| {
            let mut sums = vec![0.0; self.sums[0].len()];
            let factors = winograd::gradient_factors([place / 3, place % 3]);
            for (factor, products) in factors.iter().zip(&self.sums).filter(|(factor, _)| **factor != 0.0) {
                sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += factor * product);
            }
            matrix(&sums)
        });
        places.collect()
    }
}

fn add_to(sums: &mut [f64], products: &[f32]) {
    sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += f64::from(*product));
}

/// At one offset, row by row.
fn add_at([y, x]: [isize; 2], left: &PaddedImage, right: &PaddedImage, products: &mut [f32]) {
    for (row, values) in left.rows().enumerate() {
        let start = right.at([row as isize + y, x]);
        let others = &right.values[start..][..left.size[1] * right.pixel];
        add_transposed((values, left.pixel), (others, right.pixel), products);
    }
}

/// Of these tiles: the left image's as a gradient, the right one's, which begin at the first offset, as an input.
#[inline(always)]
fn transform<S: Simd>(
    simd: S,
    tiles: &[[usize; 2]],
    first: [isize; 2],
    images: [&PaddedImage; 2],
    transformed: &mut [Vec<f32>; 2],
    strides: [usize; 2],
) {
    let source = |image: usize, at: [isize; 2]| {
        let PaddedImage { values, row, pixel, .. } = images[image];
        Source { values: &values[images[image].at(at)..], row: *row, pixel: *pixel }
    };
    let [left, right] = images.map(|image| image.pixel);
    let [lefts, rights] = transformed;
    for (index, tile) in tiles.iter().enumerate() {
        let [y, x] = tile.map(|at| at as isize);
        winograd::transform_gradient(simd, &source(0, [y, x]), left, &mut lefts[index * left..], strides[0]);
        let source = source(1, [y + first[0], x + first[1]]);
        winograd::transform_input(simd, &source, right, &mut rights[index * right..], strides[1]);
    }
}
