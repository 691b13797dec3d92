//! Convolutions against their definition.

use super::graph::{Algorithm, Filter, Graph, Operation, Post, Shuffle, Step};
use super::pass::{Visitor, Wish};
use super::plan::Plan;
use super::{Kernels, full_convolution};
use crate::network::graph::{Conv, Pads, Window};
use crate::network::layers::Layer;
use crate::network::planes::Planes;
use crate::quant::{
    ActivationQuantizer, BitWidth, NonFiniteChannel, Normalizer, Points, QuantizationError, SubsetQuantizer,
    UniformGrid, UniversalSet, WordSets,
};
use std::ops::ControlFlow;
use std::sync::Arc;
use wasm_bindgen_test::wasm_bindgen_test;

/// Takes these kernels for every layer, and looks at nothing.
struct Plain(Arc<Kernels>);

impl Visitor for Plain {
    type Error = ();

    fn begin(&mut self, _: usize) -> Result<Wish, ()> {
        Ok(Wish::Nothing)
    }

    fn kernels(&mut self, _: usize) -> Arc<Kernels> {
        self.0.clone()
    }
}

/// Quantizes the input: while it is read, or beforehand.
struct Quantizing {
    /// By layer.
    kernels: Vec<Arc<Kernels>>,
    quantizers: Vec<ActivationQuantizer>,
    beforehand: bool,
    /// Of the last layer.
    errors: Vec<QuantizationError>,
}

impl Visitor for Quantizing {
    type Error = ();

    fn begin(&mut self, _: usize) -> Result<Wish, ()> {
        Ok(if self.beforehand { Wish::Change } else { Wish::Nothing })
    }

    fn visit(
        &mut self,
        layer: usize,
        [height, width]: [usize; 2],
        inputs: &mut [f32],
    ) -> Result<ControlFlow<()>, ()> {
        let originals = inputs.to_vec();
        self.quantizers[layer].apply(inputs, inputs.len() / (height * width)).map_err(|_| ())?;
        let channels = inputs.chunks(height * width).zip(originals.chunks(height * width));
        let error = |(quantized, originals)| {
            let mut error = QuantizationError::default();
            error.add(originals, quantized);
            error
        };
        self.errors = channels.map(error).collect();
        Ok(ControlFlow::Continue(()))
    }

    fn quantizer(&self, layer: usize) -> Option<&ActivationQuantizer> {
        (!self.beforehand).then_some(&self.quantizers[layer])
    }

    fn measures_errors(&self) -> bool {
        true
    }

    fn quantized(
        &mut self,
        _: usize,
        result: Result<Vec<QuantizationError>, NonFiniteChannel>,
    ) -> Result<(), ()> {
        self.errors = result.map_err(|_| ())?;
        Ok(())
    }

    fn kernels(&mut self, layer: usize) -> Arc<Kernels> {
        self.kernels[layer].clone()
    }
}

fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| rng.f32() * 2.0 - 1.0).collect()
}

/// One convolution of these weights and biases; what looks on takes its kernels.
fn run<V: Visitor<Error = ()>>(
    layer: &Layer,
    image: &Planes,
    [weights, bias]: [&[f32]; 2],
    visitor: impl FnOnce(Arc<Kernels>) -> V,
) -> (Planes, V) {
    let filter = Filter { shuffle: None, bias: bias.to_vec() };
    let operation = Operation::Convolution { layer: 0, shuffle: None };
    let step = Step { operation, inputs: vec![0], posts: vec![], output: 1 };
    let graph = Graph { steps: vec![step], values: 2, output: 1, filters: vec![filter], ..Graph::default() };
    let layers = std::slice::from_ref(layer);
    let plan = Plan::new(&graph, layers, [image.height, image.width], layer.conv.inputs()).unwrap();
    let mut visitor = visitor(Arc::new(graph.kernels(layers, 0, weights, &[])));
    let mut pass = graph.enter(&plan, std::slice::from_ref(image), false);
    assert!(graph.advance(&plan, layers, &mut pass, None, &mut visitor).unwrap().is_continue());
    (graph.output(&plan, layers, pass, &mut visitor).unwrap(), visitor)
}

