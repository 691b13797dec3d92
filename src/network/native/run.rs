//! The buffers of one image, and what the steps of a graph do to them.

use super::convolution::{Convolution, Kernels, Scratch};
use super::graph::{Graph, Operation, Post, Shuffle, Value};
use super::plan::{Place, Plan, Shape};
use super::quantized_input::QuantizedInput;
use crate::network::graph::Conv;
use crate::network::planes::Planes;
use crate::parallel;
use crate::quant::{
    ActivationQuantizer, ChannelSummaries, NonFiniteChannel, Pixels, QuantizationError, Summary,
};
use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x4};

/// One convolution of a run.
pub struct Work<'a> {
    pub conv: &'a Conv,
    pub shuffle: Option<Shuffle>,
    pub kernels: &'a Kernels,
    /// Where its input was copied to, if it was changed.
    pub copy: Option<Place>,
    /// Before the shuffle.
    pub output: Shape,
    /// Whether a quantizer needs the channels of what it gives summed up.
    pub needs_summary: bool,
}

impl Work<'_> {
    /// Where a part of an output lies when pixels are shuffled.
    #[inline(always)]
    fn pixel(&self, [y, x]: [usize; 2], part: usize) -> [usize; 2] {
        let side = self.shuffle.map_or(1, |shuffle| shuffle.side);
        [y * side + part / side, x * side + part % side]
    }
}

/// Lays out the changed input of a convolution.
pub fn copy_input(plan: &Plan, step: usize, planes: &[f32], copy: &mut Vec<f32>) {
    let Some((frame, place)) = plan.copy_place(step) else { return };
    copy.resize(frame.len().max(copy.len()), 0.0);
    frame.clear_border(copy);
    interleave(planes, copy, place);
}

/// The buffers of one image.
#[derive(Clone)]
pub struct Run {
    pub slots: Vec<Vec<f32>>,
    /// By value, of its channels, once a quantizer needed them.
    summaries: Vec<Option<Vec<Summary>>>,
}

impl Run {
    pub fn new(graph: &Graph, plan: &Plan, image: &Planes) -> Self {
        let mut run = Run { slots: vec![Vec::new(); plan.slots.len()], summaries: vec![None; graph.values] };
        run.make_room(plan, 0, &mut Vec::new());
        let place = plan.places[0];
        interleave(&image.values, &mut run.slots[place.slot], place);
        run
    }

    /// Makes room for what a step begins to write, with zeros around it. What is larger than what lay there before gets another
    /// buffer, `spare` where that is large enough, so that one that is never come to takes no memory.
    pub fn make_room(&mut self, plan: &Plan, step: usize, spare: &mut Vec<f32>) {
        for (slot, frame) in plan.clear.get(step).into_iter().flatten() {
            let buffer = &mut self.slots[*slot];
            if buffer.len() < frame.len() {
                *buffer = std::mem::take(spare);
            }
            if buffer.len() < frame.len() {
                *buffer = vec![0.0; frame.len()];
            }
            frame.clear_border(buffer);
        }
    }

    /// Gives a buffer away that nobody reads after a step.
    pub fn give_away(&mut self, plan: &Plan, step: usize, spare: &mut Vec<f32>) {
        for slot in &plan.free[step] {
            let buffer = std::mem::take(&mut self.slots[*slot]);
            if buffer.len() > spare.len() {
                *spare = buffer;
            }
        }
    }

    /// Of the channels of a value that lies here. What was joined of several is put together from these.
    fn summarize(&mut self, graph: &Graph, plan: &Plan, value: usize, place: Place) -> Vec<Summary> {
        if let Some(known) = &self.summaries[value] {
            return known.clone();
        }
        let maker = graph.steps.iter().find(|step| step.output == value);
        let summaries =
            match maker.filter(|maker| maker.operation == Operation::Concat && maker.posts.is_empty()) {
                Some(concat) => {
                    let mut parts = Vec::with_capacity(place.shape.channels);
                    for input in &concat.inputs {
                        let shape = plan.places[*input].shape;
                        let part = Place { origin: place.origin + parts.len(), shape, ..place };
                        parts.extend(self.summarize(graph, plan, *input, part));
                    }
                    parts
                }
                None => {
                    let rows: Vec<usize> = (0..place.shape.height).collect();
                    let buffer = &self.slots[place.slot];
                    let blocks = parallel::map(&rows.chunks(BLOCK).collect::<Vec<_>>(), |rows| {
                        let mut summaries = ChannelSummaries::new(place.shape.channels);
                        for y in *rows {
                            let pixels = Pixels { values: place.row_of(buffer, *y), stride: place.pixel };
                            pixels.fetch(usize::MAX, place.shape.channels);
                            summaries.add(pixels);
                        }
                        summaries.finish()
                    });
                    let empty = vec![Summary::EMPTY; place.shape.channels];
                    blocks
                        .iter()
                        .fold(empty, |sum, block| sum.iter().zip(block).map(|(a, b)| a.with(b)).collect())
                }
            };
        self.summaries[value] = Some(summaries.clone());
        summaries
    }

