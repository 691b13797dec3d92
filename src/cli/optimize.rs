//! `dfsq optimize`

use super::arguments::{Making, PointOptions, RecipeOptions, bit_pair};
use super::{calibrate, open, progress_bar};
use anyhow::Result;
use dfsq::calibration::Settings;
use dfsq::optimize::{Optimized, Recipe};
use dfsq::quant::BitWidth;
use dfsq::quant::subset::Selection;
use dfsq::session::{Method, Options, Session};
use rayon::prelude::*;
use std::path::Path;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    making: Making,
    /// Bits of weights and activations: 4 is short for 4/4; several with commas
    #[arg(long, value_parser = bit_pair, value_delimiter = ',', default_value = "2,3,4")]
    bits: Vec<[BitWidth; 2]>,
    #[command(flatten)]
    recipe: RecipeOptions,
}

pub fn run(Arguments { making, bits, recipe }: &Arguments) -> Result<()> {
    let session = open(&making.model)?;
    let bits = bits.iter().map(|pair| uniform_bits(&session, *pair)).collect::<Result<Vec<_>>>()?;
    let settings = making.points.settings(Selection::Exact);
    let optimized = optimize(&session, &making.images, &making.points, settings, &bits, recipe.recipe())?;
    making.write(&optimized.save(session.network())?, &[])
}

/// The same bits for every quantized layer.
pub fn uniform_bits(session: &Session, pair: [BitWidth; 2]) -> Result<Vec<[BitWidth; 2]>> {
    let [weight_bits, activation_bits] = pair;
    let options = Options { method: Method::DfsqOpt, weight_bits, activation_bits, ..Options::default() };
    Ok(options.bits(session.network().layers())?)
}

/// Optimizes for these bits of all layers, on random crops of the images in a folder.
pub fn optimize(
    session: &Session,
    images: &Path,
    points: &PointOptions,
    settings: Settings,
    bits: &[Vec<[BitWidth; 2]>],
    recipe: Recipe,
) -> Result<Optimized> {
    let crops = calibrate::random_crops(session, images, points)?;
    let bar = progress_bar(100, "full precision");
    let targets = session.note_targets(&crops, &mut |done| {
        bar.set_position((100.0 * done) as u64);
        true
    })?;
    bar.finish_and_clear();
    let bar = progress_bar(100 * bits.len() as u64, "optimizing");
    let one = |bits: &Vec<[BitWidth; 2]>| {
        let mut last = 0;
        targets.optimize(session.network(), settings, bits, recipe, &mut |done| {
            let now = (100.0 * done) as u64;
            bar.inc(now - last);
            last = now;
            true
        })
    };
    let variants = bits.par_iter().map(one).collect::<dfsq::Result<_>>()?;
    bar.finish_and_clear();
    Ok(Optimized { settings, recipe, network: session.hash().to_owned(), variants })
}
