//! The matrix product that convolutions and the Gram matrices of `dfsq-opt` come down to. Sums run in one order without fused
//! multiply-add, so that the result is the same, bit for bit, whatever the vectors' width.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x4};
use std::ops::Range;

/// Columns that are computed at once: one to four vectors.
const WIDE: usize = 16;
/// Columns of what is left, and lanes of the narrowest vectors.
pub const NARROW: usize = 4;
/// Rows of which a batch should have a multiple: as many as are computed at once, or several times that.
pub const ROWS: usize = if cfg!(target_arch = "wasm32") { 6 } else { 12 };

/// The right-hand matrix, in panels of a few columns, each row by row.
#[derive(Debug, Clone)]
pub struct Panels {
    rows: usize,
    wide: Vec<f32>,
    narrow: Vec<f32>,
}

impl Panels {
    /// From `value(row, column)`; what is beyond the last column is zero.
    pub fn new(rows: usize, columns: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let left = columns % WIDE;
        let narrow = if left > WIDE - NARROW { 0 } else { left.div_ceil(NARROW) };
        let wide = (columns - (narrow * NARROW).min(left)).div_ceil(WIDE);
        let pack = |first: usize, panels: usize, width: usize| {
            let mut packed = Vec::with_capacity(panels * rows * width);
            for panel in 0..panels {
                for row in 0..rows {
                    packed.extend((0..width).map(|column| {
                        let column = first + panel * width + column;
                        if column < columns { value(row, column) } else { 0.0 }
                    }));
                }
            }
            packed
        };
        Panels { rows, wide: pack(0, wide, WIDE), narrow: pack(wide * WIDE, narrow, NARROW) }
    }

