//! Images: decoding and encoding, resizing, and the way to and from a network's numbers.

mod resize;

pub use resize::{downscale, upscale};

use crate::network::{Colour, Convention, Planes};
use crate::{Error, Result};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use std::io::Cursor;

/// Most pixels an image may have to be opened.
const MAX_PIXELS: u64 = 64_000_000;
/// Most bytes the decoder may take: 16 bits in each of four channels.
const MAX_DECODED_BYTES: u64 = MAX_PIXELS * 8;

/// An 8-bit picture: RGB, and alpha beside it where the file has some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row, three bytes a pixel. Where there is alpha, composited over white.
    pub rgb: Vec<u8>,
    /// Row by row, one byte a pixel; `None` for an opaque picture.
    pub alpha: Option<Vec<u8>>,
}

impl Picture {
    /// Decodes PNG, JPEG or WebP (the first frame), turned upright by its EXIF orientation.
    ///
    /// # Errors
    /// [`Error::ImageTooLarge`] before anything is decoded; [`Error::Image`] for other bytes and damaged files.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = |e: image::ImageError| match e {
            // What a 32-bit address space cannot hold is refused by the decoder itself.
            image::ImageError::Limits(_) => Error::Image("it has more pixels than can be opened".into()),
            other => Error::Image(other.to_string()),
        };
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|e| Error::Image(e.to_string()))?;
        if reader.format().is_none() {
            return Err(Error::Image("the file's format is not recognized".into()));
        }
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_DECODED_BYTES);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(damaged)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_DECODED_BYTES {
            return Err(Error::ImageTooLarge { width, height, limit: MAX_PIXELS / 1_000_000 });
        }
        // A damaged EXIF block is no reason to refuse the picture.
        let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
        image.apply_orientation(orientation);
        let (width, height) = (image.width() as usize, image.height() as usize);
        if image.color().has_alpha() {
            return Ok(Self::from_rgba(width, height, &image.into_rgba8()));
        }
        Ok(Picture { width, height, rgb: image.into_rgb8().into_raw(), alpha: None })
    }

    /// Makes a picture of RGBA bytes; `rgba` has `4 * width * height` of them. A fully opaque one loses its alpha.
    pub fn from_rgba(width: usize, height: usize, rgba: &[u8]) -> Self {
        let over_white = |c: u8, a: u8| {
            let (c, a) = (u32::from(c), u32::from(a));
            ((c * a + 255 * (255 - a) + 127) / 255) as u8
        };
        let opaque = rgba.chunks_exact(4).all(|p| p[3] == 255);
        let rgb = rgba.chunks_exact(4).flat_map(|p| [0, 1, 2].map(|c| over_white(p[c], p[3]))).collect();
        let alpha = (!opaque).then(|| rgba.chunks_exact(4).map(|p| p[3]).collect());
        Picture { width, height, rgb, alpha }
    }

    /// RGBA bytes; colour is brought back from over white.
    pub fn to_rgba(&self) -> Vec<u8> {
        let alpha_at = |i: usize| self.alpha.as_ref().map_or(255, |alpha| alpha[i]);
        let off_white = |c: u8, a: u8| match (i32::from(c), i32::from(a)) {
            (_, 0) => 255,
            (c, a) => ((255 * (c - (255 - a)) + a / 2) / a).clamp(0, 255) as u8,
        };
        let pixels = self.rgb.chunks_exact(3).enumerate();
        pixels
            .flat_map(|(i, p)| {
                let a = alpha_at(i);
                [off_white(p[0], a), off_white(p[1], a), off_white(p[2], a), a]
            })
            .collect()
    }

    /// Encodes as PNG, without loss, alpha included.
    ///
    /// # Errors
    /// [`Error::Image`] for a picture without pixels.
    pub fn encode_png(&self) -> Result<Vec<u8>> {
        use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
        let mut bytes = Vec::new();
        let (pixels, colour) = match self.alpha {
            Some(_) => (self.to_rgba(), ExtendedColorType::Rgba8),
            None => (self.rgb.clone(), ExtendedColorType::Rgb8),
        };
        PngEncoder::new(&mut bytes)
            .write_image(&pixels, self.width as u32, self.height as u32, colour)
            .map_err(|e| Error::Image(e.to_string()))?;
        Ok(bytes)
    }

    /// The part of `width` x `height` pixels whose upper left corner is at (`x`, `y`), cut to what lies inside.
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        let (x, y) = (x.min(self.width), y.min(self.height));
        let (width, height) = (width.min(self.width - x), height.min(self.height - y));
        let cut = |bytes: &[u8], per_pixel: usize| -> Vec<u8> {
            (y..y + height)
                .flat_map(|row| {
                    let start = (row * self.width + x) * per_pixel;
                    bytes[start..start + width * per_pixel].iter().copied()
                })
                .collect()
        };
        Picture { width, height, rgb: cut(&self.rgb, 3), alpha: self.alpha.as_deref().map(|a| cut(a, 1)) }
    }
}

