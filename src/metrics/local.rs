//! Where pictures differ: PSNR on luma in a window around every pixel.

use super::check_sizes;
use crate::Result;
use crate::image_io::{Picture, luma};

/// Pixels on each side that a local error is averaged over.
const AROUND: usize = 4;
/// Less than what two levels can differ by, so that equal places have an end: 168 dB.
const LEAST_SQUARE: f64 = 1e-12;
/// PSNR in dB, of a place, at both ends of the colours of [`error_map`]: the worst is white, the best black.
const ENDS: [f64; 2] = [20.0, 60.0];

/// PSNR on luma in dB, peak 255, of the 9 x 9 pixels around every pixel, row by row; fewer at the border.
///
/// # Errors
/// [`Error::SizeMismatch`](crate::Error::SizeMismatch).
pub fn local_psnr(picture: &Picture, reference: &Picture) -> Result<Vec<f64>> {
    check_sizes(picture, reference)?;
    let [width, height] = picture.size();
    let squares = picture.rgb().zip(reference.rgb()).map(|(a, b)| (luma(a) - luma(b)).powi(2)).collect();
    let along_rows = window_sums(squares, [height, width], [width, 1]);
    let sums = window_sums(along_rows, [width, height], [1, width]);
    let inside = |at: usize, length: usize| (at + AROUND).min(length - 1) - at.saturating_sub(AROUND) + 1;
    let decibels = |(at, sum): (usize, f64)| {
        let count = inside(at % width, width) * inside(at / width, height);
        10.0 * (255.0 * 255.0 / (sum / count as f64).max(LEAST_SQUARE)).log10()
    };
    Ok(sums.into_iter().enumerate().map(decibels).collect())
}

/// Sums over windows along one axis, of so many lines of this length; from one line and from one value to the next in `steps`.
fn window_sums(values: Vec<f64>, [lines, length]: [usize; 2], [line_step, step]: [usize; 2]) -> Vec<f64> {
    let mut sums = vec![0.0; values.len()];
    for line in 0..lines {
        let at = |i: usize| line * line_step + i * step;
        for i in 0..length {
            let window = i.saturating_sub(AROUND)..(i + AROUND + 1).min(length);
            sums[at(i)] = window.map(|i| values[at(i)]).sum();
        }
    }
    sums
}

/// Where a picture is far from the reference, as a picture: black at 60 dB and above, then red, yellow, and white at 20 dB.
///
/// # Errors
/// As [`local_psnr`].
pub fn error_map(picture: &Picture, reference: &Picture) -> Result<Picture> {
    let [low, high] = ENDS;
    let rgba = local_psnr(picture, reference)?.into_iter().flat_map(|decibels| {
        let share = 1.0 - ((decibels - low) / (high - low)).clamp(0.0, 1.0);
        [0.0, 255.0, 510.0].map(|from| (765.0 * share - from).round() as u8).into_iter().chain([255])
    });
    Ok(Picture { width: reference.width, height: reference.height, rgba: rgba.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_error_is_that_of_a_window_by_hand() {
        let flat = Picture::from_rgb(20, 12, &[100; 3 * 20 * 12]);
        let mut other = flat.clone();
        // One grey pixel is 10 brighter: 8.588 on luma.
        other.rgba[4 * (5 * 20 + 2)..][..3].fill(110);
        let psnr = local_psnr(&other, &flat).unwrap_or_default();
        let of = |pixels: f64| 10.0 * (255f64.powi(2) / ((10.0 * 219.0 / 255.0f64).powi(2) / pixels)).log10();
        // Windows of 9 x 9, cut off at the border: from column 0, 7 columns reach column 2.
        for (at, pixels) in [(5 * 20 + 2, 7.0 * 9.0), (9 * 20 + 6, 9.0 * 7.0)] {
            assert!((psnr[at] - of(pixels)).abs() < 1e-6, "{}", psnr[at]);
        }
        assert!(psnr[5 * 20 + 7] > 150.0, "too far away");
        let map = error_map(&other, &flat).map(|map| map.rgba).unwrap_or_default();
        assert_eq!(map[4 * (5 * 20 + 9)..][..4], [0, 0, 0, 255]);
        let [r, _, b, _] = map.as_chunks().0[5 * 20 + 2];
        assert!(r > 200 && b == 0);
        assert!(local_psnr(&flat, &Picture::from_rgb(1, 1, &[0; 3])).is_err());
    }
}
