//! Compensated rounding: the errors of weights that are rounded are made up for by those that are still to be.
//!
//! A layer of the quantized network gets inputs `u'` where the full-precision network has `u`, and should give the same
//! output `y = W u`. Over all positions ([`moments`](super::moments)), with covariances `H = cov(u', u')` and `G = cov(y, u')`:
//!
//! 1. Refit: `W* = (G + l W) (H + l I)^-1`, the least-squares weights for `u'`, with `l` a share of H's mean diagonal.
//! 2. Grid: each kernel (row) of `W*` gets mean, range and exactly chosen points, or a uniform grid.
//! 3. Round one input after another, the ones of largest variance first. With `H + l I = R R'`, R upper triangular, and
//!    `e_i` the error of input i, input k's weight is rounded after adding the sum of `e_i R_ik / R_kk` over i < k, which
//!    makes up for the errors so far as well as it can. This is the recurrence of OBQ and GPTQ, without an inverse.
//! 4. Bias: `mean(y) - W' mean(u')` is added to it.

use super::kernels::{CodedKernels, KernelGrid, WeightGrid};
use super::moments::Moments;
use super::{BitWidth, UniversalSet};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

/// Rows of a block in blocked matrix algorithms.
const BLOCK: usize = 96;

/// How weights are compensated.
#[derive(Debug, Clone, Copy)]
pub struct Compensation {
    /// What the weights are rounded to.
    pub grid: WeightGrid,
    /// Bits of a weight.
    pub bits: BitWidth,
    /// Added to H's diagonal, as a share of its mean.
    pub damping: f32,
    /// Times that mean and range of each kernel are fitted to its codes, and the weights rounded again.
    pub refits: usize,
}

/// Compensated kernels of a layer, and the change of its bias.
pub struct Compensated {
    /// The kernels.
    pub kernels: CodedKernels,
    /// To be added to the bias.
    pub bias_change: Vec<f32>,
}

/// How weights are rounded to their grid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::ValueEnum))]
pub enum Rounding {
    /// Each to the nearest value (the paper).
    Nearest,
    /// One after another, each making up for the errors before it.
    #[default]
    Compensated,
}

/// Rounds `weights`, shape `[kernels, inputs]`, with compensation.
///
/// `None` where the moments or weights are not finite.
pub fn compensate(
    weights: ArrayView2<'_, f32>,
    moments: &Moments,
    universal: &UniversalSet,
    options: Compensation,
) -> Option<Compensated> {
    let (mut h, g) = moments.covariances();
    let (input_mean, output_mean) = moments.means();
    let n = h.nrows();
    let damping = options.damping * h.diag().mean().unwrap_or(0.0) + f32::MIN_POSITIVE;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| h[[*b, *b]].total_cmp(&h[[*a, *a]]));
    h.diag_mut().mapv_inplace(|v| v + damping);

    // With the inputs in reverse order, the upper factor is the lower one of the ordinary Cholesky decomposition.
    let reversed: Vec<usize> = order.iter().rev().copied().collect();
    let mut lower = reordered(&h, &reversed);
    cholesky(&mut lower)?;

    let wanted = (&g + &(&weights * damping)).select(Axis(1), &reversed);
    let fitted = solve(&lower, wanted);

    // L[r, c] of the reversed order is R[i, k] of ours, with i = n - 1 - r <= k = n - 1 - c. Row k of `push` holds
    // R[i, k] / R[k, k] for all i < k.
    let push = Array2::from_shape_fn((n, n), |(k, i)| {
        if i < k { lower[[n - 1 - i, n - 1 - k]] / lower[[n - 1 - k, n - 1 - k]] } else { 0.0 }
    });
    let ordered_h = reordered(&h, &order);

    let mut rows = Vec::with_capacity(weights.nrows());
    let mut bias_change = Vec::with_capacity(weights.nrows());
    for (kernel, fitted) in fitted.outer_iter().enumerate() {
        // In the order of rounding.
        let target: Vec<f32> = fitted.iter().rev().copied().collect();
        let mut grid = KernelGrid::fit(&target, options.grid, universal, options.bits)?;
        let mut codes = round(&target, &push, &grid);
        for _ in 0..options.refits {
            let Some((mean, range)) = refit(&target, &codes, &grid, ordered_h.view()) else { break };
            let next = grid.moved(mean, range);
            let again = round(&target, &push, &next);
            (grid, codes) = (next, again);
        }
        let mut own = vec![0; n];
        let mut output = 0.0;
        for (input, code) in order.iter().zip(&codes) {
            own[*input] = *code;
            output += f64::from(grid.weight(*code)) * input_mean[*input];
        }
        bias_change.push((output_mean[kernel] - output) as f32);
        rows.push((grid, own));
    }
    Some(Compensated { kernels: CodedKernels::from_rows(rows), bias_change })
}

