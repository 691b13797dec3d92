//! Steps that are no convolution, on the buffers of one image.

use super::graph::{Operation, Step};
use super::plan::{Place, Plan, Shape};
use super::run::Run;

impl Run {
    /// A step that is no convolution, pixel by pixel.
    // Called in two places, and large.
    #[inline(never)]
    pub fn step(&mut self, plan: &Plan, step: &Step) {
        let target = plan.places[step.output];
        if step.operation == Operation::Concat {
            let mut at = target.origin;
            for input in &step.inputs {
                let source = plan.places[*input];
                if (source.slot, source.origin) != (target.slot, at) {
                    let to = Place { origin: at, shape: source.shape, ..target };
                    self.move_pixels(plan, step, to, |y, x| (source, y, x, 0, 1));
                }
                at += source.shape.channels;
            }
            return;
        }
        let source = plan.places[step.inputs[0]];
        match step.operation {
            // It lies where it is.
            Operation::Part { .. } => {}
            Operation::Pool { greatest } => {
                let mut line = self.pooled(source, greatest);
                self.finish(plan, &step.posts, [0, 0], &mut line);
                self.slots[target.slot][target.origin..][..line.len()].copy_from_slice(&line);
            }
            Operation::ChannelMean => self.mean_channels(plan, step, [source, target]),
            Operation::Repeat(times) => {
                self.move_pixels(plan, step, target, |y, x| (source, y / times, x / times, 0, 1))
            }
            Operation::DepthToSpace(shuffle) => self.move_pixels(plan, step, target, |y, x| {
                let part = y % shuffle.side * shuffle.side + x % shuffle.side;
                let first = shuffle.source(part, 0, target.shape.channels);
                let stride = if shuffle.channel_first { shuffle.side * shuffle.side } else { 1 };
                (source, y / shuffle.side, x / shuffle.side, first, stride)
            }),
            _ => self.move_pixels(plan, step, target, |y, x| (source, y, x, 0, 1)),
        }
    }

    /// The mean of all pixels by channel, summed up in f64 row by row; or the greatest.
    fn pooled(&self, place: Place, greatest: bool) -> Vec<f32> {
        let Shape { channels, height, .. } = place.shape;
        let pixels = || {
            let rows = (0..height).map(|y| place.row_of(&self.slots[place.slot], y));
            rows.flat_map(|row| row.chunks(place.pixel)).map(|pixel| &pixel[..channels])
        };
        if greatest {
            return pixels().fold(vec![f32::NEG_INFINITY; channels], |most, pixel| {
                most.iter()
                    .zip(pixel)
                    .map(|(most, value)| if value > most { *value } else { *most })
                    .collect()
            });
        }
        let mut sums = vec![0.0f64; channels];
        pixels()
            .for_each(|pixel| sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += f64::from(*value)));
        sums.iter().map(|sum| (sum / place.shape.pixels() as f64) as f32).collect()
    }

    /// The mean of a pixel's channels, summed up in f64, for each pixel.
    fn mean_channels(&mut self, plan: &Plan, step: &Step, [source, target]: [Place; 2]) {
        let Shape { channels, height, width } = source.shape;
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let pixel =
                &self.slots[source.slot][source.origin + y * source.row + x * source.pixel..][..channels];
            let sum: f64 = pixel.iter().map(|value| f64::from(*value)).sum();
            let mut line = [(sum / channels as f64) as f32];
            self.finish(plan, &step.posts, [y, x], &mut line);
            self.slots[target.slot][target.origin + y * target.row + x * target.pixel] = line[0];
        }
    }

    /// Fills a place from, for each pixel, `(place, row, column, first channel, distance of channels)`.
    fn move_pixels(
        &mut self,
        plan: &Plan,
        step: &Step,
        target: Place,
        from: impl Fn(usize, usize) -> (Place, usize, usize, usize, usize),
    ) {
        let mut line = vec![0.0; target.shape.channels];
        for y in 0..target.shape.height {
            for x in 0..target.shape.width {
                let (source, row, column, first, stride) = from(y, x);
                let start = source.origin + row * source.row + column * source.pixel + first;
                let values = self.slots[source.slot][start..].iter().step_by(stride);
                line.iter_mut().zip(values).for_each(|(to, value)| *to = *value);
                self.finish(plan, &step.posts, [y, x], &mut line);
                let start = target.origin + y * target.row + x * target.pixel;
                self.slots[target.slot][start..start + line.len()].copy_from_slice(&line);
            }
        }
    }
}
