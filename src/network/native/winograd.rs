//! The transforms of Winograd's F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308), with the points 0, 1, -1, 2, -2: of
//! convolutions, and of their gradient by the kernel, which is the sums of products of two images at nine offsets. A larger
//! kernel is the sum of blocks of 3x3, filled up with zeros; their products are added before they are transformed back.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x4};

/// Outputs along a tile's side.
pub const TILE: usize = 4;
/// Taps along the side of a block of a kernel.
pub const BLOCK: usize = 3;
/// Inputs along the side of what a tile is computed from.
const SIDE: usize = 6;
/// Products for a tile and a pair of channels.
pub const POINTS: usize = SIDE * SIDE;

/// Values to leave between those of one point and those of the next: a cache line, without which all points of a tile may fall
/// into the same few places of the cache.
pub const PADDING: usize = 16;

/// Lanes of the narrowest vectors.
const LANES: usize = 4;

/// Where a tile's inputs begin.
pub struct Source<'a> {
    pub values: &'a [f32],
    /// From one row to the next.
    pub row: usize,
    /// From one pixel to the next.
    pub pixel: usize,
}

impl Source<'_> {
    /// From this channel on.
    #[inline(always)]
    fn from(&self, channel: usize) -> Self {
        Source { values: &self.values[channel..], ..*self }
    }
}

/// What is done to outputs while they are in registers.
#[derive(Debug, Clone, Copy)]
pub struct Finish<'a> {
    /// What is added, by channel.
    pub bias: &'a [f32],
    /// What they are then raised to where they are below it: 0 for a ReLU, minus infinity for nothing.
    pub lower: f32,
}

impl Finish<'_> {
    /// From this channel on.
    #[inline(always)]
    pub fn from(&self, channel: usize) -> Self {
        Finish { bias: &self.bias[channel..], ..*self }
    }

    /// Of a vector of the first channels. NaN stays.
    #[inline(always)]
    pub fn of<S: Simd, V: SimdFloat<S, Element = f32>>(&self, simd: S, values: V) -> V {
        V::splat(simd, self.lower).max(values + V::from_slice(simd, &self.bias[..V::LEN]))
    }
}

const G: [[f64; 3]; SIDE] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// How much of the products of each point belongs to a place of the kernel: with these factors their sum is `Gᵀ m G` there.
pub fn gradient_factors([row, column]: [usize; 2]) -> [f64; POINTS] {
    std::array::from_fn(|point| G[point / SIDE][row] * G[point % SIDE][column])
}

/// Blocks of 3x3 down and across a kernel.
pub fn blocks(kernel: [usize; 2]) -> [usize; 2] {
    kernel.map(|side| side.div_ceil(BLOCK))
}

