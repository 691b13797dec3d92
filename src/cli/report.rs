//! `dfsq report`

use super::options::{NetworkFile, Quantization};
use super::progress::Quiet;
use super::{files, out, passed_over, progress, session};
use anyhow::{Context, Result, ensure};
use dfsq::analysis::{ChannelSummary, SampleAnalysis};
use dfsq::choice::Choice;
use dfsq::figures::{self, LayersRequest, Style};
use dfsq::inspect::{FigureKind, FigureRequest, HistogramChoice, SampleName};
use dfsq::network::{Layer, Observer};
use dfsq::quant::QuantizationError;
use dfsq::session::{Costs, Method, Options, Session, benchmark_pair};
use serde_json::json;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    network: NetworkFile,
    /// A folder of high-resolution images, which are shrunk and enlarged again
    #[arg(long)]
    images: PathBuf,
    /// The folder to write to
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    overwriting: files::Overwriting,
    /// Most images to look at
    #[arg(long, default_value_t = 4)]
    limit: usize,
    #[command(flatten)]
    quantization: Quantization,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was seen of one image.
struct Sample {
    name: String,
    analysis: SampleAnalysis,
    /// dB of every layer's input under dfsq-opt, DFSQ and min-max; empty where the method has nothing to go by.
    decibels: [Vec<f64>; 3],
    /// And of its weights.
    weight_decibels: [Vec<f64>; 3],
}

struct Measuring;

impl Observer for Measuring {
    fn measures_errors(&self) -> bool {
        true
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.overwriting.check_folder(&arguments.output)?;
    let given = session::options(&arguments.network, &arguments.quantization)?;
    let with = |method| Options { method, ..given.clone() };
    // What --calibration says is for the method that was asked for; the other's file is taken where it lies beside the network.
    let asked = if given.method == Method::DfsqOpt { Method::DfsqOpt } else { Method::Dfsq };
    let mut session = session::session(
        &arguments.network,
        &arguments.quantization,
        &[with(asked)],
        Method::QUANTIZED.map(with)[..].into(),
    )?;
    let beside = |ending| std::fs::read(arguments.network.model.with_extension(ending));
    if asked == Method::DfsqOpt {
        if let Ok(bytes) = beside("calibration") {
            session.load_calibration(&bytes)?;
        }
    } else if let Ok(bytes) = beside("optimized") {
        session.load_optimized(&bytes)?;
    }
    let images = files::images(&arguments.images)?;
    let bar = progress::counted(images.len().min(arguments.limit), "looking at images");
    let mut samples = Vec::new();
    for path in images.iter().take(arguments.limit.max(1)) {
        match look(&session, path, &Method::QUANTIZED.map(with)) {
            Ok(sample) => samples.push(sample),
            Err(error) => passed_over::add(path, error)?,
        }
        bar.one_more();
    }
    drop(bar);
    ensure!(!samples.is_empty(), "no image could be looked at");

    std::fs::create_dir_all(&arguments.output)
        .with_context(|| format!("cannot make {}", arguments.output.display()))?;
    let mut written = 0;
    let mut write = |name: String, text: &str| {
        written += 1;
        files::write(&arguments.output.join(name), text.as_bytes())
    };
    write("distributions.csv".into(), &distributions(&session, &samples))?;
    write("layers.csv".into(), &layers(&session, &samples))?;
    write(
        "costs.json".into(),
        &serde_json::to_string_pretty(&costs(&session, &Method::QUANTIZED.map(with))?)?,
    )?;
    for (name, svg) in draw(&session, &samples, &given)? {
        write(name, &svg)?;
    }
    if arguments.json {
        out::line(format_args!(
            "{}",
            json!({"output": arguments.output, "images": samples.len(), "files": written})
        ))?;
    } else {
        out::line(format_args!(
            "{}: {written} files about {} images",
            arguments.output.display(),
            samples.len()
        ))?;
    }
    Ok(())
}

fn look(session: &Session, path: &Path, methods: &[Options; 3]) -> Result<Sample> {
    let (_, low) = benchmark_pair(&files::read(path)?, session.network().convention().fit.scale)
        .with_context(|| path.display().to_string())?;
    let (_, analysis) = session.analyze(&low, session.point_settings(Method::Dfsq), &Quiet)?;
    let mut decibels = [const { Vec::new() }; 3];
    let mut weight_decibels = decibels.clone();
    for ((options, decibels), of_weights) in methods.iter().zip(&mut decibels).zip(&mut weight_decibels) {
        let Ok(prepared) = session.prepare(options) else { continue };
        let errors = session.upscale(&low, &prepared, &mut Measuring, &Quiet)?.errors;
        let of_layer = |channels: &Vec<_>| channels.iter().sum::<QuantizationError>().decibels();
        *decibels = errors.iter().map(of_layer).collect();
        *of_weights = prepared.weight_errors().iter().map(QuantizationError::decibels).collect();
    }
    Ok(Sample { name: files::stem(path), analysis, decibels, weight_decibels })
}

fn quantized(session: &Session) -> impl Iterator<Item = (usize, &Layer)> {
    let layers = session.network().layers();
    Layer::quantized(layers).map(move |index| (index, &layers[index]))
}

/// A field of a CSV file.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn distributions(session: &Session, samples: &[Sample]) -> String {
    let mut csv =
        "image,layer,channel,minimum,lower_quartile,median,upper_quartile,maximum,mean,range\n".to_owned();
    for sample in samples {
        for (index, layer) in quantized(session) {
            for (channel, summary) in sample.analysis.layers[index].iter().enumerate() {
                let ChannelSummary { five: [low, q1, median, q3, high], mean, range, .. } = summary;
                let (image, layer) = (field(&sample.name), field(&layer.name));
                let _ =
                    writeln!(csv, "{image},{layer},{channel},{low},{q1},{median},{q3},{high},{mean},{range}");
            }
        }
    }
    csv
}

