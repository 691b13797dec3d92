//! The quantized copy of a convolution's input, made row by row just before the rows are read: they are in the cache then.

use super::plan::{Frame, Place};
use crate::parallel;
use crate::quant::{PixelMapping, Pixels, QuantizationError};

/// A copy on its way.
pub struct QuantizedInput<'a> {
    mapping: PixelMapping<'a>,
    frame: Frame,
    /// Where the input lies.
    place: Place,
    /// Rows that are there.
    done: usize,
    /// By channel, what is added to; empty unless it is to be measured.
    errors: &'a mut [QuantizationError],
}

impl<'a> QuantizedInput<'a> {
    /// Without rows yet; the copy has its border.
    pub fn new(
        mapping: PixelMapping<'a>,
        frame: Frame,
        place: Place,
        copy: &mut Vec<f32>,
        errors: &'a mut [QuantizationError],
    ) -> Self {
        copy.resize(frame.len().max(copy.len()), 0.0);
        frame.clear_border(copy);
        QuantizedInput { mapping, frame, place, done: 0, errors }
    }

    /// Makes the rows before this one, from the buffer that holds the input.
    pub fn make(&mut self, rows: usize, source: &[f32], copy: &mut [f32]) {
        let (first, channels) = (self.done, self.place.shape.channels);
        self.done = rows.max(first);
        let none = vec![QuantizationError::default(); self.errors.len()];
        let rows = self.frame.rows(copy).take(self.done).skip(first);
        let mut rows: Vec<_> = rows.map(|row| (row, none.clone())).collect();
        parallel::for_each_mut(&mut rows, |at, (row, errors)| {
            let pixels = Pixels { values: self.place.row_of(source, first + at), apart: self.place.pixel };
            self.mapping.apply(pixels, row, channels, (!errors.is_empty()).then_some(&mut errors[..]));
        });
        for (_, row) in &rows {
            self.errors.iter_mut().zip(row).for_each(|(error, of_row)| *error = error.with(of_row));
        }
    }
}
