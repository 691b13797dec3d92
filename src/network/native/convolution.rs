//! Convolutions, in batches of output pixels. Lanes are output channels, and every sum runs over taps and input channels in
//! one order without fused multiply-add, so that the result is the same, bit for bit, whatever the vectors' width.

use super::depthwise;
use super::graph::{Algorithm, Shuffle};
use super::matrix::{self, Left, Panels};
use super::padded::PaddedImage;
use super::place::{Place, Shape};
use super::winograd::{self, Finish};
use crate::network::graph::{Conv, Pads, Window};
use crate::parallel;
use crate::quant::{ChannelSummaries, Pixels};
use fearless_simd::{Level, Simd, dispatch};
use std::ops::Range;

/// A layer's weights in the order in which they are read.
#[derive(Debug, Clone)]
pub struct Kernels {
    pub algorithm: Algorithm,
    /// By group: all taps below each other. Or by transformed tap and group: all blocks below each other.
    panels: Vec<Panels>,
    /// Tap by tap, of one input for each output.
    depthwise: Vec<f32>,
    /// One for each output, and zeros to whole vectors behind those of a group, or of all that are computed together.
    bias: Vec<f32>,
}

impl Kernels {
    /// From `[out, in / groups, height, width]` and one bias an output. A shuffled layer has its outputs pixel by pixel.
    pub fn new(conv: &Conv, shuffle: Option<Shuffle>, kernels: &[f32], bias: &[f32]) -> Self {
        let (inputs, outputs) = (conv.inputs() / conv.groups(), conv.outputs() / conv.groups());
        let taps = conv.kernel()[0] * conv.kernel()[1];
        let order: Vec<usize> = match shuffle {
            None => (0..conv.outputs()).collect(),
            Some(shuffle) => {
                let parts = shuffle.side * shuffle.side;
                let channels = conv.outputs() / parts;
                (0..conv.outputs()).map(|at| shuffle.source(at / channels, at % channels, channels)).collect()
            }
        };
        let algorithm = Algorithm::of(conv);
        let panels = match algorithm {
            Algorithm::Winograd => {
                let [down, across] = winograd::blocks(conv.kernel());
                let single: Vec<&[f32]> = kernels.chunks_exact(taps).collect();
                let transformed = parallel::map(&single, |kernel| {
                    let block = |at| [at / across * winograd::BLOCK, at % across * winograd::BLOCK];
                    let transform = |at| winograd::transform_kernel(kernel, conv.kernel(), block(at));
                    (0..down * across).map(transform).collect::<Vec<_>>()
                });
                let panels = |point: &usize| -> Vec<Panels> {
                    let weight =
                        |i: usize, o: usize| transformed[order[o] * inputs + i % inputs][i / inputs][*point];
                    let rows = down * across * inputs;
                    let group = |g: usize| Panels::new(rows, outputs, |i, o| weight(i, g * outputs + o));
                    (0..conv.groups()).map(group).collect()
                };
                let points = std::array::from_fn::<_, { winograd::POINTS }, _>(|point| point);
                parallel::map(&points, panels).concat()
            }
            Algorithm::Depthwise => vec![],
            Algorithm::Direct => {
                let weight =
                    |i: usize, o: usize| kernels[(order[o] * inputs + i % inputs) * taps + i / inputs];
                let group = |g: usize| Panels::new(taps * inputs, outputs, |i, o| weight(i, g * outputs + o));
                (0..conv.groups()).map(group).collect()
            }
        };
        let depthwise = match algorithm {
            Algorithm::Depthwise => {
                (0..taps).flat_map(|tap| order.iter().map(move |o| kernels[o * taps + tap])).collect()
            }
            _ => vec![],
        };
        let together = if algorithm == Algorithm::Depthwise { conv.outputs() } else { outputs };
        let padded = together.next_multiple_of(matrix::NARROW);
        let padded = |group: &[usize]| {
            let zeros = std::iter::repeat_n(0.0, padded - group.len());
            group.iter().map(|o| bias[*o]).chain(zeros).collect::<Vec<f32>>()
        };
        let bias = order.chunks(together.max(1)).flat_map(padded).collect();
        Kernels { algorithm, panels, depthwise, bias }
    }
}

/// A convolution of one image.
#[derive(Clone)]
pub struct Convolution<'a> {
    pub conv: &'a Conv,
    pub kernels: &'a Kernels,
    /// The buffer that holds the input, and where.
    pub input: (&'a [f32], Place),
    /// Rows of the buffer before those that are there.
    pub first_row: usize,
    /// Before a shuffle.
    pub output: Shape,
    /// Rows of the output to compute, from a multiple of a tile's side on.
    pub rows: Range<usize>,
    /// What outputs are raised to where they are below it.
    pub lower: f32,
    /// Rows and columns of zeros that the upper left tap of the first output begins with.
    pub before: [usize; 2],
}