    pub fn output(&self, place: Place) -> Planes {
        let Shape { channels, height, width } = place.shape;
        let mut values = vec![0.0; channels * place.shape.pixels()];
        separate(&self.slots[place.slot], place, &mut values);
        Planes { channels, height, width, values }
    }

    /// One batch for each scratch memory at a time, which are then put in their places. If there is a quantizer, of the
    /// quantized input, which is made in `copy`; adds to the errors of its channels, unless there are none.
    // Called in two places, and large.
    #[inline(never)]
    pub fn convolve(
        &mut self,
        (graph, plan): (&Graph, &Plan),
        at: usize,
        work: &Work,
        (scratches, copy): (&mut [Scratch], &mut Vec<f32>),
        quantizer: Option<(&ActivationQuantizer, &mut [QuantizationError])>,
    ) -> Result<(), NonFiniteChannel> {
        let (level, step) = (Level::new(), &graph.steps[at]);
        let (input, place) = (step.inputs[0], plan.places[step.inputs[0]]);
        let (lower, posts) = match step.posts.split_first() {
            Some((Post::Relu, posts)) => (0.0, posts),
            _ => (f32::NEG_INFINITY, &step.posts[..]),
        };
        let (mapping, errors) = match quantizer {
            Some((quantizer, errors)) => {
                (Some(quantizer.fit(&self.summarize(graph, plan, input, place))?), errors)
            }
            None => (None, &mut [][..]),
        };
        let mut quantized = mapping
            .as_ref()
            .zip(plan.copy_place(at))
            .map(|(mapping, (frame, _))| QuantizedInput::new(mapping.of_pixels(), frame, place, errors));
        let target = plan.places[step.output];
        let mut summaries = work.needs_summary.then(|| ChannelSummaries::new(target.shape.channels));
        let mut first_row = 0;
        let batches = self.convolution(place, work, lower, (copy, first_row)).batches();
        for first in (0..batches).step_by(scratches.len()) {
            let count = scratches.len().min(batches - first);
            if let Some(quantized) = &mut quantized {
                let rows =
                    self.convolution(place, work, lower, (copy, first_row)).rows_read(first..first + count);
                quantized.make(rows, &self.slots[place.slot], copy);
                first_row = quantized.first_row();
            }
            let (run, copy) = (&*self, &*copy);
            parallel::for_each_mut(&mut scratches[..count], |index, scratch| {
                run.convolution(place, work, lower, (copy, first_row)).compute(level, first + index, scratch);
                if !posts.is_empty() {
                    let value = (step.output, posts);
                    dispatch!(level, simd => run.finish_batch(simd, plan, value, work, scratch));
                }
            });
            for scratch in &scratches[..count] {
                dispatch!(level, simd => self.store(simd, target, work, scratch));
                if let Some(summaries) = &mut summaries {
                    scratch.add_to(summaries, work.output, target.shape.channels);
                }
            }
        }
        if let Some(quantized) = &mut quantized {
            quantized.finish(&self.slots[place.slot], copy);
        }
        self.summaries[step.output] = summaries.map(|summaries| summaries.finish());
        Ok(())
    }

