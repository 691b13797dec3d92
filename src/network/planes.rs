//! Images as networks take them.

/// A batch of one: planar f32 values, shape `[channels, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Planes {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// The values, row by row, channel by channel.
    pub values: Vec<f32>,
}

impl Planes {
    /// Channels, rows and columns.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }
}
