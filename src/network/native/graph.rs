//! An ONNX graph as the steps that the engine has, with what can be done in the same pass joined.

use super::curve::Curve;
use super::matrix::NARROW;
use super::numbers::{Number, Numbers};
use super::resample::Axis;
use super::winograd;
use crate::network::graph::{Conv, Pads, Window};
use crate::network::layers::Layer;

/// Index of a value: the image, or what a step makes.
pub type Value = usize;

/// What a step does to its inputs.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// The convolution of this layer; `shuffle` writes its output as DepthToSpace would.
    Convolution { layer: usize, shuffle: Option<Shuffle> },
    /// Nothing, before what is done to every value.
    Copy,
    /// DepthToSpace by itself.
    DepthToSpace(Shuffle),
    /// Blocks of so many pixels down and across to channels: those of the block's first pixel first, or those of the image's first
    /// channel.
    SpaceToDepth(Shuffle),
    /// Rows and columns that are made of others.
    Resample { rows: Axis, columns: Axis },
    /// The mean of a window, or the greatest in it.
    WindowPool(WindowPool),
    /// Every pixel so many times in both directions: Resize to the nearest.
    Repeat(usize),
    /// Channels one after another.
    Concat,
    /// So many channels from this one on, where they lie.
    Part { first: usize, channels: usize },
    /// One pixel: the mean of all, or the greatest.
    Pool { greatest: bool },
    /// One channel: the mean of all.
    ChannelMean,
    /// The channels of each pixel less their mean, over their standard deviation: the root of their variance and this.
    Normalize { epsilon: f32 },
}

/// A window that moves over each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowPool {
    pub window: Window,
    pub kernel: [usize; 2],
    /// Or the mean.
    pub greatest: bool,
    /// Whether a window that stands over counts too.
    pub ceil: bool,
    /// Whether zeros around the image are part of a mean.
    pub counts_pads: bool,
}

impl WindowPool {
    /// Height and width of what comes out. None where the window does not fit.
    pub fn output(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let mut sides = self.window.output(size, self.kernel)?;
        let Pads::Explicit(pads) = self.window.pads else { return Some(sides) };
        for axis in 0..2 {
            let stride = self.window.strides[axis];
            let room = size[axis] + pads[axis] + pads[axis + 2] - self.window.reach(axis, self.kernel[axis]);
            // None begins behind the image.
            let begins = sides[axis] * stride < size[axis] + pads[axis];
            sides[axis] += usize::from(self.ceil && !room.is_multiple_of(stride) && begins);
        }
        Some(sides)
    }

    /// By row or column of what comes out, those of the image in its window; `before` are added on this side, and `sides` are
    /// those of the image and of what comes out.
    pub fn taps(&self, axis: usize, before: usize, sides: [usize; 2]) -> Vec<Vec<usize>> {
        let [from, to] = sides;
        let (stride, dilation) = (self.window.strides[axis], self.window.dilations[axis]);
        let window = |at: usize| {
            let taps =
                (0..self.kernel[axis]).map(move |tap| (at * stride + tap * dilation).checked_sub(before));
            taps.flatten().filter(|at| *at < from).collect()
        };
        (0..to).map(window).collect()
    }
}

/// How a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Tap by tap.
    Direct,
    /// Of one input for each output: tap by tap, all channels at once.
    Depthwise,
    /// F(4x4, 3x3), of each block of 3x3 taps: 36 products for 16 outputs instead of 144.
    Winograd,
}

/// What transforms of a tile take for an input and for an output, in products; and fewest inputs, of all blocks, for which they pay.
const TRANSFORMS: [usize; 2] = [110, 80];
const TRANSFORMED: u64 = 8;

impl Algorithm {
    /// The same on every machine.
    pub fn of(conv: &Conv) -> Self {
        let (window, groups) = (conv.window(), conv.groups());
        if groups > 1 && groups == conv.inputs() && groups == conv.outputs() {
            return Algorithm::Depthwise;
        }
        let product =
            |factors: &[usize]| factors.iter().fold(1u64, |all, own| all.saturating_mul(*own as u64));
        let [inputs, outputs] = [conv.inputs(), conv.outputs()].map(|channels| channels / groups);
        let columns = outputs.next_multiple_of(NARROW);
        let ([height, width], [down, across]) = (conv.kernel(), winograd::blocks(conv.kernel()));
        let direct = product(&[winograd::TILE * winograd::TILE, height, width, inputs, columns]);
        let [enter, leave] = TRANSFORMS;
        let transformed = product(&[down, across, inputs, winograd::POINTS * columns + enter])
            .saturating_add(product(&[outputs, leave]));
        let plain = window.strides == [1, 1] && window.dilations == [1, 1];
        if plain && product(&[down, across, inputs]) >= TRANSFORMED && transformed < direct {
            Algorithm::Winograd
        } else {
            Algorithm::Direct
        }
    }
}

