//! `dfsq eval`

use super::options::{NetworkFile, Quantization};
use super::progress::Quiet;
use super::results::{ImageScore, Kept, Results, Run, Scored, Shard};
use super::{files, interrupt, passed_over, progress, session};
use anyhow::{Context, Result, ensure};
use dfsq::calibration::Calibration;
use dfsq::session::{Options, Prepared, Session, benchmark_pair};
use dfsq::{hash, metrics};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    network: NetworkFile,
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    quantization: Quantization,
    /// Score the distance from the output in full precision too, which takes a run more for each image
    #[arg(long)]
    to_full: bool,
    /// Which part of the folder to score, of how many: 1/4 to 4/4. `dfsq merge` puts their results together
    #[arg(long, value_name = "I/N", default_value = "1/1", hide_default_value = true)]
    shard: Shard,
    /// A file of results, whole after every image
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Go on where the file of results ends; it must be of the same network, method, calibration and options
    #[arg(long, requires = "results")]
    resume: bool,
    #[command(flatten)]
    overwriting: files::Overwriting,
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

pub fn run(arguments: &Arguments, fast: bool) -> Result<()> {
    if let (Some(path), false) = (&arguments.results, arguments.resume) {
        arguments.overwriting.check(path)?;
    }
    let pairs = arguments.images.pairs()?;
    let options = session::options(&arguments.network, &arguments.quantization)?;
    let session =
        session::session(&arguments.network, &arguments.quantization, std::slice::from_ref(&options))?;
    let run = Run {
        model: files::stem(&arguments.network.model),
        scale: session.network().convention().scale,
        method: options.method.id().to_owned(),
        weight_bits: options.weight_bits.bits(),
        activation_bits: options.activation_bits.bits(),
        average_bits: match options.layer_bits.is_empty() {
            true => None,
            false => session.costs_of(&options)?.average_bits,
        },
        of: depends_on(&session, &options, arguments.to_full, fast),
    };
    let mut results = Results { run, total: pairs.len(), images: BTreeMap::new(), seconds: 0.0 };
    let path = arguments.results.as_deref();
    if let Some(path) = path.filter(|path| arguments.resume && path.exists()) {
        results.add(Results::read(path)?, path)?;
    }
    let mine: Vec<_> = pairs.iter().enumerate().filter(|(place, _)| arguments.shard.has(*place)).collect();
    let kept = Kept::new(results, path)?;
    if mine.is_empty() {
        eprintln!("no image of the folder is in this part");
        return Ok(());
    }
    let scorer = Scorer::new(&session, &options, arguments.to_full)?;
    let bar = progress::counted(mine.len(), "scoring");
    let one = |(place, pair): &(usize, &Pair)| {
        let result = keep_score(&kept, *place, pair, &scorer);
        bar.one_more();
        result
    };
    mine.par_iter().map(one).collect::<Result<()>>()?;
    drop(bar);
    kept.into_inner().print(arguments.json)
}

/// Scores an image that is not known, or has changed.
fn keep_score(kept: &Kept<'_>, place: usize, pair: &Pair, scorer: &Scorer<'_>) -> Result<()> {
    let sha256 = hash_of(pair);
    if let Some(known) = kept.get(place) {
        if known.score.name == files::stem(&pair.0) && sha256.as_ref().is_ok_and(|now| *now == known.sha256) {
            return Ok(());
        }
        kept.set(place, None)?;
    }
    match sha256.and_then(|sha256| Ok(Scored { score: scorer.score(pair)?, sha256 })) {
        Ok(scored) => kept.set(place, Some(scored)),
        Err(error) => passed_over::add(&pair.0, error),
    }
}

/// Of all that scores depend on beside the images.
fn depends_on(session: &Session, options: &Options, to_full: bool, fast: bool) -> String {
    let mut made = serde_json::json!({
        "program": dfsq::PROGRAM,
        "network": session.hash(),
        "convention": session.network().convention(),
        "engine": session.network().engine().to_string(),
        "fast": fast,
        "options": options,
        "calibration": session.calibration().map(Calibration::digest),
        "optimized": session.optimized().variants().map(|(_, sha256)| sha256).collect::<Vec<_>>(),
    });
    if to_full {
        made["to_full"] = true.into();
    }
    hash::sha256(made.to_string().as_bytes())
}

/// Of a pair's files.
fn hash_of((hr, lr): &Pair) -> Result<String> {
    let mut digest = hash::Digest::default();
    for file in [Some(hr), lr.as_ref()].into_iter().flatten() {
        digest.add(&std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(digest.finish())
}

/// The score of every image, or why it has none; several at a time. An error is what ends the whole.
pub fn scores(session: &Session, options: &Options, pairs: &[Pair]) -> Result<Vec<Result<ImageScore>>> {
    let scorer = Scorer::new(session, options, false)?;
    let bar = progress::counted(pairs.len(), "scoring");
    let one = |pair: &Pair| {
        let result = scorer.score(pair);
        bar.one_more();
        match result {
            Err(error) if interrupt::is(&error) => Err(error),
            result => Ok(result),
        }
    };
    pairs.par_iter().map(one).collect()
}

/// Scores images one by one.
struct Scorer<'s> {
    session: &'s Session,
    prepared: Prepared,
    /// To measure the distance from.
    full: Option<Prepared>,
}

impl<'s> Scorer<'s> {
    fn new(session: &'s Session, options: &Options, to_full: bool) -> Result<Self> {
        let full = to_full.then(|| session.prepare(&Options::full_precision())).transpose()?;
        Ok(Scorer { session, prepared: session.prepare(options)?, full })
    }

    fn score(&self, (hr, lr): &Pair) -> Result<ImageScore> {
        let scale = self.session.network().convention().scale;
        let named = || hr.display().to_string();
        let (mut reference, mut low) = benchmark_pair(&files::read(hr)?, scale).with_context(named)?;
        if let Some(lr) = lr {
            low = files::read(lr)?;
            reference = reference.crop(0, 0, low.width * scale, low.height * scale);
        }
        let picture = |prepared: &Prepared| {
            let result = self.session.upscale(&low, prepared, &mut (), &Quiet).with_context(named)?;
            Ok::<_, anyhow::Error>(result.picture)
        };
        let own = picture(&self.prepared)?;
        let score = metrics::score(&own, &reference, scale).with_context(named)?;
        let to_full = self.full.as_ref().map(|full| {
            let distance = metrics::score(&own, &picture(full)?, scale).with_context(named)?;
            Ok::<_, anyhow::Error>(distance.psnr_y)
        });
        let psnr_to_full = to_full.transpose()?;
        Ok(ImageScore { name: files::stem(hr), psnr_y: score.psnr_y, ssim_y: score.ssim_y, psnr_to_full })
    }
}
