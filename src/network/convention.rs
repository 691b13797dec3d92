//! What a network takes for an image: colour, value range, scale.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of a network beside its graph, by name: `scale` (a whole number), `input_range` (`0..1` or `0..255`),
/// `colour` (`RGB`, `BGR` or `Y`), `mean` (three numbers with commas, in units of the range) and `name`. Others are
/// ignored. Files say these in their metadata; `onnx/models.json` may say them for files that do not.
pub type Properties = BTreeMap<String, String>;

/// The channels a network reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub enum Colour {
    /// Red, green, blue.
    #[serde(rename = "RGB")]
    Rgb,
    /// Blue, green, red.
    #[serde(rename = "BGR")]
    Bgr,
    /// Luma alone (ITU-R BT.601, 16 to 235); chroma is upscaled by bicubic interpolation.
    Y,
}

impl Colour {
    /// Channels of the network's input.
    pub fn channels(self) -> usize {
        if self == Colour::Y { 1 } else { 3 }
    }
}

/// How pixels become the network's numbers, and back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(target_arch = "wasm32", derive(tsify::Tsify))]
pub struct Convention {
    /// Output size over input size.
    pub scale: usize,
    /// The value of a full channel: 1 or 255.
    pub range: f32,
    /// Channel order.
    pub colour: Colour,
    /// Taken off every channel of the input and added to the output, in units of `range`.
    pub mean: [f32; 3],
    /// Height and width of the input, where the network takes no other.
    pub size: Option<[usize; 2]>,
    /// In words, what the file did not say and was measured or assumed.
    pub assumed: Vec<String>,
}

/// What [`Properties`] say; every entry may be missing.
#[derive(Debug, Default, Clone)]
pub struct Stated {
    pub scale: Option<usize>,
    pub range: Option<f32>,
    pub colour: Option<Colour>,
    pub mean: Option<[f32; 3]>,
    pub name: Option<String>,
}

impl Stated {
    /// # Errors
    /// [`Error::Network`] for a property whose value is not understood.
    pub fn read(properties: &Properties) -> Result<Self> {
        let mut stated = Stated::default();
        for (key, value) in properties {
            let value = value.trim();
            let bad = || {
                Error::Network(format!("its property {key} has the value {value}, which is not understood"))
            };
            match key.as_str() {
                "name" => stated.name = Some(value.to_owned()),
                "scale" => match value.parse() {
                    Ok(scale @ 1..=8) => stated.scale = Some(scale),
                    _ => return Err(bad()),
                },
                "input_range" => match value {
                    "0..1" => stated.range = Some(1.0),
                    "0..255" => stated.range = Some(255.0),
                    _ => return Err(bad()),
                },
                "colour" => {
                    let colour = serde_json::from_value(value.into());
                    stated.colour = Some(colour.map_err(|_| bad())?);
                }
                "mean" => {
                    let numbers: Vec<f32> = value
                        .split(',')
                        .map(|n| n.trim().parse())
                        .collect::<Result<_, _>>()
                        .map_err(|_| bad())?;
                    stated.mean = Some(numbers.try_into().map_err(|_| bad())?);
                }
                _ => {}
            }
        }
        Ok(stated)
    }
}

/// Height and width of the picture that a network is tried on, where it takes any.
pub const PROBE_SIZE: [usize; 2] = [24, 24];

/// A smooth picture with one edge, `[channels, height, width]`, values in 0..1.
pub fn probe_picture(channels: usize, [height, width]: [usize; 2]) -> Vec<f32> {
    let at = |c: usize, y: usize, x: usize| {
        let wave = (x as f32 * 0.5 + c as f32).sin() + (y as f32 * 0.35).cos();
        let edge = if x + y > (height + width) / 2 { 0.2 } else { 0.0 };
        0.4 + 0.15 * wave + edge
    };
    (0..channels).flat_map(|c| (0..height).flat_map(move |y| (0..width).map(move |x| at(c, y, x)))).collect()
}

/// Mean squared difference between an output and the enlarged [`probe_picture`], in units of the range; infinite
/// if the output holds anything that is not finite.
pub fn probe_error(output: &[f32], size: [usize; 2], scale: usize, range: f32, channels: usize) -> f64 {
    let input = probe_picture(channels, size);
    let [height, width] = size;
    let mut error = 0.0;
    for (i, value) in output.iter().enumerate() {
        let (row, x) = (i / (width * scale), i % (width * scale));
        let (c, y) = (row / (height * scale), row % (height * scale));
        let want = input[(c * height + y / scale) * width + x / scale];
        error += f64::from(value / range - want).powi(2);
    }
    if error.is_finite() { error / output.len().max(1) as f64 } else { f64::INFINITY }
}
