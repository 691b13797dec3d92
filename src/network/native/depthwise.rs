//! Depthwise convolutions, of one input for each output: lanes are channels, and sums stay in registers over all taps.

use super::matrix::{Left, NARROW};
use super::winograd::Finish;
use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x4};

/// Pixels that are computed at once.
const PIXELS: usize = 4;

/// Of pixels whose upper left taps the rows of `input` are, with all channels, to `lines`; `weights` lie tap by tap.
#[inline(always)]
pub fn convolve<S: Simd>(simd: S, input: Left, weights: &[f32], finish: Finish, lines: &mut [f32]) {
    let channels = input.length;
    let whole = channels - channels % S::f32s::LEN;
    for first in (0..whole).step_by(S::f32s::LEN) {
        vectors::<S, S::f32s>(simd, input, weights, finish, first, lines);
    }
    let fours = channels - channels % NARROW;
    for first in (whole..fours).step_by(NARROW) {
        vectors::<S, f32x4<S>>(simd, input, weights, finish, first, lines);
    }
    for channel in fours..channels {
        for (start, line) in input.rows.iter().zip(lines.chunks_exact_mut(channels)) {
            let products = input.parts.iter().zip(weights.chunks_exact(channels));
            let add = |sum, (part, weights): (&usize, &[f32])| {
                sum + input.values[start + part + channel] * weights[channel]
            };
            let sum = products.fold(0.0, add) + finish.bias[channel];
            line[channel] = if sum < finish.lower { finish.lower } else { sum };
        }
    }
}

/// So many channels as a vector has, from this one on.
#[inline(always)]
fn vectors<S: Simd, V: SimdFloat<S, Element = f32>>(
    simd: S,
    input: Left,
    weights: &[f32],
    finish: Finish,
    first: usize,
    lines: &mut [f32],
) {
    let (channels, finish) = (input.length, finish.from(first));
    let mut starts = [0; PIXELS];
    for (rows, lines) in input.rows.chunks(PIXELS).zip(lines.chunks_mut(PIXELS * channels)) {
        // The last ones are done together with the first again where there are fewer.
        starts.iter_mut().enumerate().for_each(|(at, start)| *start = rows[at % rows.len()] + first);
        let mut sums = [V::splat(simd, 0.0); PIXELS];
        for (part, weights) in input.parts.iter().zip(weights.chunks_exact(channels)) {
            let weights = V::from_slice(simd, &weights[first..][..V::LEN]);
            for pixel in 0..PIXELS {
                let values = V::from_slice(simd, &input.values[starts[pixel] + part..][..V::LEN]);
                sums[pixel] += values * weights;
            }
        }
        for (line, sum) in lines.chunks_exact_mut(channels).zip(sums) {
            finish.of(simd, sum).store_slice(&mut line[first..][..V::LEN]);
        }
    }
}
