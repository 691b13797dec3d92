//! What a network takes for an image: colour, value range, scale.

use crate::image_io::{self, Picture};
use crate::network::fit::{Fit, mirrored};
use crate::network::planes::Planes;
use crate::network::scope::Scope;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What is known of a network beside its graph, by name: `scale` (a whole number), `colour` (`RGB`, `BGR`, `RGBA` or `Y`), `name`;
/// `input_range` and `output_range`, what black and white are (`0..1`, `0..255`, `-1..1` or other numbers); `mean` and
/// `deviation`, which are subtracted and divided by then, in units of the range (one number, or three with commas in the
/// network's order); `output_mean` and `output_deviation`, where they are others. What is said of the input alone is so of
/// the output too. `quantization_scope` is a [`Scope`]: `paper`, `all` or names. Other names are ignored.
pub type Properties = BTreeMap<String, String>;

/// The channels a network reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub enum Colour {
    /// Red, green, blue.
    #[serde(rename = "RGB")]
    Rgb,
    /// Blue, green, red.
    #[serde(rename = "BGR")]
    Bgr,
    /// Red, green, blue, and how opaque a pixel is.
    #[serde(rename = "RGBA")]
    Rgba,
    /// Luma alone (ITU-R BT.601, 16 to 235); chroma is upscaled by bicubic interpolation.
    Y,
}

impl Colour {
    /// Channels of the network's input.
    pub fn channels(self) -> usize {
        match self {
            Colour::Y => 1,
            Colour::Rgb | Colour::Bgr => 3,
            Colour::Rgba => 4,
        }
    }
}

/// How 8-bit levels are written as a network's numbers: `(low + level / 255 (high - low) - mean) / deviation`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct ValueRange {
    /// Black.
    pub low: f32,
    /// White.
    pub high: f32,
    /// Subtracted from every channel, in the network's order.
    pub mean: [f32; 3],
    /// What the result is divided by.
    pub deviation: [f32; 3],
}

impl ValueRange {
    /// 0 to 1.
    pub const UNIT: ValueRange = ValueRange::of(0.0, 1.0);
    /// 0 to 255.
    pub const BYTE: ValueRange = ValueRange::of(0.0, 255.0);
    /// -1 to 1.
    pub const SIGNED: ValueRange = ValueRange::of(-1.0, 1.0);
    /// 0 to 1, less the mean and over the deviation of ImageNet's pictures, as classifiers have them.
    pub const IMAGENET: ValueRange =
        ValueRange { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225], ..ValueRange::UNIT };

    /// Those that networks have, the most usual first.
    pub const USUAL: [ValueRange; 4] =
        [ValueRange::UNIT, ValueRange::BYTE, ValueRange::SIGNED, ValueRange::IMAGENET];

    const fn of(low: f32, high: f32) -> Self {
        ValueRange { low, high, mean: [0.0; 3], deviation: [1.0; 3] }
    }

    /// Mean and deviation of a channel; alpha has none.
    fn centre(&self, slot: usize) -> (f32, f32) {
        let of = |list: &[f32; 3], otherwise| list.get(slot).copied().unwrap_or(otherwise);
        (of(&self.mean, 0.0), of(&self.deviation, 1.0))
    }

    /// What stands for a level of 0 to 255.
    fn encode(&self, slot: usize, level: f32) -> f32 {
        let (mean, deviation) = self.centre(slot);
        (self.low + level * ((self.high - self.low) / 255.0) - mean) / deviation
    }

    /// The level that a value stands for, which may lie outside 0 to 255.
    fn decode(&self, slot: usize, value: f32) -> f64 {
        let (mean, deviation) = self.centre(slot);
        f64::from((value * deviation + mean - self.low) / (self.high - self.low)) * 255.0
    }

    /// From black to white in the network's numbers, on average over channels.
    pub fn span(&self) -> f32 {
        (self.high - self.low) * 3.0 / self.deviation.iter().sum::<f32>()
    }

    /// Read from `0..1`, `-1..1` and the like.
    fn parse(text: &str) -> Option<[f32; 2]> {
        let (low, high) = text.split_once("..")?;
        let ends = [low.trim().parse().ok()?, high.trim().parse().ok()?];
        (ends[0] < ends[1] && ends.iter().all(|end: &f32| end.abs() <= 65_535.0)).then_some(ends)
    }
}

