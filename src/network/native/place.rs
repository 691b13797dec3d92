//! Where a value lies in a buffer: rows of pixels of channels, with a border of zeros around them.

use super::graph::Algorithm;
use super::winograd::{BLOCK, TILE};
use crate::network::graph::Conv;
use std::ops::Range;

/// Rows, columns and channels of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Shape {
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Rows and columns.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Whether there is a pixel in this row and column.
    pub fn has(&self, [y, x]: [usize; 2]) -> bool {
        y < self.height && x < self.width
    }
}

/// A buffer: rows of pixels of channels, with a border of zeros around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub shape: Shape,
    /// Rows above and columns on the left.
    before: usize,
    /// Rows below and columns on the right.
    after: usize,
}

impl Frame {
    /// Without a border.
    pub fn plain(shape: Shape) -> Self {
        Frame { shape, before: 0, after: 0 }
    }

    /// With the border that a convolution reads.
    pub fn of_input(conv: &Conv, shape: Shape) -> Self {
        let [before, after] = border(conv, shape);
        Frame { shape, before, after }
    }

    /// Where all of it lies, in a buffer of its own.
    pub fn whole(&self) -> Place {
        self.place(0, 0, self.shape.channels)
    }

    /// Rows of zeros above.
    pub fn rows_before(&self) -> usize {
        self.before
    }

    /// Rows of zeros below.
    pub fn rows_after(&self) -> usize {
        self.after
    }

    /// From the beginning of a row to its first pixel.
    pub fn first_column(&self) -> usize {
        self.before * self.shape.channels
    }

    fn columns(&self) -> usize {
        self.before + self.shape.width + self.after
    }

    /// Number of values, also where it is more than memory can hold.
    pub fn values(&self) -> u64 {
        let rows = self.before + self.shape.height + self.after;
        let sides = [self.columns(), self.shape.channels];
        sides.iter().fold(rows as u64, |product, side| product.saturating_mul(*side as u64))
    }

    /// Number of values of a frame that memory holds.
    pub fn len(&self) -> usize {
        self.values() as usize
    }

    /// Makes the border zero; what is inside stays.
    pub fn clear_border(&self, buffer: &mut [f32]) {
        let Shape { channels, height, width } = self.shape;
        let row = self.columns() * channels;
        buffer[..self.before * row].fill(0.0);
        for line in buffer[self.before * row..].chunks_exact_mut(row).take(height) {
            line[..self.before * channels].fill(0.0);
            line[(self.before + width) * channels..].fill(0.0);
        }
        buffer[(self.before + height) * row..self.len()].fill(0.0);
    }

    /// Number of rows with their border.
    pub fn row_count(&self) -> usize {
        self.before + self.shape.height + self.after
    }

    /// Number of values of a row with its border.
    pub fn row_values(&self) -> usize {
        self.columns() * self.shape.channels
    }

    /// Makes the border of a row zero: which row of the image it is, and its pixels, unless it is all border.
    pub fn split_row<'b>(&self, row: usize, values: &'b mut [f32]) -> Option<(usize, &'b mut [f32])> {
        let Shape { channels, height, width } = self.shape;
        let Some(y) = row.checked_sub(self.before).filter(|y| *y < height) else {
            values.fill(0.0);
            return None;
        };
        let (before, rest) = values.split_at_mut(self.before * channels);
        let (pixels, after) = rest.split_at_mut(width * channels);
        before.fill(0.0);
        after.fill(0.0);
        Some((y, pixels))
    }

    /// Where `channels` of its channels lie, from this one on.
    pub fn place(&self, slot: usize, channel: usize, channels: usize) -> Place {
        let (pixel, row) = (self.shape.channels, self.columns() * self.shape.channels);
        let origin = self.before * (row + pixel) + channel;
        Place { slot, origin, row, pixel, shape: Shape { channels, ..self.shape } }
    }

    /// With a border that is no narrower than the other's.
    pub fn grow(&mut self, other: Frame) {
        self.before = self.before.max(other.before);
        self.after = self.after.max(other.after);
    }
}

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Index of the buffer.
    pub slot: usize,
    /// Index of the first channel of the upper left pixel.
    pub origin: usize,
    /// From one row to the next.
    pub row: usize,
    /// From one pixel to the next.
    pub pixel: usize,
    pub shape: Shape,
}

impl Place {
    /// With nothing around or between the pixels, in a buffer of its own.
    pub fn alone(shape: Shape) -> Self {
        Place { slot: usize::MAX, ..Frame::plain(shape).whole() }
    }

    /// The parts of a buffer that hold these bands of rows, which follow each other.
    pub fn bands_of<'b>(
        &self,
        buffer: &'b mut [f32],
        bands: impl Iterator<Item = Range<usize>>,
    ) -> Vec<(Range<usize>, &'b mut [f32])> {
        let mut left = &mut buffer[self.origin - self.origin % self.row..];
        bands
            .map(|rows| {
                let (band, rest) = std::mem::take(&mut left).split_at_mut(rows.len() * self.row);
                left = rest;
                (rows, band)
            })
            .collect()
    }

    /// A row, from the first channel of its first pixel to the last of its last; pixels are `pixel` values apart.
    pub fn row_of<'b>(&self, buffer: &'b [f32], y: usize) -> &'b [f32] {
        &buffer[self.origin + y * self.row..][..(self.shape.width - 1) * self.pixel + self.shape.channels]
    }
}

/// Rows and columns of zeros that a convolution reads before and after its input.
fn border(conv: &Conv, shape: Shape) -> [usize; 2] {
    let [top, left, bottom, right] = conv.padding(shape.size());
    let after = match Algorithm::of(conv) {
        Algorithm::Direct | Algorithm::Depthwise => bottom.max(right),
        // Whole tiles and blocks are read, also where they stand over.
        Algorithm::Winograd => {
            let [height, width] = conv.kernel();
            let beyond = |kernel: usize, pads: usize, before: usize, side: usize| {
                let tiles = (side + pads + 1).saturating_sub(kernel).next_multiple_of(TILE);
                (tiles + kernel.next_multiple_of(BLOCK) - 1).saturating_sub(before + side)
            };
            let below = beyond(height, top + bottom, top, shape.height);
            below.max(beyond(width, left + right, left, shape.width))
        }
    };
    [top.max(left), after]
}
