//! The end of a network, band by band. Behind the last layer that is quantized nothing waits for a whole image, and images are
//! large there: rows go through it as they come, and of what a step makes only those rows are held that are still to be read. In
//! full precision the end may begin with the image.
//!
//! Every band begins at a multiple of four rows, so that Winograd's tiles are those of the whole image, and so are all sums.

use super::graph::{Graph, Operation, Step, Value};
use super::pass::{Pass, Visitor};
use super::place::{Frame, Place, Shape};
use super::plan::Plan;
use super::run::{Run, Work, Workspace, separate};
use super::winograd::TILE;
use crate::network::layers::Layer;
use crate::network::planes::Planes;
use crate::parallel;

/// Bytes that the rows of a band take, of all that is made of them.
const BAND_BYTES: usize = if cfg!(target_arch = "wasm32") { 2 << 20 } else { 8 << 20 };

/// The first step from which rows can go through, after the last layer that `waits` for a whole image and all else that needs more
/// than some rows.
pub fn first_step(
    graph: &Graph,
    layers: &[Layer],
    shapes: &[Shape],
    waits: impl Fn(&Layer) -> bool,
) -> usize {
    let needs_all = |step: &Step| {
        let (input, output) = (shapes[step.inputs[0]], shapes[step.output]);
        let others = step.reads().skip(1).any(|value| shapes[value].size() != output.size());
        others
            || match step.operation {
                Operation::Convolution { layer, .. } => {
                    let conv = &layers[layer].conv;
                    let keeps = conv.output(input.size()) == Some(input.size());
                    waits(&layers[layer]) || conv.window().strides != [1, 1] || !keeps
                }
                Operation::Copy
                | Operation::DepthToSpace(_)
                | Operation::Repeat(_)
                | Operation::Normalize { .. } => false,
                _ => true,
            }
    };
    let first = graph.steps.iter().rposition(needs_all).map_or(0, |last| last + 1);
    let gives = graph.steps[first..].iter().any(|step| step.output == graph.output);
    if gives { first } else { graph.steps.len() }
}

/// How a step's rows follow from those of its input: so many for each, made from it and from rows above and below it.
#[derive(Clone, Copy)]
struct Reach {
    factor: usize,
    above: usize,
    below: usize,
}

impl Reach {
    fn of(step: &Step, layers: &[Layer]) -> Self {
        match step.operation {
            Operation::Convolution { layer, shuffle } => {
                // With strides of 1 it does not depend on the image's size.
                let [above, _, below, _] = layers[layer].conv.padding([1, 1]);
                Reach { factor: shuffle.map_or(1, |shuffle| shuffle.side), above, below }
            }
            Operation::DepthToSpace(shuffle) => Reach { factor: shuffle.side, above: 0, below: 0 },
            Operation::Repeat(times) => Reach { factor: times, above: 0, below: 0 },
            _ => Reach { factor: 1, above: 0, below: 0 },
        }
    }
}

/// Rows of a value that are held, in a buffer of their own.
struct Window {
    /// The value as if it were there as a whole.
    frame: Frame,
    slot: usize,
    /// The first row that is held; those above the image are zero.
    first: isize,
    /// The first row that is still to be read.
    next: isize,
    /// Rows that are made.
    made: usize,
}

impl Window {
    /// Sees to room for rows up to this one, and for what is read beyond it. Rows that nobody reads any more make room first.
    fn reserve(&mut self, slots: &mut [Vec<f32>], end: usize) {
        let (buffer, row) = (&mut slots[self.slot], self.frame.row_values());
        let rows = |first: isize| ((end + self.frame.rows_after()) as isize - first) as usize;
        if rows(self.first) * row <= buffer.len() {
            return;
        }
        let next = self.next.min(self.made as isize);
        let at = |line: isize| (line - self.first) as usize * row;
        if next > self.first {
            buffer.copy_within(at(next)..at(self.made as isize), 0);
            self.first = next;
        }
        // Three times the room, so that rows move seldom.
        let (least, most) = (rows(self.first) * row, self.frame.row_count() * row);
        if least > buffer.len() {
            buffer.resize((3 * least).min(most.max(least)), 0.0);
        }
    }

    /// Rows up to this one are there; below the last one, zeros are.
    fn add(&mut self, slots: &mut [Vec<f32>], made: usize) {
        self.made = made;
        if made == self.frame.shape.height {
            let start = (made as isize - self.first) as usize * self.frame.row_values();
            slots[self.slot][start..].fill(0.0);
        }
    }

