//! What is written out with axes in another order: shuffles of pixels, by Reshape to six axes, Transpose, Reshape back to an image;
//! and normalization over channels, which are last then.

use super::{Known, Reader, onnx};
use crate::network::native::graph::{Expectation, Operation, Post, Shuffle, Value};
use crate::network::native::numbers::{Arithmetic, Number, Source};
use crate::network::onnx::Node;

/// What is between images where a shuffle is written out.
#[derive(Clone)]
pub enum Axes {
    Blocks(Blocks),
    /// Five axes, one of length 1 behind the rows: PixelUnshuffle as TorchScript's exporter writes it.
    Unsqueezed(Value),
    /// Rows are in blocks of so many.
    RowsInBlocks(Value, i64),
    /// Six axes, of which the middle ones have length 1.
    Unshuffled(Value),
    /// Rows, columns, channels.
    ChannelsLast(Value),
}

/// An image whose axes are taken apart.
#[derive(Clone)]
pub struct Blocks {
    value: Value,
    /// Lengths of the six axes, before they were put in another order.
    lengths: [Number; 6],
    order: Option<[i64; 6]>,
}

/// From six axes in some order to an image.
#[derive(Clone, Copy)]
struct Pattern {
    order: [i64; 6],
    /// Which of the six axes are channels, rows and columns of the smaller image, and the sides of a block.
    axes: [usize; 5],
    channel_first: bool,
    to_pixels: bool,
}

const UNSHUFFLED: [i64; 6] = [0, 1, 3, 5, 2, 4];

const PATTERNS: [Pattern; 4] = [
    Pattern { order: [0, 1, 4, 2, 5, 3], axes: [1, 4, 5, 2, 3], channel_first: true, to_pixels: true },
    Pattern { order: [0, 3, 4, 1, 5, 2], axes: [3, 4, 5, 1, 2], channel_first: false, to_pixels: true },
    Pattern { order: UNSHUFFLED, axes: [1, 2, 4, 3, 5], channel_first: true, to_pixels: false },
    Pattern { order: [0, 3, 5, 1, 2, 4], axes: [1, 2, 4, 3, 5], channel_first: false, to_pixels: false },
];

impl Reader {
    fn times(&mut self, number: Number, times: usize) -> Number {
        let times = self.numbers.add(Source::Constant(times as i64));
        self.numbers.add(Source::Of(Arithmetic::Multiply, [number, times]))
    }

    /// Reshape to six axes, or of six to an image.
    pub fn reshape(&mut self, node: &Node) -> Result<(), String> {
        let name = node.input.first().map_or("", String::as_str);
        let lengths = self.sizes(node, "shape", 1).ok_or("Reshape to a computed shape")?;
        if let Some(Known::Constant { values, .. }) = self.tensors.get(name) {
            let dims = lengths.iter().map(|number| usize::try_from(self.numbers.constant(*number)?).ok());
            let dims: Vec<usize> = dims.collect::<Option<_>>().ok_or("Reshape of a constant")?;
            if dims.iter().try_fold(1usize, |all, side| all.checked_mul(*side)) != Some(values.len()) {
                return Err("Reshape of a constant to another length".into());
            }
            let constant = Known::Constant { dims, values: values.clone() };
            self.tensors.insert(node.output[0].clone(), constant);
            return Ok(());
        }
        let axes = match self.tensors.get(name) {
            Some(Known::Axes(axes)) => Some(axes.clone()),
            _ => None,
        };
        let Some(axes) = axes else {
            let value = self.value(name)?;
            let lengths = <[Number; 6]>::try_from(lengths).map_err(|_| "Reshape")?;
            self.put(node, Axes::Blocks(Blocks { value, lengths, order: None }));
            return Ok(());
        };
        let stated: Vec<Option<i64>> = lengths.iter().map(|number| self.numbers.constant(*number)).collect();
        match (axes, &stated[..]) {
            (Axes::Blocks(blocks), [Some(0), Some(-1), Some(1), Some(1), Some(0), Some(0)])
                if blocks.order == Some(UNSHUFFLED) =>
            {
                let rows = blocks.lengths[2];
                let to = [lengths[2], lengths[1], rows, blocks.lengths[4]];
                self.joined_blocks(node, &blocks, &to)?;
                let value = self.value(&node.output[0])?;
                self.put(node, Axes::Unshuffled(value));
            }
            (Axes::Blocks(blocks), _) => self.joined_blocks(node, &blocks, &lengths)?,
            (Axes::Unsqueezed(value), [Some(0), Some(0), Some(-1), Some(side), Some(0)]) => {
                self.put(node, Axes::RowsInBlocks(value, *side));
            }
            (
                Axes::RowsInBlocks(value, side),
                [Some(0), Some(0), Some(0), Some(0), Some(-1), Some(across)],
            ) if side == *across && side > 0 => {
                let mut number = |source| self.numbers.add(source);
                let [one, side] = [1, side].map(|length| number(Source::Constant(length)));
                let sides = [0, 1].map(|axis| {
                    let whole = number(Source::Side(value, axis));
                    number(Source::Of(Arithmetic::Divide, [whole, side]))
                });
                let channels = number(Source::Constant(self.extents[value].channels as i64));
                let lengths = [one, channels, sides[0], side, sides[1], side];
                self.put(node, Axes::Blocks(Blocks { value, lengths, order: None }));
            }
            _ => return Err("Reshape".into()),
        }
        Ok(())
    }

    fn put(&mut self, node: &Node, axes: Axes) {
        self.tensors.insert(node.output[0].clone(), Known::Axes(axes));
    }

