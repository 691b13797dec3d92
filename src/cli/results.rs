//! Scores of a folder in a file that is whole after every image: to go on after an interruption, and to be merged with those
//! of other parts of the folder.

use super::files;
use super::out;
use anyhow::{Context, Result, ensure};
use dfsq::bit_ops::AverageBits;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One image's scores.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageScore {
    pub name: String,
    /// Infinite where nothing differs, which JSON has no number for: null.
    #[serde(deserialize_with = "or_infinite")]
    pub psnr_y: f64,
    pub ssim_y: f64,
    /// Of the output against that in full precision, where it was asked for.
    #[serde(default, deserialize_with = "some_or_infinite", skip_serializing_if = "Option::is_none")]
    pub psnr_to_full: Option<f64>,
}

fn some_or_infinite<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<f64>, D::Error> {
    or_infinite(from).map(Some)
}

fn or_infinite<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
}

/// What was scored, and how.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub model: String,
    pub scale: usize,
    pub method: String,
    pub weight_bits: u8,
    pub activation_bits: u8,
    /// Where layers have bits of their own.
    #[serde(default)]
    pub average_bits: Option<AverageBits>,
    /// SHA-256 of network, options, calibration and optimized layers: all that scores depend on beside the images.
    pub of: String,
}

/// An image that was scored.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    #[serde(flatten)]
    pub score: ImageScore,
    /// SHA-256 of its files.
    pub sha256: String,
}

/// The file.
#[derive(Serialize, Deserialize)]
pub struct Results {
    pub run: Run,
    /// Images of the folder.
    pub total: usize,
    /// By place in the folder, sorted by name.
    pub images: BTreeMap<usize, Scored>,
    pub seconds: f64,
}

/// Results that several threads change, and their file, where one is wanted.
pub struct Kept<'p> {
    results: Mutex<Results>,
    path: Option<&'p Path>,
    start: Instant,
    /// Seconds of the runs before.
    before: f64,
}

impl<'p> Kept<'p> {
    /// From now on the seconds count.
    pub fn new(results: Results, path: Option<&'p Path>) -> Result<Self> {
        path.map_or(Ok(()), |path| results.write(path))?;
        Ok(Kept { before: results.seconds, results: Mutex::new(results), path, start: Instant::now() })
    }

    fn lock(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of an image.
    pub fn get(&self, place: usize) -> Option<Scored> {
        self.lock().images.get(&place).cloned()
    }

    /// Replaces what is known of an image, in the file too.
    pub fn set(&self, place: usize, scored: Option<Scored>) -> Result<()> {
        let mut results = self.lock();
        match scored {
            Some(scored) => drop(results.images.insert(place, scored)),
            None => drop(results.images.remove(&place)),
        }
        results.seconds = self.before + self.start.elapsed().as_secs_f64();
        self.path.map_or(Ok(()), |path| results.write(path))
    }

    /// At the end.
    pub fn into_inner(self) -> Results {
        self.results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every `of`-th image of a folder, from the `index`-th on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-of-{}", self.index, self.of)
    }
}

impl Shard {
    /// Whether it is the whole folder.
    pub fn is_whole(&self) -> bool {
        self.of == 1
    }

    pub fn has(&self, place: usize) -> bool {
        place % self.of == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Shard { index, of }),
            _ => Err("say which of how many: 1/4 to 4/4".into()),
        }
    }
}

/// As it is printed.
#[derive(Serialize)]
struct Report<'r> {
    model: &'r str,
    scale: usize,
    method: &'r str,
    weight_bits: u8,
    activation_bits: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_bits: Option<AverageBits>,
    images: Vec<&'r ImageScore>,
    mean_psnr_y: f64,
    mean_ssim_y: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_psnr_to_full: Option<f64>,
    seconds: f64,
}

