//! Distribution-flexible subset quantization of super-resolution networks.
//!
//! A network (ONNX) is run in full precision and with low-bit weights and activations, in a browser tab or natively. The
//! method is that of arXiv 2305.05888, "the paper", and what was added to it.
//!
//! # The way of an image
//!
//! A file is decoded by [`image_io`] into an 8-bit picture and from there into planes of numbers. [`network`] runs
//! them through a graph in which every convolution's input and kernels pass a port, where a run puts its quantizers
//! ([`quant`]) and whoever watches sees what passes: [`calibration`] to choose quantization points, [`analysis`] to
//! summarize distributions, which [`figures`] draws, [`optimize`] to fit weights. Coming out, the planes are a picture
//! again, which [`metrics`] scores. [`session`] joins these for the two faces: the browser's (`web`) and the command line;
//! what the network would cost in storage and arithmetic is counted there too, and [`mixed_precision`] spreads bits over
//! its layers.
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
//! **Compensated rounding** ([`quant::compensate`], [`optimize`]). Layer by layer, with `u` the input that the layer has
//! in the full-precision network and `u'` the one that the network quantized so far gives it:
//! `W* = (cov(W u, u') + l W) (cov(u', u') + l I)^-1` are the weights that come nearest to the full-precision output from
//! the input as it is now; they are rounded one input after another, each with the errors so far made up for; mean and
//! range of each kernel are then fitted to its codes, twice, and the mean of what remains goes into the bias. Activation
//! points are chosen on `u'`. The covariances are those of all positions of 32 crops: patches overlap, so they follow from
//! the correlations of channels at 25 offsets ([`quant::moments`]).
//!
//! # Variations
//!
//! Each part can be chosen alone, on the page and the command line: [`calibration::Settings`] has the word sets of the
//! universal set, what is normalized together, whether it is normalized at all, when the mean is subtracted, and how
//! points are selected; [`optimize::Recipe`] the grid of the weights and how they are rounded; [`session::Options`] the
//! bits, of single layers too, and those of the means and ranges that points are de-normalized with (the paper's
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
//! # What it gives
//!
//! On Set5, PSNR on Y in dB, points and weights chosen on 32 crops of 48 × 48 pixels of BSDS500. One network with every
//! variation, by `dfsq ablate MODEL --fast --calibration BSDS500/train --hr … --lr …`:
//!
//! | EDSR-baseline ×4, 32.040 dB in full precision | 4 bits | 3 bits | 2 bits |
//! |---|---|---|---|
//! | min-max, dynamic | 31.362 | 27.605 | 7.033 |
//! | min-max, static | 31.020 | 27.912 | 19.852 |
//! | dfsq | 31.776 | 31.149 | 28.962 |
//! | k-means as in the paper's text | 31.778 | 31.110 | 28.874 |
//! | k-means started once | 31.801 | 31.091 | 28.895 |
//! | k-means started 20 times | 31.802 | 31.164 | 28.979 |
//! | 2 word sets | 31.696 | 31.085 | 28.944 |
//! | 8 bits of mean and range | 31.773 | 31.140 | 28.948 |
//! | 6 bits of mean and range | 31.764 | 31.122 | 28.955 |
//! | 4 bits of mean and range | 31.728 | 31.060 | 28.938 |
//! | exact points | 31.790 | 31.103 | 28.874 |
//! | exact points and weights | 31.917 | 31.355 | 29.989 |
//! | 3 word sets | 31.780 | 31.163 | 28.978 |
//! | 5 word sets | 31.775 | 31.152 | 28.979 |
//! | mean always subtracted | 31.743 | 31.062 | 29.060 |
//! | mean never subtracted | 31.771 | 31.149 | 28.985 |
//! | layer-wise | 31.752 | 31.045 | 29.044 |
//! | without normalization | 31.748 | 31.060 | 29.266 |
//! | layer-wise without normalization | 31.728 | 30.995 | 29.126 |
//! | k-means, compensated | 31.953 | 31.708 | 30.832 |
//! | exact points, compensated | 31.933 | 31.667 | 30.869 |
//! | dfsq-opt: with subset weights | 31.950 | 31.787 | 31.113 |
//!
//! Exact points have the least squared error, and yet at 3 and 2 bits score what k-means "as in the paper's text" does,
//! below that of the authors' code: it keeps a point at 0, where most values after a ReLU are. Once weights and biases
//! make up for errors, that no longer pays.
//!
//! Tried and left out, since they gave less than other crops give or take (0.03 dB) or did harm. At 2 bits `dfsq-opt` has
//! 31.098 dB on Set5 and 27.003 dB on the middles of 12 photographs of Kodak24, means of three draws of crops; with
//!
//! - targets that also make up for the error of the skip connection: 31.116 and 27.032 (at 3 bits 0.016 less and 0.019 more);
//! - squared errors of activations weighted by `0.5 + |y|`: 31.123 and 27.029 (at 4 bits 0.002 and 0.027 less);
//! - the convolution after the last block fitted too, without rounding it: 31.003 and 26.996;
//! - a point at 0 in every channel: 31.041 and 26.989;
//! - the mean always subtracted: 30.986 and 26.989.
//!
//! Three published networks, each cell by `dfsq eval MODEL --fast --method M --weight-bits B --activation-bits B` and the rest
//! as above; the bundled ones are in `onnx/README.md`:
//!
//! | network, full precision | method | 8 bits | 6 bits | 4 bits | 3 bits | 2 bits |
//! |---|---|---|---|---|---|---|
//! | EDSR-baseline ×4, 32.040 | min-max | 32.039 | 31.989 | 31.362 | 27.605 | 7.033 |
//! |  | `dfsq` | 32.040 | 32.011 | 31.776 | 31.149 | 28.962 |
//! |  | `dfsq-opt` | 32.035 | 32.034 | 31.950 | 31.787 | 31.113 |
//! | EDSR of 8 blocks ×2, 37.804 | min-max | 37.801 | 37.755 | 37.097 | 32.147 | 7.304 |
//! |  | `dfsq` | 37.803 | 37.783 | 37.626 | 36.877 | 34.328 |
//! |  | `dfsq-opt` | 37.804 | 37.799 | 37.745 | 37.568 | 37.016 |
//! | RDN (D = 10, C = 3, G = 64) ×2, 35.993 | min-max | 35.761 | 33.783 | 22.410 | 11.318 | 7.678 |
//! |  | `dfsq` | 35.935 | 35.892 | 32.786 | 30.439 | 18.400 |
//! |  | `dfsq-opt` | 35.964 | 35.859 | 35.274 | 34.339 | 32.847 |
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
//! let enlarged = session.upscale(&picture, &prepared, &mut ())?.picture;
//! std::fs::write("enlarged.png", enlarged.encode_png()?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod analysis;
pub mod calibration;
pub mod error;
pub mod figures;
pub mod image_io;
pub mod metrics;
pub mod mixed_precision;
pub mod network;
pub mod optimize;
pub mod quant;
pub mod session;
pub mod tensor_file;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use error::{Error, Result};

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
