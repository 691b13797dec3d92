//! PSNR and SSIM on luma, as the paper computes them.

mod local;
mod places;

pub use local::{error_map, local_psnr};
pub use places::differing_places;

use crate::image_io::{Picture, luma};
use crate::{Error, Result};
use serde::Serialize;

/// How near a picture is to the one it is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct Score {
    /// Peak signal-to-noise ratio in dB, peak 255; infinite (`null` in JSON) for equal pictures.
    pub psnr_y: f64,
    /// Structural similarity, at most 1.
    pub ssim_y: f64,
}

const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
/// (K1 L)^2 and (K2 L)^2 with K = (0.01, 0.03), L = 255 (Wang et al. 2004).
const C1: f64 = 6.5025;
const C2: f64 = 58.5225;

/// Scores `picture` against `reference`, leaving out a border of `border` pixels.
///
/// # Errors
/// [`Error::SizeMismatch`], or [`Error::ImageTooSmall`] where less than the SSIM window of 11 x 11 is left.
pub fn score(picture: &Picture, reference: &Picture, border: usize) -> Result<Score> {
    check_sizes(picture, reference)?;
    let side = 2 * border + WINDOW;
    if picture.width < side || picture.height < side {
        return Err(Error::ImageTooSmall(format!("scores need {side} x {side} pixels or more")));
    }
    let (a, width) = inner_luma(picture, border);
    let (b, _) = inner_luma(reference, border);
    let squares: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
    let psnr_y = 10.0 * (255.0 * 255.0 * a.len() as f64 / squares).log10();
    Ok(Score { psnr_y, ssim_y: ssim(&a, &b, width) })
}

fn check_sizes(picture: &Picture, reference: &Picture) -> Result<()> {
    let ([width, height], [columns, rows]) = (picture.size(), reference.size());
    if [width, height] == [columns, rows] {
        return Ok(());
    }
    Err(Error::SizeMismatch(format!("{width} x {height} against {columns} x {rows}")))
}

fn inner_luma(picture: &Picture, border: usize) -> (Vec<f64>, usize) {
    let width = picture.width - 2 * border;
    let height = picture.height - 2 * border;
    let inner = picture.crop(border, border, width, height);
    (inner.rgb().map(luma).collect(), width)
}

/// Mean SSIM over the windows that lie wholly inside.
fn ssim(a: &[f64], b: &[f64], width: usize) -> f64 {
    let filter = |values: &dyn Fn(usize) -> f64| blur((0..a.len()).map(values).collect(), width);
    let mean_a = filter(&|i| a[i]);
    let mean_b = filter(&|i| b[i]);
    let aa = filter(&|i| a[i] * a[i]);
    let bb = filter(&|i| b[i] * b[i]);
    let ab = filter(&|i| a[i] * b[i]);
    let similarity = |i: usize| {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (va, vb, cov) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
        (2.0 * ma * mb + C1) * (2.0 * cov + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2))
    };
    (0..mean_a.len()).map(similarity).sum::<f64>() / mean_a.len() as f64
}

/// The 11 x 11 Gaussian, as two passes, where it fits wholly.
fn blur(values: Vec<f64>, width: usize) -> Vec<f64> {
    let mut kernel: Vec<f64> =
        (0..WINDOW).map(|i| (-(i as f64 - 5.0).powi(2) / (2.0 * SIGMA * SIGMA)).exp()).collect();
    let sum: f64 = kernel.iter().sum();
    kernel.iter_mut().for_each(|k| *k /= sum);
    let narrow: Vec<f64> = values
        .chunks_exact(width)
        .flat_map(|row| row.windows(WINDOW).map(|w| w.iter().zip(&kernel).map(|(v, k)| v * k).sum::<f64>()))
        .collect();
    let width = width - WINDOW + 1;
    let rows = narrow.len() / width - WINDOW + 1;
    let mut result = vec![0.0; rows * width];
    for (y, target) in result.chunks_exact_mut(width).enumerate() {
        for (dy, k) in kernel.iter().enumerate() {
            for (sum, v) in target.iter_mut().zip(&narrow[(y + dy) * width..]) {
                *sum += k * v;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn picture(width: usize, height: usize, pixel: impl Fn(usize) -> u8) -> Picture {
        let rgb: Vec<u8> = (0..3 * width * height).map(pixel).collect();
        Picture::from_rgb(width, height, &rgb)
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn literal_scores() {
        // A grey step of 10 moves luma by 219 / 255 * 10; PSNR = 20 log10(255 / 8.588).
        let score = super::score(&picture(20, 16, |_| 110), &picture(20, 16, |_| 100), 2).unwrap();
        assert!((score.psnr_y - 29.4530).abs() < 1e-3, "{score:?}");
        let (a, b) = (16.0 + 110.0 * 219.0 / 255.0, 16.0 + 100.0 * 219.0 / 255.0);
        assert!((score.ssim_y - (2.0 * a * b + C1) / (a * a + b * b + C1)).abs() < 1e-9);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn equal_pictures_and_unequal_sizes() {
        let a = picture(15, 15, |i| (i * 7 % 251) as u8);
        let same = score(&a, &a, 2).unwrap();
        assert!(same.psnr_y == f64::INFINITY && (same.ssim_y - 1.0).abs() < 1e-12);
        assert!(matches!(score(&a, &picture(15, 14, |_| 0), 2), Err(Error::SizeMismatch(_))));
        assert!(matches!(score(&a, &a, 3), Err(Error::ImageTooSmall(_))));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn ssim_equals_the_two_dimensional_definition() {
        let a = picture(17, 14, |i| (i * i * 31 % 256) as u8);
        let b = picture(17, 14, |i| (i * i * 31 % 256) as u8 / 2 + (i % 40) as u8);
        let (ya, width) = inner_luma(&a, 0);
        let (yb, _) = inner_luma(&b, 0);
        let mut total = 0.0;
        for y in 0..4 {
            for x in 0..7 {
                let (mut sw, mut m, mut s) = (0.0, [0.0; 2], [0.0; 3]);
                for dy in 0..11 {
                    for dx in 0..11 {
                        let w = (-((dy as f64 - 5.0).powi(2) + (dx as f64 - 5.0).powi(2)) / 4.5).exp();
                        let (p, q) = (ya[(y + dy) * width + x + dx], yb[(y + dy) * width + x + dx]);
                        sw += w;
                        m[0] += w * p;
                        m[1] += w * q;
                        s[0] += w * p * p;
                        s[1] += w * q * q;
                        s[2] += w * p * q;
                    }
                }
                let (p, q) = (m[0] / sw, m[1] / sw);
                let (vp, vq, cov) = (s[0] / sw - p * p, s[1] / sw - q * q, s[2] / sw - p * q);
                total += (2.0 * p * q + C1) * (2.0 * cov + C2) / ((p * p + q * q + C1) * (vp + vq + C2));
            }
        }
        assert!((ssim(&ya, &yb, width) - total / 28.0).abs() < 1e-9);
    }
}
