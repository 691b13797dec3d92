//! What crosses the boundary: plain objects and typed arrays there, structs here. Their TypeScript types come from the
//! structs (`tsify`), or stand in [`types`](super::types) for what is made by hand.

use super::types::*;
use crate::image_io::Picture;
use crate::inspect::ChannelView;
use crate::metrics::Score;
use crate::network::Observer;
use crate::parallel::Progress;
use crate::quant::QuantizationError;
use crate::session::{Costs, Upscaled};
use crate::{Error, Result};
use js_sys::{Array, Float32Array, Float64Array, Function, Object, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use wasm_bindgen::prelude::*;

impl From<Error> for JsValue {
    fn from(error: Error) -> JsValue {
        let js = js_sys::Error::new(&error.to_string());
        js.set_name(error.kind().id());
        js.into()
    }
}

/// A struct from a plain object.
pub(super) fn from_js<T: for<'de> Deserialize<'de>>(value: impl Into<JsValue>) -> Result<T> {
    serde_wasm_bindgen::from_value(value.into()).map_err(|e| Error::Option(e.to_string()))
}

/// A plain object from a struct.
pub(super) fn to_js<J: JsCast>(value: &impl Serialize) -> Result<J> {
    let js = value.serialize(&serde_wasm_bindgen::Serializer::json_compatible());
    js.map(JsCast::unchecked_into).map_err(|e| Error::Option(e.to_string()))
}

pub(super) fn picture_from_js(value: &JsValue) -> Result<Picture> {
    let get = |key: &str| Reflect::get(value, &key.into()).unwrap_or(JsValue::UNDEFINED);
    let size = |key: &str| get(key).as_f64().filter(|n| *n >= 1.0 && *n <= 65_535.0).map(|n| n as usize);
    let bad = || Error::Option("a picture needs width, height and rgba".into());
    let (width, height) = size("width").zip(size("height")).ok_or_else(bad)?;
    let rgba = get("rgba").dyn_into::<Uint8Array>().map_err(|_| bad())?;
    if u64::from(rgba.length()) != 4 * width as u64 * height as u64 {
        return Err(bad());
    }
    Ok(Picture { width, height, rgba: rgba.to_vec() })
}

pub(super) fn pictures_from_js(values: JsPictures) -> Result<Vec<Picture>> {
    let values: Array =
        JsValue::from(values).dyn_into().map_err(|_| Error::Option("no list of pictures".into()))?;
    values.iter().map(|value| picture_from_js(&value)).collect()
}

/// An object with these entries.
pub(super) fn object<J: JsCast>(entries: &[(&str, JsValue)]) -> J {
    let pairs: Array = entries.iter().map(|(key, value)| Array::of2(&(*key).into(), value)).collect();
    Object::from_entries(&pairs).unwrap_or_default().unchecked_into()
}

pub(super) fn picture_to_js(picture: &Picture) -> JsPicture {
    object(&picture_entries(picture))
}

pub(super) fn picture_entries(picture: &Picture) -> [(&'static str, JsValue); 3] {
    let rgba = Uint8Array::from(picture.rgba.as_slice());
    [("width", picture.width.into()), ("height", picture.height.into()), ("rgba", rgba.into())]
}

pub(super) fn upscaled_to_js(
    upscaled: &Upscaled,
    score: Option<Score>,
    weight_errors: &[QuantizationError],
    costs: &Costs,
    seconds: f64,
) -> Result<JsUpscaled> {
    let decibels = |errors: &[QuantizationError]| -> Vec<f64> {
        errors.iter().map(QuantizationError::decibels).collect()
    };
    let layers: Vec<QuantizationError> =
        upscaled.errors.iter().map(|channels| channels.iter().sum()).collect();
    let channels: Array =
        upscaled.errors.iter().map(|channels| Float64Array::from(&decibels(channels)[..])).collect();
    Ok(object(&[
        ("picture", picture_to_js(&upscaled.picture).into()),
        ("score", score.map_or(Ok(JsValue::UNDEFINED), |score| score_to_js(&score).map(JsValue::from))?),
        ("layerDb", Float64Array::from(&decibels(&layers)[..]).into()),
        ("channelDb", channels.into()),
        ("weightDb", Float64Array::from(&decibels(weight_errors)[..]).into()),
        ("costs", to_js(costs)?),
        ("seconds", seconds.into()),
    ]))
}

pub(super) fn channel_to_js(view: &ChannelView, [width, height]: [usize; 2]) -> Result<JsChannelView> {
    Ok(object(&[
        ("view", to_js(view)?),
        ("width", width.into()),
        ("height", height.into()),
        ("values", Float32Array::from(&view.values[..]).into()),
        ("quantized", Float32Array::from(&view.quantized[..]).into()),
    ]))
}

/// As numbers: JSON knows no infinity.
pub(super) fn score_to_js(score: &Score) -> Result<JsScore> {
    Ok(object(&[("psnrY", score.psnr_y.into()), ("ssimY", score.ssim_y.into())]))
}

/// Seconds on a monotonic clock, which workers and Node have under the same name.
pub(super) fn now() -> f64 {
    let clock = Reflect::get(&js_sys::global(), &"performance".into()).ok();
    let clock = clock.filter(|clock| clock.is_object()).map(JsCast::unchecked_into::<web_sys::Performance>);
    clock.map_or(0.0, |clock| clock.now() / 1000.0)
}

/// Calls a JavaScript function with the share of work done; one that throws cancels.
pub(super) struct Reporter(Function);

impl Reporter {
    pub(super) fn new(function: JsProgress) -> Self {
        Reporter(JsValue::from(function).unchecked_into())
    }
}

impl Progress for Reporter {
    fn report(&self, done: f32) -> ControlFlow<()> {
        match self.0.call1(&JsValue::NULL, &done.into()) {
            Ok(_) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// Has what quantizers do measured.
pub(super) struct Measuring;

impl Observer for Measuring {
    fn measures_errors(&self) -> bool {
        true
    }
}
