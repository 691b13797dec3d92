//! From options to a session that has what they need.

use super::crops::{Source, random_crops};
use super::idle::Work;
use super::options::{NetworkFile, Quantization};
use super::out;
use super::progress::Bar;
use anyhow::{Context, Result, ensure};
use dfsq::hash::sha256;
use dfsq::network::{Layer, LoadOptions, Properties, join, second_files};
use dfsq::quant::subset::Selection;
use dfsq::quant::{BitWidth, PointSettings, PointSource, Recipe};
use dfsq::session::{Method, MinMaxRange, Options, Prepared, Session, WeightGrid};
use std::collections::BTreeMap;
use std::path::Path;

/// Reads a network, with what a list beside it says of it.
pub fn open(file: &NetworkFile) -> Result<Session> {
    let model = &file.model;
    let bytes = read_whole(model)?;
    let list = model.with_file_name("models.json");
    // A file of that name may be another program's.
    let listed = match std::fs::read(&list).map(|text| listed_properties(&text, &bytes)) {
        Ok(Ok(properties)) => properties,
        Ok(Err(error)) => {
            out::note(format_args!(
                "{} is not a list of networks, and is passed over: {error}",
                list.display()
            ));
            Properties::new()
        }
        Err(_) => Properties::new(),
    };
    let options = LoadOptions { listed, stated: file.stated(), engine: file.engine };
    Session::load_with(&bytes, &options).with_context(|| model.display().to_string())
}

/// A network's file, with the weights that lie in files beside it.
pub fn read_whole(model: &Path) -> Result<Vec<u8>> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let bytes = read(model)?;
    // What is no network is refused by whoever reads it.
    let names = second_files(&bytes).with_context(|| model.display().to_string())?;
    if names.is_empty() {
        return Ok(bytes);
    }
    let contents = |name: String| Ok((name.clone(), read(&model.with_file_name(name))?));
    let files = names.into_iter().map(contents).collect::<Result<_>>()?;
    join(&bytes, &files).with_context(|| model.display().to_string())
}

/// What a list like `onnx/models.json` says of this file.
fn listed_properties(list: &[u8], file: &[u8]) -> serde_json::Result<Properties> {
    #[derive(serde::Deserialize)]
    struct List {
        networks: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        sha256: String,
        #[serde(default)]
        properties: Properties,
    }
    let list: List = serde_json::from_slice(list)?;
    let hash = sha256(file);
    Ok(list.networks.into_iter().find(|entry| entry.sha256 == hash).map(|e| e.properties).unwrap_or_default())
}

/// What a run is asked to do.
pub fn options(network: &NetworkFile, asked: &Quantization) -> Result<Options> {
    let layer_bits = match (&asked.layer_bits, asked.mixed) {
        (Some(path), _) => layer_bits(path)?,
        (None, Some(bits)) => mixed_bits(network, asked, bits)?,
        (None, None) => BTreeMap::new(),
    };
    Ok(asked.options(layer_bits))
}

/// The network as it is to be quantized, and the session that has what this needs.
pub fn prepared(network: &NetworkFile, asked: &Quantization) -> Result<(Session, Prepared)> {
    let options = options(network, asked)?;
    let runs = std::slice::from_ref(&options);
    let session = session(network, asked, runs, runs.into())?;
    let prepared = session.prepare(&options)?;
    Ok((session, prepared))
}

/// Reads bits of single layers.
pub fn layer_bits(path: &Path) -> Result<BTreeMap<String, [BitWidth; 2]>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

/// The bits of layers that a file of optimized layers has for this budget.
fn mixed_bits(
    network: &NetworkFile,
    asked: &Quantization,
    bits: u8,
) -> Result<BTreeMap<String, [BitWidth; 2]>> {
    let beside = network.model.with_extension("optimized");
    let given = asked.calibration.as_deref().filter(|p| asked.method == Method::DfsqOpt && !p.is_dir());
    let path = given.unwrap_or(&beside);
    let mut session = open(network)?;
    let file = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    session.load_optimized(&file).with_context(|| path.display().to_string())?;
    let variants = session.info().optimization.variants;
    let variant = variants.into_iter().find(|variant| variant.mixed == Some(bits));
    let variant = variant.with_context(|| {
        format!(
            "{} has no mixed bits for {bits}: made without --mixed {bits}, or the same bits everywhere were best",
            path.display()
        )
    })?;
    let layers = session.network().layers();
    let named = |layer: usize| (layers[layer].name.clone(), variant.bits[layer]);
    Ok(Layer::quantized(layers).map(named).collect())
}

/// What a session is for.
pub struct Use<'u> {
    /// What is run.
    pub runs: &'u [Options],
    /// Whether crops of images are looked at in any case.
    pub crops: bool,
}