    /// So many rows from this one on, as if they were all.
    fn place(&self, row: usize, rows: usize) -> Place {
        let whole = self.frame.whole();
        let above = (row as isize - self.first) as usize;
        Place {
            slot: self.slot,
            origin: self.frame.first_column() + above * whole.row,
            shape: Shape { height: rows, ..whole.shape },
            ..whole
        }
    }
}

/// A tail on its way.
struct Tail<'t> {
    graph: &'t Graph,
    layers: &'t [Layer],
    /// Rows of its input.
    height: usize,
    /// By value; none of those that were made before.
    windows: Vec<Option<Window>>,
    /// With the places of the present band.
    plan: Plan,
}

/// The windows of a tail, for a plan whose places have the shapes of all values.
fn windows(graph: &Graph, layers: &[Layer], plan: &Plan) -> Vec<Option<Window>> {
    let mut windows: Vec<Option<Window>> = (0..graph.values).map(|_| None).collect();
    let tail = &graph.steps[plan.tail..];
    for (index, step) in tail.iter().enumerate() {
        let mut frame = Frame::plain(plan.places[step.output].shape);
        for reader in tail.iter().filter(|reader| reader.inputs[0] == step.output) {
            if let Operation::Convolution { layer, .. } = reader.operation {
                frame.grow(Frame::of_input(&layers[layer].conv, frame.shape));
            }
        }
        let (slot, first) = (plan.slots.len() + index, -(frame.rows_before() as isize));
        windows[step.output] = Some(Window { frame, slot, first, next: first, made: 0 });
    }
    windows
}

/// Rows of the tail's input that go through at a time.
pub fn rows_at_a_time(graph: &Graph, plan: &Plan) -> usize {
    let tail = &graph.steps[plan.tail..];
    let Some(height) = tail.first().map(|step| plan.places[step.inputs[0]].shape.height) else { return 0 };
    let values = tail.iter().map(|step| Frame::plain(plan.places[step.output].shape).values());
    let row = values.fold(0, u64::saturating_add) / height.max(1) as u64;
    let rows = BAND_BYTES as u64 / (row.max(1) * size_of::<f32>() as u64).max(1);
    // At least a row of tiles for each thread.
    let least = parallel::threads().max(2) * TILE;
    (rows as usize).clamp(least, height.max(least)) / TILE * TILE
}

/// Values that windows hold at most.
pub fn values(graph: &Graph, layers: &[Layer], plan: &Plan) -> u64 {
    let Some(first) = graph.steps.get(plan.tail) else { return 0 };
    let (rows, height) = (plan.tail_rows, plan.places[first.inputs[0]].shape.height);
    let held = |Window { frame, .. }: &Window| {
        let scale = frame.shape.height.div_ceil(height.max(1));
        let most = (rows * scale + 2 * TILE * scale + frame.rows_before() + frame.rows_after())
            .min(frame.row_count());
        (3 * most).min(frame.row_count()) as u64 * frame.row_values() as u64
    };
    let planes = Frame::plain(plan.places[graph.output].shape).values();
    windows(graph, layers, plan).iter().flatten().map(held).fold(planes, u64::saturating_add)
}

impl Graph {
    /// Takes a pass of one image, which has come to the tail, to the end.
    pub fn stream<V: Visitor>(
        &self,
        plan: &Plan,
        layers: &[Layer],
        pass: &mut Pass,
        visitor: &mut V,
    ) -> Result<Planes, V::Error> {
        let Shape { channels, height, width } = plan.places[self.output].shape;
        let mut planes = Planes { channels, height, width, values: vec![0.0; channels * height * width] };
        let mut tail = Tail {
            graph: self,
            layers,
            height: plan.places[self.steps[plan.tail].inputs[0]].shape.height,
            windows: windows(self, layers, plan),
            plan: plan.of_bands(),
        };
        let run = &mut pass.runs[0];
        // What nobody reads any more makes room.
        for slot in (0..plan.slots.len()).filter(|slot| !plan.read_by_tail.contains(slot)) {
            run.slots[slot] = Vec::new();
        }
        run.slots.resize(plan.slots.len() + self.steps.len() - plan.tail, Vec::new());
        let mut workspace = Workspace::new();
        let mut copied = 0;
        while copied < height {
            visitor.flows(self.layers_from(plan.tail).next(), copied as f32 / height as f32)?;
            for at in plan.tail..self.steps.len() {
                let kernels = match self.steps[at].operation {
                    Operation::Convolution { layer, .. } => Some(visitor.kernels(layer)),
                    _ => None,
                };
                tail.advance(run, at, kernels.as_deref(), &mut workspace);
            }
            let made = tail.windows[self.output].as_ref().map_or(height, |window| window.made);
            if let Some(window) = &tail.windows[self.output] {
                copy_rows(run, window.place(copied, made - copied), copied, &mut planes);
            }
            copied = made;
            tail.forget();
        }
        Ok(planes)
    }
}