// Once in the program is enough.
#[inline(never)]
fn joined(numbers: &[f32], between: &str) -> String {
    let texts: Vec<String> = numbers.iter().map(f32::to_string).collect();
    texts.join(between)
}

impl std::fmt::Display for ValueRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.low, self.high)?;
        if self.mean != [0.0; 3] || self.deviation != [1.0; 3] {
            write!(f, " less {:?} over {:?}", self.mean, self.deviation)?;
        }
        Ok(())
    }
}

/// How pixels become the network's numbers, and back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Convention {
    /// What it does to an image's size.
    pub fit: Fit,
    /// Channel order.
    pub colour: Colour,
    /// What goes in.
    pub input: ValueRange,
    /// What comes out.
    pub output: ValueRange,
    /// In words, what the file did not say and was measured or assumed.
    pub assumed: Vec<String>,
    /// Why no picture can be made yet: the ranges are not stated, and none of the usual ones gives an output that looks like
    /// the input.
    pub doubt: Option<String>,
}

impl Convention {
    /// The ranges in words. What is learned of a network's layers is for these.
    pub fn ranges(&self) -> String {
        format!("{} in, {} out", self.input, self.output)
    }

    /// As a file's properties say it; without ranges where these are in doubt.
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let mut properties =
            vec![("scale", self.fit.scale.to_string()), ("colour", format!("{:?}", self.colour))];
        if self.colour != Colour::Y {
            properties[1].1 = properties[1].1.to_uppercase();
        }
        if self.doubt.is_some() {
            return properties;
        }
        for (at, range) in [self.input, self.output].into_iter().enumerate() {
            properties.push((RANGES[at], joined(&[range.low, range.high], "..")));
            properties.push((MEANS[at], joined(&range.mean, ",")));
            properties.push((DEVIATIONS[at], joined(&range.deviation, ",")));
        }
        properties
    }

    /// The network's input for a picture, padded to what it takes by mirroring.
    pub fn to_planes(&self, picture: &Picture) -> Planes {
        let [height, width] = self.fit.padded([picture.height, picture.width]);
        if [width, height] == picture.size() {
            return self.encode(picture);
        }
        let Planes { channels, values, .. } = self.encode(picture);
        let border = self.fit.border() as isize;
        let column = |x: usize| mirrored(x as isize - border, picture.width);
        let row = |y: usize| mirrored(y as isize - border, picture.height) * picture.width;
        let columns: Vec<usize> = (0..width).map(column).collect();
        let rows: Vec<usize> = (0..height).map(row).collect();
        let plane = |plane: &[f32]| -> Vec<f32> {
            rows.iter().flat_map(|row| columns.iter().map(move |column| plane[row + column])).collect()
        };
        let values = values.chunks_exact(picture.width * picture.height).flat_map(plane).collect();
        Planes { channels, height, width, values }
    }

    /// A picture's channels in the network's numbers.
    pub(super) fn encode(&self, picture: &Picture) -> Planes {
        let plane = |slot: usize, source: usize| {
            picture.rgba.chunks_exact(4).map(move |pixel| self.input.encode(slot, f32::from(pixel[source])))
        };
        let values = match self.colour {
            Colour::Rgb => (0..3).flat_map(|c| plane(c, c)).collect(),
            Colour::Rgba => (0..4).flat_map(|c| plane(c, c)).collect(),
            Colour::Bgr => (0..3).flat_map(|c| plane(c, 2 - c)).collect(),
            Colour::Y => {
                picture.rgb().map(|pixel| self.input.encode(0, image_io::luma(pixel) as f32)).collect()
            }
        };
        Planes { channels: self.colour.channels(), height: picture.height, width: picture.width, values }
    }

    /// Of the network's output, what is the enlarged image of a picture of this width and height.
    ///
    /// # Errors
    /// [`Error::Network`] where it does not have the size that this promises.
    pub(super) fn enlarged<'o>(
        &self,
        output: &'o Planes,
        [width, height]: [usize; 2],
    ) -> Result<Cow<'o, Planes>> {
        let Fit { scale, lost, .. } = self.fit;
        let [rows, columns] = self.fit.padded([height, width]).map(|side| scale * side - lost);
        let channels = self.colour.channels();
        if output.shape() != [channels, rows, columns] {
            return Err(Error::Network(format!(
                "its output has {} x {} pixels instead of {columns} x {rows}",
                output.width, output.height
            )));
        }
        let ([height, width], first) = ([height * scale, width * scale], self.fit.first());
        if [height, width] == [rows, columns] {
            return Ok(Cow::Borrowed(output));
        }
        let plane = |plane: &'o [f32]| {
            let rows = plane.chunks_exact(columns).skip(first).take(height);
            rows.flat_map(move |row| &row[first..][..width])
        };
        let values = output.values.chunks_exact(rows * columns).flat_map(plane).copied().collect();
        Ok(Cow::Owned(Planes { channels, height, width, values }))
    }

    /// The level that a value of the output stands for.
    pub(super) fn level(&self, slot: usize, value: f32) -> f64 {
        self.output.decode(slot, value)
    }

    /// The picture that the network's output shows, clamped and rounded to 8 bits. Alpha, where the network does not
    /// know it, and chroma where it knows luma only, come from `input` by bicubic interpolation.
    ///
    /// # Errors
    /// [`Error::Network`] if the output holds NaN or does not have the size that this promises.
    pub fn to_picture(&self, output: &Planes, input: &Picture) -> Result<Picture> {
        let scale = self.fit.scale;
        let output = self.enlarged(output, input.size())?;
        if output.values.iter().any(|v| v.is_nan()) {
            return Err(Error::Network("its output holds NaN".into()));
        }
        let pixels = output.width * output.height;
        let level = |plane: usize, i: usize| self.level(plane, output.values[plane * pixels + i]);
        let rgb: Vec<u8> = match self.colour {
            Colour::Rgb => {
                (0..pixels).flat_map(|i| [0, 1, 2].map(|c| image_io::to_byte(level(c, i)))).collect()
            }
            Colour::Rgba => {
                let rgba = (0..pixels).flat_map(|i| [0, 1, 2, 3].map(|c| image_io::to_byte(level(c, i))));
                return Ok(Picture { width: output.width, height: output.height, rgba: rgba.collect() });
            }
            Colour::Bgr => {
                (0..pixels).flat_map(|i| [2, 1, 0].map(|c| image_io::to_byte(level(c, i)))).collect()
            }
            Colour::Y => {
                let enlarged = image_io::upscale(input, scale);
                let pixel = |(i, pixel): (usize, [u8; 3])| image_io::with_luma(level(0, i), pixel);
                enlarged.rgb().enumerate().flat_map(pixel).collect()
            }
        };
        Ok(image_io::with_alpha_of(input, scale, &rgb))
    }
}

