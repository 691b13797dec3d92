//! `dfsq eval`

use super::options::{NetworkFile, Quantization};
use super::{files, progress, session};
use anyhow::{Result, ensure};
use dfsq::metrics;
use dfsq::session::{Options, Prepared, Session, benchmark_pair};
use rayon::prelude::*;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    network: NetworkFile,
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    quantization: Quantization,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is scored.
#[derive(clap::Args)]
pub struct Images {
    /// A folder of reference images
    #[arg(long)]
    hr: PathBuf,
    /// A folder of low-resolution images, paired by sorted names [default: made from the references]
    #[arg(long)]
    lr: Option<PathBuf>,
}

/// A reference and its low-resolution image, where that is not to be made.
pub type Pair = (PathBuf, Option<PathBuf>);

impl Images {
    /// The files, paired.
    pub fn pairs(&self) -> Result<Vec<Pair>> {
        let hr = files::images(&self.hr)?;
        let Some(lr) = &self.lr else { return Ok(hr.into_iter().map(|hr| (hr, None)).collect()) };
        let lr = files::images(lr)?;
        ensure!(lr.len() == hr.len(), "{} references but {} low-resolution images", hr.len(), lr.len());
        Ok(hr.into_iter().zip(lr.into_iter().map(Some)).collect())
    }
}

#[derive(Serialize)]
pub struct ImageScore {
    name: String,
    pub psnr_y: f64,
    ssim_y: f64,
}

#[derive(Serialize)]
struct Report {
    model: String,
    scale: usize,
    method: &'static str,
    weight_bits: u8,
    activation_bits: u8,
    images: Vec<ImageScore>,
    mean_psnr_y: f64,
    mean_ssim_y: f64,
    seconds: f64,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let pairs = arguments.images.pairs()?;
    let start = Instant::now();
    let options = session::options(&arguments.quantization)?;
    let session =
        session::session(&arguments.network, &arguments.quantization, std::slice::from_ref(&options))?;
    let images = scores(&session, &options, &pairs)?;

    let mean = |value: fn(&ImageScore) -> f64| images.iter().map(value).sum::<f64>() / images.len() as f64;
    let report = Report {
        model: files::stem(&arguments.network.model),
        scale: session.network().convention().scale,
        method: options.method.id(),
        weight_bits: options.weight_bits.bits(),
        activation_bits: options.activation_bits.bits(),
        mean_psnr_y: mean(|s| s.psnr_y),
        mean_ssim_y: mean(|s| s.ssim_y),
        images,
        seconds: start.elapsed().as_secs_f64(),
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report, &options);
    }
    Ok(())
}

/// Scores every image, several at a time.
pub fn scores(session: &Session, options: &Options, pairs: &[Pair]) -> Result<Vec<ImageScore>> {
    let prepared = session.prepare(options)?;
    let bar = progress::counted(pairs.len(), "scoring");
    let one = |(hr, lr): &Pair| {
        let result = score(session, &prepared, hr, lr.as_deref());
        bar.one_more();
        result
    };
    pairs.par_iter().map(one).collect()
}

fn score(session: &Session, prepared: &Prepared, hr: &Path, lr: Option<&Path>) -> Result<ImageScore> {
    let scale = session.network().convention().scale;
    let (mut reference, mut low) = benchmark_pair(&files::read(hr)?, scale)?;
    if let Some(lr) = lr {
        low = files::read(lr)?;
        reference = reference.crop(0, 0, low.width * scale, low.height * scale);
    }
    let result = session.upscale(&low, prepared, &mut ())?;
    let score = metrics::score(&result.picture, &reference, scale)?;
    Ok(ImageScore { name: files::stem(hr), psnr_y: score.psnr_y, ssim_y: score.ssim_y })
}

fn print(report: &Report, options: &Options) {
    for image in &report.images {
        println!("{:32} {:7.3} dB  {:.4}", image.name, image.psnr_y, image.ssim_y);
    }
    println!(
        "{:32} {:7.3} dB  {:.4}  {} x{}, {}, {}/{} bits, {:.1} s",
        "mean",
        report.mean_psnr_y,
        report.mean_ssim_y,
        report.model,
        report.scale,
        options.method.id(),
        report.weight_bits,
        report.activation_bits,
        report.seconds
    );
}
