pub mod analysis;
pub mod calibration;
pub mod error;
pub mod figures;
pub mod image_io;
pub mod metrics;
pub mod network;
pub mod quant;
pub mod session;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use error::{Error, Result};

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