/// ITU-R BT.601 luma of 8-bit RGB, 16 to 235, not rounded: what the paper scores, and what Y-only networks take.
pub fn luma(rgb: &[u8]) -> f64 {
    16.0 + (65.481 * f64::from(rgb[0]) + 128.553 * f64::from(rgb[1]) + 24.966 * f64::from(rgb[2])) / 255.0
}

/// The two chroma values that belong to [`luma`], 16 to 240.
fn chroma(rgb: &[u8]) -> [f64; 2] {
    let [r, g, b] = [0, 1, 2].map(|c| f64::from(rgb[c]) / 255.0);
    [128.0 - 37.797 * r - 74.203 * g + 112.0 * b, 128.0 + 112.0 * r - 93.786 * g - 18.214 * b]
}

/// RGB of luma and chroma, 0 to 255, not rounded (the inverse matrix of BT.601, to six digits).
fn from_luma(y: f64, cb: f64, cr: f64) -> [f64; 3] {
    let (y, cb, cr) = (1.164_383_56 * (y - 16.0), cb - 128.0, cr - 128.0);
    [y + 1.596_026_79 * cr, y - 0.391_762_29 * cb - 0.812_967_65 * cr, y + 2.017_232_14 * cb]
}

fn to_byte(value: f64) -> u8 {
    // The cast saturates: below 0 becomes 0, above 255 becomes 255.
    (value + 0.5).floor() as u8
}

/// The network's input for a picture, values in 0..`range` less the mean.
pub fn to_planes(picture: &Picture, convention: &Convention) -> Planes {
    let (factor, offset) = (convention.range / 255.0, convention.mean);
    let plane = |slot: usize, source: usize| {
        picture.rgb.chunks_exact(3).map(move |p| f32::from(p[source]) * factor - offset[slot])
    };
    let values = match convention.colour {
        Colour::Rgb => (0..3).flat_map(|c| plane(c, c)).collect(),
        Colour::Bgr => (0..3).flat_map(|c| plane(c, 2 - c)).collect(),
        Colour::Y => picture.rgb.chunks_exact(3).map(|p| luma(p) as f32 * factor - offset[0]).collect(),
    };
    Planes { channels: convention.colour.channels(), height: picture.height, width: picture.width, values }
}

