//! The quantized copy of a convolution's input, made row by row just before the rows are read, in a window that moves down
//! the image: they are in the cache then.

use super::plan::{Frame, Place};
use crate::parallel;
use crate::quant::{PixelMapping, Pixels, QuantizationError};
use std::ops::Range;

/// A copy on its way.
pub struct QuantizedInput<'a> {
    mapping: PixelMapping<'a>,
    /// The copy as if it were there as a whole.
    frame: Frame,
    /// Where the input lies.
    place: Place,
    /// Rows of the frame that the window holds.
    rows: Range<usize>,
    /// By channel, what is added to; empty unless it is to be measured.
    errors: &'a mut [QuantizationError],
    /// By row and channel, of the rows that are made at a time.
    of_rows: Vec<QuantizationError>,
}

impl<'a> QuantizedInput<'a> {
    /// Without rows yet.
    pub fn new(
        mapping: PixelMapping<'a>,
        frame: Frame,
        place: Place,
        errors: &'a mut [QuantizationError],
    ) -> Self {
        QuantizedInput { mapping, frame, place, rows: 0..0, errors, of_rows: Vec::new() }
    }

    /// Row of the frame that the window begins with.
    pub fn first_row(&self) -> usize {
        self.rows.start
    }

    /// Sees to it that the window holds these rows of the frame, from the buffer that holds the input. Those before them
    /// may go, and do not come back.
    pub fn make(&mut self, rows: Range<usize>, source: &[f32], window: &mut Vec<f32>) {
        let length = self.frame.row_values();
        if (rows.end - self.rows.start) * length > window.len() {
            let passed = rows.start.min(self.rows.end) - self.rows.start;
            window.copy_within(passed * length..self.rows.len() * length, 0);
            self.rows.start += passed;
            // Twice the room, so that rows move seldom.
            window.resize(window.len().max(2 * (rows.end - self.rows.start) * length), 0.0);
        }
        let (first, count) = (self.rows.end, rows.end.saturating_sub(self.rows.end));
        self.of_rows.clear();
        self.of_rows.resize(count * self.errors.len(), QuantizationError::default());
        let mut left = &mut self.of_rows[..];
        let lines = window[self.rows.len() * length..].chunks_exact_mut(length).take(count);
        let mut lines: Vec<_> =
            lines.map(|line| (line, left.split_off_mut(..self.errors.len()).unwrap_or_default())).collect();
        parallel::for_each_mut(&mut lines, |at, (line, errors)| {
            let Some((y, pixels)) = self.frame.split_row(first + at, line) else { return };
            let channels = self.place.shape.channels;
            let from = Pixels { values: self.place.row_of(source, y), stride: self.place.pixel };
            self.mapping.apply(from, pixels, channels, (!errors.is_empty()).then_some(&mut errors[..]));
        });
        for (_, of_row) in &lines {
            self.errors.iter_mut().zip(&**of_row).for_each(|(error, of_row)| *error = error.with(of_row));
        }
        self.rows.end += count;
    }

    /// Measures the rows that no convolution read.
    pub fn finish(&mut self, source: &[f32], window: &mut Vec<f32>) {
        while !self.errors.is_empty() && self.rows.end < self.frame.row_count() {
            self.make(self.rows.end..self.rows.end + 1, source, window);
        }
    }
}
