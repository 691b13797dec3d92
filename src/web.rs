//! The browser's boundary: the only user of wasm-bindgen. Convert, call, convert.
//!
//! Pictures cross as `{width, height, rgba}` with `rgba` a `Uint8Array`; reports and options as plain objects.
//! Errors are `Error` objects whose `name` is [`Error::kind`].

mod figure;

use crate::analysis::SampleAnalysis;
use crate::calibration::{Collector, Settings};
use crate::image_io::{self, Picture};
use crate::metrics;
use crate::mixed_precision::{self, LayerErrors};
use crate::network::{Observer, QuantizationError};
use crate::optimize::{Optimized, Recipe, Targets};
use crate::quant::BitWidth;
use crate::session::{self, Costs, Method, Options, Prepared, Upscaled};
use crate::{Error, Result};
use js_sys::{Array, Float64Array, Function, Object, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

impl From<Error> for JsValue {
    fn from(error: Error) -> JsValue {
        let js = js_sys::Error::new(&error.to_string());
        js.set_name(error.kind());
        js.into()
    }
}

/// Makes panics readable in the browser's console.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

fn from_js<T: for<'de> Deserialize<'de>>(value: JsValue) -> Result<T> {
    serde_wasm_bindgen::from_value(value).map_err(|e| Error::Option(e.to_string()))
}

fn to_js(value: &impl Serialize) -> Result<JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|e| Error::Option(e.to_string()))
}

fn picture_from_js(value: &JsValue) -> Result<Picture> {
    let get = |key: &str| Reflect::get(value, &key.into()).unwrap_or(JsValue::UNDEFINED);
    let size = |key: &str| get(key).as_f64().filter(|n| *n >= 1.0 && *n <= 65_535.0).map(|n| n as usize);
    let bad = || Error::Option("a picture needs width, height and rgba".into());
    let (width, height) = size("width").zip(size("height")).ok_or_else(bad)?;
    let rgba = get("rgba").dyn_into::<Uint8Array>().map_err(|_| bad())?;
    if u64::from(rgba.length()) != 4 * width as u64 * height as u64 {
        return Err(bad());
    }
    Ok(Picture::from_rgba(width, height, &rgba.to_vec()))
}

fn object(entries: &[(&str, JsValue)]) -> Object {
    Object::from_entries(
        &entries.iter().map(|(key, value)| Array::of2(&(*key).into(), value)).collect::<Array>(),
    )
    .unwrap_or_default()
}

fn picture_to_js(picture: &Picture) -> Object {
    let rgba = Uint8Array::from(picture.to_rgba().as_slice());
    object(&[("width", picture.width.into()), ("height", picture.height.into()), ("rgba", rgba.into())])
}

/// SHA-256 in hexadecimal.
#[wasm_bindgen]
pub fn sha256(bytes: &[u8]) -> String {
    session::sha256(bytes)
}

/// Decodes PNG, JPEG or WebP.
#[wasm_bindgen(js_name = decodeImage)]
pub fn decode_image(bytes: &[u8]) -> Result<Object> {
    Picture::decode(bytes).map(|picture| picture_to_js(&picture))
}

/// Encodes a picture as PNG.
#[wasm_bindgen(js_name = encodePng)]
pub fn encode_png(picture: &JsValue) -> Result<Vec<u8>> {
    picture_from_js(picture)?.encode_png()
}

/// Enlarges a picture `scale` times by bicubic interpolation.
#[wasm_bindgen]
pub fn bicubic(picture: &JsValue, scale: usize) -> Result<Object> {
    Ok(picture_to_js(&image_io::upscale(&picture_from_js(picture)?, scale.clamp(1, 8))))
}

/// The pair of a benchmark at this scale, `{reference, low}`.
#[wasm_bindgen(js_name = benchmarkPair)]
pub fn benchmark_pair(picture: &JsValue, scale: usize) -> Result<Object> {
    let (reference, low) = session::benchmark_pair(&picture_from_js(picture)?, scale.clamp(1, 8))?;
    Ok(object(&[("reference", picture_to_js(&reference).into()), ("low", picture_to_js(&low).into())]))
}

/// PSNR and SSIM on Y of one picture against another, `{psnrY, ssimY}`, without a border of `border` pixels.
#[wasm_bindgen]
pub fn score(picture: &JsValue, reference: &JsValue, border: usize) -> Result<Object> {
    let score = metrics::score(&picture_from_js(picture)?, &picture_from_js(reference)?, border)?;
    Ok(object(&[("psnrY", score.psnr_y.into()), ("ssimY", score.ssim_y.into())]))
}

/// Seconds on the worker's monotonic clock; 0 outside a worker.
fn now() -> f64 {
    let worker: Option<web_sys::WorkerGlobalScope> = js_sys::global().dyn_into().ok();
    worker.and_then(|worker| worker.performance()).map_or(0.0, |clock| clock.now() / 1000.0)
}

/// Most bytes of statistics or targets kept for other settings; with 64 features, EDSR's take 67 and 69 MB.
const KEPT_BYTES: usize = 200 << 20;

