//! The browser's face: the only user of wasm-bindgen. One class, [`BrowserSession`] (`Session` in JavaScript), and a few
//! functions. What is computed is computed in [`session`]; here is only what crosses the boundary.
//!
//! Pictures cross as `{width, height, rgba}`, reports and options as plain objects, progress as calls of a function.
//! Errors are `Error` objects whose `name` is the id of [`Error::kind`].

mod convert;
mod pictures;
pub mod types;

use crate::analysis::SampleAnalysis;
use crate::choice::Choice;
use crate::image_io::Picture;
use crate::inspect::{self, ChannelRequest, FigureRequest, HeldInputs};
use crate::mixed_precision::{self, LayerErrors};
use crate::network::{self, Engine, LoadOptions, Planes};
use crate::quant::{BitWidth, PointSettings, PointSource, RangeEstimator, Recipe, UniversalSet, WordSets};
use crate::session::{self, Method, Options, Prepared};
use crate::{Error, Result, export, figures, hash, metrics, pairing};
use convert::*;
use js_sys::Uint8Array;
pub use pictures::*;
use std::collections::HashMap;
use types::*;
use wasm_bindgen::prelude::*;

/// Makes panics readable in the browser's console.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// All that can be chosen, as it is by default.
#[wasm_bindgen]
pub fn defaults() -> Result<JsDefaults> {
    let widths: Vec<BitWidth> = BitWidth::offered().collect();
    let of_layers: Vec<BitWidth> = [BitWidth::FULL].into_iter().chain(BitWidth::quantized().rev()).collect();
    Ok(object(&[
        ("options", to_js(&Options::default())?),
        ("points", to_js(&PointSettings::default())?),
        ("optimalPoints", to_js(&PointSettings::EXACT)?),
        ("recipe", to_js(&Recipe::default())?),
        ("bitWidths", to_js(&widths)?),
        ("layerBitWidths", to_js(&of_layers)?),
        ("program", crate::PROGRAM.into()),
    ]))
}

/// What does not change while the page runs, and is written into it when it is built (`www/facts.mjs`): methods with the
/// colours that they have on light and on dark ground, those that quantize, how many values how many word sets make, and what
/// estimators of ranges and sources of points are called.
#[wasm_bindgen]
pub fn facts() -> Result<JsValue> {
    let methods: Vec<_> = Method::ALL
        .iter()
        .map(|method| (method.id(), method.title(), [false, true].map(|dark| figures::colour(*method, dark))))
        .collect();
    let sets: Vec<_> =
        WordSets::all().map(|sets| (sets.count(), UniversalSet::of(sets).values().len())).collect();
    let estimators: Vec<_> =
        RangeEstimator::ALL.iter().map(|estimator| (*estimator, estimator.title())).collect();
    let sources: Vec<_> =
        PointSource::ALL.iter().map(|source| (*source, source.title(), source.only_bits())).collect();
    to_js(&(methods, Method::QUANTIZED, sets, estimators, sources, PointSettings::OF_KMEANS))
}

/// SHA-256 in hexadecimal.
#[wasm_bindgen]
pub fn sha256(bytes: &[u8]) -> String {
    hash::sha256(bytes)
}

/// The files beside a network's that hold its weights, as it calls them. None, if they are in the network's own.
#[wasm_bindgen(js_name = secondFiles)]
pub fn second_files(network: &[u8]) -> Result<Vec<String>> {
    network::second_files(network)
}

/// The network with its weights in one file, from the contents of its second files in the order of their names.
#[wasm_bindgen(js_name = joinFiles)]
pub fn join_files(network: &[u8], names: Vec<String>, contents: Vec<Uint8Array>) -> Result<Vec<u8>> {
    let files = names.into_iter().zip(contents.iter().map(Uint8Array::to_vec)).collect();
    network::join(network, &files)
}

/// Pairs the files of a folder, by their paths within it, for a network that enlarges so many times.
#[wasm_bindgen(js_name = pairFiles)]
pub fn pair_files(paths: Vec<String>, scale: usize) -> Result<JsPairing> {
    to_js(&pairing::pair_folder(&paths.iter().map(String::as_str).collect::<Vec<_>>(), scale))
}