/// The picture that the network's output shows, clamped and rounded to 8 bits. Alpha, and chroma where the network
/// knows luma only, come from `input` by bicubic interpolation.
///
/// # Errors
/// [`Error::Network`] if the output holds NaN or does not have the size that the convention promises.
pub fn from_planes(output: &Planes, input: &Picture, convention: &Convention) -> Result<Picture> {
    let (width, height) = (input.width * convention.scale, input.height * convention.scale);
    if (output.channels, output.width, output.height) != (convention.colour.channels(), width, height) {
        return Err(Error::Network(format!(
            "its output has {} x {} pixels instead of {width} x {height}",
            output.width, output.height
        )));
    }
    if output.values.iter().any(|v| v.is_nan()) {
        return Err(Error::Network("its output holds NaN".into()));
    }
    let pixels = width * height;
    let level = |plane: usize, slot: usize, i: usize| {
        f64::from((output.values[plane * pixels + i] + convention.mean[slot]) / convention.range) * 255.0
    };
    let alpha = input.alpha.as_ref().map(|_| upscale(input, convention.scale).alpha.unwrap_or_default());
    let rgb = match convention.colour {
        Colour::Rgb => (0..pixels).flat_map(|i| [0, 1, 2].map(|c| to_byte(level(c, c, i)))).collect(),
        Colour::Bgr => (0..pixels).flat_map(|i| [2, 1, 0].map(|c| to_byte(level(c, c, i)))).collect(),
        Colour::Y => {
            let enlarged = upscale(input, convention.scale);
            let pixels = enlarged.rgb.chunks_exact(3).enumerate();
            pixels
                .flat_map(|(i, p)| {
                    let [cb, cr] = chroma(p);
                    from_luma(level(0, 0, i), cb, cr).map(to_byte)
                })
                .collect()
        }
    };
    Ok(Picture { width, height, rgb, alpha })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn convention(colour: Colour, range: f32) -> Convention {
        Convention { scale: 1, range, colour, mean: [0.1, 0.2, 0.3], assumed: vec![] }
    }

    fn noise(width: usize, height: usize) -> Picture {
        let mut rng = fastrand::Rng::with_seed(9);
        Picture { width, height, rgb: (0..3 * width * height).map(|_| rng.u8(..)).collect(), alpha: None }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn pixels_survive_the_way_to_the_network_and_back() {
        let picture = noise(7, 5);
        for colour in [Colour::Rgb, Colour::Bgr, Colour::Y] {
            for range in [1.0, 255.0] {
                let convention = convention(colour, range);
                let planes = to_planes(&picture, &convention);
                assert_eq!(from_planes(&planes, &picture, &convention).unwrap(), picture);
            }
        }
        let bgr = to_planes(&picture, &convention(Colour::Bgr, 255.0));
        assert!((bgr.values[0] - (f32::from(picture.rgb[2]) - 0.1)).abs() < 1e-4);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn alpha_is_composited_over_white_and_brought_back() {
        let rgba = [10, 20, 30, 255, 200, 100, 0, 128, 9, 9, 9, 0];
        let picture = Picture::from_rgba(3, 1, &rgba);
        assert_eq!(picture.rgb, [10, 20, 30, 227, 177, 127, 255, 255, 255]);
        let back = picture.to_rgba();
        assert_eq!(back[..4], rgba[..4]);
        for (a, b) in back[4..8].iter().zip(&rgba[4..8]) {
            assert!(a.abs_diff(*b) <= 1);
        }
        assert_eq!(Picture::decode(&picture.encode_png().unwrap()).unwrap().alpha, picture.alpha);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn png_round_trip_and_crop() {
        let picture = noise(9, 6);
        assert_eq!(Picture::decode(&picture.encode_png().unwrap()).unwrap(), picture);
        let crop = picture.crop(7, 4, 10, 10);
        assert_eq!((crop.width, crop.height), (2, 2));
        assert_eq!(crop.rgb[..3], picture.rgb[3 * (4 * 9 + 7)..][..3]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_is_no_image_is_refused() {
        let png = noise(40, 40).encode_png().unwrap();
        for bytes in [&b""[..], b"hello, I am text", &png[..png.len() / 2], &png[..20]] {
            assert!(matches!(Picture::decode(bytes), Err(Error::Image(_))));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_header_that_announces_too_much_is_refused_before_decoding() {
        let mut png = noise(4, 4).encode_png().unwrap();
        png[16..24].copy_from_slice(&[0, 0, 0x4E, 0x20, 0, 0, 0x4E, 0x20]);
        // The header's checksum, over its type and 13 bytes.
        let crc = png[12..29].iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 })
        });
        png[29..33].copy_from_slice(&(!crc).to_be_bytes());
        assert!(matches!(Picture::decode(&png), Err(Error::ImageTooLarge { width: 20_000, .. })));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn exif_turns_a_photograph_upright() {
        let mut jpeg = Vec::new();
        let rgb = noise(16, 8).rgb;
        image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
            .encode(&rgb, 16, 8, image::ExtendedColorType::Rgb8)
            .unwrap();
        assert_eq!((Picture::decode(&jpeg).unwrap().width, Picture::decode(&jpeg).unwrap().height), (16, 8));
        // An EXIF block with one entry, orientation 6 (turned a quarter), right after the start of the file.
        let mut exif =
            b"\xFF\xE1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0".to_vec();
        exif.extend([0; 4]);
        let turned = [&jpeg[..2], &exif, &jpeg[2..]].concat();
        let picture = Picture::decode(&turned).unwrap();
        assert_eq!((picture.width, picture.height), (8, 16));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn sixteen_bits_and_grey_become_eight_bit_rgb() {
        let grey = image::ImageBuffer::<image::Luma<u16>, _>::from_fn(9, 9, |x, _| {
            image::Luma([x as u16 * 257 * 20])
        });
        let mut png = Cursor::new(Vec::new());
        DynamicImage::ImageLuma16(grey).write_to(&mut png, image::ImageFormat::Png).unwrap();
        let picture = Picture::decode(png.get_ref()).unwrap();
        assert_eq!(picture.rgb[..9], [0, 0, 0, 20, 20, 20, 40, 40, 40]);
        assert_eq!(picture.alpha, None);
    }
}
