//! `dfsq optimize`

use super::crops::{Source, random_crops};
use super::files::Output;
use super::idle::Work;
use super::mixed::Search;
use super::options::{Making, RecipeOptions, bit_pair};
use super::progress::Bar;
use super::session;
use anyhow::Result;
use dfsq::mixed_precision::Budget;
use dfsq::quant::BitWidth;
use dfsq::quant::subset::Selection;
use dfsq::session::{Method, Options};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    making: Making,
    /// Bits of weights and activations: 4 is short for 4/4; several with commas [default: 2,3,4, without bits
    /// of single layers]
    #[arg(long, value_parser = bit_pair, value_delimiter = ',')]
    bits: Vec<[BitWidth; 2]>,
    /// JSON files with bits of single layers, as `dfsq assign` writes them, with commas
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    layer_bits: Vec<PathBuf>,
    /// Also with bits where they help: each layer's own, that take no more BitOPs than this many bits everywhere; several
    /// with commas
    #[arg(long, value_name = "BITS", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(2..=8))]
    mixed: Vec<u8>,
    #[command(flatten)]
    recipe: RecipeOptions,
}

/// Of the crops, how many bits of layers are searched for on, and how many of these errors are measured on.
const SEARCHED: usize = 12;
const MEASURED: usize = 4;

pub fn run(Arguments { making, bits, layer_bits, mixed, recipe }: &Arguments) -> Result<()> {
    making.overwriting.check(&making.output)?;
    let mut session = session::open(&making.network)?;
    let whole = [Options { method: Method::DfsqOpt, ..Options::default() }];
    let source = Source { images: &making.images, crops: &making.crops, seed: making.points.seed() };
    let mut options: Vec<Options> = bits.iter().map(|pair| session::uniform(*pair)).collect();
    if bits.is_empty() && layer_bits.is_empty() && mixed.is_empty() {
        for width in 2..=4 {
            options.push(session::uniform([BitWidth::new(width)?; 2]));
        }
    }
    for path in layer_bits {
        let layer_bits = session::layer_bits(path)?;
        options.push(Options { method: Method::DfsqOpt, layer_bits, ..Options::default() });
    }
    let way = (making.points.settings(Selection::Exact), recipe.recipe());
    making.points.given().with([recipe.given()]).check(&Work {
        // Mixed bits round everything.
        runs: &[&options[..], if mixed.is_empty() { &[] } else { &whole }].concat(),
        settings: way.0,
        recipe: way.1,
        made_here: true,
        optimizes: true,
    })?;
    let crops = random_crops(&session, &source)?;
    if !mixed.is_empty() {
        let base = Options { method: Method::DfsqOpt, ..Options::default() };
        let widths: Vec<BitWidth> = BitWidth::quantized().collect();
        let mut search = Search {
            // What is tried is not for the file.
            session: &mut session::open(&making.network)?,
            crops: &crops[..SEARCHED.min(crops.len())],
            measured: MEASURED,
            base: &base,
            way,
            widths: &widths,
            budget: Budget::BitOps,
        };
        let errors = search.layer_errors()?;
        for bits in mixed {
            let layer_bits = search.assign(&errors, f64::from(*bits))?;
            options.push(Options { layer_bits, ..base.clone() });
        }
    }
    let layers = session.network().layers();
    let bits = options.iter().map(|options| options.bits(layers)).collect::<dfsq::Result<Vec<_>>>()?;
    session.optimize(&crops, &bits, way.0, way.1, &Bar::new("optimizing"))?;
    let file = session.optimized().save(session.network())?;
    Output { path: &making.output, json: making.json }.write(&file, &[])
}
