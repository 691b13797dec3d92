//! Images: decoding and encoding, resizing, luma and chroma.

mod jpeg;
mod profile;
mod resize;

pub use resize::{downscale, upscale};

use crate::{Error, Result, hash};
use image::imageops::{
    flip_horizontal_in_place, flip_vertical_in_place, rotate90, rotate180_in_place, rotate270,
};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbaImage};
use std::io::Cursor;

/// Most pixels an image may have to be opened.
const MAX_PIXELS: u64 = 64_000_000;
/// Most bytes the decoder may take: 16 bits in each of four channels.
const MAX_DECODED_BYTES: u64 = MAX_PIXELS * 8;

/// An 8-bit picture, as it is decoded, shown and encoded. What is computed from it is computed over white.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row, four bytes a pixel: red, green, blue, and alpha, by which colours are not multiplied.
    pub rgba: Vec<u8>,
}

/// A picture that was decoded.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The picture, in sRGB.
    pub picture: Picture,
    /// Description of a colour profile that could not be applied: colours are not quite those that are meant.
    pub profile: Option<String>,
}

impl Picture {
    /// As [`Decoded::from_bytes`], without a word about colour profiles.
    ///
    /// # Errors
    /// As [`Decoded::from_bytes`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(Decoded::from_bytes(bytes)?.picture)
    }
}

impl Decoded {
    /// Decodes PNG, JPEG or WebP (the first frame), turned upright by its EXIF orientation, and natively brought to sRGB by
    /// its colour profile.
    ///
    /// # Errors
    /// [`Error::ImageTooLarge`] before anything is decoded; [`Error::Image`] for other bytes, and for files that are damaged or
    /// end too early.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
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
        if reader.format() == Some(ImageFormat::Jpeg) && !jpeg::is_whole(bytes) {
            return Err(Error::Image("the file is truncated: it ends before its picture does".into()));
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
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let profile = decoder.icc_profile().unwrap_or_default();
        let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?.into_rgba8();
        let profile = profile.and_then(|profile| profile::to_srgb(&mut image, &profile));
        let image = upright(image, orientation);
        let (width, height) = (image.width() as usize, image.height() as usize);
        Ok(Decoded { picture: Picture { width, height, rgba: image.into_raw() }, profile })
    }
}

impl From<RgbaImage> for Picture {
    fn from(image: RgbaImage) -> Self {
        Picture { width: image.width() as usize, height: image.height() as usize, rgba: image.into_raw() }
    }
}

impl Picture {
    /// An opaque picture of RGB bytes, `3 * width * height` of them.
    pub fn from_rgb(width: usize, height: usize, rgb: &[u8]) -> Self {
        let (pixels, _) = rgb.as_chunks::<3>();
        Picture { width, height, rgba: pixels.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect() }
    }

    fn pixels(&self) -> &[[u8; 4]] {
        self.rgba.as_chunks().0
    }

    /// Columns and rows.
    pub fn size(&self) -> [usize; 2] {
        [self.width, self.height]
    }

    /// Whether no pixel lets anything through.
    pub fn is_opaque(&self) -> bool {
        self.pixels().iter().all(|pixel| pixel[3] == 255)
    }

    /// Its pixels over white.
    pub fn rgb(&self) -> impl Iterator<Item = [u8; 3]> {
        let over_white = |c: u8, a: u8| {
            let (c, a) = (u32::from(c), u32::from(a));
            ((c * a + 255 * (255 - a) + 127) / 255) as u8
        };
        self.pixels().iter().map(move |[r, g, b, a]| [*r, *g, *b].map(|c| over_white(c, *a)))
    }

    /// The picture that has these pixels over white, and this alpha.
    fn off_white(width: usize, height: usize, rgb: &[u8], alpha: &[u8]) -> Self {
        let off_white = |c: u8, a: u8| match (i32::from(c), i32::from(a)) {
            (_, 0) => 255,
            (c, a) => ((255 * (c - (255 - a)) + a / 2) / a).clamp(0, 255) as u8,
        };
        let pixels = rgb.as_chunks::<3>().0.iter().zip(alpha);
        let pixel =
            |([r, g, b], a): (&[u8; 3], &u8)| [off_white(*r, *a), off_white(*g, *a), off_white(*b, *a), *a];
        Picture { width, height, rgba: pixels.flat_map(pixel).collect() }
    }

    /// Encodes as PNG, without loss, alpha included.
    ///
    /// # Errors
    /// [`Error::Image`] for a picture without pixels.
    pub fn encode_png(&self) -> Result<Vec<u8>> {
        self.encode_png_with(&[])
    }

