//! Which sizes of images a network takes, and how much of the enlarged image comes out. Files do not say it: it is found by
//! trying sizes.

use super::limits::MAX_FIXED_PIXELS;
use crate::{Error, Result};
use serde::Serialize;

/// What a network does to an image's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// Rows and columns of the enlarged image for each of the image.
    pub scale: usize,
    /// Height and width, where the network takes no others.
    pub size: Option<[usize; 2]>,
    /// Sides must be multiples of this.
    pub multiple: usize,
    /// Sides that are enough; smaller ones were not taken.
    pub least: usize,
    /// Rows and columns of the enlarged image that do not come out, half of them on each side: convolutions without padding.
    pub lost: usize,
}

/// Largest multiple that is tried.
const MAX_MULTIPLE: usize = 64;
/// The size that is spoken of where none is taken.
const USUAL: [usize; 2] = [24, 24];
/// Sides of images that exporters are given.
const TRACED: [usize; 8] = [32, 48, 64, 96, 128, 192, 224, 256];
/// Most rows and columns that may be lost of an image enlarged once.
const MAX_LOST: usize = 128;
/// Rows and columns of the smallest image that is ever enlarged.
const LEAST_SIDE: usize = 8;

impl Fit {
    /// Tries sizes. `output` gives channels, rows and columns of what comes out for an image of `channels` and this height and
    /// width; `declared` is the size that the file states.
    ///
    /// # Errors
    /// What `output` returns for 24 x 24 pixels, or in words why that is no enlarged image.
    pub fn find(
        output: &dyn Fn([usize; 2]) -> Result<[usize; 3]>,
        channels: usize,
        declared: Option<[usize; 2]>,
    ) -> Result<Self> {
        // Of an image of such sides, if it fits.
        let of = |multiple: usize, sides: [usize; 2]| {
            let sides = sides.map(|side| side * multiple);
            let [of, height, width] = output(sides).ok()?;
            let scale = width.abs_diff(height) / sides[1].abs_diff(sides[0]);
            let lost = (scale * sides[0]).checked_sub(height)?;
            let fits = (1..=8).contains(&scale) && scale * sides[1] == width + lost && height > 0;
            let fit = Fit { scale, size: None, multiple, least: 0, lost };
            (fits && of == channels && lost <= MAX_LOST * scale).then_some(fit)
        };
        // Odd and even ones, none of which is a multiple of what is tried later; larger ones for networks that need them.
        let tried = |multiple: usize| match multiple {
            ..3 => [[[29, 31], [30, 28]], [[61, 67], [62, 58]]],
            _ => [[[11, 13], [12, 10]], [[23, 29], [24, 22]]],
        };
        let free = (1..=MAX_MULTIPLE).find_map(|multiple| {
            tried(multiple).into_iter().find_map(|[first, second]| {
                let fit = of(multiple, first).filter(|fit| of(multiple, second).as_ref() == Some(fit))?;
                let takes = |side: &usize| of(multiple, [*side, side + 1]).as_ref() == Some(&fit);
                let smallest = LEAST_SIDE.div_ceil(multiple);
                let least = match takes(&smallest) {
                    true => 0,
                    false => (smallest..second[1]).rev().take_while(takes).last().unwrap_or(second[1]),
                };
                Some(Fit { least: least * multiple, ..fit })
            })
        });
        if let Some(free) = free {
            return Ok(free);
        }
        let of_one_size = |size: [usize; 2]| {
            let [of, rows, columns] = output(size)?;
            let [height, width] = size;
            let scale = rows / height;
            if (1..=8).contains(&scale) && [of, rows, columns] == [channels, scale * height, scale * width] {
                return Ok(Fit { scale, size: Some(size), multiple: 1, least: 0, lost: 0 });
            }
            Err(Error::Network(format!(
                "a {width} x {height} image gives {of} channels of {columns} x {rows}, not an enlarged image"
            )))
        };
        let declared = declared.filter(|[height, width]| *height as u64 * *width as u64 <= MAX_FIXED_PIXELS);
        if let Some(size) = declared {
            return of_one_size(size);
        }
        let irregular = "it takes images of some sizes only, which are no multiples of one number";
        let usual = of_one_size(USUAL).and_then(|_| Err(Error::Network(irregular.into())));
        // Exporters may have written down the size of the image that they watched.
        TRACED.iter().find_map(|side| of_one_size([*side; 2]).ok()).map_or(usual, Ok)
    }

