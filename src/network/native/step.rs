//! Steps that are no convolution, on the buffers of one image.

use super::bands::{self, PIECE, Rows, put};
use super::graph::{Operation, Step};
use super::place::{Place, Shape};
use super::plan::Plan;
use super::run::Run;
use super::winograd::TILE;
use crate::parallel;
use fearless_simd::{Level, dispatch};

/// Every one with every other.
fn pairs<'p, T: Copy>(rows: &'p [T], columns: &'p [T]) -> impl Iterator<Item = (T, T)> + 'p {
    rows.iter().flat_map(|row| columns.iter().map(|column| (*row, *column)))
}

/// Writes what a pixel is made of.
type Make<'m> = &'m (dyn Fn(&Rows, [usize; 2], &mut [f32]) + Sync);

impl Run {
    /// A step that is no convolution, pixel by pixel.
    // Called in two places, and large.
    #[inline(never)]
    pub fn step(&mut self, plan: &Plan, step: &Step) {
        let target = plan.places[step.output];
        if step.operation == Operation::Concat {
            self.concat(plan, step, target);
            return;
        }
        let source = plan.places[step.inputs[0]];
        match step.operation {
            // It lies where it is.
            Operation::Part { .. } => {}
            Operation::Pool { greatest } => {
                let pooled = self.pooled(source, greatest);
                self.fill(plan, step, target, &|_, _, line| line.copy_from_slice(&pooled));
            }
            // Summed up in f64.
            Operation::ChannelMean => self.fill(plan, step, target, &|band, at, line| {
                let pixel = &band.read(&source, at)[..source.shape.channels];
                let sum: f64 = pixel.iter().map(|value| f64::from(*value)).sum();
                line.fill((sum / pixel.len() as f64) as f32);
            }),
            // Summed up in f64, too.
            Operation::Normalize { epsilon } => self.fill(plan, step, target, &|band, at, line| {
                let pixel = &band.read(&source, at)[..source.shape.channels];
                let mean_of = |value: &dyn Fn(f64) -> f64| {
                    pixel.iter().map(|v| value(f64::from(*v))).sum::<f64>() / pixel.len() as f64
                };
                let mean = mean_of(&|v| v);
                let deviation = (mean_of(&|v| (v - mean) * (v - mean)) + f64::from(epsilon)).sqrt();
                let normalized = pixel.iter().map(|value| ((f64::from(*value) - mean) / deviation) as f32);
                line.iter_mut().zip(normalized).for_each(|(to, value)| *to = value);
            }),
            Operation::Repeat(times) => {
                self.move_pixels(plan, step, target, |y, x| (source, y / times, x / times, 0, 1))
            }
            Operation::DepthToSpace(shuffle) => self.move_pixels(plan, step, target, |y, x| {
                let part = y % shuffle.side * shuffle.side + x % shuffle.side;
                let first = shuffle.source(part, 0, target.shape.channels);
                let stride = if shuffle.channel_first { shuffle.side * shuffle.side } else { 1 };
                (source, y / shuffle.side, x / shuffle.side, first, stride)
            }),
            Operation::SpaceToDepth(shuffle) => self.fill(plan, step, target, &|band, [y, x], line| {
                let channels = source.shape.channels;
                for part in 0..shuffle.side * shuffle.side {
                    let at = [y * shuffle.side + part / shuffle.side, x * shuffle.side + part % shuffle.side];
                    let pixel = &band.read(&source, at)[..channels];
                    for (channel, value) in pixel.iter().enumerate() {
                        line[shuffle.source(part, channel, channels)] = *value;
                    }
                }
            }),
            Operation::Resample { ref rows, ref columns } => {
                let (from, to) = (source.shape, target.shape);
                let rows = rows.taps([from.height, to.height], &plan.numbers);
                let columns = columns.taps([from.width, to.width], &plan.numbers);
                self.fill(plan, step, target, &|band, [y, x], line| {
                    line.fill(0.0);
                    for ((row, down), (column, across)) in pairs(&rows[y], &columns[x]) {
                        let pixel = band.read(&source, [row, column]);
                        let weight = down * across;
                        line.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += weight * value);
                    }
                });
            }
            Operation::WindowPool(pool) => {
                let padding = pool.window.padding(source.shape.size(), pool.kernel);
                let taps = [0, 1].map(|axis| {
                    let sides = [source.shape.size()[axis], target.shape.size()[axis]];
                    pool.taps(axis, padding[axis], sides)
                });
                let around = if pool.greatest { f32::NEG_INFINITY } else { 0.0 };
                self.fill(plan, step, target, &|band, [y, x], line| {
                    line.fill(around);
                    let [rows, columns] = [&taps[0][y], &taps[1][x]];
                    for (row, column) in pairs(rows, columns) {
                        let pixel = band.read(&source, [row, column]);
                        line.iter_mut().zip(pixel).for_each(|(sum, value)| match pool.greatest {
                            true if value > sum => *sum = *value,
                            true => {}
                            false => *sum += value,
                        });
                    }
                    if !pool.greatest {
                        let all = if pool.counts_pads { pool.kernel } else { [rows.len(), columns.len()] };
                        let count = (all[0] * all[1]) as f32;
                        line.iter_mut().for_each(|sum| *sum /= count);
                    }
                });
            }
            _ => self.move_pixels(plan, step, target, |y, x| (source, y, x, 0, 1)),
        }
    }

    /// Puts what does not lie there already one after another; what follows each other, in one pass.
    fn concat(&mut self, plan: &Plan, step: &Step, target: Place) {
        let mut at = 0;
        let parts: Vec<(usize, Place)> = step
            .inputs
            .iter()
            .map(|input| {
                let first = at;
                at += plan.places[*input].shape.channels;
                (first, plan.places[*input])
            })
            .collect();
        let lies_there = |(first, source): &(usize, Place)| {
            (source.slot, source.origin) == (target.slot, target.origin + first)
        };
        for run in parts.chunk_by(|a, b| lies_there(a) == lies_there(b)).filter(|run| !lies_there(&run[0])) {
            let (first, level) = (run[0].0, Level::new());
            let channels = run.iter().map(|(_, source)| source.shape.channels).sum();
            let to =
                Place { origin: target.origin + first, shape: Shape { channels, ..target.shape }, ..target };
            self.fill(plan, step, to, &|band, at, line| {
                dispatch!(level, simd => for (begin, source) in run {
                    let channels = source.shape.channels;
                    put(simd, &band.read(source, at)[..channels], &mut line[begin - first..][..channels]);
                });
            });
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

    /// Fills a place, pixel by pixel.
    // Once in the program is enough.
    #[inline(never)]
    fn fill(&mut self, plan: &Plan, step: &Step, place: Place, make: Make<'_>) {
        let (threads, Shape { channels, height, width }) = (parallel::threads(), place.shape);
        let mut buffer = std::mem::take(&mut self.slots[place.slot]);
        let bands = bands::split(height, width, TILE, threads);
        let mut bands = place.bands_of(&mut buffer, bands.into_iter());
        let (slots, level) = (&self.slots[..], Level::new());
        let mut lines = vec![vec![0.0; channels * PIECE]; threads];
        parallel::share_out(&mut lines, &mut bands, |lines, (rows, values)| {
            let mut band = Rows { plan, slots, place, first: rows.start, values };
            let pieces = rows.clone().flat_map(|y| (0..width).step_by(PIECE).map(move |x| [y, x]));
            for [y, x] in pieces {
                let lines = &mut lines[..PIECE.min(width - x) * channels];
                for (at, line) in lines.chunks_exact_mut(channels).enumerate() {
                    make(&band, [y, x + at], line);
                }
                band.finish(&step.posts, &|at| Some([y, x + at]), lines);
                dispatch!(level, simd => for (at, line) in lines.chunks_exact(channels).enumerate() {
                    put(simd, line, &mut band.write([y, x + at])[..channels]);
                });
            }
        });
        self.slots[place.slot] = buffer;
    }

    /// Fills a place from, for each pixel, `(place, row, column, first channel, distance of channels)`.
    fn move_pixels(
        &mut self,
        plan: &Plan,
        step: &Step,
        target: Place,
        from: impl Fn(usize, usize) -> (Place, usize, usize, usize, usize) + Sync + Send,
    ) {
        let level = Level::new();
        self.fill(plan, step, target, &|band, [y, x], line| {
            let (source, row, column, first, stride) = from(y, x);
            let values = &band.read(&source, [row, column])[first..];
            match stride {
                1 => dispatch!(level, simd => put(simd, &values[..line.len()], line)),
                _ => line.iter_mut().zip(values.iter().step_by(stride)).for_each(|(to, value)| *to = *value),
            }
        });
    }
}
