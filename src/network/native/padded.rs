//! An image pixel by pixel, with zeros around it.

use super::matrix::NARROW;
use super::winograd;

/// Pixels one after another, each with all its channels, and with zeros around the image for whatever a kernel and the tiles
/// of [`winograd`] meet there.
#[derive(Debug, Clone)]
pub struct PaddedImage {
    /// Row by row.
    pub values: Vec<f32>,
    /// Height and width, without what is around.
    pub size: [usize; 2],
    /// Channels of a pixel with those that fill it up to a multiple of [`NARROW`], which are zero.
    pub pixel: usize,
    /// From one row to the next.
    pub row: usize,
    /// Index of the upper left pixel.
    pub origin: usize,
}

impl PaddedImage {
    /// All zero, for a kernel of this height and width.
    pub fn new(channels: usize, size: [usize; 2], kernel: [usize; 2]) -> Self {
        let pixel = channels.next_multiple_of(NARROW);
        let [height, width] = [0, 1].map(|axis| {
            let taps = kernel[axis].next_multiple_of(winograd::BLOCK);
            size[axis] + kernel[axis] - 1 + taps - 1 + winograd::TILE - 1
        });
        let origin = ((kernel[0] - 1) * width + kernel[1] - 1) * pixel;
        PaddedImage { values: vec![0.0; height * width * pixel], size, pixel, row: width * pixel, origin }
    }

    /// Of an image `[channels, height * width]`.
    pub fn of(values: &[f32], channels: usize, size: [usize; 2], kernel: [usize; 2]) -> Self {
        let mut image = Self::new(channels, size, kernel);
        for (channel, plane) in values.chunks_exact((size[0] * size[1]).max(1)).enumerate() {
            for (y, row) in plane.chunks_exact(size[1].max(1)).enumerate() {
                let start = image.at([y as isize, 0]) + channel;
                let pixels = image.values[start..].iter_mut().step_by(image.pixel);
                pixels.zip(row).for_each(|(to, value)| *to = *value);
            }
        }
        image
    }

    /// Index of a pixel, which may lie around the image.
    #[inline(always)]
    pub fn at(&self, [y, x]: [isize; 2]) -> usize {
        self.origin.wrapping_add_signed(y * self.row as isize + x * self.pixel as isize)
    }

    /// Pixels of the image's rows, one row after another.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        let [height, width] = self.size;
        (0..height).map(move |y| &self.values[self.origin + y * self.row..][..width * self.pixel])
    }
}