    /// Rows and columns that are added on each side of an image, so that all of the enlarged image comes out.
    pub fn border(&self) -> usize {
        self.lost.div_ceil(2).div_ceil(self.scale)
    }

    /// Height and width of what goes into the network for an image of this height and width.
    pub fn padded(&self, size: [usize; 2]) -> [usize; 2] {
        size.map(|side| (side + 2 * self.border()).max(self.least).next_multiple_of(self.multiple))
    }

    /// Row and column of what comes out that the enlarged image begins with.
    pub fn first(&self) -> usize {
        self.scale * self.border() - self.lost / 2
    }

    /// In words, what is done to an image before it goes in.
    pub fn words(&self) -> Vec<String> {
        let (multiple, border) = (self.multiple, self.border());
        let multiple = (multiple > 1).then(|| format!("sides are padded to multiples of {multiple}"));
        let border = (border > 0).then(|| {
            format!(
                "images are padded by {border} pixels on each side, since the network's convolutions are not"
            )
        });
        let least = (self.least > 0)
            .then(|| format!("sides are padded to {} pixels where they are smaller", self.least));
        multiple.into_iter().chain(least).chain(border).collect()
    }
}

/// Where a row or column before or behind an image is taken from: mirrored at its first and its last.
pub fn mirrored(at: isize, side: usize) -> usize {
    let last = side.saturating_sub(1);
    if last == 0 {
        return 0;
    }
    let at = at.rem_euclid(2 * last as isize) as usize;
    if at <= last { at } else { 2 * last - at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(output: impl Fn(usize) -> Option<usize>) -> Result<Fit> {
        let side = |side| output(side).ok_or_else(|| Error::Network("no".into()));
        Fit::find(&|[height, width]| Ok([3, side(height)?, side(width)?]), 3, None)
    }

    #[test]
    fn multiples_and_lost_borders_are_found() {
        let fit = |scale, multiple, lost| Ok(Fit { scale, size: None, multiple, least: 0, lost });
        let eq = |found: Result<Fit>, wanted: Result<Fit>| assert_eq!(found.ok(), wanted.ok());
        eq(find(|side| Some(2 * side)), fit(2, 1, 0));
        for multiple in [2, 3, 7, 8, 12, 16, 48, 64] {
            eq(find(|side| side.is_multiple_of(multiple).then_some(4 * side)), fit(4, multiple, 0));
        }
        eq(find(|side| (2 * side).checked_sub(12)), fit(2, 1, 12));
        assert_eq!(
            find(|side| (2 * side).checked_sub(28)).map(|fit| [fit.lost, fit.least]).ok(),
            Some([28, 15])
        );
        // Smaller ones are not taken.
        let least =
            |output: &dyn Fn(usize) -> Option<usize>| find(output).map(|fit| [fit.multiple, fit.least]).ok();
        assert_eq!(least(&|side| (side > 20).then_some(2 * side)), Some([1, 21]));
        assert_eq!(least(&|side| (side > 40).then_some(2 * side)), Some([1, 41]));
        assert_eq!(least(&|side| (side > 60 && side % 2 == 0).then_some(2 * side)), Some([2, 62]));
        assert!(
            find(|side| Some(9 * side))
                .is_err_and(|error| error.to_string().contains("not an enlarged image"))
        );
        assert!(find(|_| None).is_err());
        let fixed = find(|side| (side == 48).then_some(96)).map(|fit| (fit.scale, fit.size));
        assert_eq!(fixed.ok(), Some((2, Some([48, 48]))));
    }

    #[test]
    fn an_image_goes_in_mirrored_and_comes_out_whole() {
        let fit = Fit { scale: 2, size: None, multiple: 4, least: 0, lost: 7 };
        assert_eq!((fit.border(), fit.first(), fit.padded([9, 12])), (2, 1, [16, 16]));
        let row: Vec<usize> = (-4..7).map(|at| mirrored(at, 3)).collect();
        assert_eq!(row, [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(mirrored(-5, 1), 0);
    }
}
