//! The places of a picture where others are farthest from it.

use super::check_sizes;
use crate::Result;
use crate::image_io::{Picture, luma};

/// Windows begin at every so many-th part of their side.
const STEPS: usize = 8;

/// Less than the square of what one level of blue makes of luma, and more than sums are rounded by.
const LEAST: f64 = 1e-3;

/// Where some of `pictures` is farthest from `full`: squares of `side` pixels (less where the picture is smaller), none over
/// another, at most `count`, by their top left corners `[x, y]`. The first has the largest sum, over its pixels, of the largest
/// squared error on luma that any of the pictures has there. A picture that is equal everywhere has no place.
///
/// # Errors
/// [`Error::SizeMismatch`](crate::Error::SizeMismatch).
pub fn differing_places(
    pictures: &[Picture],
    full: &Picture,
    side: usize,
    count: usize,
) -> Result<Vec<[usize; 2]>> {
    let [width, height] = full.size();
    let mut squares = vec![0.0f64; width * height];
    for picture in pictures {
        check_sizes(picture, full)?;
        for (square, (a, b)) in squares.iter_mut().zip(picture.rgb().zip(full.rgb())) {
            *square = square.max((luma(a) - luma(b)).powi(2));
        }
    }
    let sums = Sums::of(&squares, width);
    let sides = [width, height].map(|length| side.clamp(1, length));
    let mut chosen: Vec<[usize; 2]> = Vec::new();
    while chosen.len() < count {
        let mut worst = ([0, 0], LEAST);
        for y in starts(height, sides[1]) {
            for x in starts(width, sides[0]) {
                let over =
                    |[left, top]: &[usize; 2]| x.abs_diff(*left) < sides[0] && y.abs_diff(*top) < sides[1];
                let error = sums.within([x, y], sides);
                if error > worst.1 && !chosen.iter().any(over) {
                    worst = ([x, y], error);
                }
            }
        }
        if worst.1 <= LEAST {
            break;
        }
        chosen.push(worst.0);
    }
    Ok(chosen)
}

/// Where windows of this side begin along an axis, the last at its end.
fn starts(length: usize, side: usize) -> impl Iterator<Item = usize> {
    let last = length - side;
    (0..last).step_by((side / STEPS).max(1)).chain([last])
}

/// Sums of all rectangles that begin at the corner.
struct Sums {
    sums: Vec<f64>,
    width: usize,
}

impl Sums {
    fn of(values: &[f64], width: usize) -> Self {
        let mut sums = vec![0.0; (width + 1) * (values.len() / width + 1)];
        for (y, row) in values.chunks_exact(width).enumerate() {
            let mut along = 0.0;
            for (x, value) in row.iter().enumerate() {
                along += value;
                sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + along;
            }
        }
        Sums { sums, width: width + 1 }
    }

    fn within(&self, [x, y]: [usize; 2], [width, height]: [usize; 2]) -> f64 {
        let at = |x: usize, y: usize| self.sums[y * self.width + x];
        at(x + width, y + height) + at(x, y) - at(x + width, y) - at(x, y + height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// Grey, but for squares of 4 pixels with these errors.
    fn picture(errors: &[([usize; 2], u8)]) -> Picture {
        let mut rgb = vec![100; 3 * 40 * 30];
        for ([left, top], error) in errors {
            for (x, y) in (*left..left + 4).flat_map(|x| (*top..top + 4).map(move |y| (x, y))) {
                rgb[3 * (y * 40 + x)..][..3].fill(100 + error);
            }
        }
        Picture::from_rgb(40, 30, &rgb)
    }

    fn holds([x, y]: [usize; 2], [left, top]: [usize; 2]) -> bool {
        (x..=x + 4).contains(&left) && (y..=y + 4).contains(&top)
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_worst_comes_first_whichever_picture_has_it() {
        let corners = [[3, 2], [30, 20], [10, 22]];
        let some = [picture(&[(corners[0], 20), (corners[2], 9)]), picture(&[(corners[1], 30)])];
        let found = differing_places(&some, &picture(&[]), 8, 5).unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
        for (place, corner) in found.iter().zip([corners[1], corners[0], corners[2]]) {
            assert!(holds(*place, corner), "{found:?}");
        }
        assert_eq!(differing_places(&some, &picture(&[]), 8, 1).unwrap(), found[..1]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn places_do_not_overlap_and_lie_inside() {
        let noise: Vec<u8> = (0..3 * 40 * 30).map(|i| (i * i * 31 % 256) as u8).collect();
        let found =
            differing_places(&[Picture::from_rgb(40, 30, &noise)], &picture(&[]), 12, usize::MAX).unwrap();
        assert!(found.len() >= 4);
        for (i, a) in found.iter().enumerate() {
            assert!(a[0] + 12 <= 40 && a[1] + 12 <= 30);
            assert!(found[..i].iter().all(|b| a[0].abs_diff(b[0]) >= 12 || a[1].abs_diff(b[1]) >= 12));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn equal_small_and_unequal_pictures() {
        let grey = picture(&[]);
        assert!(differing_places(std::slice::from_ref(&grey), &grey, 8, 3).unwrap().is_empty());
        let some = picture(&[([9, 9], 1)]);
        assert_eq!(differing_places(&[some], &grey, 100, 3).unwrap(), [[0, 0]]);
        assert!(differing_places(&[Picture::from_rgb(1, 1, &[0; 3])], &grey, 8, 3).is_err());
    }
}