/// How a network is to be read: what its file does not say, and what is so whatever it says.
fn load_options(listed: &JsProperties, stated: &JsProperties, engine: Option<Engine>) -> Result<LoadOptions> {
    let read = |properties: &JsProperties| from_js::<Option<_>>(properties).map(Option::unwrap_or_default);
    Ok(LoadOptions { listed: read(listed)?, stated: read(stated)?, engine })
}

/// Runs a picture in full precision by both engines. Arguments are those of [`BrowserSession::new`].
#[wasm_bindgen(js_name = checkEngines)]
pub fn check_engines(
    network: &[u8],
    properties: JsProperties,
    stated: JsProperties,
    picture: &JsPicture,
    progress: JsProgress,
) -> Result<JsEngineCheck> {
    if !cfg!(feature = "tract") {
        return Err(Error::Lacking("tract".into()));
    }
    let load = |engine| {
        let options = load_options(&properties, &stated, Some(engine))?;
        session::Session::load_with(network, &options)
    };
    let (native, tract) = (load(Engine::Native)?, load(Engine::Tract)?);
    let picture = picture_from_js(picture)?;
    to_js(&inspect::check_engines([&native, &tract], &picture, &now, &Reporter::new(progress))?)
}

/// Assigns two of `widths` to each of `layers` (as [`BrowserSession::layer_errors`] gives them), for weights and for
/// activations, such that the budget of `average_bits` is kept. Null if that cannot be.
#[wasm_bindgen(js_name = assignBits)]
pub fn assign_bits(
    layers: JsLayerErrors,
    widths: JsBitWidths,
    budget: JsBudget,
    average_bits: f64,
) -> Result<JsBitPairs> {
    let (layers, widths): (Vec<LayerErrors>, Vec<BitWidth>) = (from_js(layers)?, from_js(widths)?);
    to_js(&mixed_precision::assign(&layers, &widths, from_js(budget)?, average_bits))
}

/// Draws a picture's quality over bits, as SVG text.
#[wasm_bindgen(js_name = qualityFigure)]
pub fn quality_figure(request: JsQualityRequest) -> Result<String> {
    figures::quality(&from_js(request)?)
}

/// Draws the noise of every layer, as SVG text.
#[wasm_bindgen(js_name = layersFigure)]
pub fn layers_figure(request: JsLayersRequest) -> Result<String> {
    figures::layers(&from_js(request)?)
}

/// Draws the noise of every channel of every layer, as SVG text.
#[wasm_bindgen(js_name = heatMapFigure)]
pub fn heat_map_figure(request: JsHeatMapRequest) -> Result<String> {
    figures::heat_map(&from_js(request)?)
}

/// A network in one worker, with what was prepared for the last run and the distributions of the samples seen.
#[wasm_bindgen(js_name = Session)]
pub struct BrowserSession {
    session: session::Session,
    prepared: Option<Prepared>,
    samples: HashMap<String, SampleAnalysis>,
    held: HeldInputs,
}

#[wasm_bindgen(js_class = Session)]
impl BrowserSession {
    /// Reads an ONNX network. `properties` say what the file does not, `stated` what is so whatever it says; `tract` has tract
    /// run it, to compare with.
    #[wasm_bindgen(constructor)]
    pub fn new(
        network: &[u8],
        properties: JsProperties,
        tract: Option<bool>,
        stated: JsProperties,
    ) -> Result<BrowserSession> {
        let engine = (tract == Some(true)).then_some(Engine::Tract);
        let session = session::Session::load_with(network, &load_options(&properties, &stated, engine)?)?;
        Ok(BrowserSession { session, prepared: None, samples: HashMap::new(), held: HeldInputs::default() })
    }

    /// Facts about the network and what was learned about it.
    pub fn info(&self) -> Result<JsNetworkInfo> {
        to_js(&self.session.info())
    }

    /// Takes over a calibration file, or throws and stays with the calibration before.
    #[wasm_bindgen(js_name = loadCalibration)]
    pub fn load_calibration(&mut self, bytes: &[u8]) -> Result<JsNetworkInfo> {
        self.session.load_calibration(bytes)?;
        self.prepared = None;
        self.info()
    }

    /// Takes over a file of optimized layers, or throws and stays with those before.
    #[wasm_bindgen(js_name = loadOptimized)]
    pub fn load_optimized(&mut self, bytes: &[u8]) -> Result<JsNetworkInfo> {
        self.session.load_optimized(bytes)?;
        self.prepared = None;
        self.info()
    }

