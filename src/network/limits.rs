//! What a network from a stranger may take.

/// Largest declared input that a network of one size may have, in pixels.
pub const MAX_FIXED_PIXELS: u64 = 4 << 20;

/// Most bytes that a run may hold for each pixel of its image; the bundled networks hold up to 15 kB.
pub const MAX_BYTES_PER_PIXEL: f64 = 1e6;

/// Most bytes that a run may hold: in a browser, what a program can have at all, less what else it holds.
pub const MAX_BYTES: u64 = if cfg!(target_arch = "wasm32") { 3500 << 20 } else { 64 << 30 };

/// Longest side of an image that a network resizes to; from one pixel, a mean of all, too.
pub const MAX_RESIZED: u64 = 1 << 16;

/// Most values of one tensor, for an image of so many pixels: the paper's RDN has 1024 channels side by side, 16 times as many
/// values come before a fourfold enlargement. Networks that make more of it are not for images.
pub fn most_values(pixels: u64) -> u64 {
    pixels.saturating_mul(1 << 14).max(1 << 24)
}
