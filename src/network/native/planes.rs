//! A convolution of images that lie plane by plane, as other engines have them.

use super::bands;
use super::convolution::{Convolution, Kernels, Scratch};
use super::place::{Frame, Place, Shape};
use super::winograd::TILE;
use crate::network::graph::Conv;
use crate::parallel;
use fearless_simd::Level;

/// Memory for a convolution, to be used again for the next.
#[derive(Debug, Default)]
pub struct Room {
    /// The input, pixel by pixel, and what comes out.
    pixels: [Vec<f32>; 2],
    scratches: Vec<Scratch>,
}

/// Pixels that are turned at a time, so that both sides stay in the cache.
const STRIP: usize = 64;

/// Channels that are turned at a time: those of a cache line.
const CHANNELS: usize = 16;

/// At least so many values.
fn grown(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    buffer.resize(buffer.len().max(length), 0.0);
    &mut buffer[..length]
}

/// Of images `[images, inputs, height * width]`: `[images, outputs, height * width]` of the output's height and width. None where the
/// kernel does not fit. `kernels` are the layer's own, in its own order.
pub fn convolve(
    conv: &Conv,
    kernels: &Kernels,
    size: [usize; 2],
    images: &[f32],
    Room { pixels: [inside, outside], scratches }: &mut Room,
) -> Option<Vec<f32>> {
    let [height, width] = conv.output(size)?;
    let shape = Shape { channels: conv.inputs(), height: size[0], width: size[1] };
    let output = Shape { channels: conv.outputs(), height, width };
    let frame = Frame::of_input(conv, shape);
    let (inside, outside) = (grown(inside, frame.len()), grown(outside, output.channels * output.pixels()));
    scratches.resize_with(parallel::threads(), Scratch::default);
    let images = images.chunks_exact((shape.channels * shape.pixels()).max(1));
    let mut planes = vec![0.0; images.len() * outside.len()];
    for (image, planes) in images.zip(planes.chunks_exact_mut(outside.len().max(1))) {
        interleave(image, frame, inside);
        let [top, left, ..] = conv.padding(size);
        let bands = bands::split(height, width, TILE, scratches.len());
        let mut bands = Place::alone(output).bands_of(outside, bands.into_iter());
        parallel::share_out(scratches, &mut bands, |scratch, (rows, values)| {
            let convolution = Convolution {
                conv,
                kernels,
                input: (&*inside, frame.whole()),
                first_row: 0,
                output,
                rows: rows.clone(),
                lower: f32::NEG_INFINITY,
                before: [top, left],
            };
            for batch in 0..convolution.batches() {
                convolution.compute(Level::new(), batch, scratch);
                for (line, [y, x]) in scratch.inside(output) {
                    let start = ((y - rows.start) * width + x) * output.channels;
                    values[start..][..output.channels].copy_from_slice(line);
                }
            }
        });
        separate(outside, output, planes);
    }
    Some(planes)
}

/// Planes into a frame, border and all.
fn interleave(planes: &[f32], frame: Frame, buffer: &mut [f32]) {
    let Shape { channels, width, .. } = frame.shape;
    let mut rows: Vec<&mut [f32]> = buffer.chunks_exact_mut(frame.row_values()).collect();
    parallel::for_each_mut(&mut rows, |row, values| {
        let Some((y, pixels)) = frame.split_row(row, values) else { return };
        for (strip, pixels) in pixels.chunks_mut(STRIP * channels).enumerate() {
            let start = y * width + strip * STRIP;
            for (channel, plane) in planes.chunks_exact(frame.shape.pixels()).enumerate() {
                let targets = pixels[channel..].iter_mut().step_by(channels);
                targets.zip(&plane[start..]).for_each(|(target, value)| *target = *value);
            }
        }
    });
}

/// Pixels into planes.
fn separate(pixels: &[f32], shape: Shape, planes: &mut [f32]) {
    let mut groups: Vec<&mut [f32]> = planes.chunks_mut(CHANNELS * shape.pixels()).collect();
    parallel::for_each_mut(&mut groups, |group, planes| {
        for (strip, pixels) in pixels.chunks(STRIP * shape.channels).enumerate() {
            for (channel, plane) in planes.chunks_exact_mut(shape.pixels()).enumerate() {
                let values = pixels[group * CHANNELS + channel..].iter().step_by(shape.channels);
                plane[strip * STRIP..].iter_mut().zip(values).for_each(|(target, value)| *target = *value);
            }
        }
    });
}