    /// Chooses points on these pictures for these bit widths, and uses them from now on.
    pub fn calibrate(
        &mut self,
        pictures: JsPictures,
        settings: JsPointSettings,
        widths: JsBitWidths,
        progress: JsProgress,
    ) -> Result<JsMade> {
        let (pictures, widths) = (pictures_from_js(pictures)?, from_js::<Vec<BitWidth>>(widths)?);
        let reporter = Reporter::new(progress);
        let file = self.session.calibrate(&pictures, from_js(settings)?, &widths, &reporter)?.save()?;
        self.prepared = None;
        Ok(object(&[("file", file.into()), ("info", self.info()?.into())]))
    }

    /// Optimizes for the bits of `options` on these pictures, all of one size, and uses the result from now on, beside what
    /// was optimized in the same way.
    pub fn optimize(
        &mut self,
        pictures: JsPictures,
        options: JsOptions,
        settings: JsPointSettings,
        recipe: JsRecipe,
        progress: JsProgress,
    ) -> Result<JsMade> {
        let (pictures, reporter) = (pictures_from_js(pictures)?, Reporter::new(progress));
        let bits = from_js::<Options>(options)?.bits(self.session.network().layers())?;
        self.session.optimize(&pictures, &[bits], from_js(settings)?, from_js(recipe)?, &reporter)?;
        self.prepared = None;
        let file = self.session.optimized().save(self.session.network())?;
        Ok(object(&[("file", file.into()), ("info", self.info()?.into())]))
    }

    /// Measures what every quantized layer's weights alone, and its inputs alone, do to the output at each of these widths;
    /// errors are mean squares in units of the network's range squared. `settings` and `recipe` are DFSQ-opt's.
    #[wasm_bindgen(js_name = layerErrors)]
    pub fn layer_errors(
        &self,
        pictures: JsPictures,
        options: JsOptions,
        settings: JsPointSettings,
        recipe: JsRecipe,
        widths: JsBitWidths,
        progress: JsProgress,
    ) -> Result<JsLayerErrors> {
        let (options, widths): (Options, Vec<BitWidth>) = (from_js(options)?, from_js(widths)?);
        let (pictures, way) = (pictures_from_js(pictures)?, (from_js(settings)?, from_js(recipe)?));
        to_js(&self.session.layer_errors(&pictures, &options, way, &widths, &Reporter::new(progress))?)
    }

    /// Runs as far as a layer, whose input is then held under this key for [`BrowserSession::channel`],
    /// [`BrowserSession::study`] and figures. Inputs that were not looked at for longest are given up for it.
    #[wasm_bindgen(js_name = holdInput)]
    pub fn hold_input(
        &mut self,
        picture: &JsPicture,
        key: String,
        layer: usize,
        progress: JsProgress,
    ) -> Result<()> {
        if !self.held.touch(&key, layer) {
            let picture = picture_from_js(picture)?;
            let input = self.session.layer_input(&picture, layer, &Reporter::new(progress))?;
            self.held.keep(key, layer, input);
        }
        Ok(())
    }

    /// Looks at one channel of a layer whose input is held under this key.
    pub fn channel(&self, key: &str, request: JsChannelRequest) -> Result<JsChannelView> {
        let request: ChannelRequest = from_js(request)?;
        let input = self.held(key, request.layer)?;
        channel_to_js(&self.session.channel(input, &request)?, [input.width, input.height])
    }

    /// Looks at the weights of one kernel.
    pub fn kernel(&self, layer: usize, kernel: usize, methods: JsMethods) -> Result<JsKernelView> {
        to_js(&self.session.kernel(layer, kernel, &from_js::<Vec<Options>>(methods)?)?)
    }

    /// Compares the ways of choosing points of one channel of a layer whose input is held under this key.
    pub fn study(&self, key: &str, layer: usize, channel: usize, bits: u8) -> Result<JsStudy> {
        let (input, bits) = (self.held(key, layer)?, BitWidth::new(bits)?);
        let settings = self.session.point_settings(Method::Dfsq);
        to_js(&self.session.study(input, (layer, channel), bits, settings, &now)?)
    }