    fn convolution<'a>(
        &'a self,
        place: Place,
        work: &'a Work,
        lower: f32,
        (copy, first_row): (&'a [f32], usize),
    ) -> Convolution<'a> {
        let input = match work.copy {
            Some(place) => (copy, place),
            None => (&self.slots[place.slot][..], place),
        };
        let [top, left, ..] = work.conv.padding(place.shape.size());
        Convolution {
            conv: work.conv,
            kernels: work.kernels,
            input,
            first_row,
            output: work.output,
            lower,
            before: [top, left],
        }
    }

    /// Does what is done to every value of a batch.
    #[inline(always)]
    fn finish_batch<S: Simd>(
        &self,
        _: S,
        plan: &Plan,
        (value, posts): (Value, &[Post]),
        work: &Work,
        scratch: &mut Scratch,
    ) {
        let (channels, output) = (plan.places[value].shape.channels, work.output);
        for (line, at) in scratch.lines.chunks_exact_mut(output.channels).zip(&scratch.positions) {
            if !output.has(*at) {
                continue;
            }
            for (part, line) in line.chunks_exact_mut(channels).enumerate() {
                self.finish(plan, posts, work.pixel(*at, part), line);
            }
        }
    }

    /// Puts a finished batch in its place.
    #[inline(always)]
    fn store<S: Simd>(&mut self, simd: S, place: Place, work: &Work, scratch: &Scratch) {
        let output = work.output;
        let (slot, channels) = (&mut self.slots[place.slot], place.shape.channels);
        let mut lines = &scratch.lines[..];
        for run in scratch.positions.chunk_by(|[y, x], next| *next == [*y, *x + 1]) {
            let (these, others) = lines.split_at(run.len() * output.channels);
            lines = others;
            let ([y, x], inside) = (run[0], output.width.saturating_sub(run[0][1]).min(run.len()));
            if y >= output.height || inside == 0 {
                continue;
            }
            let start = place.origin + y * place.row + x * place.pixel;
            if work.shuffle.is_none() && place.pixel == channels {
                // Pixels that are neighbours here are neighbours there.
                put(simd, &these[..inside * channels], &mut slot[start..][..inside * channels]);
                continue;
            }
            for (line, at) in these.chunks_exact(output.channels).zip(&run[..inside]) {
                for (part, line) in line.chunks_exact(channels).enumerate() {
                    let [y, x] = work.pixel(*at, part);
                    let start = place.origin + y * place.row + x * place.pixel;
                    put(simd, line, &mut slot[start..][..channels]);
                }
            }
        }
    }

    /// What is done to one pixel of a step's output.
    #[inline(always)]
    pub(super) fn finish(&self, plan: &Plan, posts: &[Post], [y, x]: [usize; 2], line: &mut [f32]) {
        let each = |line: &mut [f32], list: &[f32], change: fn(&mut f32, f32)| match list {
            [one] => line.iter_mut().for_each(|value| change(value, *one)),
            many => line.iter_mut().zip(many).for_each(|(value, own)| change(value, *own)),
        };
        let other = |value: usize| {
            let place = plan.places[value];
            let [y, x] = if place.shape.size() == [1, 1] { [0, 0] } else { [y, x] };
            &self.slots[place.slot][place.origin + y * place.row + x * place.pixel..][..place.shape.channels]
        };
        for post in posts {
            match post {
                // NaN stays.
                Post::Relu => line.iter_mut().for_each(|v| *v = if *v < 0.0 { 0.0 } else { *v }),
                Post::Leaky(list) => each(line, list, |v, slope| *v = if *v < 0.0 { *v * slope } else { *v }),
                Post::Clip(low, high) => line.iter_mut().for_each(|v| {
                    let lower = if *v < *low { *low } else { *v };
                    *v = if lower > *high { *high } else { lower };
                }),
                Post::Curve(curve) => curve.apply(line),
                Post::Add(list) => each(line, list, |v, other| *v += other),
                Post::Multiply(list) => each(line, list, |v, other| *v *= other),
                Post::Divide(list) => each(line, list, |v, other| *v /= other),
                Post::AddValue(value) => each(line, other(*value), |v, other| *v += other),
                Post::SubtractValue(value) => each(line, other(*value), |v, other| *v -= other),
                Post::MultiplyValue(value) => each(line, other(*value), |v, other| *v *= other),
                Post::DivideValue(value) => each(line, other(*value), |v, other| *v /= other),
            }
        }
    }
}

/// Copies values vector by vector: in browsers, `copy_from_slice` calls a function, which for a pixel takes longer.
#[inline(always)]
fn put<S: Simd>(simd: S, from: &[f32], to: &mut [f32]) {
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<4>(), to.as_chunks_mut::<4>());
    from.iter().zip(to).for_each(|(from, to)| f32x4::load_array_ref(simd, from).store_array(to));
    from_rest.iter().zip(to_rest).for_each(|(from, to)| *to = *from);
}

/// Rows whose sums are made by themselves, on every machine.
const BLOCK: usize = 16;

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
pub fn separate(buffer: &[f32], place: Place, planes: &mut [f32]) {
    for (pixel, start, count) in strips(place) {
        for (channel, plane) in planes.chunks_exact_mut(place.shape.pixels()).enumerate() {
            let values = buffer[start + channel..].iter().step_by(place.pixel);
            plane[pixel..][..count].iter_mut().zip(values).for_each(|(target, value)| *target = *value);
        }
    }
}