    /// Columns with those that fill the last panel.
    pub fn columns(&self) -> usize {
        (self.wide.len() + self.narrow.len()) / self.rows
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// `products[row][column] = sum of left[row][i] * panels[i][column]`, in the order of i, which runs through the panels' rows
/// `across` in as many equal parts as there are taps; `left(row, tap)` are a row's values of one tap.
#[inline(always)]
pub fn multiply<'a, S: Simd>(
    simd: S,
    rows: usize,
    left: impl Fn(usize, usize) -> &'a [f32],
    taps: usize,
    panels: &Panels,
    across: Range<usize>,
    products: &mut [f32],
) {
    let stride = panels.columns();
    let wide = panels.wide.chunks_exact(panels.rows * WIDE);
    let first_narrow = wide.len() * WIDE;
    for (index, panel) in wide.enumerate() {
        let panel = &panel[across.start * WIDE..across.end * WIDE];
        let products = &mut products[index * WIDE..];
        // Constants: one of these remains.
        if S::f32s::LEN >= WIDE {
            column::<S, S::f32s, 12, 1>(simd, rows, &left, taps, panel, products, stride);
        } else if S::f32s::LEN * 2 == WIDE {
            column::<S, S::f32s, 6, 2>(simd, rows, &left, taps, panel, products, stride);
        } else if cfg!(target_arch = "wasm32") {
            // With 15 registers, two rows of four vectors need no more in whatever order the compilers put them. An
            // unrolled loop needs more: LLVM goes through all of it row by row, and browsers spill.
            column::<S, f32x4<S>, 2, { WIDE / 4 }>(simd, rows, &left, taps, panel, products, stride);
        } else {
            column::<S, f32x4<S>, 3, { WIDE / 4 }>(simd, rows, &left, taps, panel, products, stride);
        }
    }
    for (index, panel) in panels.narrow.chunks_exact(panels.rows * NARROW).enumerate() {
        let panel = &panel[across.start * NARROW..across.end * NARROW];
        let products = &mut products[first_narrow + index * NARROW..];
        column::<S, f32x4<S>, 6, 1>(simd, rows, &left, taps, panel, products, stride);
    }
}

/// `products[row][column] += sum of left[i][row] * right[i][column]`, in the order of i. Rows and columns are multiples of
/// [`NARROW`].
pub fn add_transposed(left: (&[f32], usize), right: (&[f32], usize), products: &mut [f32]) {
    dispatch!(Level::new(), simd => transposed(simd, left, right, products));
}

#[inline(always)]
fn transposed<S: Simd>(
    simd: S,
    (left, rows): (&[f32], usize),
    (right, columns): (&[f32], usize),
    products: &mut [f32],
) {
    let mut column = 0;
    while column + 2 * S::f32s::LEN <= columns {
        transposed_column::<S, S::f32s, 2>(simd, (left, rows), (right, columns), column, products);
        column += 2 * S::f32s::LEN;
    }
    while column + NARROW <= columns {
        transposed_column::<S, f32x4<S>, 1>(simd, (left, rows), (right, columns), column, products);
        column += NARROW;
    }
}

/// All rows of as many columns as these vectors have.
#[inline(always)]
fn transposed_column<S: Simd, V: SimdFloat<S, Element = f32>, const VECTORS: usize>(
    simd: S,
    (left, rows): (&[f32], usize),
    (right, columns): (&[f32], usize),
    column: usize,
    products: &mut [f32],
) {
    let width = VECTORS * V::LEN;
    for row in (0..rows).step_by(NARROW) {
        let mut sums = [[V::splat(simd, 0.0); VECTORS]; NARROW];
        for (left, right) in left[row..].chunks(rows).zip(right[column..].chunks(columns)) {
            let Some(values) = left.first_chunk::<NARROW>() else { break };
            step(simd, &mut sums, *values, &right[..width]);
        }
        for (sums, products) in sums.iter().zip(products[row * columns + column..].chunks_mut(columns)) {
            for (sum, products) in sums.iter().zip(products.chunks_exact_mut(V::LEN)) {
                (V::from_slice(simd, products) + *sum).store_slice(products);
            }
        }
    }
}

/// One panel: all rows, `ROWS` at a time.
#[inline(always)]
fn column<'a, S: Simd, V: SimdFloat<S, Element = f32>, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    rows: usize,
    left: &impl Fn(usize, usize) -> &'a [f32],
    taps: usize,
    panel: &[f32],
    products: &mut [f32],
    stride: usize,
) {
    let mut row = 0;
    while row + ROWS <= rows {
        block::<S, V, ROWS, VECTORS>(simd, row, left, taps, panel, &mut products[row * stride..], stride);
        row += ROWS;
    }
    while row < rows {
        block::<S, V, 1, VECTORS>(simd, row, left, taps, panel, &mut products[row * stride..], stride);
        row += 1;
    }
}

#[inline(always)]
fn block<'a, S: Simd, V: SimdFloat<S, Element = f32>, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    first: usize,
    left: &impl Fn(usize, usize) -> &'a [f32],
    taps: usize,
    panel: &[f32],
    products: &mut [f32],
    stride: usize,
) {
    let width = VECTORS * V::LEN;
    let mut sums = [[V::splat(simd, 0.0); VECTORS]; ROWS];
    for (tap, panel) in panel.chunks_exact(panel.len() / taps).enumerate() {
        let rows: [&[f32]; ROWS] = std::array::from_fn(|row| left(first + row, tap));
        let length = panel.len() / width;
        let rows = rows.map(|row| &row[..length]);
        for (at, weights) in (0..length).zip(panel.chunks_exact(width)) {
            step(simd, &mut sums, rows.map(|row| row[at]), weights);
        }
    }
    for row in 0..ROWS {
        for j in 0..VECTORS {
            sums[row][j].store_slice(&mut products[row * stride + j * V::LEN..][..V::LEN]);
        }
    }
}

/// Adds the products of one value of each row with a panel's row.
#[inline(always)]
fn step<S: Simd, V: SimdFloat<S, Element = f32>, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    sums: &mut [[V; VECTORS]; ROWS],
    values: [f32; ROWS],
    weights: &[f32],
) {
    let weights: [V; VECTORS] =
        std::array::from_fn(|j| V::from_slice(simd, &weights[j * V::LEN..][..V::LEN]));
    for row in 0..ROWS {
        let value = V::splat(simd, values[row]);
        for j in 0..VECTORS {
            sums[row][j] += value * weights[j];
        }
    }
}