fn result_to_js(upscaled: &Upscaled, costs: &Costs, start: f64) -> Result<Object> {
    let decibels: Vec<f64> = upscaled.errors.iter().map(QuantizationError::decibels).collect();
    Ok(object(&[
        ("picture", picture_to_js(&upscaled.picture).into()),
        ("layerDb", Float64Array::from(decibels.as_slice()).into()),
        ("costs", to_js(costs)?),
        ("seconds", (now() - start).into()),
    ]))
}

/// A part of a longer work.
struct Part<'p> {
    whole: &'p Progress<'p>,
    start: f32,
    share: f32,
}

impl Observer for Part<'_> {
    fn progress(&mut self, done: f32) -> bool {
        self.whole.report(self.start + self.share * done)
    }
}

/// Calls a JavaScript function with the share of work done.
struct Progress<'f>(&'f Function);

impl Progress<'_> {
    fn report(&self, done: f32) -> bool {
        self.0.call1(&JsValue::NULL, &done.into()).is_ok()
    }
}

impl Observer for Progress<'_> {
    fn progress(&mut self, done: f32) -> bool {
        self.report(done)
    }

    fn measures_errors(&self) -> bool {
        true
    }
}

/// Assigns widths to layers: for each of `layers` (as [`Session::layer_errors`] gives them) one of `widths`, such that the
/// average is at most `average_bits`. Empty if that cannot be.
#[wasm_bindgen(js_name = assignBits)]
pub fn assign_bits(layers: JsValue, widths: JsValue, average_bits: f64) -> Result<Vec<u8>> {
    let (layers, widths): (Vec<LayerErrors>, Vec<BitWidth>) = (from_js(layers)?, from_js(widths)?);
    let chosen = mixed_precision::assign(&layers, &widths, average_bits).unwrap_or_default();
    Ok(chosen.into_iter().map(|index| widths[index].bits()).collect())
}

/// A network in one worker.
#[wasm_bindgen]
pub struct Session {
    session: session::Session,
    prepared: Option<Prepared>,
    /// Statistics of the last calibration, with the name of what they are of.
    collected: Option<(String, Collector)>,
    /// Targets of the last optimization, likewise.
    targets: Option<(String, Targets)>,
    samples: Vec<(String, SampleAnalysis)>,
}

#[wasm_bindgen]
impl Session {
    /// Reads an ONNX network. `properties`, an object of strings or nothing, says what the file does not.
    #[wasm_bindgen(constructor)]
    pub fn new(network: &[u8], properties: JsValue) -> Result<Session> {
        let properties = if properties.is_undefined() { Default::default() } else { from_js(properties)? };
        let session = session::Session::load_with(network, properties)?;
        Ok(Session { session, prepared: None, collected: None, targets: None, samples: Vec::new() })
    }

    /// Facts about network and calibration.
    pub fn info(&self) -> Result<JsValue> {
        to_js(&self.session.info())
    }

    /// Takes over a calibration file.
    #[wasm_bindgen(js_name = loadCalibration)]
    pub fn load_calibration(&mut self, bytes: &[u8]) -> Result<()> {
        self.prepared = None;
        self.session.load_calibration(bytes)
    }

    /// Calibrates on these pictures (an array), for these bit widths; returns the calibration file. `name` stands for the
    /// pictures: statistics of the same ones are used again where the settings allow it.
    pub fn calibrate(
        &mut self,
        pictures: &Array,
        name: String,
        settings: JsValue,
        widths: JsValue,
        progress: &Function,
    ) -> Result<Vec<u8>> {
        let (settings, widths): (Settings, Vec<BitWidth>) = (from_js(settings)?, from_js(widths)?);
        let progress = Progress(progress);
        let again = |(known, collected): &(String, Collector)| {
            *known == name && settings.gather_as(&collected.settings())
        };
        let collected = match self.collected.take().filter(again) {
            Some((_, collected)) => collected,
            None => self.collect(pictures, settings, &progress)?,
        };
        let mut done = |done| progress.report(0.7 + 0.3 * done);
        let calibration = self.session.select(&collected, settings, &widths, &mut done)?;
        self.collected = Some((name, collected)).filter(|(_, collected)| collected.bytes() <= KEPT_BYTES);
        self.session.set_calibration(calibration.clone());
        self.prepared = None;
        calibration.save()
    }

    fn collect(&self, pictures: &Array, settings: Settings, progress: &Progress<'_>) -> Result<Collector> {
        let mut collected = Collector::new(self.session.network(), settings)?;
        let share = 0.7 / pictures.length() as f32;
        for (index, picture) in pictures.iter().enumerate() {
            let mut part = Part { whole: progress, start: share * index as f32, share };
            self.session.collect(&mut collected, &picture_from_js(&picture)?, &mut part)?;
        }
        if collected.is_empty() {
            return Err(Error::Option("no picture to calibrate on".into()));
        }
        Ok(collected)
    }

    /// Takes over a file of optimized layers.
    #[wasm_bindgen(js_name = loadOptimized)]
    pub fn load_optimized(&mut self, bytes: &[u8]) -> Result<()> {
        self.prepared = None;
        self.session.load_optimized(bytes)
    }