    /// As [`Picture::encode_png`], with texts by keyword: international text chunks, which programs that show PNG pass over.
    ///
    /// # Errors
    /// As [`Picture::encode_png`], and for a keyword that PNG does not allow.
    pub fn encode_png_with(&self, texts: &[(&str, &str)]) -> Result<Vec<u8>> {
        let write = |bytes: &mut Vec<u8>| -> std::result::Result<(), png::EncodingError> {
            let mut encoder = png::Encoder::new(bytes, self.width as u32, self.height as u32);
            let rgb: Vec<u8>;
            let (pixels, colour) = if self.is_opaque() {
                rgb = self.rgb().flatten().collect();
                (&rgb, png::ColorType::Rgb)
            } else {
                (&self.rgba, png::ColorType::Rgba)
            };
            encoder.set_color(colour);
            for (keyword, text) in texts {
                encoder.add_itxt_chunk((*keyword).to_owned(), (*text).to_owned())?;
            }
            let mut writer = encoder.write_header()?;
            writer.write_image_data(pixels)?;
            writer.finish()
        };
        let mut bytes = Vec::new();
        write(&mut bytes).map_err(|e| Error::Image(e.to_string()))?;
        Ok(bytes)
    }

    /// The part of `width` x `height` pixels whose upper left corner is at (`x`, `y`), cut to what lies inside.
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        let (x, y) = (x.min(self.width), y.min(self.height));
        let (width, height) = (width.min(self.width - x), height.min(self.height - y));
        let row = |row: usize| &self.rgba[4 * (row * self.width + x)..][..4 * width];
        Picture { width, height, rgba: (y..y + height).flat_map(row).copied().collect() }
    }
}

/// SHA-256 of pictures, in hexadecimal.
pub fn digest(pictures: &[Picture]) -> String {
    let mut digest = hash::Digest::default();
    for picture in pictures {
        digest.add(&(picture.width as u64).to_le_bytes());
        digest.add(&(picture.height as u64).to_le_bytes());
        digest.add(&picture.rgba);
    }
    digest.finish()
}

/// As `DynamicImage::apply_orientation`, which would be compiled for ten kinds of pixels.
fn upright(mut image: RgbaImage, orientation: Orientation) -> RgbaImage {
    use Orientation as O;
    match orientation {
        O::Rotate90 | O::Rotate90FlipH => image = rotate90(&image),
        O::Rotate270 | O::Rotate270FlipH => image = rotate270(&image),
        O::Rotate180 => rotate180_in_place(&mut image),
        O::FlipVertical => flip_vertical_in_place(&mut image),
        O::NoTransforms | O::FlipHorizontal => {}
    }
    if matches!(orientation, O::FlipHorizontal | O::Rotate90FlipH | O::Rotate270FlipH) {
        flip_horizontal_in_place(&mut image);
    }
    image
}

/// ITU-R BT.601 luma of 8-bit RGB, 16 to 235, not rounded: what the paper scores, and what Y-only networks take.
pub fn luma(rgb: [u8; 3]) -> f64 {
    16.0 + (65.481 * f64::from(rgb[0]) + 128.553 * f64::from(rgb[1]) + 24.966 * f64::from(rgb[2])) / 255.0
}

/// The two chroma values that belong to [`luma`], 16 to 240.
fn chroma(rgb: [u8; 3]) -> [f64; 2] {
    let [r, g, b] = [0, 1, 2].map(|c| f64::from(rgb[c]) / 255.0);
    [128.0 - 37.797 * r - 74.203 * g + 112.0 * b, 128.0 + 112.0 * r - 93.786 * g - 18.214 * b]
}

/// RGB of luma and chroma, 0 to 255, not rounded (the inverse matrix of BT.601, to six digits).
fn from_luma(y: f64, cb: f64, cr: f64) -> [f64; 3] {
    let (y, cb, cr) = (1.164_383_56 * (y - 16.0), cb - 128.0, cr - 128.0);
    [y + 1.596_026_79 * cr, y - 0.391_762_29 * cb - 0.812_967_65 * cr, y + 2.017_232_14 * cb]
}

/// A level, clamped and rounded.
pub(crate) fn to_byte(value: f64) -> u8 {
    // The cast saturates: below 0 becomes 0, above 255 becomes 255.
    (value + 0.5).floor() as u8
}

/// The pixel with the chroma of another and this luma.
pub(crate) fn with_luma(luma: f64, pixel: [u8; 3]) -> [u8; 3] {
    let [cb, cr] = chroma(pixel);
    from_luma(luma, cb, cr).map(to_byte)
}