fn layers(session: &Session, samples: &[Sample]) -> String {
    let mut csv = "image,layer,method,signal_to_noise_db\n".to_owned();
    for sample in samples {
        for (index, layer) in quantized(session) {
            for (method, decibels) in Method::QUANTIZED.iter().zip(&sample.decibels) {
                let Some(db) = decibels.get(index) else { continue };
                let (image, layer) = (field(&sample.name), field(&layer.name));
                let _ = writeln!(csv, "{image},{layer},{},{db}", method);
            }
        }
    }
    csv
}

fn costs(session: &Session, methods: &[Options; 3]) -> Result<serde_json::Value> {
    let mut report = json!({});
    for options in methods {
        let costs: Costs = match session.prepare(options) {
            Ok(prepared) => session.costs(&prepared)?,
            Err(_) => session.costs_of(options)?,
        };
        report[options.method.id()] = serde_json::to_value(costs)?;
    }
    Ok(report)
}

/// A name for a layer's files that no other layer has: layers may be called a/b and a_b.
fn file_name(layer: &str, taken: &mut HashSet<String>) -> String {
    let plain = layer.replace(|c: char| !(c.is_alphanumeric() || "._-".contains(c)), "_");
    let mut name = plain.clone();
    let mut number = 2;
    // Some file systems do not tell capitals.
    while !taken.insert(name.to_lowercase()) {
        name = format!("{plain}_{number}");
        number += 1;
    }
    name
}

/// Every figure with its file's name. Of each layer the widest channel of the first image is shown.
fn draw(session: &Session, samples: &[Sample], options: &Options) -> Result<Vec<(String, String)>> {
    let Some(first) = samples.first() else { return Ok(Vec::new()) };
    let find = |key: &str| samples.get(key.parse::<usize>().ok()?).map(|sample| &sample.analysis);
    let name = |(key, s): (usize, &Sample)| SampleName { key: key.to_string(), name: s.name.clone() };
    let with = Method::QUANTIZED.map(|method| Options { method, ..options.clone() });
    let style = Style { width: 640, height: 300, dark: false };
    let pick = |all: &Vec<f64>| quantized(session).map(|(i, _)| *all.get(i).unwrap_or(&f64::NAN)).collect();
    let lines = LayersRequest {
        style,
        inputs: first.decibels.each_ref().map(pick),
        weights: first.weight_decibels.each_ref().map(pick),
        selected: usize::MAX,
    };
    let mut drawn = vec![("layers.svg".to_owned(), figures::layers(&lines)?)];
    let mut request = FigureRequest {
        kind: FigureKind::Channels,
        style,
        layer: quantized(session).next().map_or(0, |(index, _)| index),
        samples: samples.iter().enumerate().map(name).collect(),
        sample: 0,
        channel: 0,
        methods: with.into_iter().filter(|options| session.prepare(options).is_ok()).collect(),
        looked_at: Method::Dfsq,
        kernel: 0,
        order: Vec::new(),
        centres: Vec::new(),
        histogram: HistogramChoice::default(),
    };
    let mut names = HashSet::new();
    for (index, layer) in quantized(session) {
        let channels = &first.analysis.layers[index];
        let widest = (0..channels.len()).max_by(|a, b| channels[*a].range.total_cmp(&channels[*b].range));
        (request.layer, request.channel) = (index, widest.unwrap_or(0));
        let name = file_name(&layer.name, &mut names);
        for (kind, what) in [
            (FigureKind::Channels, "channels"),
            (FigureKind::Samples, "samples"),
            (FigureKind::Histogram, "histogram"),
            (FigureKind::Weights, "weights"),
            (FigureKind::UniversalSet, "universal-set"),
        ] {
            request.kind = kind;
            drawn.push((format!("{name}-{what}.svg"), session.figure(&request, &find, None)?));
        }
    }
    Ok(drawn)
}
