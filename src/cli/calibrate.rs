//! `dfsq calibrate`

use super::arguments::{Making, PointOptions};
use super::{files, open, progress_bar};
use anyhow::{Result, bail};
use dfsq::calibration::{Calibration, Collector, Settings};
use dfsq::image_io::{Picture, downscale};
use dfsq::quant::BitWidth;
use dfsq::quant::subset::Selection;
use dfsq::session::Session;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    making: Making,
}

pub fn run(Arguments { making }: &Arguments) -> Result<()> {
    let session = open(&making.model)?;
    let widths: Vec<BitWidth> = BitWidth::quantized().collect();
    let settings = making.points.settings(Selection::Kmeans);
    let collected = collect(&session, &making.images, &making.points, settings)?;
    let calibration = select(&session, &collected, settings, &widths)?;
    let facts = [("layers", calibration.layers.len()), ("crops", calibration.images)];
    making.write(&calibration.save()?, &facts)
}

/// Gathers statistics from random crops of the images in a folder.
pub fn collect(
    session: &Session,
    images: &Path,
    points: &PointOptions,
    settings: Settings,
) -> Result<Collector> {
    let crops = random_crops(session, images, points)?;
    let bar = progress_bar(crops.len() as u64, "calibrating");
    let mut total = Collector::new(session.network(), settings)?;
    // A few at a time: what one crop's statistics take is tens of megabytes. Merged in order, so that the sums do not
    // depend on which thread was first.
    for batch in crops.chunks(rayon::current_num_threads()) {
        let one = |crop| {
            let mut collector = Collector::new(session.network(), settings)?;
            session.collect(&mut collector, crop, &mut ())?;
            Ok(collector)
        };
        let collected: Vec<dfsq::Result<Collector>> = batch.par_iter().map(one).collect();
        for one in collected {
            bar.inc(1);
            total.merge(one?);
        }
    }
    bar.finish_and_clear();
    Ok(total)
}

/// Chooses points from statistics.
pub fn select(
    session: &Session,
    collected: &Collector,
    settings: Settings,
    widths: &[BitWidth],
) -> Result<Calibration> {
    let bar = progress_bar(100, "choosing points");
    let calibration = session.select(collected, settings, widths, &mut |done| {
        bar.set_position((done * 100.0) as u64);
        true
    })?;
    bar.finish_and_clear();
    Ok(calibration)
}

/// Crops of the images in a folder, as the network would get them.
pub fn random_crops(session: &Session, images: &Path, points: &PointOptions) -> Result<Vec<Picture>> {
    let scale = if points.low_resolution { 1 } else { session.network().convention().scale };
    let images = files::images(images)?;
    let mut rng = fastrand::Rng::with_seed(points.seed);
    let size = points.crop_size;
    let mut order: Vec<&PathBuf> = images.iter().collect();
    rng.shuffle(&mut order);
    let mut crops = Vec::new();
    // One after another.
    let mut too_small = 0;
    if points.crops == 0 {
        bail!("no crops to work on: --crops must be at least 1");
    }
    for path in order.into_iter().cycle() {
        if crops.len() == points.crops {
            break;
        }
        let image = files::read(path)?;
        if image.width < size * scale || image.height < size * scale {
            too_small += 1;
            if too_small == images.len() {
                bail!("no image is large enough for crops of {size} x {size} after shrinking {scale} times");
            }
            continue;
        }
        too_small = 0;
        let low = downscale(&image, scale);
        crops.push(low.crop(rng.usize(0..=low.width - size), rng.usize(0..=low.height - size), size, size));
    }
    Ok(crops)
}