/// A picture `scale` times as large as `input`, of these colours over white, with its alpha by bicubic interpolation.
pub(crate) fn with_alpha_of(input: &Picture, scale: usize, rgb: &[u8]) -> Picture {
    let (width, height) = (input.width * scale, input.height * scale);
    if input.is_opaque() {
        Picture::from_rgb(width, height, rgb)
    } else {
        Picture::off_white(width, height, rgb, &resize::upscale_alpha(input, scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn noise(width: usize, height: usize) -> Picture {
        let mut rng = fastrand::Rng::with_seed(9);
        let rgb: Vec<u8> = (0..3 * width * height).map(|_| rng.u8(..)).collect();
        Picture::from_rgb(width, height, &rgb)
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn alpha_is_composited_over_white_and_brought_back() {
        let rgba = vec![10, 20, 30, 255, 200, 100, 0, 128, 9, 9, 9, 0];
        let picture = Picture { width: 3, height: 1, rgba };
        let over: Vec<u8> = picture.rgb().flatten().collect();
        assert_eq!(over, [10, 20, 30, 227, 177, 127, 255, 255, 255]);
        let back = Picture::off_white(3, 1, &over, &[255, 128, 0]);
        assert_eq!(back.rgba[..4], picture.rgba[..4]);
        for (a, b) in back.rgba[4..8].iter().zip(&picture.rgba[4..8]) {
            assert!(a.abs_diff(*b) <= 1);
        }
        assert_eq!(
            Picture::decode(&picture.encode_png().unwrap()).unwrap(),
            picture,
            "nothing is lost in a file"
        );
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn png_round_trip_and_crop() {
        let picture = noise(9, 6);
        assert_eq!(Picture::decode(&picture.encode_png().unwrap()).unwrap(), picture);
        let crop = picture.crop(7, 4, 10, 10);
        assert_eq!((crop.width, crop.height), (2, 2));
        assert_eq!(crop.rgba[..4], picture.rgba[4 * (4 * 9 + 7)..][..4]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_png_says_what_it_was_told() {
        let picture = noise(5, 4);
        let bytes = picture.encode_png_with(&[("Comment", "4 bits, größer")]).unwrap();
        assert_eq!(Picture::decode(&bytes).unwrap(), picture);
        let reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let text = &reader.info().utf8_text[0];
        assert_eq!((text.keyword.as_str(), text.get_text().unwrap().as_str()), ("Comment", "4 bits, größer"));
        assert!(matches!(picture.encode_png_with(&[("", "x")]), Err(Error::Image(_))));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_is_no_image_is_refused() {
        let png = noise(40, 40).encode_png().unwrap();
        for bytes in [&b""[..], b"hello, I am text", &png[..png.len() / 2], &png[..20]] {
            assert!(matches!(Picture::decode(bytes), Err(Error::Image(_))));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_file_that_ends_too_early_is_refused_wherever_it_does() {
        let picture = noise(40, 40);
        let rgb: Vec<u8> = picture.rgb().flatten().collect();
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
            .encode(&rgb, 40, 40, image::ExtendedColorType::Rgb8)
            .unwrap();
        let progressive = include_bytes!("../tests/images/progressive.jpg");
        for whole in [&jpeg[..], progressive, &picture.encode_png().unwrap()] {
            Picture::decode(whole).unwrap();
            // A PNG may lack its last chunk, which holds nothing.
            for length in (0..whole.len() - 12).step_by(7).chain([whole.len() - 13]) {
                assert!(matches!(Picture::decode(&whole[..length]), Err(Error::Image(_))), "cut at {length}");
            }
        }
        for end in [1, 2, 3] {
            assert!(Picture::decode(&jpeg[..jpeg.len() - end]).is_err());
        }
        assert!(Picture::decode(&[&jpeg[..], b"what follows is another file's"].concat()).is_ok());
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
        let rgb: Vec<u8> = noise(16, 8).rgb().flatten().collect();
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
    fn every_orientation_is_turned_as_by_the_library() {
        let image = RgbaImage::from_fn(3, 2, |x, y| image::Rgba([x as u8, y as u8, 0, 255]));
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut theirs = DynamicImage::ImageRgba8(image.clone());
            theirs.apply_orientation(orientation);
            assert_eq!(upright(image.clone(), orientation), theirs.into_rgba8(), "{orientation:?}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn sixteen_bits_and_grey_become_eight_bit_rgb() {
        let grey = image::ImageBuffer::<image::Luma<u16>, _>::from_fn(9, 9, |x, _| {
            image::Luma([x as u16 * 257 * 20])
        });
        let mut png = Cursor::new(Vec::new());
        DynamicImage::ImageLuma16(grey).write_to(&mut png, image::ImageFormat::Png).unwrap();
        let picture = Picture::decode(png.get_ref()).unwrap();
        assert_eq!(picture.rgba[..12], [0, 0, 0, 255, 20, 20, 20, 255, 40, 40, 40, 255]);
    }
}