/// The full convolution of images, `[images, channels, height * width]`: what kernels give at all positions where they touch an
/// image. `conv` has one group.
pub fn full_convolution(
    conv: &Conv,
    kernels: &[f32],
    [height, width]: [usize; 2],
    images: &[f32],
) -> Vec<PaddedImage> {
    let images: Vec<&[f32]> = images.chunks_exact(conv.inputs() * height * width).collect();
    let size = [height, width];
    let [up, left] = conv.kernel().map(|side| side - 1);
    let window = Window { pads: Pads::Explicit([up, left, up, left]), ..Window::VALID };
    let [height, width] = conv.kernel();
    // The sides are those of a convolution that there is.
    let Ok(conv) = Conv::new([conv.outputs(), conv.inputs(), height, width], 1, window) else {
        return Vec::new();
    };
    let kernels = Kernels::new(&conv, None, kernels, &vec![0.0; conv.outputs()]);
    parallel::map(&images, |image| {
        let image = PaddedImage::of(image, conv.inputs(), size, conv.kernel());
        let [height, width] = size;
        let shape = Shape { channels: conv.inputs(), height, width };
        let place = Place { slot: 0, origin: image.origin, row: image.row, pixel: image.pixel, shape };
        let output = Shape { channels: conv.outputs(), height: height + up, width: width + left };
        let convolution = Convolution {
            conv: &conv,
            kernels: &kernels,
            input: (&image.values[..], place),
            first_row: 0,
            output,
            rows: 0..output.height,
            lower: f32::NEG_INFINITY,
            before: [up, left],
        };
        let mut result = PaddedImage::new(output.channels, output.size(), [1, 1]);
        let (level, mut scratch) = (Level::new(), Scratch::default());
        for batch in 0..convolution.batches() {
            convolution.compute(level, batch, &mut scratch);
            for (line, position) in scratch.inside(output) {
                let start = result.at(position.map(|at| at as isize));
                result.values[start..][..line.len()].copy_from_slice(line);
            }
        }
        result
    })
}

/// Memory for one batch.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Transformed inputs, and their products with the kernels.
    transformed: Vec<f32>,
    products: Vec<f32>,
    /// The batch's outputs, pixel by pixel.
    pub lines: Vec<f32>,
    /// Row and column of each of them; those beyond the image are to be left.
    pub positions: Vec<[usize; 2]>,
    /// Where what is multiplied begins: for each row, and for each of its parts.
    rows: Vec<usize>,
    parts: Vec<usize>,
    /// Rows of a quantized input.
    pub window: Vec<f32>,
}

impl Scratch {
    /// The batch's pixels that lie in the output, and where.
    pub fn inside(&self, output: Shape) -> impl Iterator<Item = (&[f32], [usize; 2])> {
        let lines = self.lines.chunks_exact(output.channels).zip(self.positions.iter().copied());
        lines.filter(move |(_, position)| output.has(*position))
    }

    /// Adds the batch's pixels of so many channels to what is known of them, by so many rows from this one on.
    pub fn add_to(
        &self,
        summaries: &mut [ChannelSummaries],
        (first, block): (usize, usize),
        output: Shape,
        channels: usize,
    ) {
        let mut lines = &self.lines[..];
        let group = |at: &[usize; 2]| (output.has(*at), at[0] / block);
        for run in self.positions.chunk_by(|a, b| group(a) == group(b)) {
            let (values, others) = lines.split_at(run.len() * output.channels);
            lines = others;
            if output.has(run[0]) {
                summaries[(run[0][0] - first) / block].add(Pixels { values, stride: channels });
            }
        }
    }
}

/// Values that a batch's scratch memory should hold at most: a part of the second-level cache.
const BATCH_VALUES: usize = if cfg!(target_arch = "wasm32") { 1 << 16 } else { 1 << 17 };

