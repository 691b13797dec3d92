//! Enlarges a picture with a bundled network in full precision and with DFSQ, and says how near they are.
//!
//! `cargo run --release --example upscale -- [PICTURE [NETWORK]]`

use dfsq::image_io::Picture;
use dfsq::metrics;
use dfsq::session::{Options, Session, benchmark_pair};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut given = std::env::args_os().skip(1).map(PathBuf::from);
    let picture = given.next().unwrap_or_else(|| root.join("www/samples/parrot.png"));
    let network = given.next().unwrap_or_else(|| root.join("onnx/edsr_x2.onnx"));

    let mut session = Session::load(&std::fs::read(&network)?)?;
    session.load_calibration(&std::fs::read(network.with_extension("calibration"))?)?;
    let scale = session.network().convention().fit.scale;
    // The middle of the picture, shrunk.
    let picture = Picture::decode(&std::fs::read(picture)?)?;
    let part = picture.crop(picture.width / 2 - 48, picture.height / 2 - 48, 96, 96);
    let (reference, low) = benchmark_pair(&part, scale)?;

    let upscale = |options: &Options| -> dfsq::Result<Picture> {
        Ok(session.upscale(&low, &session.prepare(options)?, &mut (), &())?.picture)
    };
    let (full, quantized) = (upscale(&Options::full_precision())?, upscale(&Options::default())?);
    let score = |picture: &Picture, reference: &Picture| metrics::score(picture, reference, scale);
    println!("full precision, against the original: {:.2} dB", score(&full, &reference)?.psnr_y);
    println!("DFSQ at 4 bits, against the original: {:.2} dB", score(&quantized, &reference)?.psnr_y);
    println!("DFSQ at 4 bits, against full precision: {:.2} dB", score(&quantized, &full)?.psnr_y);
    Ok(())
}
