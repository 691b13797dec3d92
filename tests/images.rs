//! Images as other programs write them, and cut short at every byte. Natively and in the browser.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::rgb;
use dfsq::Error;
use dfsq::image_io::Picture;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// All are 16 x 8, red on the left and blue on the right, made with Pillow but for the interlaced one; their first frame, where there are several.
const FILES: [(&str, &[u8]); 10] = [
    ("animated.png", include_bytes!("images/animated.png")),
    ("animated.webp", include_bytes!("images/animated.webp")),
    ("cmyk.jpg", include_bytes!("images/cmyk.jpg")),
    ("grey-16.png", include_bytes!("images/grey-16.png")),
    ("grey.jpg", include_bytes!("images/grey.jpg")),
    ("interlaced.png", include_bytes!("images/interlaced.png")),
    ("lossy.webp", include_bytes!("images/lossy.webp")),
    ("one-bit.png", include_bytes!("images/one-bit.png")),
    ("palette.png", include_bytes!("images/palette.png")),
    ("progressive.jpg", include_bytes!("images/progressive.jpg")),
];

#[wasm_bindgen_test(unsupported = test)]
fn images_of_every_kind_are_read() {
    for (name, bytes) in FILES {
        let picture = Picture::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((picture.width, picture.height), (16, 8), "{name}");
        assert!(picture.is_opaque(), "{name}");
        let pixels = rgb(&picture);
        let [left, right] = [2, 13].map(|x| [pixels[3 * x], pixels[3 * x + 1], pixels[3 * x + 2]]);
        let near =
            |pixel: [u8; 3], wanted: [u8; 3]| pixel.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 12);
        let wanted = match name {
            "grey-16.png" | "grey.jpg" => [[81; 3], [49; 3]],
            "one-bit.png" => continue, // Dithered.
            _ => [[200, 30, 30], [30, 30, 200]],
        };
        assert!(near(left, wanted[0]) && near(right, wanted[1]), "{name}: {left:?} and {right:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_image_that_is_cut_short_is_refused_or_has_its_size() {
    for (name, bytes) in FILES {
        for length in 0..bytes.len() {
            match Picture::decode(&bytes[..length]) {
                Ok(picture) => {
                    assert_eq!((picture.width, picture.height), (16, 8), "{name} of {length} bytes")
                }
                Err(Error::Image(_)) => {}
                Err(other) => panic!("{name} of {length} bytes: {other}"),
            }
        }
    }
}
