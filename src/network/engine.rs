//! Our own executor for the graphs of super-resolution networks. Pixels lie one after another, each with all its
//! channels; a run walks through the steps of a [`Graph`] with the buffers of a [`Plan`].

mod convolution;
mod graph;
mod matrix;
mod plan;
mod reader;
mod winograd;

pub use convolution::Kernels;
pub use graph::Graph;
pub use plan::Plan;
pub use reader::read;

use super::{Layer, Planes};
use convolution::{Convolution, Scratch};
use fearless_simd::{Level, Simd, dispatch};
use graph::{Filter, Geometry, Operation, Post, Shuffle, Step};
use plan::{Place, Shape};
use std::sync::Arc;

/// What a run does at a convolution.
pub trait Visitor {
    /// Why a run stops.
    type Error;

    /// A convolution is about to run. Whether the visitor wants to see, or change, its input.
    fn begin(&mut self, layer: usize) -> Result<bool, Self::Error>;

    /// The layer's input, `[images, channels, height * width]`. What is left here goes into the layer.
    fn visit(&mut self, layer: usize, size: [usize; 2], inputs: &mut [f32]) -> Result<(), Self::Error>;

    /// The weights that the layer takes now. Called once, after `visit`.
    fn kernels(&mut self, layer: usize) -> Arc<Kernels>;
}

impl Graph {
    /// Weights for a layer as this graph needs them, from `[out, in / groups, height, width]` and what is added to the
    /// bias, for each output or nothing.
    pub fn kernels(&self, layers: &[Layer], layer: usize, weights: &[f32], bias_change: &[f32]) -> Kernels {
        let Filter { geometry, shuffle, bias } = &self.filters[layer];
        let change = bias_change.iter().copied().chain(std::iter::repeat(0.0));
        let bias: Vec<f32> = bias.iter().zip(change).map(|(bias, change)| bias + change).collect();
        Kernels::new(&layers[layer], geometry, *shuffle, weights, &bias)
    }

    /// Runs images of the plan's size side by side, step by step.
    pub fn run<V: Visitor>(
        &self,
        plan: &Plan,
        layers: &[Layer],
        images: &[Planes],
        visitor: &mut V,
    ) -> Result<Vec<Planes>, V::Error> {
        let level = Level::new();
        let mut runs: Vec<Run> = images.iter().map(|image| Run::new(plan, image)).collect();
        let (mut scratch, mut planes) = (Scratch::default(), Vec::new());
        for (at, step) in self.steps.iter().enumerate() {
            for run in &mut runs {
                plan.clear[at].iter().for_each(|(slot, frame)| frame.clear_border(&mut run.slots[*slot]));
            }
            match step.operation {
                Operation::Convolution { layer, geometry, shuffle } => {
                    let place = plan.places[step.inputs[0]];
                    let mut copies = None;
                    if visitor.begin(layer)? {
                        let Shape { channels, height, width } = place.shape;
                        let size = channels * height * width;
                        planes.resize(runs.len() * size, 0.0);
                        let each = runs.iter().zip(planes.chunks_exact_mut(size));
                        each.for_each(|(run, planes)| separate(&run.slots[place.slot], place, planes));
                        visitor.visit(layer, [height, width], &mut planes)?;
                        copies = plan.copy_place(at).map(|(_, place)| place);
                        let each = runs.iter_mut().zip(planes.chunks_exact(size));
                        each.for_each(|(run, planes)| run.copy(plan, at, planes));
                    }
                    let kernels = visitor.kernels(layer);
                    for run in &mut runs {
                        let work = Work {
                            layer: &layers[layer],
                            geometry: &geometry,
                            shuffle,
                            kernels: &kernels,
                            copy: copies,
                        };
                        run.convolve(level, plan, step, &work, &mut scratch);
                    }
                }
                _ => runs.iter_mut().for_each(|run| run.step(plan, step)),
            }
        }
        Ok(runs.iter().map(|run| run.output(plan.places[self.output])).collect())
    }
}

/// One convolution of a run.
struct Work<'a> {
    layer: &'a Layer,
    geometry: &'a Geometry,
    shuffle: Option<Shuffle>,
    kernels: &'a Kernels,
    /// Where its input was copied to, if it was changed.
    copy: Option<Place>,
}

/// The buffers of one image.
struct Run {
    slots: Vec<Vec<f32>>,
    /// The changed input of the present convolution.
    copy: Vec<f32>,
}

impl Run {
    fn new(plan: &Plan, image: &Planes) -> Self {
        let slots = plan.slots.iter().map(|length| vec![0.0; *length]).collect();
        let mut run = Run { slots, copy: Vec::new() };
        let place = plan.places[0];
        interleave(&image.values, &mut run.slots[place.slot], place);
        run
    }

    /// Keeps the changed input of a convolution.
    fn copy(&mut self, plan: &Plan, step: usize, planes: &[f32]) {
        let Some((frame, place)) = plan.copy_place(step) else { return };
        self.copy.resize(frame.len().max(self.copy.len()), 0.0);
        frame.clear_border(&mut self.copy);
        interleave(planes, &mut self.copy, place);
    }

    fn output(&self, place: Place) -> Planes {
        let Shape { channels, height, width } = place.shape;
        let mut values = vec![0.0; channels * place.shape.pixels()];
        separate(&self.slots[place.slot], place, &mut values);
        Planes { channels, height, width, values }
    }