    /// Unsqueeze and Squeeze, where they are part of a shuffle.
    pub fn squeeze(&mut self, node: &Node) -> Result<(), String> {
        let name = node.input.first().map_or("", String::as_str);
        let axes = self.whole(node, "axes", 1).unwrap_or_default();
        match (node.op_type.as_str(), self.tensors.get(name), &axes[..]) {
            ("Unsqueeze", Some(Known::Value(value)), [3]) => {
                let value = *value;
                self.put(node, Axes::Unsqueezed(value));
                Ok(())
            }
            ("Squeeze", Some(Known::Axes(Axes::Unshuffled(value))), [2, 3]) => {
                let value = *value;
                self.tensors.insert(node.output[0].clone(), Known::Value(value));
                Ok(())
            }
            (name, ..) => Err(name.to_owned()),
        }
    }

    pub fn transpose(&mut self, node: &Node) -> Result<(), String> {
        let name = node.input.first().map_or("", String::as_str);
        let order = onnx::attribute(node, "perm").map_or(&[][..], |perm| &perm.ints[..]);
        match (self.tensors.get(name), order) {
            (Some(Known::Axes(Axes::Blocks(blocks))), order) if blocks.order.is_none() => {
                let order = Some(<[i64; 6]>::try_from(order).map_err(|_| "Transpose")?);
                let blocks = Blocks { order, ..blocks.clone() };
                self.put(node, Axes::Blocks(blocks));
            }
            (Some(Known::Value(value)), [0, 2, 3, 1]) => {
                let value = *value;
                self.put(node, Axes::ChannelsLast(value));
            }
            (Some(Known::Axes(Axes::ChannelsLast(value))), [0, 3, 1, 2]) => {
                let value = *value;
                self.tensors.insert(node.output[0].clone(), Known::Value(value));
            }
            _ => return Err("Transpose".into()),
        }
        Ok(())
    }

    /// LayerNormalization of each pixel.
    pub fn layer_normalization(&mut self, node: &Node) -> Result<(), String> {
        let name = |at: usize| node.input.get(at).map_or("", String::as_str);
        let axis = onnx::int_attribute(node, "axis").unwrap_or(-1);
        let (Some(Known::Axes(Axes::ChannelsLast(value))), -1 | 3) = (self.tensors.get(name(0)), axis) else {
            return Err("LayerNormalization of other than the channels of an image".into());
        };
        let value = *value;
        let channels = self.extents[value].channels;
        let vector = |name: &str| match self.tensors.get(name) {
            Some(Known::Constant { dims, values }) if dims[..] == [channels] => Ok(values.clone()),
            _ => Err("LayerNormalization with computed factors"),
        };
        let mut posts = vec![Post::Multiply(vector(name(1))?)];
        if !name(2).is_empty() {
            posts.push(Post::Add(vector(name(2))?));
        }
        let epsilon = node.attribute.iter().find(|a| a.name == "epsilon").map_or(1e-5, |a| a.f());
        self.push(node, Operation::Normalize { epsilon }, vec![value], posts);
        let output = self.value(&node.output[0])?;
        self.put(node, Axes::ChannelsLast(output));
        Ok(())
    }

    fn joined_blocks(&mut self, node: &Node, blocks: &Blocks, to: &[Number]) -> Result<(), String> {
        let Blocks { value, lengths, .. } = *blocks;
        let pattern = PATTERNS.iter().find(|pattern| Some(pattern.order) == blocks.order);
        let (Some(pattern), [images, channels, rows, columns]) = (pattern, to) else {
            return Err("Reshape of other than blocks".into());
        };
        let constant = |reader: &Self, number| reader.numbers.constant(number);
        let [own, small_rows, small_columns, down, across] = pattern.axes.map(|axis| lengths[axis]);
        let side = constant(self, down).filter(|side| Some(*side) == constant(self, across));
        let side = side.and_then(super::block_side).ok_or("Reshape into blocks of a computed side")?;
        let from = self.extents[value].channels;
        let (small, large) = match pattern.to_pixels {
            true if !from.is_multiple_of(side * side) => return Err("Reshape of too few channels".into()),
            true => (from / (side * side), from / (side * side)),
            false => (from, from.saturating_mul(side * side)),
        };
        // One length may be left to be found.
        let is = |reader: &Self, number: Number, wanted: usize| {
            matches!(constant(reader, number), Some(-1))
                || constant(reader, number) == i64::try_from(wanted).ok()
        };
        let alone = is(self, lengths[0], 1) && is(self, *images, 1);
        let left_out =
            |numbers: &[Number]| numbers.iter().filter(|number| constant(self, **number) == Some(-1)).count();
        if !alone
            || !is(self, own, small)
            || !is(self, *channels, large)
            || left_out(&lengths) > 1
            || left_out(to) > 1
        {
            return Err("Reshape of images or channels".into());
        }
        // What the lengths are is seen once the image's size is known.
        let expect = |reader: &mut Self, number: Number, value: Value, axis: usize, times: usize| {
            if constant(reader, number) != Some(-1) {
                let number = reader.times(number, times);
                reader.expected.push(Expectation { value, axis, number });
            }
        };
        let times = if pattern.to_pixels { 1 } else { side };
        expect(self, small_rows, value, 0, times);
        expect(self, small_columns, value, 1, times);
        let shuffle = Shuffle { side, channel_first: pattern.channel_first };
        let operation = match pattern.to_pixels {
            true => Operation::DepthToSpace(shuffle),
            false => Operation::SpaceToDepth(shuffle),
        };
        self.push(node, operation, vec![value], vec![]);
        let output = self.value(&node.output[0])?;
        expect(self, *rows, output, 0, 1);
        expect(self, *columns, output, 1, 1);
        Ok(())
    }
}
