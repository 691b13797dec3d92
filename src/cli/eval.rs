//! `dfsq eval`

use super::options::{NetworkFile, Quantization};
use super::progress::Quiet;
use super::results::{ImageScore, Kept, Results, Run, Scored, Shard};
use super::{files, interrupt, out, passed_over, progress, session};
use anyhow::{Context, Result, anyhow, ensure};
use dfsq::calibrate::Calibration;
use dfsq::pairing::{Pairing, pair_folder, pair_names};
use dfsq::quant::BitWidth;
use dfsq::session::{Options, Prepared, Session, benchmark_pair, reference_for};
use dfsq::{hash, metrics};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// A folder of reference images; with low-resolution images too, where names or folders tell them apart (HR and LR)
    #[arg(long)]
    hr: PathBuf,
    /// A folder of low-resolution images, each of the name of its reference, but for HR, LR or the scale (`x2`)
    /// [default: made from the references]
    #[arg(long)]
    lr: Option<PathBuf>,
}

/// A reference and its low-resolution image, where that is not to be made.
pub type Pair = (PathBuf, Option<PathBuf>);

impl Images {
    /// References of a folder, which may hold low-resolution images too.
    pub fn of(folder: PathBuf) -> Self {
        Images { hr: folder, lr: None }
    }

    /// The files, paired by their names. Those without a partner are passed over.
    pub fn pairs(&self, scale: usize) -> Result<Vec<Pair>> {
        let Some(lr) = &self.lr else { return self.pairs_within(scale) };
        let references = files::images(&self.hr)?;
        let lows = files::images(lr)?;
        let names = |files: &[PathBuf]| -> Vec<String> {
            files.iter().map(|file| file.file_name().unwrap_or_default().to_string_lossy().into()).collect()
        };
        let (high_names, low_names) = (names(&references), names(&lows));
        let pairing = match (&references[..], &lows[..]) {
            // Two files are a pair whatever their names.
            ([_], [_]) if self.hr.is_file() && lr.is_file() => {
                Pairing { pairs: vec![(0, Some(1))], ..Pairing::default() }
            }
            _ => pair_names(&borrowed(&high_names), &borrowed(&low_names), scale),
        };
        paired(&pairing, &[references, lows].concat())
    }

    /// Of one folder, which may hold low-resolution images too, and folders of both.
    fn pairs_within(&self, scale: usize) -> Result<Vec<Pair>> {
        let (root, images) = (&self.hr, files::images_below(&self.hr)?);
        let name = |file: &PathBuf| file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
        let names: Vec<String> = images.iter().map(name).collect();
        paired(&pair_folder(&borrowed(&names), scale), &images)
    }
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// The files of pairs; those without a partner are passed over by name.
fn paired(pairing: &Pairing, files: &[PathBuf]) -> Result<Vec<Pair>> {
    for file in pairing.unpaired.iter().map(|at| &files[*at]) {
        passed_over::add(
            file,
            anyhow!("{}: there is no one image that is its pair by name", file.display()),
        )?;
    }
    ensure!(!pairing.pairs.is_empty(), "no reference and low-resolution image are a pair by their names");
    let pair =
        |(high, low): &(usize, Option<usize>)| (files[*high].clone(), low.map(|low| files[low].clone()));
    Ok(pairing.pairs.iter().map(pair).collect())
}

pub fn run(arguments: &Arguments, fast: bool) -> Result<()> {
    if let (Some(path), false) = (&arguments.results, arguments.resume) {
        arguments.overwriting.check(path)?;
    }
    let options = session::options(&arguments.network, &arguments.quantization)?;
    let runs = std::slice::from_ref(&options);
    let session = session::session(&arguments.network, &arguments.quantization, runs, runs.into())?;
    let pairs = arguments.images.pairs(session.network().convention().fit.scale)?;
    let run = run_of(&arguments.network.model, &session, &options, arguments.to_full, fast)?;
    let mut results = Results { run, total: pairs.len(), images: BTreeMap::new(), seconds: 0.0 };
    let path = arguments.results.as_deref();
    if let Some(path) = path.filter(|path| arguments.resume && path.exists()) {
        results.add(Results::read(path)?, path)?;
    }
    let kept = Kept::new(results, path)?;
    let shard = arguments.shard;
    if !(0..pairs.len()).any(|place| shard.has(place)) {
        out::note(format_args!("no image of the folder is in this part"));
        return Ok(());
    }
    let scorer = Scorer::new(&session, &options, arguments.to_full)?;
    score_missing(&kept, &pairs, shard, &scorer, "scoring")?;
    kept.into_inner().print(arguments.json)
}

/// Scores the images of a part of a folder that are not known, or have changed; several at a time.
pub fn score_missing(
    kept: &Kept<'_>,
    pairs: &[Pair],
    shard: Shard,
    scorer: &Scorer<'_>,
    what: &'static str,
) -> Result<()> {
    let mine: Vec<_> = pairs.iter().enumerate().filter(|(place, _)| shard.has(*place)).collect();
    let bar = progress::counted(mine.len(), what);
    let one = |(place, pair): &(usize, &Pair)| {
        let result = keep_score(kept, *place, pair, scorer);
        bar.one_more();
        result
    };
    mine.par_iter().map(one).collect()
}

/// What is scored, and all that scores depend on beside the images.
pub fn run_of(model: &Path, session: &Session, options: &Options, to_full: bool, fast: bool) -> Result<Run> {
    let width = |bits: BitWidth| if options.method.quantizes() { bits } else { BitWidth::FULL };
    Ok(Run {
        model: files::stem(model),
        scale: session.network().convention().fit.scale,
        method: options.method.to_string(),
        weight_bits: width(options.weight_bits).bits(),
        activation_bits: width(options.activation_bits).bits(),
        average_bits: match options.layer_bits.is_empty() {
            true => None,
            false => session.costs_of(options)?.average_bits,
        },
        of: depends_on(session, options, to_full, fast),
    })
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
        "network": session.identity(),
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
pub struct Scorer<'s> {
    session: &'s Session,
    prepared: Prepared,
    /// To measure the distance from.
    full: Option<Prepared>,
}

impl<'s> Scorer<'s> {
    pub fn new(session: &'s Session, options: &Options, to_full: bool) -> Result<Self> {
        let full = to_full.then(|| session.prepare(&Options::full_precision())).transpose()?;
        Ok(Scorer { session, prepared: session.prepare(options)?, full })
    }

    fn score(&self, (hr, lr): &Pair) -> Result<ImageScore> {
        let scale = self.session.network().convention().fit.scale;
        let named = || hr.display().to_string();
        let high = files::read(hr)?;
        let (reference, low) = match lr {
            None => benchmark_pair(&high, scale).with_context(named)?,
            Some(lr) => {
                let low = files::read(lr)?;
                (reference_for(&high, &low, scale).with_context(named)?, low)
            }
        };
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
