//! Compensated rounding: the errors of weights that are rounded are made up for by those that are still to be.
//!
//! A layer of the quantized network gets inputs `u'` where the full-precision network has `u`, and should give the same
//! output `y = W u`. Over all positions ([`grams`](super::gram)), with covariances `H = cov(u', u')` and `G = cov(y, u')`:
//!
//! 1. Refit: `W* = (G + l W) (H + l I)^-1`, the least-squares weights for `u'`, with `l` a share of H's mean diagonal.
//! 2. Grid: each kernel (row) of `W*` gets mean, range and exactly chosen points, or a uniform grid.
//! 3. Round one input after another, the ones of largest variance first. With `H + l I = R R'`, R upper triangular, and
//!    `e_i` the error of input i, input k's weight is rounded after adding the sum of `e_i R_ik / R_kk` over i < k, which
//!    makes up for the errors so far as well as it can. This is the recurrence of OBQ and GPTQ, without an inverse.
//! 4. Bias: `mean(y) - W' mean(u')` is added to it.

use super::gram::GramMatrices;
use crate::quant::kernels::{CodedKernels, KernelGrid, WeightGrid};
use crate::quant::{BitWidth, WordSets};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};

/// Rows of a block in blocked matrix algorithms.
const BLOCK: usize = 96;

/// Most inputs of a kernel that are compensated: two square matrices of this side take 512 MiB. The paper's largest layer
/// has 5184.
pub const MAX_INPUTS: usize = 8192;

/// How weights are compensated.
#[derive(Debug, Clone, Copy)]
pub struct Compensation {
    /// What the weights are rounded to.
    pub grid: WeightGrid,
    /// What their points are from.
    pub word_sets: WordSets,
    /// Bits of a weight.
    pub bits: BitWidth,
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

/// What rounding goes by, to whatever grid: the kernels that bring out a layer's outputs best, and by how much weights make up
/// for the error of another.
pub struct Problem {
    /// By place, the input there. Inputs are kept in the reverse of the order of rounding: then R is the lower factor of the
    /// ordinary Cholesky decomposition, and errors go from each column to those before it.
    order: Vec<usize>,
    /// Covariances of the inputs, and their sums over rows.
    h: Array2<f32>,
    h_ones: Array1<f32>,
    /// The kernels, `[kernels, inputs]`.
    targets: Array2<f32>,
    /// What the error of input i adds to the weight of input k before it.
    push: Array2<f32>,
    input_mean: Array1<f64>,
    output_mean: Array1<f64>,
}

impl Problem {
    /// Of the weights that a layer has, shape `[kernels, inputs]` with at most [`MAX_INPUTS`]. `damping` is added to the
    /// diagonal of the covariances, as a share of its mean.
    ///
    /// `None` where the grams are not finite, or the inputs are too many.
    pub fn new(weights: ArrayView2<'_, f32>, grams: &GramMatrices, damping: f32) -> Option<Self> {
        if weights.ncols() > MAX_INPUTS {
            return None;
        }
        let (mut h, g) = grams.covariances();
        let (input_mean, output_mean) = grams.means();
        let damping = damping * h.diag().mean().unwrap_or(0.0) + f32::MIN_POSITIVE;
        h.diag_mut().mapv_inplace(|v| v + damping);
        let mut order: Vec<usize> = (0..h.nrows()).collect();
        order.sort_unstable_by(|a, b| h[[*b, *b]].total_cmp(&h[[*a, *a]]).then(a.cmp(b)));
        order.reverse();
        let h = {
            let unordered = h;
            reordered(&unordered, &order)
        };
        let mut lower = h.clone();
        cholesky(&mut lower)?;
        let mut targets = (&g + &(&weights * damping)).select(Axis(1), &order);
        solve(&lower, &mut targets);
        // L[i, k] / L[k, k].
        let diagonal = lower.diag().to_owned();
        lower.outer_iter_mut().for_each(|mut row| row /= &diagonal);
        let h_ones = h.sum_axis(Axis(1));
        Some(Problem { order, h, h_ones, targets, push: lower, input_mean, output_mean })
    }

