//! What can be asked of pictures, without a network.

use super::convert::*;
use super::types::*;
use crate::image_io::{self, Decoded};
use crate::{Error, Result, hash, metrics, session};
use wasm_bindgen::prelude::*;

/// Decodes PNG, JPEG or WebP.
#[wasm_bindgen(js_name = decodeImage)]
pub fn decode_image(bytes: &[u8]) -> Result<JsDecoded> {
    let Decoded { picture, profile } = Decoded::from_bytes(bytes)?;
    let mut entries = picture_entries(&picture).to_vec();
    entries.push(("sha256", hash::sha256(&picture.rgba).into()));
    entries.push(("profile", profile.map_or(JsValue::UNDEFINED, JsValue::from)));
    Ok(object(&entries))
}

/// Encodes a picture as PNG, with what is to be said of it in a text chunk under "Comment".
#[wasm_bindgen(js_name = encodePng)]
pub fn encode_png(picture: &JsPicture, comment: &str) -> Result<Vec<u8>> {
    let texts = [("Software", crate::PROGRAM), ("Comment", comment)];
    picture_from_js(picture)?.encode_png_with(&texts)
}

/// Enlarges a picture `scale` times by bicubic interpolation.
#[wasm_bindgen]
pub fn bicubic(picture: &JsPicture, scale: usize) -> Result<JsPicture> {
    Ok(picture_to_js(&image_io::upscale(&picture_from_js(picture)?, scale.clamp(1, 8))))
}

/// The pair of a benchmark at this scale, of a reference alone or with its low-resolution image.
#[wasm_bindgen(js_name = benchmarkPair)]
pub fn benchmark_pair(picture: &JsPicture, scale: usize, low: &JsReference) -> Result<JsBenchmarkPair> {
    let (picture, scale) = (picture_from_js(picture)?, scale.clamp(1, 8));
    let (reference, low) = if low.is_undefined() {
        session::benchmark_pair(&picture, scale)?
    } else {
        let low = picture_from_js(low)?;
        (session::reference_for(&picture, &low, scale)?, low)
    };
    Ok(object(&[("reference", picture_to_js(&reference).into()), ("low", picture_to_js(&low).into())]))
}

/// PSNR and SSIM on Y of one picture against another, without a border of `border` pixels; nothing where they are too small.
#[wasm_bindgen]
pub fn score(picture: &JsPicture, reference: &JsPicture, border: usize) -> Result<JsScore> {
    match metrics::score(&picture_from_js(picture)?, &picture_from_js(reference)?, border) {
        Err(Error::ImageTooSmall(_)) => Ok(JsValue::UNDEFINED.unchecked_into()),
        score => score_to_js(&score?),
    }
}

/// Where a picture is far from another, as a picture: PSNR on Y around each pixel, 60 dB black, 20 dB white.
#[wasm_bindgen(js_name = errorMap)]
pub fn error_map(picture: &JsPicture, reference: &JsPicture) -> Result<JsPicture> {
    Ok(picture_to_js(&metrics::error_map(&picture_from_js(picture)?, &picture_from_js(reference)?)?))
}

/// Where some of `pictures` is farthest from `full`: left and top of squares of `side` pixels, at most `count`, the worst first.
#[wasm_bindgen(js_name = differingPlaces)]
pub fn differing_places(
    pictures: JsPictures,
    full: &JsPicture,
    side: usize,
    count: usize,
) -> Result<Vec<u32>> {
    let corners =
        metrics::differing_places(&pictures_from_js(pictures)?, &picture_from_js(full)?, side, count)?;
    Ok(corners.into_iter().flatten().map(|at| at as u32).collect())
}