impl<'u> From<&'u [Options]> for Use<'u> {
    fn from(runs: &'u [Options]) -> Self {
        Use { runs, crops: false }
    }
}

/// Loads the network and what all of these options, of one method, need: from a file, or made from a folder of images. `runs`
/// is what is run with it; options that count in none of these are refused.
pub fn session(
    network: &NetworkFile,
    asked: &Quantization,
    all: &[Options],
    Use { runs, crops }: Use<'_>,
) -> Result<Session> {
    let Some(options) = all.first() else { return open(network) };
    let optimizes = options.method == Method::DfsqOpt;
    let selection = if optimizes { Selection::Exact } else { Selection::Kmeans };
    let made_here = asked.calibration.as_deref().is_some_and(Path::is_dir);
    let mut work = Work {
        runs,
        settings: asked.points.settings(selection),
        recipe: asked.recipe.recipe(),
        made_here: made_here || crops,
        optimizes: false,
    };
    asked.given().check(&work)?;
    let session = prepared_session(network, asked, all)?;
    if !made_here {
        // The file may say what the options do not.
        work.settings = session.point_settings(options.method);
        asked.given().check(&work)?;
    }
    Ok(session)
}

/// As [`session`], whatever options count.
pub fn prepared_session(network: &NetworkFile, asked: &Quantization, all: &[Options]) -> Result<Session> {
    let mut session = open(network)?;
    let layers = session.network().layers();
    let variants = all.iter().map(|options| options.bits(layers)).collect::<dfsq::Result<Vec<_>>>()?;
    let Some(options) = all.first() else { return Ok(session) };
    let bits = || variants.iter().flatten();
    let (weights, activations) =
        (bits().any(|b| b[0] != BitWidth::FULL), bits().any(|b| b[1] != BitWidth::FULL));
    let optimizes = options.method == Method::DfsqOpt;
    let needed = match options.method {
        Method::DfsqOpt => weights || activations,
        // The universal set of subset weights is that of the points.
        Method::Dfsq => {
            let calibrated = options.point_source == PointSource::Calibrated;
            (activations && calibrated) || (weights && options.weights == WeightGrid::Subset)
        }
        Method::MinMax => activations && options.min_max_range == MinMaxRange::Static,
        Method::Fp32 | Method::Bicubic => false,
    };
    let ending = if optimizes { "optimized" } else { "calibration" };
    let path = asked.calibration.clone().unwrap_or_else(|| network.model.with_extension(ending));
    if !needed || (asked.calibration.is_none() && !path.exists()) {
        return Ok(session);
    }
    if !path.is_dir() {
        check_file(asked, optimizes)?;
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let loaded = match options.method {
            Method::DfsqOpt => session.load_optimized(&bytes),
            _ => session.load_calibration(&bytes),
        };
        loaded.with_context(|| path.display().to_string())?;
        return Ok(session);
    }
    let source = Source { images: &path, crops: &asked.crops, seed: asked.points.seed() };
    if optimizes {
        let settings = asked.points.settings(Selection::Exact);
        optimize(&mut session, &source, &variants, settings, asked.recipe.recipe())?;
    } else {
        let mut widths: Vec<BitWidth> = bits().map(|b| b[1]).filter(|b| *b != BitWidth::FULL).collect();
        widths.sort();
        widths.dedup();
        calibrate(&mut session, &source, &widths, asked.points.settings(Selection::Kmeans))?;
    }
    Ok(session)
}

/// Refuses options that a file would silently overrule.
fn check_file(asked: &Quantization, optimizes: bool) -> Result<()> {
    let recipe = optimizes && !asked.recipe.given().is_empty();
    ensure!(
        asked.points.given().is_empty() && !recipe,
        "these options choose points or weights anew: give a folder of images with --calibration"
    );
    Ok(())
}

/// Chooses points for these widths.
pub fn calibrate(
    session: &mut Session,
    source: &Source<'_>,
    widths: &[BitWidth],
    settings: PointSettings,
) -> Result<()> {
    let crops = random_crops(session, source)?;
    session.calibrate(&crops, settings, widths, &Bar::new("calibrating"))?;
    Ok(())
}

/// Optimizes for these bits of all layers.
pub fn optimize(
    session: &mut Session,
    source: &Source<'_>,
    bits: &[Vec<[BitWidth; 2]>],
    settings: PointSettings,
    recipe: Recipe,
) -> Result<()> {
    let crops = random_crops(session, source)?;
    session.optimize(&crops, bits, settings, recipe, &Bar::new("optimizing"))?;
    Ok(())
}

/// The same bits for every quantized layer.
pub fn uniform([weight_bits, activation_bits]: [BitWidth; 2]) -> Options {
    Options { method: Method::DfsqOpt, weight_bits, activation_bits, ..Options::default() }
}
