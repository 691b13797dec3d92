//! `dfsq optimize`

use super::{Selection, calibrate, files, progress_bar};
use anyhow::Result;
use dfsq::optimize::{Effort, OptimizedLayer};
use dfsq::quant::BitWidth;
use dfsq::session::Session;
use rayon::prelude::*;
use std::path::Path;

/// Optimizes for these pairs of bits on random crops of the images in a folder.
pub fn optimize(
    session: &mut Session,
    images: &Path,
    selection: &Selection,
    bits: &[[BitWidth; 2]],
    effort: Effort,
) -> Result<()> {
    let scale = if selection.low_resolution { 1 } else { session.network().convention().scale };
    let crops = calibrate::random_crops(&files::images(images)?, selection, scale)?;
    let bar = progress_bar(100 * (1 + bits.len() as u64), "optimizing");
    let shared: &Session = session;
    let targets = shared.note_targets(&crops, effort, selection.seed, &mut |done| {
        bar.set_position((100.0 * done) as u64);
        true
    })?;
    let optimized = bits
        .par_iter()
        .map(|bits| {
            let settings = selection.settings();
            let layers = targets.optimize(shared.network(), settings, *bits, effort, &mut |_| true);
            bar.inc(100);
            layers
        })
        .collect::<dfsq::Result<Vec<Vec<Option<OptimizedLayer>>>>>()?;
    bar.finish_and_clear();
    for (bits, layers) in bits.iter().zip(optimized) {
        session.set_optimized(*bits, layers);
    }
    Ok(())
}
