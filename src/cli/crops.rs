//! Random crops of the images in a folder, as the network would get them.

use super::options::CropOptions;
use super::{files, interrupt, passed_over};
use anyhow::{Result, ensure};
use dfsq::image_io::{Picture, downscale};
use dfsq::session::Session;
use std::path::{Path, PathBuf};

/// What something is made on: random crops of the images in a folder.
pub struct Source<'s> {
    pub images: &'s Path,
    pub crops: &'s CropOptions,
    pub seed: u32,
}

/// The crops that something is made on; the same for the same folder and seed. Images that are too small are passed over.
pub fn random_crops(session: &Session, source: &Source<'_>) -> Result<Vec<Picture>> {
    let options = source.crops;
    let scale = if options.low_resolution { 1 } else { session.network().convention().fit.scale };
    let size = session.network().convention().fit.size.unwrap_or([options.size(); 2]);
    let [height, width] = size;
    ensure!(options.count() > 0, "no crops to work on: --crops must be at least 1");
    let images = files::images(source.images)?;
    let mut rng = fastrand::Rng::with_seed(u64::from(source.seed));
    let mut order: Vec<&PathBuf> = images.iter().collect();
    rng.shuffle(&mut order);
    let mut crops = Vec::new();
    // One after another.
    let mut useless = 0;
    for path in order.into_iter().cycle() {
        if crops.len() == options.count() {
            break;
        }
        interrupt::check()?;
        let image = match files::read(path) {
            Ok(image) => Some(image),
            Err(error) => {
                passed_over::add(path, error)?;
                None
            }
        };
        let large = |image: &Picture| image.width >= width * scale && image.height >= height * scale;
        let Some(image) = image.filter(large) else {
            useless += 1;
            ensure!(
                useless < images.len(),
                "no image is large enough for crops of {width} x {height} after shrinking {scale} times"
            );
            continue;
        };
        useless = 0;
        let low = downscale(&image, scale);
        let (x, y) = (rng.usize(0..=low.width - width), rng.usize(0..=low.height - height));
        crops.push(low.crop(x, y, width, height));
    }
    Ok(crops)
}
