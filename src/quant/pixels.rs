//! Where pixels lie.

/// Values of a cache line.
const CACHE_LINE: usize = 16;

/// Pixels of a row, in a buffer that may hold more than the channels that are meant.
#[derive(Clone, Copy)]
pub struct Pixels<'a> {
    /// From the first channel of the first pixel on.
    pub values: &'a [f32],
    /// From one pixel to the next.
    pub stride: usize,
}

impl<'a> Pixels<'a> {
    /// So many pixels, and those after them.
    pub fn split(self, pixels: usize) -> (Self, Self) {
        let (these, others) = self.values.split_at((pixels * self.stride).min(self.values.len()));
        (Pixels { values: these, ..self }, Pixels { values: others, ..self })
    }

    /// Those after so many pixels.
    pub fn skip(self, pixels: usize) -> Self {
        self.split(pixels).1
    }

    /// Has the first channels of so many pixels come into the cache all at once, which takes less time than one after another
    /// when they are needed: reads a value of each cache line, since browsers have no instruction for it.
    #[inline(always)]
    pub fn fetch(self, pixels: usize, channels: usize) {
        let (mut bits, lines) = (0, self.values.chunks(self.stride).take(pixels));
        lines
            .for_each(|pixel| pixel[..channels].iter().step_by(CACHE_LINE).for_each(|v| bits |= v.to_bits()));
        std::hint::black_box(bits);
    }

    /// The first channels of each.
    pub fn iter(self, channels: usize) -> impl Iterator<Item = &'a [f32]> {
        self.values.chunks(self.stride).map(move |pixel| &pixel[..channels])
    }
}