impl Convolution<'_> {
    /// Number of batches.
    pub fn batches(&self) -> usize {
        match self.kernels.algorithm {
            Algorithm::Winograd => self.tiles().div_ceil(self.tiles_per_batch()),
            _ => self.pixels().div_ceil(self.pixels_per_batch()),
        }
    }

    fn tiles(&self) -> usize {
        self.rows.len().div_ceil(winograd::TILE) * self.output.width.div_ceil(winograd::TILE)
    }

    fn pixels(&self) -> usize {
        self.rows.len() * self.output.width
    }

    /// Rows of the input's buffer that a batch reads.
    pub fn rows_read(&self, batch: usize) -> Range<usize> {
        let width = self.output.width;
        let [height, _] = self.conv.kernel();
        let (first, last, taps) = match self.kernels.algorithm {
            Algorithm::Winograd => {
                let (across, count) = (width.div_ceil(winograd::TILE), self.tiles_per_batch());
                let last = ((batch + 1) * count).min(self.tiles()) - 1;
                let row = |tile: usize| tile / across * winograd::TILE;
                let taps = height.next_multiple_of(winograd::BLOCK);
                (row(batch * count), row(last) + winograd::TILE - 1, taps)
            }
            Algorithm::Direct | Algorithm::Depthwise => {
                let count = self.pixels_per_batch();
                let last = ((batch + 1) * count).min(self.pixels()) - 1;
                (batch * count / width, last / width, height)
            }
        };
        let row = |y: usize| self.first_row + self.start([self.rows.start + y, 0]) / self.input.1.row;
        row(first)..row(last) + (taps - 1) * self.conv.window().dilations[0] + 1
    }

    fn tiles_per_batch(&self) -> usize {
        let [down, across] = winograd::blocks(self.conv.kernel());
        let values = winograd::POINTS * (down * across * self.conv.inputs()).max(self.output.channels);
        (BATCH_VALUES / values / matrix::ROWS).clamp(1, 8) * matrix::ROWS
    }

    fn pixels_per_batch(&self) -> usize {
        (BATCH_VALUES / self.output.channels / matrix::ROWS).clamp(1, 64) * matrix::ROWS
    }

    /// Computes one batch.
    pub fn compute(&self, level: Level, batch: usize, scratch: &mut Scratch) {
        scratch.positions.clear();
        let columns = self.output.width;
        match self.kernels.algorithm {
            Algorithm::Winograd => {
                let (first, across) = (batch * self.tiles_per_batch(), columns.div_ceil(winograd::TILE));
                let last = self.tiles().min(first + self.tiles_per_batch());
                for tile in first..last {
                    let (top, left) = (tile / across * winograd::TILE, tile % across * winograd::TILE);
                    let top = self.rows.start + top;
                    let inside = (0..winograd::TILE * winograd::TILE)
                        .map(|i| [top + i / winograd::TILE, left + i % winograd::TILE]);
                    scratch.positions.extend(inside);
                }
                dispatch!(level, simd => self.winograd(simd, scratch));
            }
            algorithm @ (Algorithm::Direct | Algorithm::Depthwise) => {
                let first = batch * self.pixels_per_batch();
                let last = self.pixels().min(first + self.pixels_per_batch());
                let position = |pixel: usize| [self.rows.start + pixel / columns, pixel % columns];
                scratch.positions.extend((first..last).map(position));
                match algorithm {
                    Algorithm::Depthwise => dispatch!(level, simd => self.depthwise(simd, scratch)),
                    _ => dispatch!(level, simd => self.direct(simd, scratch)),
                }
            }
        }
    }

    /// Index of the first channel of the input that the upper left tap meets.
    #[inline(always)]
    fn start(&self, [y, x]: [usize; 2]) -> usize {
        let (place, [top, left]) = (&self.input.1, self.before);
        let [down, right] = self.conv.window().strides;
        place.origin + y * down * place.row + x * right * place.pixel
            - (self.first_row + top) * place.row
            - left * place.pixel
    }

    #[inline(always)]
    fn winograd<S: Simd>(&self, simd: S, scratch: &mut Scratch) {
        let Scratch { transformed, products, lines, positions, rows: begins, .. } = scratch;
        let groups = self.conv.groups();
        let (inputs, outputs) = (self.conv.inputs() / groups, self.output.channels / groups);
        let [blocks_down, blocks_across] = winograd::blocks(self.conv.kernel());
        let rows = blocks_down * blocks_across * inputs;
        let tiles = positions.len() / (winograd::TILE * winograd::TILE);
        let padded = self.kernels.panels[0].columns();
        let (input_stride, product_stride) =
            (tiles * groups * rows + winograd::PADDING, tiles * groups * padded + winograd::PADDING);
        transformed.resize(winograd::POINTS * input_stride, 0.0);
        products.resize(winograd::POINTS * product_stride, 0.0);
        lines.resize(positions.len() * self.output.channels, 0.0);
        let (buffer, place) = self.input;
        // What is transformed at once: a block of a group, or all groups where there is one block.
        let together = if rows == inputs { groups * inputs } else { inputs };
        for tile in 0..tiles {
            let start = self.start(positions[tile * winograd::TILE * winograd::TILE]);
            for (at, to) in (0..groups * rows).step_by(together).enumerate() {
                let (group, block) = (to / rows, at % (blocks_down * blocks_across));
                let offset = block / blocks_across * winograd::BLOCK * place.row
                    + block % blocks_across * winograd::BLOCK * place.pixel;
                let values = &buffer[start + offset + group * inputs..];
                let source = winograd::Source { values, row: place.row, pixel: place.pixel };
                let to = &mut transformed[tile * groups * rows + to..];
                winograd::transform_input(simd, &source, together, to, input_stride);
            }
        }
        let points = transformed.chunks_exact(input_stride).zip(products.chunks_exact_mut(product_stride));
        begins.clear();
        begins.extend((0..tiles).map(|tile| tile * groups * rows));
        for ((values, products), panels) in points.zip(self.kernels.panels.chunks_exact(groups)) {
            for (group, (panels, products)) in
                panels.iter().zip(products.chunks_exact_mut(tiles * padded)).enumerate()
            {
                let left = Left { values, rows: begins, parts: &[group * rows], length: rows };
                matrix::multiply(simd, left, panels, products);
            }
        }
        for (tile, lines) in
            lines.chunks_exact_mut(winograd::TILE * winograd::TILE * self.output.channels).enumerate()
        {
            for group in 0..groups {
                let products = &products[(group * tiles + tile) * padded..];
                let bias = &self.kernels.bias[group * outputs.next_multiple_of(matrix::NARROW)..];
                let finish = Finish { bias, lower: self.lower };
                let lines = (&mut lines[group * outputs..], self.output.channels);
                winograd::transform_output(simd, products, product_stride, outputs, finish, lines);
            }
        }
    }

    /// One input for each output.
    #[inline(always)]
    fn depthwise<S: Simd>(&self, simd: S, scratch: &mut Scratch) {
        let Scratch { lines, positions, rows, parts, .. } = scratch;
        let channels = self.output.channels;
        lines.resize(positions.len() * channels, 0.0);
        self.begin_rows(positions, rows);
        self.begin_taps(self.conv.kernel()[1], 0, parts);
        let input = Left { values: self.input.0, rows, parts, length: channels };
        let finish = Finish { bias: &self.kernels.bias, lower: self.lower };
        depthwise::convolve(simd, input, &self.kernels.depthwise, finish, lines);
    }

    /// Where the upper left tap of each output begins.
    #[inline(always)]
    fn begin_rows(&self, positions: &[[usize; 2]], rows: &mut Vec<usize>) {
        rows.clear();
        rows.extend(positions.iter().map(|position| self.start(*position)));
    }

    /// How far behind that the taps begin, row by row, so many of a row, from this channel on.
    #[inline(always)]
    fn begin_taps(&self, across: usize, channel: usize, parts: &mut Vec<usize>) {
        let (place, [down, right]) = (&self.input.1, self.conv.window().dilations);
        let part =
            |tap: usize| tap / across * down * place.row + tap % across * right * place.pixel + channel;
        parts.clear();
        parts.extend((0..self.conv.kernel()[0] * across).map(part));
    }

    #[inline(always)]
    fn direct<S: Simd>(&self, simd: S, scratch: &mut Scratch) {
        let Scratch { products, lines, positions, rows, parts, .. } = scratch;
        let groups = self.conv.groups();
        let (inputs, outputs) = (self.conv.inputs() / groups, self.output.channels / groups);
        let (values, place) = self.input;
        let [_, width] = self.conv.kernel();
        lines.resize(positions.len() * self.output.channels, 0.0);
        self.begin_rows(positions, rows);
        // Taps of a row that lie together are one.
        let together = self.conv.window().dilations[1] * place.pixel == inputs;
        let (across, length) = if together { (1, width * inputs) } else { (width, inputs) };
        for (group, panels) in self.kernels.panels.iter().enumerate() {
            let padded = panels.columns();
            products.resize(positions.len() * padded, 0.0);
            self.begin_taps(across, group * inputs, parts);
            matrix::multiply(simd, Left { values, rows, parts, length }, panels, products);
            for (line, products) in
                lines.chunks_exact_mut(self.output.channels).zip(products.chunks_exact(padded))
            {
                let bias = &self.kernels.bias[group * outputs.next_multiple_of(matrix::NARROW)..];
                for ((to, value), bias) in
                    line[group * outputs..].iter_mut().zip(&products[..outputs]).zip(bias)
                {
                    let value = value + bias;
                    *to = if value < self.lower { self.lower } else { value };
                }
            }
        }
    }
}