/// Rows of the output into the planes.
fn copy_rows(run: &Run, place: Place, first: usize, planes: &mut Planes) {
    let Shape { channels, height, width } = place.shape;
    let mut part = vec![0.0; channels * height * width];
    separate(&run.slots[place.slot], place, &mut part);
    let whole = planes.height * width;
    for (from, to) in part.chunks_exact((height * width).max(1)).zip(planes.values.chunks_exact_mut(whole)) {
        to[first * width..][..from.len()].copy_from_slice(from);
    }
}

impl Tail<'_> {
    /// Rows of a value that are there.
    fn made(&self, value: Value) -> usize {
        self.windows[value].as_ref().map_or(self.plan.places[value].shape.height, |window| window.made)
    }

    /// Takes a step on as far as the rows that it reads are there, by no more than a band.
    fn advance(
        &mut self,
        run: &mut Run,
        at: usize,
        kernels: Option<&super::Kernels>,
        workspace: &mut Workspace,
    ) {
        let (graph, layers) = (self.graph, self.layers);
        let step = &graph.steps[at];
        let Reach { factor, below, .. } = Reach::of(step, layers);
        let Some(output) = &self.windows[step.output] else { return };
        let (all, first) = (output.frame.shape.height / factor, output.made / factor);
        let input = step.inputs[0];
        let there = match self.made(input) {
            made if made == all => all,
            made => made.saturating_sub(below),
        };
        let others = step.reads().skip(1).map(|value| self.made(value) / factor);
        // As many for each row of the tail's input as there are in all.
        let most = self.plan.tail_rows * all.div_ceil(self.height).max(1);
        let last = others.fold(there.min(first + most), usize::min);
        let last = if last == all { all } else { last / TILE * TILE };
        if last <= first {
            return;
        }
        let rows = last - first;
        let mut places: Vec<(Value, Place)> = vec![(input, self.band(input, first, rows))];
        for value in step.reads().skip(1) {
            places.push((value, self.band(value, first * factor, rows * factor)));
        }
        if let Some(output) = &mut self.windows[step.output] {
            output.reserve(&mut run.slots, last * factor);
        }
        places.push((step.output, self.band(step.output, first * factor, rows * factor)));
        let before: Vec<(Value, Place)> = places
            .iter()
            .map(|(value, place)| (*value, std::mem::replace(&mut self.plan.places[*value], *place)))
            .collect();
        match (step.operation.clone(), kernels) {
            (Operation::Convolution { layer, shuffle }, Some(kernels)) => {
                let work = Work {
                    conv: &layers[layer].conv,
                    shuffle,
                    kernels,
                    copy: None,
                    output: self.plan.before_shuffle(step.output, shuffle),
                    needs_summary: false,
                };
                let plan = (graph, &self.plan);
                // Without a quantizer no channel is looked at.
                let _ = run.convolve(plan, at, &work, workspace, None);
            }
            _ => run.step(&self.plan, step),
        }
        // In the order that undoes it, should a value be there twice.
        before.into_iter().rev().for_each(|(value, place)| self.plan.places[value] = place);
        if let Some(window) = &mut self.windows[step.output] {
            window.add(&mut run.slots, last * factor);
        }
    }

    /// Where rows of a value lie.
    fn band(&self, value: Value, row: usize, rows: usize) -> Place {
        match &self.windows[value] {
            Some(window) => window.place(row, rows),
            None => {
                let whole = self.plan.places[value];
                let shape = Shape { height: rows, ..whole.shape };
                Place { origin: whole.origin + row * whole.row, shape, ..whole }
            }
        }
    }

    /// Gives up the rows that nobody reads any more.
    fn forget(&mut self) {
        let mut next = vec![isize::MAX; self.windows.len()];
        for step in &self.graph.steps[self.plan.tail..] {
            let Reach { factor, above, .. } = Reach::of(step, self.layers);
            let made = self.made(step.output);
            let read = (made / factor) as isize - above as isize;
            let input = step.inputs[0];
            next[input] = next[input].min(read);
            for value in step.reads().skip(1) {
                next[value] = next[value].min(made as isize);
            }
        }
        for (window, next) in self.windows.iter_mut().zip(next) {
            window.iter_mut().for_each(|window| window.next = next);
        }
    }
}
