//! Images of every format with some bytes changed, and bytes that are no image: refused, or decoded to what they say.
#![no_main]

use arbitrary::{Result, Unstructured};
use dfsq::image_io::Picture;
use image::{DynamicImage, ImageFormat, RgbaImage};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use std::sync::LazyLock;

static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let colour =
        RgbaImage::from_fn(23, 17, |x, y| image::Rgba([(x * 9) as u8, (y * 13) as u8, (x * y) as u8, 200]));
    let image = DynamicImage::from(colour);
    let encode = |image: &DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let grey = DynamicImage::from(image.to_luma8());
    let deep = DynamicImage::from(image.to_rgba16());
    let plain = DynamicImage::from(image.to_rgb8());
    vec![
        encode(&image, ImageFormat::Png),
        encode(&deep, ImageFormat::Png),
        encode(&grey, ImageFormat::Png),
        encode(&plain, ImageFormat::Jpeg),
        encode(&grey, ImageFormat::Jpeg),
        encode(&image, ImageFormat::WebP),
    ]
});

fn build(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut bytes = FILES[u.choose_index(FILES.len())?].clone();
    for _ in 0..u.int_in_range(1..=6)? {
        // Most of the time where sizes and tables are.
        let part = if u.ratio(2, 3)? { bytes.len().min(64) } else { bytes.len() };
        let at = u.choose_index(part.max(1))?;
        match u.int_in_range(0..=4)? {
            0..=2 => bytes[at] = u.arbitrary()?,
            3 => bytes.truncate(at.max(1)),
            _ => bytes.insert(at, u.arbitrary()?),
        }
    }
    Ok(bytes)
}

fn check(bytes: &[u8]) {
    if let Ok(picture) = Picture::decode(bytes) {
        assert_eq!(picture.rgba.len(), 4 * picture.width * picture.height);
        assert!(picture.width > 0 && picture.height > 0);
    }
}

fuzz_target!(|data: &[u8]| {
    check(data);
    if let Ok(bytes) = build(&mut Unstructured::new(data)) {
        check(&bytes);
    }
});
