//! `dfsq optimize`

use super::crops::Source;
use super::files::Output;
use super::options::{Making, RecipeOptions, bit_pair};
use super::session;
use anyhow::Result;
use dfsq::quant::BitWidth;
use dfsq::quant::subset::Selection;

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
    making.overwriting.check(&making.output)?;
    let mut session = session::open(&making.network)?;
    let bits = bits.iter().map(|pair| session::uniform_bits(&session, *pair)).collect::<Result<Vec<_>>>()?;
    let source = Source { images: &making.images, crops: &making.crops, seed: making.points.seed };
    let settings = making.points.settings(Selection::Exact);
    session::optimize(&mut session, &source, &bits, settings, recipe.recipe())?;
    let file = session.optimized().save(session.network())?;
    Output { path: &making.output, json: making.json }.write(&file, &[])
}
