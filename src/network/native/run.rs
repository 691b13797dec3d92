//! The buffers of one image, and what the steps of a graph do to them.

use super::bands::{self, BLOCK, PIECE, Rows, put};
use super::convolution::{Convolution, Kernels, Scratch};
use super::graph::{Graph, Operation, Post, Shuffle};
use super::place::{Place, Shape};
use super::plan::Plan;
use super::quantized_input::QuantizedInput;
use super::winograd::TILE;
use crate::network::graph::Conv;
use crate::network::planes::Planes;
use crate::parallel;
use crate::quant::{
    ActivationQuantizer, ChannelSummaries, Mapping, NonFiniteChannel, Pixels, QuantizationError, Summary,
};
use fearless_simd::{Level, Simd, dispatch};
use std::ops::Range;

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

    /// Rows of the input, of so many, that belong to these of the output, where each belongs to some.
    fn rows_of_input(&self, rows: &Range<usize>, height: usize) -> Range<usize> {
        let first = |row: usize| (row * self.conv.window().strides[0]).min(height);
        first(rows.start)..if rows.end == self.output.height { height } else { first(rows.end) }
    }
}

/// Memory for one convolution after another, of whichever image.
#[derive(Default)]
pub struct Workspace {
    /// One for each thread.
    scratches: Vec<Scratch>,
    /// The changed input.
    pub copy: Vec<f32>,
    /// An output until it can go where it belongs.
    waiting: Vec<f32>,
}

impl Workspace {
    pub fn new() -> Self {
        let scratches = (0..parallel::threads()).map(|_| Scratch::default()).collect();
        Workspace { scratches, ..Workspace::default() }
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
                    added_up(place.shape.channels, blocks.into_iter())
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

    /// Each thread computes bands of rows, and puts them in their places. If there is a quantizer, of the quantized input;
    /// adds to the errors of its channels, unless there are none.
    // Called in two places, and large.
    #[inline(never)]
    pub fn convolve(
        &mut self,
        (graph, plan): (&Graph, &Plan),
        at: usize,
        work: &Work,
        workspace: &mut Workspace,
        quantizer: Option<(&ActivationQuantizer, &mut [QuantizationError])>,
    ) -> Result<(), NonFiniteChannel> {
        let (level, step) = (Level::new(), &graph.steps[at]);
        let (input, source) = (step.inputs[0], plan.places[step.inputs[0]]);
        let (lower, posts) = match step.posts.split_first() {
            Some((Post::Relu, posts)) => (0.0, posts),
            _ => (f32::NEG_INFINITY, &step.posts[..]),
        };
        let (mapping, errors) = match quantizer {
            Some((quantizer, errors)) => {
                let summaries = self.summarize(graph, plan, input, source);
                let buffer = &self.slots[source.slot];
                let mapping = quantizer.fit(&summaries, &|take| {
                    for y in 0..source.shape.height {
                        let pixels = Pixels { values: source.row_of(buffer, y), stride: source.pixel };
                        take(0, source.shape.channels, pixels);
                    }
                })?;
                (Some(mapping), errors)
            }
            None => (None, &mut [][..]),
        };
        let mapping = mapping.as_ref().map(Mapping::of_pixels).zip(plan.copy_place(at));
        let Workspace { scratches, copy, waiting } = workspace;
        let target = plan.places[step.output];
        // What lies beside its input waits in a buffer of its own until all of the input is read.
        let waits = source.slot == target.slot;
        let place = if waits { Place::alone(target.shape) } else { target };
        let mut buffer = std::mem::take(if waits { waiting } else { &mut self.slots[target.slot] });
        buffer.resize(buffer.len().max(place.row * place.shape.height), 0.0);
        let measures = !errors.is_empty();
        let block = if work.needs_summary || measures { BLOCK } else { TILE };
        let side = work.shuffle.map_or(1, |shuffle| shuffle.side);
        let bands = bands::split(work.output.height, work.output.width, block, scratches.len());
        let scaled = bands.iter().map(|rows| rows.start * side..rows.end * side);
        let mut bands: Vec<Band> = bands
            .iter()
            .zip(place.bands_of(&mut buffer, scaled))
            .map(|(rows, (_, values))| {
                let measured = if measures { work.rows_of_input(rows, source.shape.height) } else { 0..0 };
                let sums = if work.needs_summary { rows.len().div_ceil(BLOCK) } else { 0 };
                Band {
                    rows: rows.clone(),
                    values,
                    summaries: (0..sums).map(|_| ChannelSummaries::new(target.shape.channels)).collect(),
                    errors: vec![QuantizationError::default(); measured.len().div_ceil(BLOCK) * errors.len()],
                    measured,
                }
            })
            .collect();
        let slots = &self.slots[..];
        parallel::share_out(scratches, &mut bands, |scratch, band| {
            let mut window = std::mem::take(&mut scratch.window);
            let [top, left, ..] = work.conv.padding(source.shape.size());
            let whole = Convolution {
                conv: work.conv,
                kernels: work.kernels,
                input: match work.copy {
                    Some(place) => (copy, place),
                    None => (&slots[source.slot][..], source),
                },
                first_row: 0,
                output: work.output,
                rows: band.rows.clone(),
                lower,
                before: [top, left],
            };
            let mut quantized = mapping.as_ref().map(|(mapping, (frame, _))| {
                let (first, source) = (whole.rows_read(0).start, (source, &slots[source.slot][..]));
                let measured = (band.measured.clone(), &mut band.errors[..]);
                QuantizedInput::new(mapping, *frame, source, first, measured)
            });
            let values = &mut *band.values;
            let mut rows = Rows { plan, slots, place, first: band.rows.start * side, values };
            for batch in 0..whole.batches() {
                match &mut quantized {
                    Some(quantized) => {
                        quantized.make(whole.rows_read(batch), &mut window);
                        let (input, first_row) = ((&window[..], whole.input.1), quantized.first_row());
                        Convolution { input, first_row, ..whole.clone() }.compute(level, batch, scratch);
                    }
                    None => whole.compute(level, batch, scratch),
                }
                dispatch!(level, simd => store(simd, &mut rows, posts, work, scratch));
                if work.needs_summary {
                    let channels = place.shape.channels;
                    scratch.add_to(&mut band.summaries, (band.rows.start, BLOCK), work.output, channels);
                }
            }
            if let Some(quantized) = &mut quantized {
                quantized.finish(&mut window);
            }
            scratch.window = window;
        });
        let channels = errors.len().max(1);
        for of_block in bands.iter().flat_map(|band| band.errors.chunks(channels)) {
            errors.iter_mut().zip(of_block).for_each(|(error, of_block)| *error = error.with(of_block));
        }
        let sums = bands.iter().flat_map(|band| &band.summaries).map(ChannelSummaries::finish);
        self.summaries[step.output] = work.needs_summary.then(|| added_up(target.shape.channels, sums));
        if waits {
            self.move_from(&buffer, place, target, scratches.len());
            *waiting = buffer;
        } else {
            self.slots[target.slot] = buffer;
        }
        Ok(())
    }

    /// Copies a value that waited into its place.
    fn move_from(&mut self, buffer: &[f32], from: Place, to: Place, threads: usize) {
        let (level, Shape { channels, height, width }) = (Level::new(), to.shape);
        let bands = bands::split(height, width, TILE, threads);
        let mut bands = to.bands_of(&mut self.slots[to.slot], bands.into_iter());
        parallel::for_each_mut(&mut bands, |_, (rows, values)| {
            for (y, row) in rows.clone().zip(values.chunks_exact_mut(to.row)) {
                let row = &mut row[to.origin % to.row..];
                let pixels = from.row_of(buffer, y).chunks(from.pixel).zip(row.chunks_mut(to.pixel));
                dispatch!(level, simd => pixels.for_each(|(from, to)| put(simd, from, &mut to[..channels])));
            }
        });
    }
}

/// Rows of a convolution's output that one thread computes.
struct Band<'a> {
    /// Before a shuffle.
    rows: Range<usize>,
    /// Those of the buffer.
    values: &'a mut [f32],
    /// By block of the rows.
    summaries: Vec<ChannelSummaries>,
    /// Rows of the input whose errors are measured here.
    measured: Range<usize>,
    /// By block of these and channel.
    errors: Vec<QuantizationError>,
}

