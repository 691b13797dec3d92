//! `dfsq calibrate`

use super::{Selection, files, open, progress_bar};
use anyhow::{Context, Result, bail};
use dfsq::calibration::{Calibration, Collector, Settings};
use dfsq::image_io::{Picture, downscale};
use dfsq::quant::BitWidth;
use dfsq::session::Session;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// An ONNX network
    model: PathBuf,
    /// A folder of high-resolution images; random crops of them, shrunk, are what the points are chosen on
    #[arg(long)]
    images: PathBuf,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let session = open(&arguments.model)?;
    let widths: Vec<BitWidth> = BitWidth::quantized().collect();
    let Arguments { images, selection, .. } = arguments;
    let calibration = calibrate(&session, images, selection, selection.settings(), &widths)?;
    let bytes = calibration.save()?;
    std::fs::write(&arguments.output, &bytes)
        .with_context(|| format!("cannot write {}", arguments.output.display()))?;
    let (layers, images) = (calibration.layers.len(), calibration.images);
    if arguments.json {
        println!(
            "{}",
            serde_json::json!({"output": arguments.output, "bytes": bytes.len(), "layers": layers, "crops": images})
        );
    } else {
        println!(
            "{}: {} bytes, {layers} layers from {images} crops",
            arguments.output.display(),
            bytes.len()
        );
    }
    Ok(())
}

/// Calibrates on random crops of the images in a folder.
pub fn calibrate(
    session: &Session,
    images: &Path,
    selection: &Selection,
    settings: Settings,
    widths: &[BitWidth],
) -> Result<Calibration> {
    let scale = if selection.low_resolution { 1 } else { session.network().convention().scale };
    let crops = random_crops(&files::images(images)?, selection, scale)?;

    let bar = progress_bar(crops.len() as u64, "calibrating");
    let mut total: Option<Collector<'_>> = None;
    // A few at a time: what one crop's statistics take is tens of megabytes. Merged in order, so that the sums do not
    // depend on which thread was first.
    for batch in crops.chunks(rayon::current_num_threads()) {
        let collected: Vec<_> =
            batch.par_iter().map(|crop| session.collect(crop, settings, &mut ())).collect();
        for one in collected {
            bar.inc(1);
            match &mut total {
                Some(total) => total.merge(&one?),
                None => total = Some(one?),
            }
        }
    }
    bar.finish_and_clear();
    let Some(total) = total else { bail!("no crops to calibrate on: --crops must be at least 1") };
    let bar = progress_bar(100, "choosing points");
    let calibration = session.select(&total, widths, &mut |done| {
        bar.set_position((done * 100.0) as u64);
        true
    })?;
    bar.finish_and_clear();
    Ok(calibration)
}

pub fn random_crops(images: &[PathBuf], selection: &Selection, scale: usize) -> Result<Vec<Picture>> {
    let mut rng = fastrand::Rng::with_seed(selection.seed);
    let size = selection.crop_size;
    let mut order: Vec<&PathBuf> = images.iter().collect();
    rng.shuffle(&mut order);
    let mut crops = Vec::new();
    let mut too_small = 0;
    for path in order.into_iter().cycle() {
        if crops.len() == selection.crops {
            break;
        }
        let low = downscale(&files::read(path)?, scale);
        if low.width < size || low.height < size {
            too_small += 1;
            if too_small >= images.len() {
                bail!("no image is large enough for crops of {size} x {size} after shrinking {scale} times");
            }
            continue;
        }
        crops.push(low.crop(rng.usize(0..=low.width - size), rng.usize(0..=low.height - size), size, size));
    }
    Ok(crops)
}