/// What [`Properties`] say; every entry may be missing.
#[derive(Debug, Default, Clone)]
pub struct Stated {
    pub scale: Option<usize>,
    pub colour: Option<Colour>,
    pub input: Option<ValueRange>,
    pub output: Option<ValueRange>,
    pub name: Option<String>,
    pub scope: Scope,
}

/// The words for what is stated, of the input and of the output.
const RANGES: [&str; 2] = ["input_range", "output_range"];
const MEANS: [&str; 2] = ["mean", "output_mean"];
const DEVIATIONS: [&str; 2] = ["deviation", "output_deviation"];

impl Stated {
    /// # Errors
    /// [`Error::Network`] for a property whose value is not understood.
    pub fn read(properties: &Properties) -> Result<Self> {
        let value = |key: &str| properties.get(key).map(|value| value.trim());
        let bad = |key: &str| {
            Error::Network(format!(
                "its property {key} has the value {}, which is not understood",
                value(key).unwrap_or_default()
            ))
        };
        let scale = value("scale").map(|text| match text.parse() {
            Ok(scale @ 1..=8) => Ok(scale),
            _ => Err(bad("scale")),
        });
        let colour = value("colour");
        let colour = colour.map(|text| serde_json::from_value(text.into()).map_err(|_| bad("colour")));
        let numbers = |key: &str| {
            let read = |text: &str| {
                let numbers: Option<Vec<f32>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
                match numbers?[..] {
                    [one] if f32::is_finite(one) => Some([one; 3]),
                    [a, b, c] if [a, b, c].iter().all(|n| n.is_finite()) => Some([a, b, c]),
                    _ => None,
                }
            };
            value(key).map(|text| read(text).ok_or_else(|| bad(key))).transpose()
        };
        let ends =
            |key: &str| value(key).map(|text| ValueRange::parse(text).ok_or_else(|| bad(key))).transpose();
        let mut ranges = [None; 2];
        for at in 0..2 {
            let (own, mean, deviation) = (ends(RANGES[at])?, numbers(MEANS[at])?, numbers(DEVIATIONS[at])?);
            if deviation.is_some_and(|list| list.iter().any(|d| *d <= 0.0)) {
                return Err(bad(DEVIATIONS[at]));
            }
            // What is said of the input is so of the output, where nothing else is.
            let before: Option<ValueRange> = if at == 1 { ranges[0] } else { None };
            if own.is_none() && mean.is_none() && deviation.is_none() {
                ranges[at] = before;
                continue;
            }
            let base = before.unwrap_or(ValueRange::UNIT);
            let [low, high] = own.unwrap_or([base.low, base.high]);
            let (mean, deviation) = (mean.unwrap_or(base.mean), deviation.unwrap_or(base.deviation));
            ranges[at] = Some(ValueRange { low, high, mean, deviation });
        }
        let [input, output] = ranges;
        let name = value("name").map(str::to_owned);
        let Ok(scope) = value("quantization_scope").unwrap_or("paper").parse();
        Ok(Stated { scale: scale.transpose()?, colour: colour.transpose()?, input, output, name, scope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn convention(colour: Colour, range: ValueRange) -> Convention {
        let fit = Fit { scale: 1, size: None, multiple: 1, least: 0, lost: 0 };
        Convention { fit, colour, input: range, output: range, assumed: vec![], doubt: None }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn pixels_survive_the_way_to_the_network_and_back() {
        let mut rng = fastrand::Rng::with_seed(9);
        let rgb: Vec<u8> = (0..3 * 7 * 5).map(|_| rng.u8(..)).collect();
        let picture = Picture::from_rgb(7, 5, &rgb);
        for colour in [Colour::Rgb, Colour::Bgr, Colour::Rgba, Colour::Y] {
            for range in [ValueRange::UNIT, ValueRange::BYTE, ValueRange::SIGNED, ValueRange::IMAGENET] {
                let convention = convention(colour, range);
                let planes = convention.to_planes(&picture);
                assert_eq!(convention.to_picture(&planes, &picture).unwrap(), picture, "{colour:?} {range}");
            }
        }
        let offset = ValueRange { mean: [0.1, 0.2, 0.3], ..ValueRange::BYTE };
        let bgr = convention(Colour::Bgr, offset).to_planes(&picture);
        assert!((bgr.values[0] - (f32::from(picture.rgba[2]) - 0.1)).abs() < 1e-4);
    }

    fn stated(properties: &[(&str, &str)]) -> Result<Stated> {
        Stated::read(&properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn ranges_are_stated_for_both_ends_or_each() {
        let of = |properties: &[(&str, &str)]| {
            let stated = stated(properties).unwrap();
            (stated.input, stated.output)
        };
        let (unit, byte, signed) = (ValueRange::UNIT, ValueRange::BYTE, ValueRange::SIGNED);
        assert_eq!(of(&[]), (None, None));
        assert_eq!(of(&[("input_range", "0..255")]), (Some(byte), Some(byte)));
        assert_eq!(of(&[("input_range", " 0 .. 255"), ("output_range", "0..1")]), (Some(byte), Some(unit)));
        assert_eq!(of(&[("output_range", "-1..1")]), (None, Some(signed)));
        let normalized =
            [("mean", "0.485,0.456, 0.406"), ("deviation", "0.229,0.224,0.225"), ("output_mean", "0")];
        let plain_mean = ValueRange { mean: [0.0; 3], ..ValueRange::IMAGENET };
        assert_eq!(of(&normalized), (Some(ValueRange::IMAGENET), Some(plain_mean)));
        for wrong in [
            ("input_range", "1..0"),
            ("input_range", "0..7e9"),
            ("output_range", "white"),
            ("mean", "1,2"),
            ("mean", "1,2,x"),
            ("deviation", "0"),
            ("deviation", "NaN"),
            ("scale", "9"),
            ("colour", "CMYK"),
        ] {
            let error = stated(&[wrong]).unwrap_err().to_string();
            assert!(error.contains(wrong.0) && error.contains(wrong.1), "{error}");
        }
    }
}
