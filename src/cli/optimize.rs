//! `dfsq optimize`

use super::{Selection, bit_width, calibrate, files, open, progress_bar};
use anyhow::{Context, Result};
use dfsq::optimize::{Effort, Optimized};
use dfsq::quant::BitWidth;
use dfsq::session::Session;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// An ONNX network
    model: PathBuf,
    /// A folder of high-resolution images; random crops of them, shrunk, are what the network is optimized on
    #[arg(long)]
    images: PathBuf,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    /// Bits of weights and activations: 4 is short for 4/4; several with commas
    #[arg(long, value_parser = bit_pair, value_delimiter = ',', default_value = "2,3,4")]
    bits: Vec<[u8; 2]>,
    #[command(flatten)]
    effort: EffortOptions,
    #[command(flatten)]
    selection: Selection,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How hard to optimize.
#[derive(clap::Args)]
pub struct EffortOptions {
    /// Random positions of each crop that weights are compensated on
    #[arg(long, default_value_t = 600)]
    positions: usize,
    /// Added to the diagonal of the inputs' covariance, as a share of its mean
    #[arg(long, default_value_t = 0.01)]
    damping: f32,
    /// Times that mean and range of every kernel are fitted to its rounded weights
    #[arg(long, default_value_t = 2)]
    refits: usize,
}

impl EffortOptions {
    fn effort(&self) -> Effort {
        Effort { positions: self.positions, damping: self.damping, refits: self.refits }
    }
}

fn bit_pair(text: &str) -> Result<[u8; 2], String> {
    let (weights, activations) = text.split_once('/').unwrap_or((text, text));
    Ok([bit_width(weights)?.bits(), bit_width(activations)?.bits()])
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let session = open(&arguments.model)?;
    let pair =
        |[weights, activations]: &[u8; 2]| Ok([BitWidth::new(*weights)?, BitWidth::new(*activations)?]);
    let bits: Vec<[BitWidth; 2]> = arguments.bits.iter().map(pair).collect::<dfsq::Result<_>>()?;
    let optimized = optimize(&session, &arguments.images, &arguments.selection, &bits, &arguments.effort)?;
    let bytes = optimized.save(session.network())?;
    let output = arguments.output.display();
    std::fs::write(&arguments.output, &bytes).with_context(|| format!("cannot write {output}"))?;
    if arguments.json {
        println!("{}", serde_json::json!({"output": arguments.output, "bytes": bytes.len()}));
    } else {
        println!("{output}: {} bytes", bytes.len());
    }
    Ok(())
}

/// Optimizes for these pairs of bits on random crops of the images in a folder.
pub fn optimize(
    session: &Session,
    images: &Path,
    selection: &Selection,
    bits: &[[BitWidth; 2]],
    effort: &EffortOptions,
) -> Result<Optimized> {
    let scale = if selection.low_resolution { 1 } else { session.network().convention().scale };
    let crops = calibrate::random_crops(&files::images(images)?, selection, scale)?;
    let (effort, settings) = (effort.effort(), selection.settings());
    let bar = progress_bar(100, "full precision");
    let targets = session.note_targets(&crops, effort, selection.seed, &mut |done| {
        bar.set_position((100.0 * done) as u64);
        true
    })?;
    bar.finish_and_clear();
    let bar = progress_bar(100 * bits.len() as u64, "optimizing");
    let one = |bits: &[BitWidth; 2]| {
        let mut last = 0;
        let layers = targets.optimize(session.network(), settings, *bits, effort, &mut |done| {
            let now = (100.0 * done) as u64;
            bar.inc(now - last);
            last = now;
            true
        })?;
        Ok((*bits, layers))
    };
    let layers = bits.par_iter().map(one).collect::<dfsq::Result<_>>()?;
    bar.finish_and_clear();
    Ok(Optimized { settings, network: session.hash().to_owned(), layers })
}
