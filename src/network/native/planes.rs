//! A convolution of images that lie plane by plane, as other engines have them.

use super::convolution::{Convolution, Kernels, Scratch};
use super::plan::{Frame, Shape};
use super::run::{interleave, separate};
use crate::network::graph::Conv;
use crate::parallel;
use fearless_simd::Level;

/// Of images `[images, inputs, height * width]`: `[images, outputs, height * width]` of the output's height and width. None where the
/// kernel does not fit. `kernels` are the layer's own, in its own order.
pub fn convolve(conv: &Conv, kernels: &Kernels, size: [usize; 2], images: &[f32]) -> Option<Vec<f32>> {
    let [height, width] = conv.output(size)?;
    let shape = Shape { channels: conv.inputs(), height: size[0], width: size[1] };
    let output = Shape { channels: conv.outputs(), height, width };
    let frame = Frame::of_input(conv, shape);
    let place = frame.whole();
    let plain = Frame::plain(output);
    let mut buffer = vec![0.0; frame.len()];
    let mut made = vec![0.0; plain.len()];
    let images: Vec<&[f32]> = images.chunks_exact((shape.channels * shape.pixels()).max(1)).collect();
    let mut planes = vec![0.0; images.len() * output.channels * output.pixels()];
    let mut scratches: Vec<Scratch> = (0..parallel::threads()).map(|_| Scratch::default()).collect();
    for (image, planes) in
        images.iter().zip(planes.chunks_exact_mut((output.channels * output.pixels()).max(1)))
    {
        interleave(image, &mut buffer, place);
        let [top, left, ..] = conv.padding(size);
        let convolution = Convolution {
            conv,
            kernels,
            input: (&buffer, place),
            first_row: 0,
            output,
            lower: f32::NEG_INFINITY,
            before: [top, left],
        };
        let batches: Vec<usize> = (0..convolution.batches()).collect();
        for batches in batches.chunks(scratches.len()) {
            parallel::for_each_mut(&mut scratches[..batches.len()], |index, scratch| {
                convolution.compute(Level::new(), batches[index], scratch);
            });
            for scratch in &scratches[..batches.len()] {
                for (line, position) in scratch.inside(output) {
                    let start = (position[0] * width + position[1]) * output.channels;
                    made[start..][..output.channels].copy_from_slice(line);
                }
            }
        }
        separate(&made, plain.whole(), planes);
    }
    Some(planes)
}
