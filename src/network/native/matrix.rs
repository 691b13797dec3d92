//! The matrix product that convolutions and the Gram matrices of `dfsq-opt` come down to. Sums run in one order without fused
//! multiply-add, so that the result is the same, bit for bit, whatever the vectors' width.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x4};

/// Columns that are computed at once: one to four vectors.
const WIDE: usize = 16;
/// Lanes of the narrowest vectors, of which what is left has one to three.
pub const NARROW: usize = 4;
/// Rows of which a batch should have a multiple: as many as are computed at once, or several times that.
pub const ROWS: usize = if cfg!(target_arch = "wasm32") { 6 } else { 12 };

/// The left-hand matrix: rows in parts of one length, which may lie anywhere.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    pub values: &'a [f32],
    /// Where each row begins.
    pub rows: &'a [usize],
    /// Where each of a row's parts begins, from there on.
    pub parts: &'a [usize],
    /// Of a part.
    pub length: usize,
}

/// The right-hand matrix, in panels of a few columns, each row by row.
#[derive(Debug, Clone)]
pub struct Panels {
    rows: usize,
    wide: Vec<f32>,
    /// The last one, of what is left to [`WIDE`] columns.
    narrow: Vec<f32>,
}

impl Panels {
    /// From `value(row, column)`; what is beyond the last column is zero.
    pub fn new(rows: usize, columns: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let left = (columns % WIDE).next_multiple_of(NARROW) % WIDE;
        let first_narrow = columns.next_multiple_of(NARROW) - left;
        let pack = |first: usize, end: usize, width: usize| {
            let mut packed = Vec::with_capacity((end - first) * rows);
            for panel in (first..end).step_by(width.max(1)) {
                for row in 0..rows {
                    let column = |at| if at < columns { value(row, at) } else { 0.0 };
                    packed.extend((panel..panel + width).map(column));
                }
            }
            packed
        };
        let narrow = pack(first_narrow, first_narrow + left, left);
        Panels { rows, wide: pack(0, first_narrow, WIDE), narrow }
    }

    /// Columns with those that fill the last panel.
    pub fn columns(&self) -> usize {
        (self.wide.len() + self.narrow.len()) / self.rows
    }
}

/// `products[row][column] = sum of left[row][i] * panels[i][column]`, in the order of i.
// Browsers have one level, and once in their program is enough; elsewhere it is compiled for each.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub fn multiply<S: Simd>(simd: S, left: Left, panels: &Panels, products: &mut [f32]) {
    let stride = panels.columns();
    let wide = panels.wide.chunks_exact(panels.rows * WIDE);
    let first_narrow = wide.len() * WIDE;
    for (index, panel) in wide.enumerate() {
        let products = &mut products[index * WIDE..];
        // Constants: one of these remains.
        if S::f32s::LEN >= WIDE {
            column::<S, S::f32s, 12, 1>(simd, left, panel, products, stride);
        } else if S::f32s::LEN * 2 == WIDE {
            column::<S, S::f32s, 6, 2>(simd, left, panel, products, stride);
        } else if cfg!(target_arch = "wasm32") {
            // With 15 registers, two rows of four vectors need no more in whatever order the compilers put them. An
            // unrolled loop needs more: LLVM goes through all of it row by row, and browsers spill.
            column::<S, f32x4<S>, 2, { WIDE / 4 }>(simd, left, panel, products, stride);
        } else {
            column::<S, f32x4<S>, 3, { WIDE / 4 }>(simd, left, panel, products, stride);
        }
    }
    let (panel, products) = (&panels.narrow[..], &mut products[first_narrow..]);
    match (stride - first_narrow) / NARROW {
        1 => column::<S, f32x4<S>, 6, 1>(simd, left, panel, products, stride),
        2 => column::<S, f32x4<S>, 3, 2>(simd, left, panel, products, stride),
        3 => column::<S, f32x4<S>, 3, 3>(simd, left, panel, products, stride),
        _ => {}
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
fn column<S: Simd, V: SimdFloat<S, Element = f32>, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    left: Left,
    panel: &[f32],
    products: &mut [f32],
    stride: usize,
) {
    let mut row = 0;
    while row + ROWS <= left.rows.len() {
        block::<S, V, ROWS, VECTORS>(simd, row, left, panel, &mut products[row * stride..], stride);
        row += ROWS;
    }
    while row < left.rows.len() {
        block::<S, V, 1, VECTORS>(simd, row, left, panel, &mut products[row * stride..], stride);
        row += 1;
    }
}

#[inline(always)]
fn block<S: Simd, V: SimdFloat<S, Element = f32>, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    first: usize,
    left: Left,
    panel: &[f32],
    products: &mut [f32],
    stride: usize,
) {
    let width = VECTORS * V::LEN;
    let mut sums = [[V::splat(simd, 0.0); VECTORS]; ROWS];
    let Some(starts) = left.rows[first..].first_chunk::<ROWS>() else { return };
    for (part, panel) in left.parts.iter().zip(panel.chunks_exact(left.length * width)) {
        // Closures over arrays are called, not put in, in browsers.
        let mut rows = [&[][..]; ROWS];
        for (row, start) in rows.iter_mut().zip(starts) {
            *row = &left.values[start + part..][..left.length];
        }
        for (at, weights) in (0..left.length).zip(panel.chunks_exact(width)) {
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
