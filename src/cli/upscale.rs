//! `dfsq upscale`

use super::options::{NetworkFile, Quantization};
use super::progress::Bar;
use super::{files, out, session};
use anyhow::Result;
use dfsq::calibrate::Calibration;
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    network: NetworkFile,
    /// The image to enlarge
    image: PathBuf,
    /// Where to write the result, as PNG
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    overwriting: files::Overwriting,
    #[command(flatten)]
    quantization: Quantization,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.overwriting.check(&arguments.output)?;
    let (session, prepared) = session::prepared(&arguments.network, &arguments.quantization)?;
    let picture = files::read(&arguments.image)?;
    let bar = Bar::new("upscaling");
    let start = Instant::now();
    let result = session.upscale(&picture, &prepared, &mut (), &bar)?;
    let seconds = start.elapsed().as_secs_f64();
    drop(bar);
    let made = serde_json::json!({
        "network": session.hash(),
        "options": prepared.options(),
        "calibration": session.calibration().map(Calibration::digest),
        "optimized": session.optimized().variants().map(|(_, sha256)| sha256).collect::<Vec<_>>(),
    });
    let texts = [("Software", dfsq::PROGRAM), ("Comment", &made.to_string())];
    files::write(&arguments.output, &result.picture.encode_png_with(&texts)?)?;
    let (width, height) = (result.picture.width, result.picture.height);
    if arguments.json {
        out::line(format_args!(
            "{}",
            serde_json::json!({"output": arguments.output, "width": width, "height": height, "seconds": seconds})
        ))?;
    } else {
        out::line(format_args!("{}: {width} x {height}, {seconds:.2} s", arguments.output.display()))?;
    }
    Ok(())
}
