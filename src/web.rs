//! The browser's boundary: the only user of wasm-bindgen. Convert, call, convert.
//!
//! Pictures cross as `{width, height, rgba}` with `rgba` a `Uint8Array`; reports and options as plain objects.
//! Errors are `Error` objects whose `name` is [`Error::kind`].

use crate::analysis::SampleAnalysis;
use crate::calibration::Settings;
use crate::figures::{self, Style};
use crate::image_io::{self, Picture};
use crate::metrics;
use crate::network::{Observer, QuantizationError};
use crate::optimize::Effort;
use crate::quant::{BitWidth, UniformGrid, UniversalSet};
use crate::session::{self, Method, Options, Prepared, Upscaled};
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

/// What a figure shows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FigureRequest {
    kind: FigureKind,
    #[serde(default)]
    style: Style,
    /// Index among the network's layers.
    layer: usize,
    #[serde(default)]
    sample: usize,
    #[serde(default)]
    channel: usize,
    #[serde(default)]
    options: Options,
    /// For `layers`: dB of every layer of the network under each method.
    #[serde(default)]
    dfsq: Vec<f64>,
    #[serde(default)]
    min_max: Vec<f64>,
    #[serde(default)]
    dfsq_opt: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FigureKind {
    Channels,
    Samples,
    Histogram,
    UniversalSet,
    Layers,
}

/// A network in one worker.
#[wasm_bindgen]
pub struct Session {
    session: session::Session,
    prepared: Option<Prepared>,
    samples: Vec<(String, SampleAnalysis)>,
}