    /// Optimizes for the bits of `options` on these pictures (an array), all of one size, and uses the result from now on.
    /// `name` stands for the pictures: what the network computes for the same ones is not computed again. Returns the
    /// file of all that has been optimized with these settings and this recipe.
    pub fn optimize(
        &mut self,
        pictures: &Array,
        name: String,
        options: JsValue,
        settings: JsValue,
        recipe: JsValue,
        progress: &Function,
    ) -> Result<Vec<u8>> {
        let (options, settings, recipe): (Options, Settings, Recipe) =
            (from_js(options)?, from_js(settings)?, from_js(recipe)?);
        let progress = Progress(progress);
        let network = self.session.network();
        let bits = options.bits(network.layers())?;
        let targets = match self.targets.take().filter(|(known, _)| *known == name) {
            Some((_, targets)) => targets,
            None => {
                let pictures = pictures.iter().map(|picture| picture_from_js(&picture));
                let pictures: Vec<Picture> = pictures.collect::<Result<_>>()?;
                self.session.note_targets(&pictures, &mut |done| progress.report(0.3 * done))?
            }
        };
        let mut report = |done| progress.report(0.3 + 0.7 * done);
        let variant = targets.optimize(network, settings, &bits, recipe, &mut report)?;
        self.targets = Some((name, targets)).filter(|(_, targets)| targets.bytes() <= KEPT_BYTES);
        let known = self.session.optimized();
        if (known.settings, known.recipe) != (settings, recipe) {
            let hash = self.session.hash().to_owned();
            self.session.set_optimized(Optimized { settings, recipe, ..Optimized::empty(hash) });
        }
        self.session.add_optimized(variant);
        self.prepared = None;
        self.session.optimized().save(self.session.network())
    }

    /// Measures what every quantized layer does to the output when it alone is quantized, at each of these widths: an array
    /// of `{layer, weights, errors}`, errors being mean squares in units of the network's range squared.
    #[wasm_bindgen(js_name = layerErrors)]
    pub fn layer_errors(
        &mut self,
        pictures: &Array,
        options: JsValue,
        widths: JsValue,
        progress: &Function,
    ) -> Result<JsValue> {
        let (options, widths): (Options, Vec<BitWidth>) = (from_js(options)?, from_js(widths)?);
        let progress = Progress(progress);
        let references = pictures
            .iter()
            .map(|picture| self.session.reference(&picture_from_js(&picture)?))
            .collect::<Result<Vec<_>>>()?;
        let errors =
            self.session.layer_errors(&references, &options, &widths, &mut |done| progress.report(done))?;
        to_js(&errors)
    }

    /// Compares the ways of choosing points of one channel, for this picture alone.
    pub fn study(
        &self,
        picture: &JsValue,
        layer: usize,
        channel: usize,
        bits: u8,
        progress: &Function,
    ) -> Result<JsValue> {
        let settings = self.session.calibration().map(|c| c.settings).unwrap_or_default();
        let (picture, bits) = (picture_from_js(picture)?, BitWidth::new(bits)?);
        let mut progress = Progress(progress);
        to_js(&self.session.study(&picture, (layer, channel), bits, settings, &now, &mut progress)?)
    }

    /// Enlarges a picture; returns `{picture, layerDb, costs, seconds}`. `progress` is called with numbers in 0..1.
    pub fn upscale(&mut self, picture: &JsValue, options: JsValue, progress: &Function) -> Result<Object> {
        let start = now();
        let options: Options = from_js(options)?;
        let prepared = match self.prepared.take() {
            Some(prepared) if *prepared.options() == options => prepared,
            _ => self.session.prepare(&options)?,
        };
        let prepared = self.prepared.insert(prepared);
        let result = self.session.upscale(&picture_from_js(picture)?, prepared, &mut Progress(progress))?;
        result_to_js(&result, &self.session.costs(prepared)?, start)
    }

    /// Enlarges a picture in full precision and keeps what is needed to draw its distributions, under this index.
    pub fn analyze(
        &mut self,
        picture: &JsValue,
        sample: usize,
        name: String,
        progress: &Function,
    ) -> Result<Object> {
        let start = now();
        let (upscaled, analysis) =
            self.session.analyze(&picture_from_js(picture)?, &mut Progress(progress))?;
        if sample > self.samples.len() {
            self.samples.resize(sample, Default::default());
        }
        match self.samples.get_mut(sample) {
            Some(slot) => *slot = (name, analysis),
            None => self.samples.push((name, analysis)),
        }
        let options = Options { method: Method::Fp32, ..Options::default() };
        result_to_js(&upscaled, &self.session.costs_of(&options)?, start)
    }

    /// The distributions of one layer of one sample, as plain numbers.
    pub fn distributions(&self, sample: usize, layer: usize) -> Result<JsValue> {
        let channels = self.samples.get(sample).and_then(|(_, s)| s.layers.get(layer));
        to_js(&channels.cloned().unwrap_or_default())
    }

    /// Draws a figure, as SVG text. Empty where the sample has not been analyzed.
    pub fn figure(&self, request: JsValue) -> Result<String> {
        figure::draw(&self.session, &self.samples, &from_js(request)?)
    }
}
