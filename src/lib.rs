pub mod analysis;
pub mod calibration;
pub mod error;
pub mod image_io;
pub mod metrics;
pub mod network;
pub mod quant;
pub mod session;

pub use error::{Error, Result};