    fn convolve(&mut self, level: Level, plan: &Plan, step: &Step, work: &Work, scratch: &mut Scratch) {
        let place = plan.places[step.inputs[0]];
        let Shape { channels, height, width } = plan.places[step.output].shape;
        let output = match work.shuffle {
            Some(Shuffle { side, .. }) => {
                Shape { channels: channels * side * side, height: height / side, width: width / side }
            }
            None => Shape { channels, height, width },
        };
        let batches = self.convolution(place, output, work).batches();
        for batch in 0..batches {
            self.convolution(place, output, work).compute(level, batch, scratch);
            dispatch!(level, simd => self.store(simd, plan, step, work, output, scratch));
        }
    }

    fn convolution<'a>(&'a self, place: Place, output: Shape, work: &'a Work) -> Convolution<'a> {
        let input = match work.copy {
            Some(place) => (&self.copy[..], place),
            None => (&self.slots[place.slot][..], place),
        };
        Convolution { layer: work.layer, geometry: work.geometry, kernels: work.kernels, input, output }
    }

    /// Adds the bias, does what is done to every value, and puts a batch in its place.
    #[inline(always)]
    fn store<S: Simd>(
        &mut self,
        _: S,
        plan: &Plan,
        step: &Step,
        work: &Work,
        shape: Shape,
        scratch: &mut Scratch,
    ) {
        let place = plan.places[step.output];
        let side = work.shuffle.map_or(1, |shuffle| shuffle.side);
        let lines = scratch.lines.chunks_exact_mut(shape.channels);
        for (line, [y, x]) in lines.zip(&scratch.positions) {
            if *y >= shape.height || *x >= shape.width {
                continue;
            }
            line.iter_mut().zip(&work.kernels.bias).for_each(|(value, bias)| *value += bias);
            for (part, line) in line.chunks_exact_mut(place.shape.channels).enumerate() {
                let at = [y * side + part / side, x * side + part % side];
                self.finish(plan, step, at, line);
                let start = place.origin + at[0] * place.row + at[1] * place.pixel;
                self.slots[place.slot][start..start + line.len()].copy_from_slice(line);
            }
        }
    }

    /// What is done to one pixel of a step's output.
    #[inline(always)]
    fn finish(&self, plan: &Plan, step: &Step, [y, x]: [usize; 2], line: &mut [f32]) {
        let each = |line: &mut [f32], list: &[f32], change: fn(&mut f32, f32)| match list {
            [one] => line.iter_mut().for_each(|value| change(value, *one)),
            many => line.iter_mut().zip(many).for_each(|(value, own)| change(value, *own)),
        };
        let other = |value: usize| {
            let place = plan.places[value];
            &self.slots[place.slot][place.origin + y * place.row + x * place.pixel..][..place.shape.channels]
        };
        for post in &step.posts {
            match post {
                // NaN stays.
                Post::Relu => line.iter_mut().for_each(|v| *v = if *v < 0.0 { 0.0 } else { *v }),
                Post::Leaky(list) => each(line, list, |v, slope| *v = if *v < 0.0 { *v * slope } else { *v }),
                Post::Clip(low, high) => line.iter_mut().for_each(|v| {
                    let least = if *v < *low { *low } else { *v };
                    *v = if least > *high { *high } else { least };
                }),
                Post::Add(list) => each(line, list, |v, other| *v += other),
                Post::Multiply(list) => each(line, list, |v, other| *v *= other),
                Post::Divide(list) => each(line, list, |v, other| *v /= other),
                Post::AddValue(value) => line.iter_mut().zip(other(*value)).for_each(|(v, o)| *v += o),
                Post::SubtractValue(value) => line.iter_mut().zip(other(*value)).for_each(|(v, o)| *v -= o),
                Post::MultiplyValue(value) => line.iter_mut().zip(other(*value)).for_each(|(v, o)| *v *= o),
            }
        }
    }

    /// A step that is no convolution, pixel by pixel.
    fn step(&mut self, plan: &Plan, step: &Step) {
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
                self.finish(plan, step, [y, x], &mut line);
                let start = target.origin + y * target.row + x * target.pixel;
                self.slots[target.slot][start..start + line.len()].copy_from_slice(&line);
            }
        }
    }
}

/// Pixels that are turned at a time, so that both sides stay in the cache.
const STRIP: usize = 64;

/// Stretches of a place's rows: the index of the first pixel in a plane and in the buffer, and the number of pixels.
fn strips(place: Place) -> impl Iterator<Item = (usize, usize, usize)> {
    let Shape { height, width, .. } = place.shape;
    let strip =
        move |y, x| (y * width + x, place.origin + y * place.row + x * place.pixel, STRIP.min(width - x));
    (0..height).flat_map(move |y| (0..width).step_by(STRIP).map(move |x| strip(y, x)))
}

/// Planes `[channels, height * width]` into a place.
fn interleave(planes: &[f32], buffer: &mut [f32], place: Place) {
    for (pixel, start, count) in strips(place) {
        for (channel, plane) in planes.chunks_exact(place.shape.pixels()).enumerate() {
            let targets = buffer[start + channel..].iter_mut().step_by(place.pixel);
            targets.zip(&plane[pixel..][..count]).for_each(|(target, value)| *target = *value);
        }
    }
}

/// A place into planes.
fn separate(buffer: &[f32], place: Place, planes: &mut [f32]) {
    for (pixel, start, count) in strips(place) {
        for (channel, plane) in planes.chunks_exact_mut(place.shape.pixels()).enumerate() {
            let values = buffer[start + channel..].iter().step_by(place.pixel);
            plane[pixel..][..count].iter_mut().zip(values).for_each(|(target, value)| *target = *value);
        }
    }
}