/// One convolution, and the same in f64, by its definition: the largest and the root mean square error, in units of the
/// outputs' root mean square.
fn errors(layer: &Layer, [height, width]: [usize; 2]) -> [f64; 2] {
    let image = Planes {
        channels: layer.conv.inputs(),
        height,
        width,
        values: noise(layer.conv.inputs() * height * width, 1),
    };
    let (weights, bias) = (noise(layer.conv.weights(), 2), noise(layer.conv.outputs(), 3));
    let (output, _) = run(layer, &image, [&weights, &bias], Plain);
    let group = [layer.conv.inputs() / layer.conv.groups(), layer.conv.outputs() / layer.conv.groups()];
    let ([top, left, ..], window) = (layer.conv.padding([height, width]), layer.conv.window());
    let (mut largest, mut noise, mut signal) = (0.0f64, 0.0, 0.0);
    for (at, found) in output.values.iter().enumerate() {
        let [o, y, x] =
            [at / output.width / output.height, at / output.width % output.height, at % output.width];
        let mut sum = f64::from(bias[o]);
        for (tap, weight) in weights
            .chunks_exact(layer.conv.weights() / layer.conv.outputs())
            .nth(o)
            .unwrap()
            .iter()
            .enumerate()
        {
            let taps = layer.conv.kernel()[0] * layer.conv.kernel()[1];
            let [dy, dx] = [tap % taps / layer.conv.kernel()[1], tap % layer.conv.kernel()[1]];
            let row = (y * window.strides[0] + dy * window.dilations[0]).checked_sub(top);
            let column = (x * window.strides[1] + dx * window.dilations[1]).checked_sub(left);
            let Some((row, column)) = row.zip(column).filter(|(r, c)| *r < height && *c < width) else {
                continue;
            };
            let channel = o / group[1] * group[0] + tap / taps;
            sum += f64::from(*weight) * f64::from(image.values[(channel * height + row) * width + column]);
        }
        let error = (f64::from(*found) - sum).abs();
        (largest, noise, signal) = (largest.max(error), noise + error * error, signal + sum * sum);
    }
    let rms = (signal / output.values.len() as f64).sqrt();
    [largest / rms, (noise / output.values.len() as f64).sqrt() / rms]
}

fn layer(inputs: usize, outputs: usize, [height, width]: [usize; 2], groups: usize, window: Window) -> Layer {
    let conv = Conv::new([outputs, inputs / groups, height, width], groups, window).unwrap();
    Layer {
        name: "layer".into(),
        conv,
        stored_bits: None,
        after_relu: false,
        quantized: true,
        usual_bits: None,
    }
}

