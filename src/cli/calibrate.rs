//! `dfsq calibrate`

use super::crops::Source;
use super::files::Output;
use super::idle::Work;
use super::options::Making;
use super::session;
use anyhow::Result;
use dfsq::quant::subset::Selection;
use dfsq::quant::{BitWidth, Recipe};
use dfsq::session::Options;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    making: Making,
}

pub fn run(Arguments { making }: &Arguments) -> Result<()> {
    making.overwriting.check(&making.output)?;
    making.points.given().check(&Work {
        runs: &[Options::default()],
        settings: making.points.settings(Selection::Kmeans),
        recipe: Recipe::default(),
        made_here: true,
        optimizes: false,
    })?;
    let mut session = session::open(&making.network)?;
    let widths: Vec<BitWidth> = BitWidth::quantized().collect();
    let source = Source { images: &making.images, crops: &making.crops, seed: making.points.seed() };
    session::calibrate(&mut session, &source, &widths, making.points.settings(Selection::Kmeans))?;
    let Some(calibration) = session.calibration() else { return Ok(()) };
    let facts = [("layers", calibration.layers.len()), ("crops", calibration.images)];
    Output { path: &making.output, json: making.json }.write(&calibration.save()?, &facts)
}
