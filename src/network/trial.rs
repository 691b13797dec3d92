//! Which value ranges a network has that states none: the usual ones are tried on a small photograph that was shrunk, and judged
//! by how near the output comes to the original. A trained network in its own ranges beats bicubic interpolation there, and in
//! wider ones falls behind itself by 1.5 dB and more (nine networks tried), although it may be nearly linear; to the
//! enlargement by interpolation, several of them came nearer in wrong ranges.

use super::convention::{Convention, ValueRange};
use super::planes::Planes;
use crate::Result;
use crate::image_io::{self, Picture};

/// Height and width of the picture that a network is tried on, where it takes any.
pub const SIZE: [usize; 2] = [24, 24];

/// A part of the bundled sample "parrot" in grey, 96 x 96 pixels.
const PATCH: &[u8] = include_bytes!("trial/patch.webp");

/// Ranges within so many dB of the best are as good. A network in too narrow ranges is at home still, and may come out ahead by
/// some tenths of a dB; in too wide ones it is not. So the widest is taken.
const ALIKE: f64 = 0.5;

/// By how many dB less usual ranges must be better, of a network that does not beat interpolation: its weights may be anything.
const DOUBTED: f64 = 4.0;

/// An output looks like its input if it is nearer to it by so many dB than an even grey.
const LIKENESS: f64 = 3.0;

/// The original for an output of this height and width, mirrored at its borders.
fn original([height, width]: [usize; 2]) -> Result<Picture> {
    let patch = Picture::decode(PATCH)?;
    let mirrored = |at: usize, side: usize| {
        let at = at % (2 * side);
        if at < side { at } else { 2 * side - 1 - at }
    };
    let level = |y: usize, x: usize| {
        let at = mirrored(y, patch.height) * patch.width + mirrored(x, patch.width);
        [patch.rgba[4 * at]; 3]
    };
    let rgb: Vec<u8> = (0..height * width).flat_map(|at| level(at / width, at % width)).collect();
    Ok(Picture::from_rgb(width, height, &rgb))
}

/// Finds the ranges that are not stated, of a network whose other properties are known, on a picture of this height and width.
/// `run` runs it.
///
/// # Errors
/// What `run` returns.
pub fn find(
    convention: &mut Convention,
    [input, output]: [Option<ValueRange>; 2],
    [height, width]: [usize; 2],
    run: impl Fn(&Planes) -> Result<Planes>,
) -> Result<()> {
    if let (Some(input), Some(output)) = (input, output) {
        (convention.input, convention.output) = (input, output);
        return Ok(());
    }
    let original = original([height, width].map(|side| side * convention.fit.scale))?;
    let low = image_io::downscale(&original, convention.fit.scale);
    let levels = Convention { input: ValueRange::BYTE, ..convention.clone() };
    let wanted = levels.encode(&original).values;
    let judge = Judge { wanted: &wanted, border: 2 * convention.fit.scale };
    let interpolated = levels.encode(&image_io::upscale(&low, convention.fit.scale));
    let interpolation = judge.psnr(&interpolated, |_, level| f64::from(level));
    let mean = wanted.iter().map(|level| f64::from(*level)).sum::<f64>() / wanted.len().max(1) as f64;
    let grey = judge.psnr(&interpolated, |_, _| mean);

    let candidates =
        |stated: Option<ValueRange>| stated.map_or(ValueRange::USUAL.to_vec(), |stated| vec![stated]);
    // In the order of preference.
    let mut found: Vec<(f64, [ValueRange; 2])> = Vec::new();
    for input in candidates(input) {
        let tried = Convention { input, ..convention.clone() };
        let made = run(&tried.to_planes(&low))?;
        let values = tried.enlarged(&made, low.size())?;
        for output in candidates(output) {
            let convention = Convention { output, ..tried.clone() };
            let psnr = judge.psnr(&values, |channel, value| convention.level(channel, value));
            found.push((psnr, [input, output]));
        }
    }
    let best = found.iter().map(|(psnr, _)| *psnr).fold(f64::NEG_INFINITY, f64::max);
    let sure = best > interpolation;
    let near = |margin: f64| found.iter().filter(move |(psnr, _)| *psnr >= best - margin);
    let width = |(_, [input, _]): &&(f64, [ValueRange; 2])| (input.high - input.low) / input.deviation[0];
    let chosen = match sure {
        true => near(ALIKE).max_by(|one, other| width(one).total_cmp(&width(other))),
        false => near(DOUBTED).next(),
    };
    let chosen = chosen.unwrap_or(&found[0]);
    let (psnr, [input, output]) = *chosen;
    (convention.input, convention.output) = (input, output);
    let next = found.iter().filter(|other| *other != chosen).map(|(psnr, _)| *psnr);
    let next = next.fold(f64::NEG_INFINITY, f64::max);
    if psnr <= grey + LIKENESS {
        convention.doubt =
            Some("its output does not look like its input: state input_range and output_range".to_owned());
    }
    convention.assumed.push(format!(
        "values {input} in and {output} out, {} a trial run: {psnr:.1} dB to the original{}, interpolation {interpolation:.1} dB",
        if sure { "from" } else { "not for sure, from" },
        if next.is_finite() { format!(", other ranges at most {next:.1} dB") } else { String::new() },
    ));
    Ok(())
}

/// How near planes come to what is wanted.
struct Judge<'w> {
    /// Levels of 0 to 255, plane by plane.
    wanted: &'w [f32],
    /// Rows and columns that do not count.
    border: usize,
}

impl Judge<'_> {
    /// PSNR in dB, with levels as pictures hold them; minus infinity for what is not finite.
    fn psnr(&self, planes: &Planes, level: impl Fn(usize, f32) -> f64) -> f64 {
        let Planes { height, width, values, .. } = planes;
        let inside = |at: usize, side: usize| {
            side <= 2 * self.border || (self.border..side - self.border).contains(&at)
        };
        let (mut squares, mut count) = (0.0, 0usize);
        for (at, (value, wanted)) in values.iter().zip(self.wanted).enumerate() {
            let (x, row) = (at % width, at / width);
            let (y, channel) = (row % height, row / height);
            if inside(y, *height) && inside(x, *width) {
                let level = level(channel, *value);
                if !level.is_finite() {
                    return f64::NEG_INFINITY;
                }
                squares += (level.clamp(0.0, 255.0) - f64::from(*wanted)).powi(2);
                count += 1;
            }
        }
        10.0 * (255.0f64.powi(2) * count as f64 / squares.max(1e-9)).log10()
    }
}