/// Channels to pixels: a block of `side` x `side` pixels from `side`² times as many channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shuffle {
    /// Pixels along a side of the block.
    pub side: usize,
    /// Whether the channels of one pixel lie apart (CRD) or together (DCR).
    pub channel_first: bool,
}

impl Shuffle {
    /// The channel that becomes channel `channel` of `channels` at pixel `part` of the block, row by row.
    pub fn source(&self, part: usize, channel: usize, channels: usize) -> usize {
        if self.channel_first { channel * self.side * self.side + part } else { part * channels + channel }
    }
}

/// What is done to every value of a step's output, in this order. Lists have one entry, or one a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Post {
    /// Negative values become 0.
    Relu,
    /// Negative values are multiplied.
    Leaky(Vec<f32>),
    /// Values are kept within these limits.
    Clip(f32, f32),
    Curve(Curve),
    /// Values are multiplied with what these make of them, which are the same for every channel.
    Gate(Vec<Post>),
    Add(Vec<f32>),
    Multiply(Vec<f32>),
    Divide(Vec<f32>),
    /// Pixel by pixel, or one for all pixels, or one for all channels.
    AddValue(Value),
    SubtractValue(Value),
    MultiplyValue(Value),
    DivideValue(Value),
}

impl Post {
    fn value(&self) -> Option<Value> {
        match self {
            Post::AddValue(v) | Post::SubtractValue(v) | Post::MultiplyValue(v) | Post::DivideValue(v) => {
                Some(*v)
            }
            _ => None,
        }
    }

    /// The same for every channel, whatever their order.
    pub fn is_even(&self) -> bool {
        match self {
            Post::Relu | Post::Clip(..) | Post::Curve(_) | Post::Gate(_) => true,
            Post::Leaky(list) | Post::Add(list) | Post::Multiply(list) | Post::Divide(list) => {
                list.len() == 1
            }
            _ => false,
        }
    }
}

/// One pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub operation: Operation,
    pub inputs: Vec<Value>,
    pub posts: Vec<Post>,
    pub output: Value,
}

impl Step {
    /// What is added, pixel by pixel, to what a convolution gives: the sum may lie where this lay.
    pub fn in_place(&self) -> Option<Value> {
        let Operation::Convolution { shuffle: None, .. } = self.operation else { return None };
        let mut values = self.posts.iter().filter_map(Post::value);
        values.next().filter(|_| values.next().is_none())
    }

    /// Where its input is multiplied with what is made of it alone, it need be read only once.
    fn gate(&mut self) {
        let Some(at) = self.posts.iter().position(|post| !post.is_even()) else { return };
        if self.operation == Operation::Copy
            && at > 0
            && self.posts[at] == Post::MultiplyValue(self.inputs[0])
        {
            let mut others = self.posts.split_off(at + 1);
            self.posts.pop();
            let gate = match (&self.posts[..], &others[..]) {
                // The exact GELU, as it is written out.
                ([Post::Divide(by), Post::Curve(Curve::Erf), Post::Add(one)], [Post::Multiply(half), ..])
                    if by[..] == [std::f32::consts::SQRT_2] && one[..] == [1.0] && half[..] == [0.5] =>
                {
                    others.remove(0);
                    Post::Curve(Curve::Gelu)
                }
                (made, _) => Post::Gate(made.to_vec()),
            };
            self.posts = std::iter::once(gate).chain(others).collect();
        }
    }

    /// Every value that it reads.
    pub fn reads(&self) -> impl Iterator<Item = Value> + '_ {
        self.inputs.iter().copied().chain(self.posts.iter().filter_map(Post::value))
    }
}

/// What is known of a value's shape whatever the image's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub channels: usize,
    /// Whether it is one pixel.
    pub pooled: bool,
}

/// The steps in an order in which they can be computed. Value 0 is the image.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pub steps: Vec<Step>,
    pub values: usize,
    pub output: Value,
    /// By layer.
    pub filters: Vec<Filter>,
    /// By value.
    pub extents: Vec<Extent>,
    /// What is computed from the sizes of values.
    pub numbers: Numbers,
    /// What must be so of a size that is taken.
    pub expected: Vec<Expectation>,
}