/// The codes of one kernel, input after input.
fn round(target: &[f32], push: &Array2<f32>, grid: &KernelGrid) -> Vec<u8> {
    let mut errors: Vec<f32> = Vec::with_capacity(target.len());
    let mut codes = Vec::with_capacity(target.len());
    for (weight, push) in target.iter().zip(push.outer_iter()) {
        let made_up = ArrayView1::from(&errors).dot(&push.slice(s![..errors.len()]));
        let code = grid.code(weight + made_up);
        errors.push(weight - grid.weight(code));
        codes.push(code);
    }
    codes
}

/// Mean and range with which the codes come nearest to `target` in the layer's output: the least of
/// `(m 1 + r p - w)' H (m 1 + r p - w)` with p the codes' points. `None` if the points do not determine both.
fn refit(target: &[f32], codes: &[u8], grid: &KernelGrid, h: ArrayView2<'_, f32>) -> Option<(f32, f32)> {
    let points = Array1::from_iter(codes.iter().map(|code| grid.value(*code)));
    let ones = Array1::ones(points.len());
    let target = Array1::from(target.to_vec());
    let (h_points, h_ones) = (h.dot(&points), h.dot(&ones));
    let product = |a: &Array1<f32>, b: &Array1<f32>| {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    let (pp, po, oo) = (product(&points, &h_points), product(&ones, &h_points), product(&ones, &h_ones));
    let (pt, ot) = (product(&target, &h_points), product(&target, &h_ones));
    let determinant = pp * oo - po * po;
    if determinant <= 1e-9 * pp * oo {
        return None;
    }
    let (mean, range) = ((pp * ot - po * pt) / determinant, (oo * pt - po * ot) / determinant);
    (range > 0.0 && mean.is_finite()).then_some((mean as f32, range as f32))
}

/// Replaces a symmetric positive matrix (of which only the lower triangle is read) by its lower Cholesky factor. `None`
/// if it is not positive. Blocked, so that nearly all of the work is matrix products.
fn cholesky(a: &mut Array2<f32>) -> Option<()> {
    let n = a.nrows();
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        // Take away what the finished columns explain of this block column.
        let (finished, mut rest) = a.view_mut().split_at(Axis(1), start);
        let block = finished.slice(s![start..end, ..]);
        general_mat_mul(
            -1.0,
            &finished.slice(s![start.., ..]),
            &block.t(),
            1.0,
            &mut rest.slice_mut(s![start.., ..end - start]),
        );
        for j in start..end {
            let row = a.slice(s![j, start..j]).to_owned();
            let pivot = a[[j, j]] - row.dot(&row);
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            let root = pivot.sqrt();
            a[[j, j]] = root;
            for i in j + 1..n {
                let known = a.slice(s![i, start..j]).dot(&row);
                a[[i, j]] = (a[[i, j]] - known) / root;
            }
        }
    }
    for i in 0..n {
        a.slice_mut(s![i, i + 1..]).fill(0.0);
    }
    Some(())
}

/// `b (L L')^-1` for every row of `b`, given the lower factor L.
fn solve(lower: &Array2<f32>, mut b: Array2<f32>) -> Array2<f32> {
    let n = lower.nrows();
    let upper = lower.t().as_standard_layout().into_owned();
    for mut x in b.outer_iter_mut() {
        for i in 0..n {
            let known = lower.slice(s![i, ..i]).dot(&x.slice(s![..i]));
            x[i] = (x[i] - known) / lower[[i, i]];
        }
        for i in (0..n).rev() {
            let known = upper.slice(s![i, i + 1..]).dot(&x.slice(s![i + 1..]));
            x[i] = (x[i] - known) / lower[[i, i]];
        }
    }
    b
}

