//! Where every value of a graph lies for one image size: buffers with a border of zeros, used again when what they held
//! is no longer read. Concatenated channels are written side by side from the start, so that joining them costs nothing.

use super::graph::{Graph, Operation, Shuffle, Step, Value};
use super::place::{Frame, Place, Shape};
use super::shapes::shapes;
use super::tail;
use crate::network::layers::Layer;

/// Places for all values of a graph, for one image size.
#[derive(Debug, Default)]
pub struct Plan {
    /// Of what the tail makes, the shape alone.
    pub places: Vec<Place>,
    /// The first step of the [tail](super::tail), which has no buffers here.
    pub tail: usize,
    /// Rows of its input that go through the tail at a time.
    pub tail_rows: usize,
    /// Values that the tail holds at most.
    in_tail: u64,
    /// Those of the graph that are computed from sizes.
    pub numbers: Vec<i64>,
    /// Number of values in each buffer.
    pub slots: Vec<u64>,
    /// The buffers that the tail reads.
    pub read_by_tail: Vec<usize>,
    /// Number of values of the largest output that waits until its input, in the same buffer, is read.
    waiting: u64,
    /// By step, the buffers whose borders must be cleared before it.
    pub clear: Vec<Vec<(usize, Frame)>>,
    /// By step, the buffers that nobody reads after it on the way to the last quantized layer.
    pub free: Vec<Vec<usize>>,
    /// Most values that are still to be read after a step on this way.
    live: u64,
    /// By step, the buffer for a quantized copy of a convolution's input, which is no slot.
    pub copies: Vec<Option<Frame>>,
    /// Number of values of the largest copy of a quantized layer's input: others are left as they are.
    largest_copy: u64,
}

/// A buffer while it is planned.
struct Root {
    frame: Frame,
    /// Steps that write first and read last; the image is there before step 0.
    first: usize,
    last: usize,
    /// The last read on the way to the last quantized layer.
    last_on_way: usize,
}

impl Plan {
    /// # Errors
    /// In words, what the engine cannot do.
    pub fn new(
        graph: &Graph,
        layers: &[Layer],
        [height, width]: [usize; 2],
        channels: usize,
    ) -> Result<Self, String> {
        let (shapes, numbers) = shapes(graph, layers, Shape { channels, height, width })?;
        let tail = tail::first_step(graph, layers, &shapes, |layer| layer.quantized);
        Ok(Plan::of(graph, layers, (&shapes, numbers), tail))
    }

    /// With places that may be changed for a band of rows.
    pub fn of_bands(&self) -> Self {
        let (places, copies) = (self.places.clone(), self.copies.clone());
        Plan { places, copies, tail: self.tail, tail_rows: self.tail_rows, ..Plan::default() }
    }

    fn shapes(&self) -> Vec<Shape> {
        self.places.iter().map(|place| place.shape).collect()
    }

    /// The same without a tail: every value is there as a whole.
    pub fn whole(&self, graph: &Graph, layers: &[Layer]) -> Self {
        Plan::of(graph, layers, (&self.shapes(), self.numbers.clone()), graph.steps.len())
    }

    /// The same with the longest tail that there can be: no layer is quantized.
    pub fn flowing(&self, graph: &Graph, layers: &[Layer]) -> Self {
        let shapes = self.shapes();
        let tail = tail::first_step(graph, layers, &shapes, |_| false);
        Plan::of(graph, layers, (&shapes, self.numbers.clone()), tail)
    }