fn window(stride: usize, dilation: usize, pads: [usize; 4]) -> Window {
    Window { strides: [stride; 2], dilations: [dilation; 2], pads: Pads::Explicit(pads) }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_full_convolution_has_all_positions_where_the_kernel_touches_the_image() {
    for (kernel, inputs) in [([3, 3], 13), ([3, 3], 2), ([1, 1], 5), ([5, 3], 4)] {
        let (layer, [height, width]) = (layer(inputs, 6, kernel, 1, Window::VALID), [9, 14]);
        let (values, weights) = (noise(inputs * height * width, 4), noise(layer.conv.weights(), 5));
        let outputs = full_convolution(&layer.conv, &weights, [height, width], &values.repeat(2));
        assert_eq!(outputs[0].values, outputs[1].values);
        let [rows, columns] = outputs[0].size;
        assert_eq!([rows, columns], [height + kernel[0] - 1, width + kernel[1] - 1]);
        for at in 0..rows * columns * layer.conv.outputs() {
            let [y, x, output] = [
                at / layer.conv.outputs() / columns,
                at / layer.conv.outputs() % columns,
                at % layer.conv.outputs(),
            ];
            let mut sum = 0.0;
            for (index, weight) in
                weights[output * weights.len() / 6..][..weights.len() / 6].iter().enumerate()
            {
                let area = kernel[0] * kernel[1];
                let row = (y + index % area / kernel[1]).checked_sub(kernel[0] - 1);
                let column = (x + index % area % kernel[1]).checked_sub(kernel[1] - 1);
                if let (Some(row @ 0..9), Some(column @ 0..14)) = (row, column) {
                    sum += f64::from(*weight)
                        * f64::from(values[(index / area * height + row) * width + column]);
                }
            }
            let found = outputs[0].values[outputs[0].at([y as isize, x as isize]) + output];
            assert!(
                (f64::from(found) - sum).abs() < 1e-4,
                "{kernel:?} {inputs} {y} {x}: {found} is not {sum}"
            );
        }
    }
}

/// Measured over the cases below: at most 1.7e-6 and 1.9e-7 tap by tap, 2.8e-5 and 2.0e-6 by Winograd's transforms.
#[wasm_bindgen_test(unsupported = test)]
fn convolutions_are_those_of_the_definition_in_double_precision() {
    let mut worst = [[0.0f64; 2]; 2];
    for layer in [
        layer(64, 64, [3, 3], 1, window(1, 1, [1; 4])),
        layer(13, 21, [3, 3], 1, window(1, 1, [1; 4])),
        layer(8, 3, [3, 3], 1, window(1, 1, [0; 4])),
        layer(37, 32, [3, 3], 1, window(1, 1, [2, 0, 1, 2])),
        layer(3, 64, [3, 3], 1, window(1, 1, [1; 4])),
        layer(96, 20, [1, 1], 1, window(1, 1, [0; 4])),
        layer(5, 7, [5, 5], 1, window(1, 1, [2; 4])),
        layer(3, 32, [9, 9], 1, window(1, 1, [4; 4])),
        layer(12, 6, [4, 4], 1, window(1, 1, [1, 2, 2, 1])),
        layer(7, 9, [5, 3], 1, window(1, 1, [0, 1, 2, 0])),
        layer(20, 12, [7, 7], 2, window(1, 1, [3; 4])),
        layer(16, 24, [3, 3], 4, window(1, 1, [1; 4])),
        layer(5, 7, [5, 5], 1, window(2, 1, [2; 4])),
        layer(12, 18, [3, 3], 3, window(2, 1, [1; 4])),
        layer(9, 17, [3, 3], 1, window(1, 2, [2; 4])),
        layer(6, 6, [3, 1], 6, window(1, 1, [1, 0, 1, 0])),
    ] {
        for size in [[8, 8], [5, 5], [13, 22], [9, 61]] {
            let found = errors(&layer, size);
            let kind = usize::from(Algorithm::of(&layer.conv) == Algorithm::Winograd);
            worst[kind] = [worst[kind][0].max(found[0]), worst[kind][1].max(found[1])];
        }
    }
    assert!(worst[0][0] < 2.5e-6 && worst[0][1] < 3e-7, "direct: {:?}", worst[0]);
    assert!(worst[1][0] < 4e-5 && worst[1][1] < 3e-6, "Winograd: {:?}", worst[1]);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_input_quantized_while_it_is_read_is_the_one_quantized_beforehand() {
    for layer in [
        layer(64, 64, [3, 3], 1, window(1, 1, [1; 4])),
        layer(13, 21, [3, 3], 1, window(1, 1, [2, 0, 1, 2])),
        layer(96, 20, [1, 1], 1, window(1, 1, [0; 4])),
        layer(12, 18, [3, 3], 3, window(2, 2, [1; 4])),
        layer(300, 40, [1, 1], 1, window(7, 1, [0; 4])),
        layer(5, 7, [5, 5], 1, window(1, 1, [2; 4])),
        layer(16, 24, [3, 3], 4, window(1, 1, [1; 4])),
        layer(12, 6, [4, 4], 1, window(1, 1, [1, 2, 2, 1])),
        layer(5, 7, [5, 5], 1, window(2, 1, [2; 4])),
    ] {
        for [height, width] in [[5, 5], [61, 9], [13, 140], [150, 40]] {
            let image = Planes {
                channels: layer.conv.inputs(),
                height,
                width,
                values: noise(layer.conv.inputs() * height * width, 1),
            };
            let [weights, bias] = [noise(layer.conv.weights(), 2), noise(layer.conv.outputs(), 3)];
            let [(here, errors), (there, expected)] = [false, true].map(|beforehand| {
                let quantizer = ActivationQuantizer::StaticMinMax(UniformGrid::spanning(
                    -1.0,
                    1.0,
                    BitWidth::new(3).unwrap(),
                ));
                let (quantizers, errors) = (vec![quantizer], vec![]);
                let visitor = |kernels| Quantizing { kernels: vec![kernels], quantizers, beforehand, errors };
                let (output, visitor) = run(&layer, &image, [&weights, &bias], visitor);
                (output.values, visitor.errors)
            });
            assert!(here == there, "{layer:?} {height}x{width}");
            for (error, expected) in errors.iter().zip(&expected) {
                assert!((error.noise / expected.noise - 1.0).abs() < 1e-5, "{error:?}, {expected:?}");
                assert!((error.signal / expected.signal - 1.0).abs() < 1e-5, "{error:?}, {expected:?}");
            }
            assert_eq!(errors.len(), expected.len());
        }
    }
}

/// Means and extremes of channels are added up where convolutions write them, and looked for where they lie.
#[wasm_bindgen_test(unsupported = test)]
fn channels_are_known_from_the_convolutions_that_made_them() {
    let wide = window(1, 1, [1; 4]);
    let shuffle = Some(Shuffle { side: 2, channel_first: true });
    let layers = [
        layer(5, 21, [3, 3], 1, wide),
        layer(21, 12, [1, 1], 1, Window::VALID),
        layer(33, 40, [3, 3], 1, wide),
        layer(10, 3, [3, 3], 1, wide),
    ];
    let step = |operation, inputs: &[usize], posts, output| Step {
        operation,
        inputs: inputs.to_vec(),
        posts,
        output,
    };
    let convolution = |layer, shuffle| Operation::Convolution { layer, shuffle };
    let steps = vec![
        step(convolution(0, None), &[0], vec![Post::Relu], 1),
        step(convolution(1, None), &[1], vec![], 2),
        step(Operation::Concat, &[1, 2], vec![], 3),
        step(convolution(2, shuffle), &[3], vec![Post::Add(vec![0.5])], 4),
        step(convolution(3, None), &[4], vec![], 5),
    ];
    let filters = [None, None, shuffle, None];
    let filters = filters
        .iter()
        .zip(&layers)
        .map(|(shuffle, layer)| Filter { shuffle: *shuffle, bias: noise(layer.conv.outputs(), 3) });
    let graph = Graph { steps, values: 6, output: 5, filters: filters.collect(), ..Graph::default() };
    let universal = UniversalSet::of(WordSets::REFERENCE).values();
    let points = |layer: &Layer| {
        let points = Points::new(universal.iter().copied().step_by(17).collect()).unwrap();
        let normalizer = Normalizer::Sample { subtract_mean: true };
        let each = vec![points; layer.conv.inputs()];
        ActivationQuantizer::Subset(SubsetQuantizer::new(each, normalizer, BitWidth::FULL).unwrap())
    };
    for [height, width] in [[5, 5], [13, 22], [8, 61]] {
        let image = Planes { channels: 5, height, width, values: noise(5 * height * width, 1) };
        let plan = Plan::new(&graph, &layers, [height, width], 5).unwrap();
        let [here, there] = [false, true].map(|beforehand| {
            let kernels = |at: usize| graph.kernels(&layers, at, &noise(layers[at].conv.weights(), 2), &[]);
            let mut visitor = Quantizing {
                kernels: (0..layers.len()).map(|at| Arc::new(kernels(at))).collect(),
                quantizers: layers.iter().map(points).collect(),
                beforehand,
                errors: vec![],
            };
            let mut pass = graph.enter(&plan, std::slice::from_ref(&image), false);
            assert!(graph.advance(&plan, &layers, &mut pass, None, &mut visitor).unwrap().is_continue());
            graph.output(&plan, &layers, pass, &mut visitor).unwrap().values
        });
        assert!(here == there, "{height}x{width}");
    }
}

/// The end of a network as EDSR x4 and x3 have it: two shuffles that are joined to convolutions or not, a skip connection from what
/// lies before, one within the tail, repeated pixels, and kernels of several sizes.
fn tail(shuffle: usize) -> (Graph, Vec<Layer>) {
    let of = |(index, [outputs, inputs, side]): (usize, [usize; 3])| {
        // One of them takes every other row.
        let apart = if index == 1 { 2 } else { 1 };
        let window =
            Window { pads: Pads::Explicit([side / 2 * apart; 4]), dilations: [apart; 2], ..Window::VALID };
        Layer { quantized: index == 0, ..layer(inputs, outputs, [side; 2], 1, window) }
    };
    let parts = shuffle * shuffle;
    let sides = [[9, 3, 3], [9, 9, 3], [9 * parts, 9, 3], [4 * parts, 9, 3], [3, 4, 5], [3, 3, 3]];
    let layers: Vec<Layer> = sides.into_iter().enumerate().map(of).collect();
    let whole = Shuffle { side: shuffle, channel_first: true };
    let convolution = |layer, shuffle| Operation::Convolution { layer, shuffle };
    let step = |operation, input, posts, output| Step { operation, inputs: vec![input], posts, output };
    let steps = vec![
        step(convolution(0, None), 0, vec![Post::Relu], 1),
        step(convolution(1, None), 1, vec![Post::AddValue(1)], 2),
        step(convolution(2, Some(whole)), 2, vec![], 3),
        step(convolution(3, None), 3, vec![Post::Leaky(vec![0.1])], 4),
        step(Operation::DepthToSpace(whole), 4, vec![], 5),
        step(convolution(4, None), 5, vec![Post::Relu], 6),
        step(Operation::Repeat(2), 6, vec![Post::Clip(-1.0, 2.0)], 7),
        step(convolution(5, None), 7, vec![Post::AddValue(7)], 8),
    ];
    let filter = |conv: &Conv, shuffle| Filter { shuffle, bias: noise(conv.outputs(), 7) };
    let filters =
        layers.iter().enumerate().map(|(at, layer)| filter(&layer.conv, (at == 2).then_some(whole)));
    (Graph { steps, values: 9, output: 8, filters: filters.collect(), ..Graph::default() }, layers)
}

#[wasm_bindgen_test(unsupported = test)]
fn a_tail_band_by_band_is_bit_for_bit_what_it_is_as_a_whole() {
    for shuffle in [2, 3] {
        let (graph, layers) = tail(shuffle);
        let pack = |(at, layer): (usize, &Layer)| {
            Arc::new(graph.kernels(&layers, at, &noise(layer.conv.weights(), at as u64 + 20), &[]))
        };
        let packed: Vec<Arc<Kernels>> = layers.iter().enumerate().map(pack).collect();
        for [height, width] in [[8, 8], [9, 14], [23, 11], [40, 13], [61, 30]] {
            let values = noise(3 * height * width, 5);
            let image = Planes { channels: 3, height, width, values };
            let mut plan = Plan::new(&graph, &layers, [height, width], 3).unwrap();
            assert_eq!((plan.tail, plan.whole(&graph, &layers).tail), (1, graph.steps.len()));
            plan.tail_rows = 8;
            let run = |plan: &Plan| {
                let mut visitor = Packed(&packed);
                let mut pass = graph.enter(plan, std::slice::from_ref(&image), false);
                assert!(graph.advance(plan, &layers, &mut pass, None, &mut visitor).unwrap().is_continue());
                graph.output(plan, &layers, pass, &mut visitor).unwrap()
            };
            let mut flowing = plan.flowing(&graph, &layers);
            assert_eq!(flowing.tail, 0);
            flowing.tail_rows = 8;
            let whole = run(&plan.whole(&graph, &layers));
            for bands in [run(&plan), run(&flowing)] {
                assert_eq!(bands.shape(), [3, 2 * shuffle * shuffle * height, 2 * shuffle * shuffle * width]);
                let pairs = || bands.values.iter().zip(&whole.values);
                let other = pairs().position(|(a, b)| a.to_bits() != b.to_bits());
                assert_eq!(other, None, "{shuffle}, {height} x {width}");
            }
        }
    }
}

/// Gives weights, and watches nothing.
struct Packed<'k>(&'k [Arc<Kernels>]);

impl Visitor for Packed<'_> {
    type Error = ();

    fn begin(&mut self, _: usize) -> Result<Wish, ()> {
        Ok(Wish::Nothing)
    }

    fn kernels(&mut self, layer: usize) -> Arc<Kernels> {
        self.0[layer].clone()
    }
}
