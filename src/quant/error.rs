//! What quantization does to values, in sums of squares.

use super::pixels::Pixels;
use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x8};
use std::iter::Sum;

/// Values whose errors are added up in f32 before they go into f64.
const BLOCK: usize = 256;
/// Channels whose errors are added up side by side.
const LANES: usize = 8;

/// What quantization did to values: a channel of a layer's input during a run, all of it, or weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct QuantizationError {
    /// Sum of squared differences between values and quantized values.
    pub noise: f64,
    /// Sum of squares of the values.
    pub signal: f64,
}

impl QuantizationError {
    /// Signal-to-noise ratio in dB; infinite where quantization changed nothing, minus infinite where it made something of zeros.
    pub fn decibels(&self) -> f64 {
        if self.noise == 0.0 { f64::INFINITY } else { 10.0 * (self.signal / self.noise).log10() }
    }

    /// Both together.
    pub fn with(self, other: &Self) -> Self {
        QuantizationError { noise: self.noise + other.noise, signal: self.signal + other.signal }
    }

    /// Counts values, and what they were quantized to.
    pub fn add(&mut self, originals: &[f32], quantized: &[f32]) {
        for (originals, quantized) in originals.chunks(BLOCK).zip(quantized.chunks(BLOCK)) {
            let (mut noise, mut signal) = (0.0f32, 0.0f32);
            for (x, q) in originals.iter().zip(quantized) {
                noise += (q - x) * (q - x);
                signal += x * x;
            }
            self.add_sums(noise, signal);
        }
    }

    /// Counts one value.
    pub(super) fn add_one(&mut self, original: f32, quantized: f32) {
        let (x, q) = (f64::from(original), f64::from(quantized));
        self.noise += (q - x) * (q - x);
        self.signal += x * x;
    }

    /// Adds sums that were made in f32.
    fn add_sums(&mut self, noise: f32, signal: f32) {
        self.noise += f64::from(noise);
        self.signal += f64::from(signal);
    }
}

impl<'e> Sum<&'e QuantizationError> for QuantizationError {
    fn sum<I: Iterator<Item = &'e QuantizationError>>(errors: I) -> Self {
        errors.fold(QuantizationError::default(), QuantizationError::with)
    }
}

/// Adds sums of several channels, one a lane.
pub(super) fn add_lanes(channels: &mut [QuantizationError], noise: &[f32], signal: &[f32]) {
    for ((channel, noise), signal) in channels.iter_mut().zip(noise).zip(signal) {
        channel.add_sums(*noise, *signal);
    }
}

/// Counts the values of a few pixels, and what they were quantized to, channel by channel: so few that their squares can be
/// added up in f32.
pub(super) fn add_pixels(channels: &mut [QuantizationError], originals: Pixels<'_>, quantized: Pixels<'_>) {
    dispatch!(Level::new(), simd => add_pixels_with(simd, channels, originals, quantized));
}

#[inline(always)]
fn add_pixels_with<S: Simd>(
    simd: S,
    channels: &mut [QuantizationError],
    originals: Pixels<'_>,
    quantized: Pixels<'_>,
) {
    let count = channels.len();
    let (lanes, rest) = channels.as_chunks_mut::<LANES>();
    let first_of_rest = lanes.len() * LANES;
    for (index, channels) in lanes.iter_mut().enumerate() {
        let first = index * LANES;
        let (mut noise, mut signal) = (f32x8::splat(simd, 0.0), f32x8::splat(simd, 0.0));
        for (x, q) in originals.iter(count).zip(quantized.iter(count)) {
            let of = |pixel: &[f32]| f32x8::from_slice(simd, &pixel[first..][..LANES]);
            let (x, q) = (of(x), of(q));
            noise += (q - x) * (q - x);
            signal += x * x;
        }
        add_lanes(channels, noise.as_slice(), signal.as_slice());
    }
    for (x, q) in originals.iter(count).zip(quantized.iter(count)) {
        let pairs = x[first_of_rest..].iter().zip(&q[first_of_rest..]);
        rest.iter_mut().zip(pairs).for_each(|(channel, (x, q))| channel.add_one(*x, *q));
    }
}