/// `G k Gᵀ` of the 3x3 taps of a kernel from this row and column on, computed in f64; beyond its sides they are zero.
pub fn transform_kernel(
    kernel: &[f32],
    [height, width]: [usize; 2],
    [top, left]: [usize; 2],
) -> [f32; POINTS] {
    let tap = |y: usize, x: usize| {
        let inside = top + y < height && left + x < width;
        if inside { f64::from(kernel[(top + y) * width + left + x]) } else { 0.0 }
    };
    let half: [[f64; BLOCK]; SIDE] =
        G.map(|g| std::array::from_fn(|x| (0..BLOCK).map(|y| g[y] * tap(y, x)).sum()));
    std::array::from_fn(|point| {
        let (line, g) = (half[point / SIDE], G[point % SIDE]);
        (0..BLOCK).map(|x| line[x] * g[x]).sum::<f64>() as f32
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

/// `A g` of one line.
#[inline(always)]
fn gradient_line<S: Simd, V: SimdFloat<S, Element = f32>>(g: [V; TILE]) -> [V; SIDE] {
    let (even, odd) = (g[0] + g[2], g[1] + g[3]);
    let (far_even, far_odd) = (g[0] + g[2] * 4.0, g[1] * 2.0 + g[3] * 8.0);
    [g[0], even + odd, even - odd, far_even + far_odd, far_even - far_odd, g[3]]
}

/// Of one tile of what is correlated with an input, as [`transform_input`]; the channels are a multiple of four.
#[inline(always)]
pub fn transform_gradient<S: Simd>(
    simd: S,
    source: &Source,
    channels: usize,
    transformed: &mut [f32],
    stride: usize,
) {
    let mut first = 0;
    while first + S::f32s::LEN <= channels {
        gradient_vectors::<S, S::f32s>(simd, &source.from(first), &mut transformed[first..], stride);
        first += S::f32s::LEN;
    }
    while S::f32s::LEN > LANES && first + LANES <= channels {
        gradient_vectors::<S, f32x4<S>>(simd, &source.from(first), &mut transformed[first..], stride);
        first += LANES;
    }
}

/// The first channels of a tile, as many as a vector has.
#[inline(always)]
fn gradient_vectors<S: Simd, V: SimdFloat<S, Element = f32>>(
    simd: S,
    source: &Source,
    transformed: &mut [f32],
    stride: usize,
) {
    let column = [
        gradient_column::<S, V>(simd, source, 0),
        gradient_column::<S, V>(simd, source, 1),
        gradient_column::<S, V>(simd, source, 2),
        gradient_column::<S, V>(simd, source, 3),
    ];
    for y in 0..SIDE {
        let line = gradient_line::<S, V>([column[0][y], column[1][y], column[2][y], column[3][y]]);
        for x in 0..SIDE {
            line[x].store_slice(&mut transformed[(y * SIDE + x) * stride..][..V::LEN]);
        }
    }
}

/// `A g` of one column of a tile.
#[inline(always)]
fn gradient_column<S: Simd, V: SimdFloat<S, Element = f32>>(simd: S, source: &Source, x: usize) -> [V; SIDE] {
    let mut values = [V::splat(simd, 0.0); TILE];
    for y in 0..TILE {
        values[y] = V::from_slice(simd, &source.values[y * source.row + x * source.pixel..][..V::LEN]);
    }
    gradient_line::<S, V>(values)
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
    let mut first = 0;
    while first + S::f32s::LEN <= channels {
        input_vectors::<S, S::f32s>(simd, &source.from(first), &mut transformed[first..], stride);
        first += S::f32s::LEN;
    }
    while S::f32s::LEN > LANES && first + LANES <= channels {
        input_vectors::<S, f32x4<S>>(simd, &source.from(first), &mut transformed[first..], stride);
        first += LANES;
    }
    if first == channels {
        return;
    }
    // What is left fills a part of a vector.
    let left = channels - first;
    let mut values = [0.0; POINTS * LANES];
    for (at, to) in values.chunks_exact_mut(LANES).enumerate() {
        let from = &source.values[at / SIDE * source.row + at % SIDE * source.pixel + first..][..left];
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
    let last = Source { values: &values, row: SIDE * LANES, pixel: LANES };
    let mut points = [0.0; POINTS * LANES];
    input_vectors::<S, f32x4<S>>(simd, &last, &mut points, LANES);
    for (point, from) in points.chunks_exact(LANES).enumerate() {
        let to = &mut transformed[point * stride + first..][..left];
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// The first channels of a tile, as many as a vector has.
#[inline(always)]
fn input_vectors<S: Simd, V: SimdFloat<S, Element = f32>>(
    simd: S,
    source: &Source,
    transformed: &mut [f32],
    stride: usize,
) {
    // Written out: as a loop it is not unrolled, and what is to stay in registers goes through memory.
    let column = [
        input_column::<S, V>(simd, source, 0),
        input_column::<S, V>(simd, source, 1),
        input_column::<S, V>(simd, source, 2),
        input_column::<S, V>(simd, source, 3),
        input_column::<S, V>(simd, source, 4),
        input_column::<S, V>(simd, source, 5),
    ];
    for y in 0..SIDE {
        let line = [column[0][y], column[1][y], column[2][y], column[3][y], column[4][y], column[5][y]];
        let line = input_line::<S, V>(line);
        for x in 0..SIDE {
            line[x].store_slice(&mut transformed[(y * SIDE + x) * stride..][..V::LEN]);
        }
    }
}

/// `Bᵀ d` of one column of a tile.
#[inline(always)]
fn input_column<S: Simd, V: SimdFloat<S, Element = f32>>(simd: S, source: &Source, x: usize) -> [V; SIDE] {
    let mut values = [V::splat(simd, 0.0); SIDE];
    for y in 0..SIDE {
        values[y] = V::from_slice(simd, &source.values[y * source.row + x * source.pixel..][..V::LEN]);
    }
    input_line::<S, V>(values)
}

/// Of one tile: from `products[p * stride + c]` to `lines[p * pixel + c]`. Products and biases are padded to whole vectors.
#[inline(always)]
pub fn transform_output<S: Simd>(
    simd: S,
    products: &[f32],
    stride: usize,
    channels: usize,
    finish: Finish,
    (lines, pixel): (&mut [f32], usize),
) {
    let whole = channels - channels % S::f32s::LEN;
    for first in (0..whole).step_by(S::f32s::LEN) {
        let (products, finish) = (&products[first..], finish.from(first));
        output_vectors::<S, S::f32s>(simd, products, stride, finish, &mut lines[first..], pixel);
    }
    for first in (whole..channels).step_by(LANES) {
        let (products, finish) = (&products[first..], finish.from(first));
        let mut pixels = [0.0; TILE * TILE * LANES];
        output_vectors::<S, f32x4<S>>(simd, products, stride, finish, &mut pixels, LANES);
        let count = LANES.min(channels - first);
        for (line, values) in lines[first..].chunks_mut(pixel).zip(pixels.chunks_exact(LANES)) {
            line[..count].copy_from_slice(&values[..count]);
        }
    }
}

/// The first channels of a tile, as many as a vector has.
#[inline(always)]
fn output_vectors<S: Simd, V: SimdFloat<S, Element = f32>>(
    simd: S,
    products: &[f32],
    stride: usize,
    finish: Finish,
    lines: &mut [f32],
    pixel: usize,
) {
    let column = [
        output_column::<S, V>(simd, products, stride, 0),
        output_column::<S, V>(simd, products, stride, 1),
        output_column::<S, V>(simd, products, stride, 2),
        output_column::<S, V>(simd, products, stride, 3),
        output_column::<S, V>(simd, products, stride, 4),
        output_column::<S, V>(simd, products, stride, 5),
    ];
    for y in 0..TILE {
        let line = [column[0][y], column[1][y], column[2][y], column[3][y], column[4][y], column[5][y]];
        let line = output_line::<S, V>(line);
        for x in 0..TILE {
            finish.of(simd, line[x]).store_slice(&mut lines[(y * TILE + x) * pixel..][..V::LEN]);
        }
    }
}

/// `Aᵀ m` of one column of a tile.
#[inline(always)]
fn output_column<S: Simd, V: SimdFloat<S, Element = f32>>(
    simd: S,
    products: &[f32],
    stride: usize,
    x: usize,
) -> [V; TILE] {
    let mut values = [V::splat(simd, 0.0); SIDE];
    for y in 0..SIDE {
        values[y] = V::from_slice(simd, &products[(y * SIDE + x) * stride..][..V::LEN]);
    }
    output_line::<S, V>(values)
}