/// Rows and columns in another order, row by row in memory.
fn reordered(matrix: &Array2<f32>, order: &[usize]) -> Array2<f32> {
    Array2::from_shape_fn(matrix.dim(), |(i, j)| matrix[[order[i], order[j]]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::moments::Window;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// Correlated inputs, as neighbouring pixels are: sums of a few common sources and some noise.
    fn inputs(positions: usize, n: usize, rng: &mut fastrand::Rng) -> Array2<f32> {
        let sources = Array2::from_shape_fn((positions, 5), |_| rng.f32() - 0.3);
        let mixing = Array2::from_shape_fn((5, n), |_| rng.f32() * 2.0 - 1.0);
        sources.dot(&mixing) + Array2::from_shape_fn((positions, n), |_| 0.2 * rng.f32() + 0.5)
    }

    /// Of a convolution of 1 x 1, whose positions are the pixels.
    fn moments(inputs: &Array2<f32>, outputs: &Array2<f32>) -> Moments {
        let window = Window { kernel: [1, 1], size: [1, inputs.nrows()] };
        let mut moments = Moments::new(window, inputs.ncols(), outputs.ncols());
        moments.add(&inputs.t().to_owned(), &outputs.t().to_owned());
        moments
    }

    fn squares(a: &Array2<f32>) -> f64 {
        a.iter().map(|v| f64::from(*v).powi(2)).sum()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_factor_times_itself_is_the_matrix_and_solving_undoes_it() {
        let mut rng = fastrand::Rng::with_seed(1);
        for n in [1, 7, BLOCK, 2 * BLOCK + 13] {
            let x = inputs(2 * n + 3, n, &mut rng);
            let matrix = x.t().dot(&x) + Array2::<f32>::eye(n);
            let mut lower = matrix.clone();
            cholesky(&mut lower).unwrap();
            let scale = matrix.diag().sum();
            assert!(squares(&(lower.dot(&lower.t()) - &matrix)).sqrt() < 1e-5 * f64::from(scale));
            let b = inputs(2, n, &mut rng);
            let product = b.dot(&matrix);
            assert!(squares(&(solve(&lower, product) - &b)) < 1e-4 * squares(&b), "{n}");
        }
        assert!(cholesky(&mut Array2::from_elem((2, 2), -1.0)).is_none());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_output_comes_nearer_than_with_nearest_rounding() {
        let universal = UniversalSet::new(4).unwrap();
        let mut rng = fastrand::Rng::with_seed(2);
        let (n, o) = (150, 6);
        let x = inputs(2000, n, &mut rng);
        let weights = Array2::from_shape_fn((o, n), |_| rng.f32() + rng.f32() - 0.9);
        // What the quantized network gives the layer: the same with some noise.
        let noisy = &x + &Array2::from_shape_fn(x.dim(), |_| 0.1 * (rng.f32() - 0.4));
        let wanted = x.dot(&weights.t());
        let error = |kernels: &CodedKernels, change: &[f32]| {
            let rounded = Array2::from_shape_vec((o, n), kernels.weights(&universal)).unwrap();
            squares(&(noisy.dot(&rounded.t()) + ArrayView1::from(change) - &wanted))
        };
        let moments = moments(&noisy, &wanted);
        for (bits, grid) in [(2, WeightGrid::Subset), (4, WeightGrid::Subset), (3, WeightGrid::Uniform)] {
            let bits = BitWidth::new(bits).unwrap();
            let nearest =
                CodedKernels::nearest(weights.as_slice().unwrap(), o, grid, &universal, bits).unwrap();
            let ours = |refits| {
                let options = Compensation { grid, bits, damping: 0.01, refits };
                compensate(weights.view(), &moments, &universal, options).unwrap()
            };
            let (plain, refitted) = (ours(0), ours(2));
            let plain = error(&plain.kernels, &plain.bias_change);
            let refitted = error(&refitted.kernels, &refitted.bias_change);
            let without = error(&nearest, &vec![0.0; o]);
            assert!(plain < 0.3 * without, "{bits:?}: {plain} against {without}");
            assert!(refitted < 1.05 * plain, "{bits:?}: {refitted} after {plain}");
        }
    }
}
