//! The quantized copy of a convolution's input, made row by row just before the rows are read, in a window that moves down
//! a band of the image: they are in the cache then.

use super::bands::BLOCK;
use super::place::{Frame, Place};
use crate::quant::{PixelMapping, Pixels, QuantizationError};
use std::ops::Range;

/// A copy on its way.
pub struct QuantizedInput<'a> {
    mapping: &'a PixelMapping<'a>,
    /// The copy as if it were there as a whole.
    frame: Frame,
    /// Where the input lies, and the buffer that holds it.
    source: (Place, &'a [f32]),
    /// Rows of the frame that the window holds.
    rows: Range<usize>,
    /// Rows of the input whose errors are measured here, from a multiple of [`BLOCK`] on; none unless they are to be.
    measured: Range<usize>,
    /// By block of these rows and channel, what is added to.
    errors: &'a mut [QuantizationError],
}

impl<'a> QuantizedInput<'a> {
    /// Without rows yet; the first to come is this one of the frame.
    pub fn new(
        mapping: &'a PixelMapping<'a>,
        frame: Frame,
        source: (Place, &'a [f32]),
        first: usize,
        (measured, errors): (Range<usize>, &'a mut [QuantizationError]),
    ) -> Self {
        let first = if measured.is_empty() { first } else { first.min(frame.rows_before() + measured.start) };
        QuantizedInput { mapping, frame, source, rows: first..first, measured, errors }
    }

    /// Row of the frame that the window begins with.
    pub fn first_row(&self) -> usize {
        self.rows.start
    }

    /// Sees to it that the window holds these rows of the frame. Those before them may go, and do not come back.
    pub fn make(&mut self, rows: Range<usize>, window: &mut Vec<f32>) {
        let length = self.frame.row_values();
        if (rows.end - self.rows.start) * length > window.len() {
            let passed = rows.start.min(self.rows.end) - self.rows.start;
            window.copy_within(passed * length..self.rows.len() * length, 0);
            self.rows.start += passed;
            // Twice the room, so that rows move seldom.
            window.resize(window.len().max(2 * (rows.end - self.rows.start) * length), 0.0);
        }
        let (place, buffer) = self.source;
        let channels = place.shape.channels;
        while self.rows.end < rows.end {
            let line = &mut window[self.rows.len() * length..][..length];
            if let Some((y, pixels)) = self.frame.split_row(self.rows.end, line) {
                let from = Pixels { values: place.row_of(buffer, y), stride: place.pixel };
                let errors = self
                    .measured
                    .contains(&y)
                    .then(|| &mut self.errors[(y - self.measured.start) / BLOCK * channels..][..channels]);
                self.mapping.apply(from, pixels, channels, errors);
            }
            self.rows.end += 1;
        }
    }

    /// Measures the rows that no convolution read.
    pub fn finish(&mut self, window: &mut Vec<f32>) {
        while !self.measured.is_empty() && self.rows.end < self.frame.rows_before() + self.measured.end {
            self.make(self.rows.end..self.rows.end + 1, window);
        }
    }
}
