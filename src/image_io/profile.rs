//! Colour profiles (ICC). Networks and scores take a picture's numbers for sRGB; a picture in another space is converted
//! natively, by `moxcms`, which `image` brings already; in a browser that would be a third of the program's size, and is
//! said instead.

use image::RgbaImage;

/// A profile's description, or what else it says of its colours.
fn description(profile: &[u8]) -> String {
    let number = |at: usize| {
        let bytes = profile.get(at..at.checked_add(4)?)?;
        Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let text = || {
        // The tag table lies behind the header of 128 bytes: signature, offset and size of each.
        let tags = number(128)?.min(100);
        let tag =
            (0..tags).map(|tag| 132 + 12 * tag).find(|at| profile.get(*at..*at + 4) == Some(b"desc"))?;
        let at = number(tag + 4)?;
        match profile.get(at..at + 4)? {
            b"desc" => {
                let length = number(at + 8)?.min(200);
                let text = profile.get(at + 12..at + 12 + length)?;
                Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
            }
            b"mluc" => {
                let (length, offset) = (number(at + 20)?.min(200), number(at + 24)?);
                let text = profile.get(at + offset..at + offset + length)?;
                let units = text.as_chunks().0.iter().map(|bytes| u16::from_be_bytes(*bytes));
                Some(String::from_utf16_lossy(&units.collect::<Vec<u16>>()))
            }
            _ => None,
        }
    };
    let text = text().unwrap_or_default();
    if text.trim().is_empty() { "of its own".to_owned() } else { text.trim().to_owned() }
}

/// Brings a picture with this profile to sRGB. Where that cannot be done, the picture stays as it is, and the profile's
/// description is returned.
pub fn to_srgb(image: &mut RgbaImage, profile: &[u8]) -> Option<String> {
    let description = description(profile);
    // Whatever maker's, and in whatever version: its numbers are right as they are.
    if description.to_ascii_lowercase().replace([' ', '-'], "").contains("srgb") {
        return None;
    }
    #[cfg(not(target_arch = "wasm32"))]
    if convert(image, profile) {
        return None;
    }
    #[cfg(target_arch = "wasm32")]
    let _ = image;
    Some(description)
}

/// Whether it could.
#[cfg(not(target_arch = "wasm32"))]
fn convert(image: &mut RgbaImage, profile: &[u8]) -> bool {
    use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
    let Ok(from) = ColorProfile::new_from_slice(profile) else { return false };
    if from.color_space != DataColorSpace::Rgb {
        return false;
    }
    let to = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let Ok(transform) = from.create_transform_8bit(Layout::Rgba, &to, Layout::Rgba, options) else {
        return false;
    };
    let source = image.as_raw().clone();
    let row = 4 * image.width() as usize;
    source
        .chunks_exact(row)
        .zip(image.chunks_exact_mut(row))
        .all(|(from, to)| transform.transform(from, to).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn damaged_profiles_are_survived() {
        for profile in [&b""[..], b"short", &[0xFF; 200], &[0; 300]] {
            let mut image = RgbaImage::from_pixel(2, 2, image::Rgba([200, 30, 30, 255]));
            assert_eq!(to_srgb(&mut image, profile).as_deref(), Some("of its own"));
            assert_eq!(image.get_pixel(1, 1).0, [200, 30, 30, 255]);
        }
    }

    /// White and grey stay, the primaries are more than sRGB has.
    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn other_spaces_are_converted() {
        let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
        assert!(description(&profile).contains("P3"), "{}", description(&profile));
        let pixels = [[255, 255, 255, 255], [128, 128, 128, 7], [200, 60, 60, 255]];
        let mut image = RgbaImage::from_fn(3, 1, |x, _| image::Rgba(pixels[x as usize]));
        assert_eq!(to_srgb(&mut image, &profile), None);
        let [white, grey, red] = [0, 1, 2].map(|x| image.get_pixel(x, 0).0);
        assert!(
            white.iter().all(|v| *v >= 254) && grey[..3].iter().all(|v| v.abs_diff(128) <= 1),
            "{white:?} {grey:?}"
        );
        // (200, 60, 60) of Display P3 is (217, 42, 52) of sRGB, by the matrices of both in NumPy.
        assert!(red.iter().zip([217u8, 42, 52, 255]).all(|(a, b)| a.abs_diff(b) <= 1), "{red:?}");
        assert_eq!(grey[3], 7, "alpha is none of it");
        let mut srgb = image.clone();
        let own = moxcms::ColorProfile::new_srgb().encode().unwrap();
        assert_eq!(to_srgb(&mut srgb, &own), None);
        assert_eq!(srgb, image);
    }
}