/// A side of a value, down or across, is this number.
#[derive(Debug, Clone, Copy)]
pub struct Expectation {
    pub value: Value,
    pub axis: usize,
    pub number: Number,
}

/// What is known of a convolution besides its kernels.
#[derive(Debug, Clone)]
pub struct Filter {
    pub shuffle: Option<Shuffle>,
    /// One for each output.
    pub bias: Vec<f32>,
}

impl Graph {
    /// By value, whether convolutions of these layers read it, be it as a part of what was joined.
    pub fn read_by(&self, layers: impl Fn(usize) -> bool) -> Vec<bool> {
        let mut read = vec![false; self.values];
        for step in self.steps.iter().rev() {
            let reads = match step.operation {
                Operation::Convolution { layer, .. } => layers(layer),
                Operation::Concat => step.posts.is_empty() && read[step.output],
                _ => false,
            };
            step.inputs.iter().filter(|_| reads).for_each(|input| read[*input] = true);
        }
        read
    }

    /// Layers whose convolutions are among the steps from this one on.
    pub fn layers_from(&self, step: usize) -> impl Iterator<Item = usize> + '_ {
        self.steps[step..].iter().filter_map(|step| match step.operation {
            Operation::Convolution { layer, .. } => Some(layer),
            _ => None,
        })
    }

    /// Does what is done to every value where the values are made, and DepthToSpace in a convolution's last store.
    pub fn join(&mut self, layers: &[Layer]) {
        let mut at = 0;
        while at < self.steps.len() {
            self.steps[at].gate();
            if let Some(maker) = self.joined(at, layers) {
                self.steps.remove(at);
                // With more to do, it may be joined itself.
                at = maker;
            } else {
                at += 1;
            }
        }
    }

    /// Gives a step's work to one before it, where nobody else reads what that one makes. Which one.
    fn joined(&mut self, at: usize, layers: &[Layer]) -> Option<usize> {
        let step = self.steps[at].clone();
        let shuffle = match step.operation {
            Operation::Copy => None,
            Operation::DepthToSpace(shuffle) if step.posts.is_empty() => Some(shuffle),
            _ => return None,
        };
        // The last of the values that it reads: all others exist by then.
        let made = |value: Value| self.steps[..at].iter().position(|before| before.output == value);
        let (value, maker) = step.reads().filter_map(|v| Some((v, made(v)?))).max_by_key(|(_, at)| *at)?;
        let readers = self.steps.iter().flat_map(Step::reads).filter(|read| *read == value).count();
        if readers != 1 || value == self.output || step.inputs.len() != 1 {
            return None;
        }
        let posts = match (step.inputs[0] == value, &step.posts[..]) {
            (true, posts) => posts.to_vec(),
            // a + b and a * b, of which b is made later.
            (false, [Post::AddValue(_)]) => vec![Post::AddValue(step.inputs[0])],
            (false, [Post::MultiplyValue(_)]) => vec![Post::MultiplyValue(step.inputs[0])],
            (false, [Post::SubtractValue(_)]) => {
                vec![Post::Multiply(vec![-1.0]), Post::AddValue(step.inputs[0])]
            }
            _ => return None,
        };
        // A shuffle changes the size that was asked for.
        let expects = |expected: &Expectation| expected.value == value;
        if shuffle.is_some() && (self.numbers.read(value) || self.expected.iter().any(expects)) {
            return None;
        }
        // What is repeated over pixels or channels is of another extent than what is made with it.
        if step.inputs[0] != value && self.extents[value] != self.extents[step.inputs[0]] {
            return None;
        }
        let before = &mut self.steps[maker];
        match (&mut before.operation, shuffle) {
            (Operation::Concat | Operation::Part { .. }, _) => return None,
            // What is done to the pixels after a shuffle reads other values and channels than before it.
            (Operation::Convolution { shuffle: Some(_), .. }, None) if !posts.iter().all(Post::is_even) => {
                return None;
            }
            (Operation::Convolution { layer, shuffle: inside @ None, .. }, Some(_))
                // A shuffle mixes the outputs of several groups.
                if layers[*layer].conv.groups() == 1 && before.posts.iter().all(Post::is_even) =>
            {
                *inside = shuffle;
            }
            (_, Some(_)) => return None,
            (_, None) => {}
        }
        before.posts.extend(posts);
        before.output = step.output;
        self.numbers.rename(value, step.output);
        self.expected
            .iter_mut()
            .filter(|expected| expected.value == value)
            .for_each(|e| e.value = step.output);
        Some(maker)
    }
}