    /// For values of these shapes.
    #[inline(never)]
    fn of(graph: &Graph, layers: &[Layer], (shapes, numbers): (&[Shape], Vec<i64>), tail: usize) -> Self {
        let (root_of, channel) = side_by_side(graph, shapes);
        let mut roots: Vec<Root> = shapes
            .iter()
            .map(|shape| Root { frame: Frame::plain(*shape), first: usize::MAX, last: 0, last_on_way: 0 })
            .collect();
        roots[root_of[0]].first = 0;
        roots[root_of[graph.output]].last = graph.steps.len();
        for value in graph.steps[tail..].iter().flat_map(Step::reads) {
            roots[root_of[value]].last = graph.steps.len();
        }
        let is_quantized = |step: &Step| matches!(step.operation, Operation::Convolution { layer, .. } if layers[layer].quantized);
        let way = graph.steps.iter().rposition(is_quantized).unwrap_or(0);
        let (mut copies, mut largest_copy, mut waiting) = (Vec::new(), 0, 0);
        for (at, step) in graph.steps.iter().enumerate() {
            if at < tail {
                let root = &mut roots[root_of[step.output]];
                root.first = root.first.min(at);
                root.last = root.last.max(at);
            }
            for value in step.reads() {
                let root = &mut roots[root_of[value]];
                root.last = root.last.max(at);
                if at <= way {
                    root.last_on_way = root.last;
                }
            }
            copies.push(match step.operation {
                Operation::Convolution { layer, .. } => {
                    let shape = shapes[step.inputs[0]];
                    let frame = Frame::of_input(&layers[layer].conv, shape);
                    roots[root_of[step.inputs[0]]].frame.grow(frame);
                    if root_of[step.inputs[0]] == root_of[step.output] && at < tail {
                        waiting = Frame::plain(shapes[step.output]).values().max(waiting);
                    }
                    if layers[layer].quantized {
                        largest_copy = frame.values().max(largest_copy);
                    }
                    Some(frame)
                }
                _ => None,
            });
        }
        let clear = vec![vec![]; graph.steps.len()];
        let free = clear.iter().map(|_| Vec::new()).collect();
        let mut plan = Plan {
            places: vec![],
            tail,
            tail_rows: 0,
            in_tail: 0,
            numbers,
            slots: vec![],
            read_by_tail: vec![],
            waiting,
            clear,
            free,
            live: 0,
            copies,
            largest_copy,
        };
        let slot_of = plan.share(graph, &roots, &root_of);
        plan.places = (0..graph.values)
            .map(|value| {
                let root = root_of[value];
                roots[root].frame.place(slot_of[root], channel[value], shapes[value].channels)
            })
            .collect();
        let made_before = |value: &Value| !graph.steps[tail..].iter().any(|step| step.output == *value);
        let read = graph.steps[tail..].iter().flat_map(Step::reads).filter(made_before);
        plan.read_by_tail = read.map(|value| plan.places[value].slot).collect();
        plan.tail_rows = tail::rows_at_a_time(graph, &plan);
        plan.in_tail = tail::values(graph, layers, &plan);
        plan
    }