/// By channel, all blocks one after another.
fn added_up(channels: usize, blocks: impl Iterator<Item = Vec<Summary>>) -> Vec<Summary> {
    blocks.fold(vec![Summary::EMPTY; channels], |sum, block| {
        sum.iter().zip(&block).map(|(a, b)| a.with(b)).collect()
    })
}

/// Does what is done to every value of a batch, and puts them in their places.
#[inline(always)]
fn store<S: Simd>(simd: S, rows: &mut Rows, posts: &[Post], work: &Work, scratch: &mut Scratch) {
    let (channels, output) = (rows.place.shape.channels, work.output);
    if !posts.is_empty() {
        // As many as stay in the nearest cache.
        let parts = output.channels / channels;
        let pieces = scratch.lines.chunks_mut(PIECE * output.channels).zip(scratch.positions.chunks(PIECE));
        for (lines, positions) in pieces {
            let at = |index: usize| {
                let at = positions[index / parts];
                output.has(at).then(|| work.pixel(at, index % parts))
            };
            rows.finish(posts, &at, lines);
        }
    }
    let together = work.shuffle.is_none() && rows.place.pixel == channels;
    let mut lines = &scratch.lines[..];
    for run in scratch.positions.chunk_by(|[y, x], next| *next == [*y, *x + 1]) {
        let (these, others) = lines.split_at(run.len() * output.channels);
        lines = others;
        let ([y, x], inside) = (run[0], output.width.saturating_sub(run[0][1]).min(run.len()));
        if y >= output.height || inside == 0 {
            continue;
        }
        if together {
            // Pixels that are neighbours here are neighbours there.
            put(simd, &these[..inside * channels], &mut rows.write([y, x])[..inside * channels]);
            continue;
        }
        for (line, at) in these.chunks_exact(output.channels).zip(&run[..inside]) {
            for (part, line) in line.chunks_exact(channels).enumerate() {
                put(simd, line, &mut rows.write(work.pixel(*at, part))[..channels]);
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
pub fn separate(buffer: &[f32], place: Place, planes: &mut [f32]) {
    for (pixel, start, count) in strips(place) {
        for (channel, plane) in planes.chunks_exact_mut(place.shape.pixels()).enumerate() {
            let values = buffer[start + channel..].iter().step_by(place.pixel);
            plane[pixel..][..count].iter_mut().zip(values).for_each(|(target, value)| *target = *value);
        }
    }
}
