//! Distribution-flexible subset quantization of super-resolution networks.
//!
//! A network (ONNX) is run in full precision and with low-bit weights and activations, in a browser tab or natively. The
//! method is that of arXiv 2305.05888, "the paper", and what was added to it.
//!
//! # The way of an image
//!
//! A file is decoded by [`image_io`] into an 8-bit picture and from there into planes of numbers. [`network`] runs them; in
//! front of every convolution a run puts its quantizers ([`quant`]) and whoever watches sees what passes: [`calibrate`] to
//! choose quantization points by, [`analysis`] to summarize distributions, which [`figures`] draws, [`optimize`] to fit
//! weights. Coming out, the planes are a picture again, which [`metrics`] scores. [`session`] joins these for the two faces:
//! the browser's (`web`) and the command line, and [`inspect`] looks into its runs; what the network would cost in storage and arithmetic ([`bit_ops`]) is told
//! there too, and [`mixed_precision`] spreads bits over its layers.
//!
//! Low-bit arithmetic is simulated: values are quantized and dequantized in f32.
//!
//! # The paper's method, and beyond it
//!
//! `dfsq` is the paper's. Each channel of a layer's input is normalized for each sample, `y = (x - mean) / max |x - mean|`
//! (eq. 1, [`quant::normalize`]), and rounded to `2^b` points that calibration chose for this channel from a universal
//! set, whose values take four shifts and an addition ([`quant::universal_set`]). Points are chosen by k-means and
//! snapping ([`quant::kmeans`], [`quant::subset`]); weights are uniform ([`quant::uniform`], eq. 6 and 7).
//!
//! `dfsq-opt` is our own, in three steps, none of which trains anything.
//!
//! **Exact selection** ([`quant::subset`]). The paper calls the best subset exponential. In one dimension it is not: with
//! candidates `u_1 < u_2 < ...`, the error of all samples between two neighbouring points depends on these two alone,
//! and the best K points are a shortest path, `D(k, j) = min_{i < j} D(k - 1, i) + e(i, j)`, found in
//! `O(K M log M)` from running sums over a histogram whose bins end where any two candidates are equally far.
//!
//! **Subset weights** ([`quant::kernels`]). Each kernel is normalized with its own mean and range and gets points of its
//! own, chosen in the same way, instead of a uniform grid.
//!
//! **Compensated rounding** ([`optimize::compensate`], [`optimize`]). Layer by layer, with `u` the input that the layer has
//! in the full-precision network and `u'` the one that the network quantized so far gives it:
//! `W* = (cov(W u, u') + l W) (cov(u', u') + l I)^-1` are the weights that come nearest to the full-precision output from
//! the input as it is now; they are rounded one input after another, each with the errors so far made up for; mean and
//! range of each kernel are then fitted to its codes, twice, and the mean of what remains goes into the bias. Activation
//! points are chosen on `u'`. The covariances are those of all positions of 32 crops: patches overlap, so they follow from
//! the correlations of channels at 25 offsets ([`optimize::gram`]).
//!
//! # Variations
//!
//! Each part can be chosen alone, on the page and the command line: [`quant::PointSettings`] has the word sets of the
//! universal set, what is normalized together, whether it is normalized at all, when the mean is subtracted, and how
//! points are selected; [`quant::Recipe`] the grid of the weights and how they are rounded; [`session::Options`] the
//! bits, of single layers too, and those of the means and ranges that points are dequantized with (the paper's
//! section 5). Two things are defined by us where the paper is silent: without normalization a layer's values are divided
//! by a power of two that covers what calibration saw; and means and ranges of `b'` bits lie on a uniform grid over those
//! of all channels of the layer and sample.
//!
//! **Mixed precision** ([`mixed_precision`]). The error `E(l, b)` of the output with layer `l` alone quantized to `b` bits
//! is measured, and `sum_l E(l, b_l)` made least under `sum_l n_l b_l <= B sum_l n_l`, `n_l` being numbers of weights: a
//! knapsack, solved exactly by keeping the partial assignments that none other is both cheaper and better than. That
//! errors add up is an approximation, so the assignment is checked by a run.
//!
//! **Costs** ([`session::Costs`]). Bytes of codes, points, scales and what stays f32; multiply-accumulates by the widths of
//! their operands, and the sum of both widths' product (BitOPs). A value of the universal set is a sum of few powers of
//! two, so a product of two of them, of `m` and `n` terms, is `m n` shifts and `m n - 1` additions.
//!
//! Scores of every variation and of seven networks are in `docs/results.md`.
//!
//! # Example
//!
//! ```no_run
//! use dfsq::{image_io::Picture, session::{Options, Session}};
//!
//! let mut session = Session::load(&std::fs::read("onnx/edsr_x2.onnx")?)?;
//! session.load_calibration(&std::fs::read("onnx/edsr_x2.calibration")?)?;
//! let prepared = session.prepare(&Options::default())?;
//! let picture = Picture::decode(&std::fs::read("photograph.jpg")?)?;
//! let enlarged = session.upscale(&picture, &prepared, &mut (), &())?.picture;
//! std::fs::write("enlarged.png", enlarged.encode_png()?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod analysis;
pub mod bit_ops;
pub mod calibrate;
pub mod choice;
pub mod error;
pub mod export;
#[cfg(feature = "figures")]
pub mod figures;
pub mod hash;
pub mod image_io;
pub mod inspect;
pub mod metrics;
pub mod mixed_precision;
pub mod network;
pub mod optimize;
pub mod pairing;
pub mod parallel;
pub mod quant;
pub mod session;
pub mod tensor_file;
#[cfg(all(feature = "web", target_arch = "wasm32"))]
pub mod web;

pub use error::{Error, ErrorKind, Result};

/// This program and its version, as files that it writes name it.
pub const PROGRAM: &str = concat!("dfsq ", env!("CARGO_PKG_VERSION"));

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
