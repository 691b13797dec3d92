//! Distribution-flexible subset quantization of super-resolution networks.
//!
//! A network (ONNX) is run in full precision, with DFSQ-quantized activations and uniformly quantized weights, or with
//! min-max quantization, in a browser tab or natively. The method is that of arXiv 2305.05888, "the paper".
//!
//! # The way of an image
//!
//! A file is decoded by [`image_io`] into an 8-bit picture and from there into planes of numbers. [`network`] runs
//! them through a graph in which every convolution's input and kernels pass a port, where a run puts its quantizers
//! ([`quant`]) and whoever watches sees what passes: [`calibration`] to choose quantization points, [`analysis`] to
//! summarize distributions, which [`figures`] draws. Coming out, the planes are a picture again, which [`metrics`]
//! scores. [`session`] joins these for the two faces: the browser's (`web`) and the command line.
//!
//! Low-bit arithmetic is simulated: values are quantized and dequantized in f32.
//!
//! # Example
//!
//! ```no_run
//! use dfsq::{image_io::Picture, session::{Options, Session}};
//!
//! let mut session = Session::load(&std::fs::read("onnx/edsr_x2.onnx")?)?;
//! session.load_calibration(&std::fs::read("onnx/edsr_x2.calibration")?)?;
//! let prepared = session.prepare(Options::default())?;
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