    /// Rounds the kernels. `None` where they are not finite.
    pub fn round(&self, options: Compensation) -> Option<Compensated> {
        let Problem { order, targets, push, .. } = self;
        let fit = |row: ArrayView1<'_, f32>| {
            KernelGrid::fit(&row.to_vec(), options.grid, options.word_sets, options.bits)
        };
        let mut grids: Vec<KernelGrid> = targets.outer_iter().map(fit).collect::<Option<_>>()?;
        let mut codes = round(targets, push, &grids);
        for _ in 0..options.refits {
            refit(targets, &codes, &mut grids, &self.h, &self.h_ones);
            codes = round(targets, push, &grids);
        }
        let mut rows = Vec::with_capacity(grids.len());
        let mut bias_change = Vec::with_capacity(grids.len());
        for ((grid, codes), wanted) in grids.into_iter().zip(codes.outer_iter()).zip(&self.output_mean) {
            let mut own = vec![0; order.len()];
            let mut output = 0.0;
            for (input, code) in order.iter().zip(&codes) {
                own[*input] = *code;
                output += f64::from(grid.weight(*code)) * self.input_mean[*input];
            }
            bias_change.push((wanted - output) as f32);
            rows.push((grid, own));
        }
        Some(Compensated { kernels: CodedKernels::from_rows(options.word_sets, rows), bias_change })
    }
}

/// The codes of all kernels, `[kernels, inputs]`, from the last input to the first. Errors reach the inputs of the same block
/// at once, those of other blocks in one matrix product when the block is done, so that `push` is read once.
fn round(targets: &Array2<f32>, push: &Array2<f32>, grids: &[KernelGrid]) -> Array2<u8> {
    let (kernels, n) = targets.dim();
    let mut wanted = targets.clone();
    let mut codes = Array2::zeros((kernels, n));
    for start in (0..n).step_by(BLOCK).rev() {
        let end = (start + BLOCK).min(n);
        let mut errors = Array2::zeros((kernels, end - start));
        let own: Vec<f32> = push.slice(s![start..end, start..end]).iter().copied().collect();
        for (kernel, grid) in grids.iter().enumerate() {
            let mut wanted = wanted.slice(s![kernel, start..end]).to_vec();
            for (input, push) in own.chunks_exact(end - start).enumerate().rev() {
                let code = grid.code(wanted[input]);
                let error = targets[[kernel, start + input]] - grid.weight(code);
                codes[[kernel, start + input]] = code;
                errors[[kernel, input]] = error;
                wanted[..input].iter_mut().zip(push).for_each(|(wanted, push)| *wanted += error * push);
            }
        }
        let before = push.slice(s![start..end, ..start]);
        general_mat_mul(1.0, &errors, &before, 1.0, &mut wanted.slice_mut(s![.., ..start]));
    }
    codes
}

