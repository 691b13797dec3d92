//! Bicubic resizing as MATLAB's `imresize` does it, which is what super-resolution benchmarks are made with.
//!
//! Written here because no resizer in use has its border (mirrored, the outermost pixel twice), its antialiasing (the
//! kernel stretched by the factor) and its order (along columns first, 8-bit values between the passes) closely enough.
//! Versions of `imresize` of some ten years ago repeated the outermost pixel instead: the low-resolution images of Set5 that
//! are passed around come out byte for byte with that, and but for pixels at their borders with this.

use super::{Picture, to_byte};

/// Keys' cubic with a = -0.5.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// The position on an axis of `side` pixels that an index beyond its ends is mirrored to.
fn mirrored(index: i64, side: usize) -> usize {
    let at = index.rem_euclid(2 * side as i64) as usize;
    if at < side { at } else { 2 * side - 1 - at }
}

/// The source positions and weights for every output position of one axis.
fn weights(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let factor = to as f64 / from as f64;
    let stretch = factor.min(1.0);
    let reach = 2.0 / stretch;
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) / factor - 0.5;
            let first = (centre - reach).floor() as i64;
            let last = (centre + reach).ceil() as i64;
            let mut taps: Vec<(usize, f64)> = (first..=last)
                .map(|j| (mirrored(j, from), cubic((centre - j as f64) * stretch)))
                .filter(|(_, weight)| *weight != 0.0)
                .collect();
            let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
            taps.iter_mut().for_each(|(_, weight)| *weight /= sum);
            taps
        })
        .collect()
}

fn resize_bytes(
    bytes: &[u8],
    channels: usize,
    [width, height]: [usize; 2],
    [to_width, to_height]: [usize; 2],
) -> Vec<u8> {
    let row = width * channels;
    if row == 0 {
        return Vec::new();
    }
    let mut between = Vec::with_capacity(row * to_height);
    let mut sums = vec![0.0f64; row];
    for taps in weights(height, to_height) {
        sums.fill(0.0);
        for (y, weight) in taps {
            for (sum, byte) in sums.iter_mut().zip(&bytes[y * row..(y + 1) * row]) {
                *sum += weight * f64::from(*byte);
            }
        }
        between.extend(sums.iter().map(|sum| to_byte(*sum)));
    }
    let horizontal = weights(width, to_width);
    let mut result = Vec::with_capacity(to_width * to_height * channels);
    for source in between.chunks_exact(row) {
        for taps in &horizontal {
            for c in 0..channels {
                result.push(to_byte(
                    taps.iter().map(|(x, weight)| weight * f64::from(source[x * channels + c])).sum(),
                ));
            }
        }
    }
    result
}

fn resize(picture: &Picture, size: [usize; 2]) -> Picture {
    let from = [picture.width, picture.height];
    let rgb: Vec<u8> = picture.rgb().flatten().collect();
    let rgb = resize_bytes(&rgb, 3, from, size);
    if picture.is_opaque() {
        Picture::from_rgb(size[0], size[1], &rgb)
    } else {
        Picture::off_white(size[0], size[1], &rgb, &resize_alpha(picture, size))
    }
}

fn resize_alpha(picture: &Picture, size: [usize; 2]) -> Vec<u8> {
    let alpha: Vec<u8> = picture.pixels().iter().map(|pixel| pixel[3]).collect();
    resize_bytes(&alpha, 1, [picture.width, picture.height], size)
}

/// The alpha of a picture that is enlarged by a whole factor.
pub(super) fn upscale_alpha(picture: &Picture, factor: usize) -> Vec<u8> {
    resize_alpha(picture, [picture.width * factor, picture.height * factor])
}

/// Shrinks by a whole factor, antialiased. Columns and rows beyond a multiple of `factor` are cut off first.
pub fn downscale(picture: &Picture, factor: usize) -> Picture {
    let size = [picture.width / factor, picture.height / factor];
    resize(&picture.crop(0, 0, size[0] * factor, size[1] * factor), size)
}

/// Enlarges by a whole factor.
pub fn upscale(picture: &Picture, factor: usize) -> Picture {
    resize(picture, [picture.width * factor, picture.height * factor])
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn weights_of_a_halving_are_matlabs() {
        // imresize(.., 0.5): eight taps, symmetric; the kernel at 0.25, 0.75, 1.25, 1.75, normalized.
        let taps = &weights(64, 32)[10];
        let want = [-0.0117, -0.0352, 0.1133, 0.4336, 0.4336, 0.1133, -0.0352, -0.0117];
        assert_eq!(taps.len(), 8);
        for ((_, weight), want) in taps.iter().zip(want) {
            assert!((weight - want).abs() < 5e-5, "{taps:?}");
        }
        assert_eq!(taps[0].0, 17);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_flat_picture_stays_flat() {
        let flat = Picture { width: 5, height: 4, rgba: [77, 77, 77, 255].repeat(20) };
        assert!(upscale(&flat, 3).pixels().iter().all(|pixel| *pixel == [77, 77, 77, 255]));
        let sheer = Picture { rgba: [77, 77, 77, 9].repeat(20), ..flat };
        assert!(downscale(&sheer, 2).pixels().iter().all(|pixel| pixel[3] == 9));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_picture_is_mirrored_beyond_its_border() {
        // Of the taps at -3 to 4, those at -1, -2 and -3 fall on pixels 0, 1 and 2.
        let taps = &weights(8, 4)[0];
        let at = |pixel: usize| -> f64 {
            taps.iter().filter(|(i, _)| *i == pixel).map(|(_, weight)| weight).sum()
        };
        for (pixel, want) in [(0, 0.1133 + 0.4336), (1, -0.0352 + 0.4336), (2, -0.0117 + 0.1133)] {
            assert!((at(pixel) - want).abs() < 1e-4, "{taps:?}");
        }
        assert_eq!([-1, -4, -5, 4, 7, 8].map(|index| mirrored(index, 4)), [0, 3, 3, 3, 0, 0]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_small_picture_shrinks_and_grows_as_in_matlab() {
        // Computed by an independent implementation of imresize(..., 'bicubic') in NumPy, in double precision with
        // 8-bit values between the passes, of a[y, x] = mod(x * x * 7 + y * 31 + x * y * 5, 256).
        let level = |i: usize| ((i % 8) * (i % 8) * 7 + (i / 8) * 31 + (i % 8) * (i / 8) * 5) % 256;
        let rgb: Vec<u8> = (0..64).flat_map(|i| [level(i) as u8; 3]).collect();
        let picture = Picture::from_rgb(8, 8, &rgb);
        let levels =
            |picture: Picture| -> Vec<u8> { picture.pixels().iter().map(|pixel| pixel[0]).collect() };
        assert_eq!(levels(downscale(&picture, 2)), HALVED);
        assert_eq!(levels(upscale(&picture.crop(0, 0, 3, 2), 2)), DOUBLED);
    }

    const HALVED: [u8; 16] = [17, 67, 164, 148, 86, 155, 107, 128, 163, 161, 128, 142, 152, 83, 162, 125];
    const DOUBLED: [u8; 24] =
        [0, 0, 2, 8, 20, 26, 5, 7, 11, 19, 32, 38, 24, 27, 32, 42, 56, 63, 33, 36, 42, 52, 68, 76];
}