    /// Finds a buffer for each root: that of what is added to it, or the largest of those that are free.
    fn share(&mut self, graph: &Graph, roots: &[Root], root_of: &[usize]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..roots.len())
            .filter(|root| root_of[*root] == *root && roots[*root].first != usize::MAX)
            .collect();
        // By the step that writes first; of one step, by their own order.
        order.iter_mut().for_each(|root| *root += roots[*root].first * roots.len());
        order.sort_unstable();
        order.iter_mut().for_each(|root| *root %= roots.len());
        let mut slot_of = vec![0; roots.len()];
        let mut busy_until: Vec<usize> = Vec::new();
        // What comes with a step and what goes with it, in values.
        let mut change = vec![0i128; graph.steps.len() + 1];
        for root in order.iter().map(|root| &roots[*root]).filter(|root| root.first < root.last_on_way) {
            change[root.first] += i128::from(root.frame.values());
            change[root.last_on_way] -= i128::from(root.frame.values());
        }
        let live = change.iter().scan(0, |live, change| {
            *live += change;
            Some(*live)
        });
        self.live = u64::try_from(live.max().unwrap_or(0)).unwrap_or(u64::MAX);
        for root in order {
            let Root { frame, first, last, last_on_way } = &roots[root];
            let added = || {
                let added = graph.steps.get(*first)?.in_place()?;
                let other = &roots[root_of[added]];
                let alike = other.frame == *frame && other.last == *first && other.first < *first;
                let input = root_of[graph.steps[*first].inputs[0]];
                (root_of[added] != root && root_of[added] != input && alike).then(|| slot_of[root_of[added]])
            };
            let free = (0..self.slots.len())
                .filter(|slot| busy_until[*slot] < *first)
                .max_by_key(|slot| self.slots[*slot]);
            let added = added();
            if let (Some(slot), Some(free)) = (added, self.free.get_mut(*first)) {
                free.retain(|other| *other != slot);
            }
            let slot = added.or(free).unwrap_or_else(|| {
                self.slots.push(0);
                busy_until.push(0);
                self.slots.len() - 1
            });
            self.slots[slot] = self.slots[slot].max(frame.values());
            busy_until[slot] = *last;
            slot_of[root] = slot;
            if let Some(clear) = self.clear.get_mut(*first) {
                clear.push((slot, *frame));
            }
            if let Some(free) = self.free.get_mut(*last_on_way).filter(|_| first <= last_on_way) {
                free.push(slot);
            }
        }
        slot_of
    }

    /// As [`Plan::bytes`], where whoever walks through them has the input of a quantized layer as planes, and copied back.
    pub fn walk_bytes(&self, images: usize) -> u64 {
        // Several do nothing else.
        let copies = if images == 1 { self.largest_copy.saturating_mul(2) } else { 0 };
        self.bytes(images).saturating_add(copies.saturating_mul(size_of::<f32>() as u64))
    }

    /// Bytes of all buffers of so many images side by side. Several share what they do not need at the same time; they are walked
    /// through.
    pub fn bytes(&self, images: usize) -> u64 {
        let sum =
            |slots: &mut dyn Iterator<Item = &u64>| slots.fold(0u64, |sum, slot| sum.saturating_add(*slot));
        let planes = self.largest_copy;
        let head = sum(&mut self.slots.iter()).saturating_add(self.waiting);
        let values = if images == 1 {
            let read = |slot: &usize| self.read_by_tail.contains(slot);
            let kept = (0..self.slots.len()).filter(read).map(|slot| &self.slots[slot]);
            head.max(sum(&mut { kept }).saturating_add(self.in_tail))
        } else {
            let each = self.live.saturating_add(planes).saturating_mul(images as u64);
            each.saturating_add(head).saturating_add(planes)
        };
        values.saturating_mul(size_of::<f32>() as u64)
    }

    /// By layer, output positions of the convolution.
    pub fn areas(&self, graph: &Graph) -> Vec<usize> {
        let area = |step: &Step| match step.operation {
            Operation::Convolution { shuffle, .. } => {
                Some(self.before_shuffle(step.output, shuffle).pixels())
            }
            _ => None,
        };
        graph.steps.iter().filter_map(area).collect()
    }

    /// What a convolution gives, whose pixels may then be shuffled.
    pub fn before_shuffle(&self, output: Value, shuffle: Option<Shuffle>) -> Shape {
        let Shape { channels, height, width } = self.places[output].shape;
        let side = shuffle.map_or(1, |shuffle| shuffle.side);
        Shape { channels: channels * side * side, height: height / side, width: width / side }
    }

    /// Where a quantized copy of a convolution's input lies.
    pub fn copy_place(&self, step: usize) -> Option<(Frame, Place)> {
        self.copies[step].map(|frame| (frame, frame.place(usize::MAX, 0, frame.shape.channels)))
    }
}

/// For every value, the value whose buffer it lies in (itself, or a concatenation), and from which channel on.
fn side_by_side(graph: &Graph, shapes: &[Shape]) -> (Vec<Value>, Vec<usize>) {
    let (mut root, mut channel): (Vec<Value>, Vec<usize>) =
        ((0..graph.values).collect(), vec![0; graph.values]);
    let mut is_copied = vec![false; graph.values];
    for step in &graph.steps {
        // Made of other pixels than those beside it, it cannot lie beside what it is made of.
        let reads_around = matches!(
            step.operation,
            Operation::Resample { .. } | Operation::WindowPool(_) | Operation::SpaceToDepth(_)
        );
        is_copied[step.output] = reads_around || matches!(step.operation, Operation::Part { .. });
    }
    // The last first, so that a concatenation knows where it lies itself.
    for step in graph.steps.iter().rev().filter(|step| step.operation == Operation::Concat) {
        let mut at = channel[step.output];
        for input in &step.inputs {
            // The image comes from outside; what is already in another concatenation is copied, and so is a part of others.
            if root[*input] == *input && *input != 0 && *input != graph.output && !is_copied[*input] {
                (root[*input], channel[*input]) = (root[step.output], at);
            }
            at += shapes[*input].channels;
        }
    }
    for step in &graph.steps {
        if let Operation::Part { first, .. } = step.operation {
            let whole = step.inputs[0];
            (root[step.output], channel[step.output]) = (root[whole], channel[whole] + first);
        }
    }
    (root, channel)
}