/// Gives each kernel the mean and range with which its codes come nearest to the targets in the layer's output: the least of
/// `(m 1 + r p - w)' H (m 1 + r p - w)` with p the codes' points. A kernel whose points do not determine both stays.
fn refit(
    targets: &Array2<f32>,
    codes: &Array2<u8>,
    grids: &mut [KernelGrid],
    h: &Array2<f32>,
    h_ones: &Array1<f32>,
) {
    let points = Array2::from_shape_fn(codes.dim(), |at| grids[at.0].value(codes[at]));
    let h_points = points.dot(h);
    let oo: f64 = h_ones.iter().map(|v| f64::from(*v)).sum();
    for (kernel, grid) in grids.iter_mut().enumerate() {
        let (p, hp, t) = (points.row(kernel), h_points.row(kernel), targets.row(kernel));
        let product = |a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>| {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
        };
        let (pp, po, pt) = (product(p, hp), product(p, h_ones.view()), product(t, hp));
        let ot = product(t, h_ones.view());
        let determinant = pp * oo - po * po;
        let (mean, range) = ((pp * ot - po * pt) / determinant, (oo * pt - po * ot) / determinant);
        if determinant > 1e-9 * pp * oo && range > 0.0 && mean.is_finite() {
            *grid = grid.moved(mean as f32, range as f32);
        }
    }
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

/// Replaces every row of `b` by `b (L L')^-1`, given the lower factor L: all rows together, a block of columns at a time.
fn solve(lower: &Array2<f32>, b: &mut Array2<f32>) {
    let n = lower.nrows();
    // X L' = B from the first column on, then Y L = X from the last.
    for start in (0..n).step_by(BLOCK) {
        let end = (start + BLOCK).min(n);
        let (known, mut rest) = b.view_mut().split_at(Axis(1), start);
        let mut own = rest.slice_mut(s![.., ..end - start]);
        general_mat_mul(-1.0, &known, &lower.slice(s![start..end, ..start]).t(), 1.0, &mut own);
        for mut row in own.outer_iter_mut() {
            for i in 0..end - start {
                let known = lower.slice(s![start + i, start..start + i]).dot(&row.slice(s![..i]));
                row[i] = (row[i] - known) / lower[[start + i, start + i]];
            }
        }
    }
    for start in (0..n).step_by(BLOCK).rev() {
        let end = (start + BLOCK).min(n);
        let (mut rest, known) = b.view_mut().split_at(Axis(1), end);
        let mut own = rest.slice_mut(s![.., start..end]);
        general_mat_mul(-1.0, &known, &lower.slice(s![end.., start..end]), 1.0, &mut own);
        for mut row in own.outer_iter_mut() {
            for i in (0..end - start).rev() {
                let known = lower.slice(s![start + i + 1..end, start + i]).dot(&row.slice(s![i + 1..]));
                row[i] = (row[i] - known) / lower[[start + i, start + i]];
            }
        }
    }
}

/// Rows and columns in another order, row by row in memory.
fn reordered(matrix: &Array2<f32>, order: &[usize]) -> Array2<f32> {
    Array2::from_shape_fn(matrix.dim(), |(i, j)| matrix[[order[i], order[j]]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::padded::PaddedImage;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// Correlated inputs, as neighbouring pixels are: sums of a few common sources and some noise.
    fn inputs(positions: usize, n: usize, rng: &mut fastrand::Rng) -> Array2<f32> {
        let sources = Array2::from_shape_fn((positions, 5), |_| rng.f32() - 0.3);
        let mixing = Array2::from_shape_fn((5, n), |_| rng.f32() * 2.0 - 1.0);
        sources.dot(&mixing) + Array2::from_shape_fn((positions, n), |_| 0.2 * rng.f32() + 0.5)
    }

    /// Of a convolution of 1 x 1, whose positions are the pixels.
    fn grams(inputs: &Array2<f32>, outputs: &Array2<f32>) -> GramMatrices {
        let image = |values: &Array2<f32>| {
            let planes: Vec<f32> = values.t().iter().copied().collect();
            PaddedImage::of(&planes, values.ncols(), [1, values.nrows()], [1, 1])
        };
        let mut grams = GramMatrices::new([1, 1], inputs.ncols(), outputs.ncols());
        grams.add(&image(inputs), &image(outputs));
        grams
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
            let mut solved = b.dot(&matrix);
            solve(&lower, &mut solved);
            assert!(squares(&(solved - &b)) < 1e-4 * squares(&b), "{n}");
        }
        assert!(cholesky(&mut Array2::from_elem((2, 2), -1.0)).is_none());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_output_comes_nearer_than_with_nearest_rounding() {
        let word_sets = WordSets::REFERENCE;
        let mut rng = fastrand::Rng::with_seed(2);
        let (n, o) = (150, 6);
        let x = inputs(2000, n, &mut rng);
        let weights = Array2::from_shape_fn((o, n), |_| rng.f32() + rng.f32() - 0.9);
        // What the quantized network gives the layer: the same with some noise.
        let noisy = &x + &Array2::from_shape_fn(x.dim(), |_| 0.1 * (rng.f32() - 0.4));
        let wanted = x.dot(&weights.t());
        let error = |kernels: &CodedKernels, change: &[f32]| {
            let rounded = Array2::from_shape_vec((o, n), kernels.weights()).unwrap();
            squares(&(noisy.dot(&rounded.t()) + Array1::from(change.to_vec()) - &wanted))
        };
        let problem = Problem::new(weights.view(), &grams(&noisy, &wanted), 0.01).unwrap();
        for (bits, grid) in [(2, WeightGrid::Subset), (4, WeightGrid::Subset), (3, WeightGrid::Uniform)] {
            let bits = BitWidth::new(bits).unwrap();
            let nearest =
                CodedKernels::nearest(weights.as_slice().unwrap(), o, grid, word_sets, bits).unwrap();
            let ours = |refits| problem.round(Compensation { grid, word_sets, bits, refits }).unwrap();
            let (plain, refitted) = (ours(0), ours(2));
            let plain = error(&plain.kernels, &plain.bias_change);
            let refitted = error(&refitted.kernels, &refitted.bias_change);
            let without = error(&nearest, &vec![0.0; o]);
            assert!(plain < 0.3 * without, "{bits:?}: {plain} against {without}");
            assert!(refitted < 1.05 * plain, "{bits:?}: {refitted} after {plain}");
        }
    }
}
