//! The transforms of Winograd's F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308), with the points 0, 1, -1, 2, -2.

use fearless_simd::Simd;
use fearless_simd::prelude::*;

/// Outputs along a tile's side.
pub const TILE: usize = 4;
/// Inputs along the side of what a tile is computed from.
const SIDE: usize = 6;
/// Products for a tile and a pair of channels.
pub const POINTS: usize = SIDE * SIDE;

/// Where a tile's inputs begin.
pub struct Source<'a> {
    pub values: &'a [f32],
    /// From one row to the next.
    pub row: usize,
    /// From one pixel to the next.
    pub pixel: usize,
}

/// `G k Gᵀ` of a 3x3 kernel, computed in f64.
pub fn transform_kernel(kernel: &[f32; 9]) -> [f32; POINTS] {
    const G: [[f64; 3]; SIDE] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    let half: [[f64; 3]; SIDE] =
        G.map(|g| std::array::from_fn(|x| (0..3).map(|y| g[y] * f64::from(kernel[y * 3 + x])).sum()));
    std::array::from_fn(|point| {
        let (line, g) = (half[point / SIDE], G[point % SIDE]);
        (0..3).map(|x| line[x] * g[x]).sum::<f64>() as f32
    })
}

/// `Bᵀ d` of one line.
#[inline(always)]
fn input_line<S: Simd, V: SimdFloat<S, Element = f32>>(d: [V; SIDE]) -> [V; SIDE] {
    let (a, b) = (d[4] - d[2] * 4.0, d[3] - d[1] * 4.0);
    let (c, e) = (d[4] - d[2], (d[3] - d[1]) * 2.0);
    [d[0] * 4.0 + d[4] - d[2] * 5.0, a + b, a - b, c + e, c - e, d[1] * 4.0 + d[5] - d[3] * 5.0]
}

/// `Aᵀ m` of one line.
#[inline(always)]
fn output_line<S: Simd, V: SimdFloat<S, Element = f32>>(m: [V; SIDE]) -> [V; TILE] {
    let (sum, difference) = (m[1] + m[2], m[1] - m[2]);
    let (far_sum, far_difference) = (m[3] + m[4], m[3] - m[4]);
    [
        m[0] + sum + far_sum,
        difference + far_difference * 2.0,
        sum + far_sum * 4.0,
        difference + far_difference * 8.0 + m[5],
    ]
}

/// Of one tile: point `p` and channel `c` go to `transformed[p * stride + c]`.
#[inline(always)]
pub fn transform_input<S: Simd>(
    simd: S,
    source: &Source,
    channels: usize,
    transformed: &mut [f32],
    stride: usize,
) {
    for first in (0..channels).step_by(S::f32s::LEN) {
        let count = (channels - first).min(S::f32s::LEN);
        let mut half = [[S::f32s::splat(simd, 0.0); SIDE]; SIDE];
        for x in 0..SIDE {
            let column = std::array::from_fn(|y| {
                let at = y * source.row + x * source.pixel + first;
                load::<S>(simd, &source.values[at..at + count])
            });
            let column = input_line::<S, S::f32s>(column);
            (0..SIDE).for_each(|y| half[y][x] = column[y]);
        }
        for y in 0..SIDE {
            let line = input_line::<S, S::f32s>(half[y]);
            for x in 0..SIDE {
                let at = (y * SIDE + x) * stride + first;
                store::<S>(line[x], &mut transformed[at..at + count]);
            }
        }
    }
}

/// Of one tile: from `products[p * stride + c]` to `lines[pixel * channels + c]`.
#[inline(always)]
pub fn transform_output<S: Simd>(
    simd: S,
    products: &[f32],
    stride: usize,
    channels: usize,
    lines: &mut [f32],
) {
    for first in (0..channels).step_by(S::f32s::LEN) {
        let count = (channels - first).min(S::f32s::LEN);
        let mut half = [[S::f32s::splat(simd, 0.0); SIDE]; TILE];
        for x in 0..SIDE {
            let column = std::array::from_fn(|y| {
                let at = (y * SIDE + x) * stride + first;
                load::<S>(simd, &products[at..at + count])
            });
            let column = output_line::<S, S::f32s>(column);
            (0..TILE).for_each(|y| half[y][x] = column[y]);
        }
        for y in 0..TILE {
            let line = output_line::<S, S::f32s>(half[y]);
            for x in 0..TILE {
                let at = (y * TILE + x) * channels + first;
                store::<S>(line[x], &mut lines[at..at + count]);
            }
        }
    }
}

/// As many values as there are, and zeros.
#[inline(always)]
fn load<S: Simd>(simd: S, values: &[f32]) -> S::f32s {
    if values.len() == S::f32s::LEN {
        return S::f32s::from_slice(simd, values);
    }
    let mut vector = S::f32s::splat(simd, 0.0);
    values.iter().enumerate().for_each(|(lane, value)| vector[lane] = *value);
    vector
}

#[inline(always)]
fn store<S: Simd>(vector: S::f32s, values: &mut [f32]) {
    if values.len() == S::f32s::LEN {
        return vector.store_slice(values);
    }
    values.iter_mut().enumerate().for_each(|(lane, value)| *value = vector[lane]);
}
