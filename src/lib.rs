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
mod web;

pub use error::{Error, Result};
