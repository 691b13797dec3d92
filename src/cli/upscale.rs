//! `dfsq upscale`

use super::arguments::Quantization;
use super::{files, progress_bar};
use anyhow::Result;
use dfsq::network::Observer;
use indicatif::ProgressBar;
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    /// An ONNX network
    model: PathBuf,
    /// The image to enlarge
    image: PathBuf,
    /// Where to write the result, as PNG
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    quantization: Quantization,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

struct Bar(ProgressBar);

impl Observer for Bar {
    fn progress(&mut self, done: f32) -> bool {
        self.0.set_position((done * 100.0) as u64);
        true
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let options = arguments.quantization.options()?;
    let session = arguments.quantization.session(&arguments.model, &options)?;
    let prepared = session.prepare(&options)?;
    let picture = files::read(&arguments.image)?;
    let mut bar = Bar(progress_bar(100, "upscaling"));
    let start = Instant::now();
    let result = session.upscale(&picture, &prepared, &mut bar)?;
    let seconds = start.elapsed().as_secs_f64();
    bar.0.finish_and_clear();
    files::write(&arguments.output, &result.picture.encode_png()?)?;
    let (width, height) = (result.picture.width, result.picture.height);
    if arguments.json {
        println!(
            "{}",
            serde_json::json!({"output": arguments.output, "width": width, "height": height, "seconds": seconds})
        );
    } else {
        println!("{}: {width} x {height}, {seconds:.2} s", arguments.output.display());
    }
    Ok(())
}
