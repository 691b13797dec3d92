//! What quantization does to values, in sums of squares.

use super::pixels::Pixels;
use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x8};

/// Values whose errors are added up in f32 before they go into f64.
const BLOCK: usize = 256;

/// What a layer's quantizer did to its input during one run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct QuantizationError {
    /// Sum of squared differences between input and quantized input.
    pub noise: f64,
    /// Sum of squares of the input.
    pub signal: f64,
}

impl QuantizationError {
    /// Signal-to-noise ratio in dB; infinite where quantization changed nothing.
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
            let pair = std::iter::once((originals, quantized));
            dispatch!(Level::new(), simd => self.add_block(simd, pair));
        }
    }

    /// Counts the values of a few pixels, and what they were quantized to, `[pixels, channels]`.
    pub(super) fn add_pixels(&mut self, originals: Pixels<'_>, quantized: &[f32], channels: usize) {
        let pairs = originals.iter(channels).zip(quantized.chunks_exact(channels));
        dispatch!(Level::new(), simd => self.add_block(simd, pairs));
    }

    /// Counts so few values that their squares can be added up in f32.
    #[inline(always)]
    pub(super) fn add_block<'v, S: Simd>(
        &mut self,
        simd: S,
        pairs: impl Iterator<Item = (&'v [f32], &'v [f32])>,
    ) {
        let (mut noise, mut signal) = (f32x8::splat(simd, 0.0), f32x8::splat(simd, 0.0));
        for (xs, qs) in pairs {
            let ((xs, x_rest), (qs, q_rest)) = (xs.as_chunks::<8>(), qs.as_chunks::<8>());
            for (x, q) in xs.iter().zip(qs) {
                let (x, q) = (f32x8::from_slice(simd, x), f32x8::from_slice(simd, q));
                noise += (q - x) * (q - x);
                signal += x * x;
            }
            x_rest.iter().zip(q_rest).for_each(|(x, q)| self.add_one(*x, *q));
        }
        self.add_sums(noise.as_slice(), signal.as_slice());
    }

    /// Counts one value.
    pub(super) fn add_one(&mut self, original: f32, quantized: f32) {
        let (x, q) = (f64::from(original), f64::from(quantized));
        self.noise += (q - x) * (q - x);
        self.signal += x * x;
    }

    /// Adds sums that were gathered in lanes.
    pub(super) fn add_sums(&mut self, noise: &[f32], signal: &[f32]) {
        self.noise += noise.iter().map(|lane| f64::from(*lane)).sum::<f64>();
        self.signal += signal.iter().map(|lane| f64::from(*lane)).sum::<f64>();
    }
}
