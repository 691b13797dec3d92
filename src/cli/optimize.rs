//! `dfsq optimize`

use super::crops::Source;
use super::files::Output;
use super::options::{Making, RecipeOptions, bit_pair};
use super::session;
use anyhow::Result;
use dfsq::quant::BitWidth;
use dfsq::quant::subset::Selection;
use dfsq::session::{Method, Options};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    making: Making,
    /// Bits of weights and activations: 4 is short for 4/4; several with commas [default: 2,3,4, without --layer-bits]
    #[arg(long, value_parser = bit_pair, value_delimiter = ',')]
    bits: Vec<[BitWidth; 2]>,
    /// JSON files with bits of single layers, as `dfsq assign` writes them, with commas
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    layer_bits: Vec<PathBuf>,
    #[command(flatten)]
    recipe: RecipeOptions,
}

pub fn run(Arguments { making, bits, layer_bits, recipe }: &Arguments) -> Result<()> {
    making.overwriting.check(&making.output)?;
    let mut session = session::open(&making.network)?;
    let mut options: Vec<Options> = bits.iter().map(|pair| session::uniform(*pair)).collect();
    if bits.is_empty() && layer_bits.is_empty() {
        for width in 2..=4 {
            options.push(session::uniform([BitWidth::new(width)?; 2]));
        }
    }
    for path in layer_bits {
        let layer_bits = session::layer_bits(path)?;
        options.push(Options { method: Method::DfsqOpt, layer_bits, ..Options::default() });
    }
    let layers = session.network().layers();
    let bits = options.iter().map(|options| options.bits(layers)).collect::<dfsq::Result<Vec<_>>>()?;
    let source = Source { images: &making.images, crops: &making.crops, seed: making.points.seed };
    let settings = making.points.settings(Selection::Exact);
    session::optimize(&mut session, &source, &bits, settings, recipe.recipe())?;
    let file = session.optimized().save(session.network())?;
    Output { path: &making.output, json: making.json }.write(&file, &[])
}