    /// Enlarges a picture, and scores it where there is a reference. `progress` is called with numbers in 0..1.
    pub fn upscale(
        &mut self,
        picture: &JsPicture,
        reference: &JsReference,
        options: JsOptions,
        progress: JsProgress,
    ) -> Result<JsUpscaled> {
        let (start, options) = (now(), from_js::<Options>(options)?);
        let prepared = match self.prepared.take().filter(|known| *known.options() == options) {
            Some(prepared) => prepared,
            None => self.session.prepare(&options)?,
        };
        let picture = picture_from_js(picture)?;
        let upscaled = self.session.upscale(&picture, &prepared, &mut Measuring, &Reporter::new(progress))?;
        let (costs, seconds) = (self.session.costs(&prepared)?, now() - start);
        let score = self.score(&upscaled.picture, reference)?;
        let result = upscaled_to_js(&upscaled, score, prepared.weight_errors(), &costs, seconds);
        self.prepared = Some(prepared);
        result
    }

    /// The network as `options` quantize it, as an ONNX file that other runtimes run. `file` is what it was read from.
    #[wasm_bindgen(js_name = exportOnnx)]
    pub fn export_onnx(&self, file: &[u8], options: JsOptions) -> Result<Vec<u8>> {
        let prepared = self.session.prepare(&from_js::<Options>(options)?)?;
        Ok(self.session.export(file, &prepared, export::OPSET)?.bytes)
    }

    /// The same so that runtimes compute in integers: min-max with static ranges and 8 bits of activations. What convolutions give is
    /// measured on these pictures.
    #[wasm_bindgen(js_name = exportInteger)]
    pub fn export_integer(
        &self,
        file: &[u8],
        options: JsOptions,
        pictures: JsPictures,
        progress: JsProgress,
    ) -> Result<Vec<u8>> {
        let prepared = self.session.prepare(&from_js::<Options>(options)?)?;
        let ranges = self.session.output_ranges(&pictures_from_js(pictures)?, &Reporter::new(progress))?;
        Ok(self.session.export_integer(file, &prepared, &ranges)?.bytes)
    }

    /// As [`BrowserSession::upscale`] in full precision. Keeps what is needed to draw distributions, under this key.
    pub fn analyze(
        &mut self,
        picture: &JsPicture,
        reference: &JsReference,
        key: String,
        settings: JsPointSettings,
        progress: JsProgress,
    ) -> Result<JsUpscaled> {
        let (start, picture) = (now(), picture_from_js(picture)?);
        let reporter = Reporter::new(progress);
        let (upscaled, analysis) = self.session.analyze(&picture, from_js(settings)?, &reporter)?;
        self.samples.insert(key, analysis);
        let (costs, seconds) = (self.session.costs_of(&Options::full_precision())?, now() - start);
        upscaled_to_js(&upscaled, self.score(&upscaled.picture, reference)?, &[], &costs, seconds)
    }

    /// Forgets the distributions of all samples but these, and what is held of them.
    #[wasm_bindgen(js_name = keepSamples)]
    pub fn keep_samples(&mut self, keys: Vec<String>) {
        self.held.retain(&keys);
        self.samples.retain(|key, _| keys.contains(key));
    }

    /// The distributions of one layer of one sample, as plain numbers.
    pub fn distributions(&self, key: &str, layer: usize) -> Result<JsChannels> {
        let channels = self.samples.get(key).and_then(|sample| sample.layers.get(layer));
        to_js(&channels.cloned().unwrap_or_default())
    }

    /// Draws a figure, as SVG text. Empty where the sample has not been analyzed.
    pub fn figure(&self, request: JsFigureRequest) -> Result<String> {
        let request: FigureRequest = from_js(request)?;
        let find = |key: &str| self.samples.get(key);
        let sample = request.samples.get(request.sample);
        let held = sample.and_then(|sample| self.held.get(&sample.key, request.layer));
        self.session.figure(&request, &find, held)
    }
}

impl BrowserSession {
    fn held(&self, key: &str, layer: usize) -> Result<&Planes> {
        self.held.get(key, layer).ok_or_else(|| Error::Option("this layer's input is not held".into()))
    }

    /// Nothing where there is no reference, or less than a score needs.
    fn score(&self, picture: &Picture, reference: &JsValue) -> Result<Option<metrics::Score>> {
        if reference.is_undefined() || reference.is_null() {
            return Ok(None);
        }
        let border = self.session.network().convention().fit.scale;
        match metrics::score(picture, &picture_from_js(reference)?, border) {
            Err(Error::ImageTooSmall(_)) => Ok(None),
            score => score.map(Some),
        }
    }
}