impl Results {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let results: Results = serde_json::from_slice(&text)
            .with_context(|| format!("{} holds no results of dfsq eval", path.display()))?;
        let inside = results.images.keys().all(|place| *place < results.total);
        ensure!(inside, "{} has more images than its folder", path.display());
        Ok(results)
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        files::write(path, serde_json::to_string_pretty(self)?.as_bytes())
    }

    /// Adds those of another part of the folder.
    pub fn add(&mut self, other: Results, path: &Path) -> Result<()> {
        let path = path.display();
        ensure!(
            other.run == self.run,
            "{path} is of another network, method, calibration or options than the first file"
        );
        ensure!(
            other.total == self.total,
            "{path} is of a folder of {} images, not {}",
            other.total,
            self.total
        );
        for (place, image) in other.images {
            let known = self.images.insert(place, image.clone()).is_none_or(|known| known == image);
            ensure!(known, "{path} has other scores for {}", image.score.name);
        }
        self.seconds += other.seconds;
        Ok(())
    }

    /// Adds those of another part or another time. Where they are not agreed upon an image has none: it has changed since.
    pub fn add_agreed(&mut self, other: Results) {
        for (place, image) in other.images {
            match self.images.get(&place) {
                Some(known) if *known != image => drop(self.images.remove(&place)),
                Some(_) => {}
                None => drop(self.images.insert(place, image)),
            }
        }
        self.seconds += other.seconds;
    }

    /// Whether every image of the folder has scores.
    pub fn is_whole(&self) -> bool {
        self.images.len() == self.total
    }

    /// The mean of all images.
    pub fn mean(&self, value: impl Fn(&ImageScore) -> f64) -> f64 {
        self.images.values().map(|image| value(&image.score)).sum::<f64>() / self.images.len() as f64
    }

    /// Prints scores and means.
    pub fn print(&self, json: bool) -> Result<()> {
        ensure!(!self.images.is_empty(), "no image could be scored");
        let images: Vec<&ImageScore> = self.images.values().map(|image| &image.score).collect();
        let count = images.len() as f64;
        let mean = |value: fn(&ImageScore) -> f64| self.mean(value);
        let to_full: Option<f64> = images.iter().map(|s| s.psnr_to_full).sum();
        let Run { model, scale, method, weight_bits, activation_bits, average_bits, .. } = &self.run;
        let report = Report {
            model,
            scale: *scale,
            method,
            weight_bits: *weight_bits,
            activation_bits: *activation_bits,
            average_bits: *average_bits,
            mean_psnr_y: mean(|s| s.psnr_y),
            mean_ssim_y: mean(|s| s.ssim_y),
            mean_psnr_to_full: to_full.map(|sum| sum / count),
            images,
            seconds: self.seconds,
        };
        if json {
            out::line(format_args!("{}", serde_json::to_string(&report)?))?;
            return Ok(());
        }
        let line = |name: &str, psnr_y: f64, ssim_y: f64, to_full: Option<f64>| {
            let to_full =
                to_full.map(|psnr| format!("  {psnr:7.3} dB to full precision")).unwrap_or_default();
            format!("{name:32} {psnr_y:7.3} dB  {ssim_y:.4}{to_full}")
        };
        for ImageScore { name, psnr_y, ssim_y, psnr_to_full } in &report.images {
            out::line(format_args!("{}", line(name, *psnr_y, *ssim_y, *psnr_to_full)))?;
        }
        let Report { mean_psnr_y, mean_ssim_y, mean_psnr_to_full, seconds, .. } = report;
        let mean = line("mean", mean_psnr_y, mean_ssim_y, mean_psnr_to_full);
        let bits = match average_bits {
            Some(AverageBits { weights, activations, bit_ops }) => {
                format!("{weights:.2}/{activations:.2} bits on average and BitOPs of {bit_ops:.2}")
            }
            None if [*weight_bits, *activation_bits] == [32, 32] => "full precision".to_owned(),
            None => format!("{weight_bits}/{activation_bits} bits"),
        };
        out::line(format_args!("{mean}  {model} x{scale}, {method}, {bits}, {seconds:.1} s"))?;
        Ok(())
    }
}