#[wasm_bindgen]
impl Session {
    /// Reads an ONNX network. `properties`, an object of strings or nothing, says what the file does not.
    #[wasm_bindgen(constructor)]
    pub fn new(network: &[u8], properties: JsValue) -> Result<Session> {
        let properties = if properties.is_undefined() { Default::default() } else { from_js(properties)? };
        let session = session::Session::load_with(network, properties)?;
        Ok(Session { session, prepared: None, samples: Vec::new() })
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

    /// Calibrates on these pictures (an array), for these bit widths; returns the calibration file.
    pub fn calibrate(
        &mut self,
        pictures: &Array,
        settings: JsValue,
        widths: JsValue,
        progress: &Function,
    ) -> Result<Vec<u8>> {
        let settings: Settings =
            if settings.is_undefined() { Settings::default() } else { from_js(settings)? };
        let widths: Vec<BitWidth> = from_js(widths)?;
        let mut progress = Progress(progress);
        let mut total: Option<crate::calibration::Collector<'_>> = None;
        for picture in pictures.iter() {
            let one = self.session.collect(&picture_from_js(&picture)?, settings, &mut progress)?;
            match &mut total {
                Some(total) => total.merge(&one),
                None => total = Some(one),
            }
        }
        let total = total.ok_or_else(|| Error::Option("no picture to calibrate on".into()))?;
        let calibration = self.session.select(&total, &widths, &mut |done| progress.report(done))?;
        drop(total);
        self.session.set_calibration(calibration.clone());
        self.prepared = None;
        calibration.save()
    }

    /// Takes over a file of optimized layers.
    #[wasm_bindgen(js_name = loadOptimized)]
    pub fn load_optimized(&mut self, bytes: &[u8]) -> Result<()> {
        self.prepared = None;
        self.session.load_optimized(bytes)
    }

    /// Optimizes for these bits on these pictures (an array), all of one size, and uses the result from now on.
    pub fn optimize(
        &mut self,
        pictures: &Array,
        weight_bits: u8,
        activation_bits: u8,
        progress: &Function,
    ) -> Result<()> {
        let progress = Progress(progress);
        let pictures: Vec<Picture> =
            pictures.iter().map(|picture| picture_from_js(&picture)).collect::<Result<_>>()?;
        let bits = [BitWidth::new(weight_bits)?, BitWidth::new(activation_bits)?];
        let effort = Effort::default();
        let targets =
            self.session.note_targets(&pictures, effort, 0, &mut |done| progress.report(0.3 * done))?;
        let mut optimized = self.session.optimized().clone();
        let network = self.session.network();
        let layers = targets.optimize(network, optimized.settings, bits, effort, &mut |done| {
            progress.report(0.3 + 0.7 * done)
        })?;
        optimized.layers.insert(bits, layers);
        self.session.set_optimized(optimized);
        self.prepared = None;
        Ok(())
    }

    /// Enlarges a picture; returns `{picture, layerDb, modelBytes, seconds}`. `progress` is called with numbers in 0..1.
    pub fn upscale(&mut self, picture: &JsValue, options: JsValue, progress: &Function) -> Result<Object> {
        let start = now();
        let options: Options = from_js(options)?;
        let prepared = match self.prepared.take() {
            Some(prepared) if prepared.options() == options => prepared,
            _ => self.session.prepare(options)?,
        };
        let result = self.session.upscale(&picture_from_js(picture)?, &prepared, &mut Progress(progress));
        self.prepared = Some(prepared);
        self.result(&result?, options, start)
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
        self.result(&upscaled, Options { method: Method::Fp32, ..Options::default() }, start)
    }

    fn result(&self, upscaled: &Upscaled, options: Options, start: f64) -> Result<Object> {
        let decibels: Vec<f64> = upscaled.errors.iter().map(QuantizationError::decibels).collect();
        Ok(object(&[
            ("picture", picture_to_js(&upscaled.picture).into()),
            ("layerDb", Float64Array::from(decibels.as_slice()).into()),
            ("modelBytes", self.session.model_bytes(options)?.into()),
            ("seconds", (now() - start).into()),
        ]))
    }

    /// The distributions of one layer of one sample, as plain numbers.
    pub fn distributions(&self, sample: usize, layer: usize) -> Result<JsValue> {
        let channels = self.samples.get(sample).and_then(|(_, s)| s.layers.get(layer));
        to_js(&channels.cloned().unwrap_or_default())
    }

    /// The DFSQ points of one channel at a bit width; empty where there are none.
    pub fn points(&self, layer: usize, channel: usize, width: u8) -> Result<Vec<f32>> {
        let Some(calibration) = self.session.calibration() else { return Ok(Vec::new()) };
        let universal = UniversalSet::new(calibration.settings.word_sets)?;
        let name = self.session.network().layers().get(layer).map(|l| l.name.as_str()).unwrap_or_default();
        let indices = calibration
            .layers
            .get(name)
            .and_then(|l| l.points.get(&BitWidth::new(width).ok()?)?.get(channel));
        Ok(indices.map_or_else(Vec::new, |indices| {
            indices.iter().map(|i| universal.values()[usize::from(*i)]).collect()
        }))
    }

    /// Draws a figure, as SVG text. Empty where the sample has not been analyzed.
    pub fn figure(&self, request: JsValue) -> Result<String> {
        let request: FigureRequest = from_js(request)?;
        let style = &request.style;
        let of_sample = |(_, sample): &(String, SampleAnalysis)| {
            sample.layers.get(request.layer).is_some_and(|l| !l.is_empty())
        };
        let Some((_, sample)) = self.samples.get(request.sample).filter(|s| of_sample(s)) else {
            return Ok(String::new());
        };
        let channels = &sample.layers[request.layer];
        let channel = request.channel.min(channels.len() - 1);
        let width = request.options.activation_bits;
        match request.kind {
            FigureKind::Channels => figures::channels(style, channels, channel),
            FigureKind::Samples => {
                let analyzed = self.samples.iter().enumerate().filter(|(_, s)| of_sample(s));
                let selected = analyzed.clone().position(|(i, _)| i == request.sample).unwrap_or(0);
                let rows: Vec<_> = analyzed
                    .map(|(_, (name, s))| (name.clone(), &s.layers[request.layer][channel]))
                    .collect();
                figures::samples(style, &rows, selected)
            }
            FigureKind::Histogram => {
                let low = channels.iter().map(|c| c.five[0]).fold(f32::INFINITY, f32::min);
                let high = channels.iter().map(|c| c.five[4]).fold(f32::NEG_INFINITY, f32::max);
                let grid = UniformGrid::spanning(low, high, width).values();
                figures::histogram(
                    style,
                    &channels[channel],
                    &self.points(request.layer, channel, width.bits())?,
                    &grid,
                )
            }
            FigureKind::UniversalSet => {
                let sets =
                    self.session.calibration().map_or(UniversalSet::DEFAULT_SETS, |c| c.settings.word_sets);
                let points = self.points(request.layer, channel, width.bits())?;
                figures::universal_set(style, UniversalSet::new(sets)?.values(), &points)
            }
            FigureKind::Layers => {
                let quantized: Vec<usize> = (0..self.session.network().layers().len())
                    .filter(|i| self.session.network().layers()[*i].quantized)
                    .collect();
                let pick = |values: &[f64]| -> Vec<f64> {
                    quantized.iter().map(|i| values.get(*i).copied().unwrap_or(f64::NAN)).collect()
                };
                let selected = quantized.iter().position(|i| *i == request.layer).unwrap_or(0);
                let [opt, dfsq, min_max] =
                    [&request.dfsq_opt, &request.dfsq, &request.min_max].map(|v| pick(v));
                figures::layers(style, [&opt, &dfsq, &min_max], selected)
            }
        }
    }
}
