//! Where pixels lie.

/// Pixels of a row, in a buffer that may hold more than the channels that are meant.
#[derive(Clone, Copy)]
pub struct Pixels<'a> {
    /// From the first channel of the first pixel on.
    pub values: &'a [f32],
    /// From one pixel to the next.
    pub apart: usize,
}

impl<'a> Pixels<'a> {
    /// So many pixels, and those after them.
    pub fn split(self, pixels: usize) -> (Self, Self) {
        let (these, others) = self.values.split_at((pixels * self.apart).min(self.values.len()));
        (Pixels { values: these, ..self }, Pixels { values: others, ..self })
    }

    /// The first channels of each.
    pub fn iter(self, channels: usize) -> impl Iterator<Item = &'a [f32]> {
        self.values.chunks(self.apart).map(move |pixel| &pixel[..channels])
    }
}
