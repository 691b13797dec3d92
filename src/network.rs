//! Super-resolution networks: the only user of tract.
//!
//! A network is parsed once. For every image size it is optimized once into a [`Plan`]; weights and activation
//! quantizers are handed to each run, so changing them costs nothing in the graph.

mod convention;
mod engine;
mod layers;
mod memory;
mod onnx;
mod ops;
mod plan;
mod run;

pub use convention::{Colour, Convention, Properties};
pub use layers::{Layer, Rule};
pub use plan::{Plan, round_as_browsers_do};
pub use run::{LayerQuantization, Observer, Tap, Visit, Weights};

use crate::{Error, Result};
use convention::{PROBE_SIZE, Stated};
use onnx::DeclaredInput;
use run::Form;
use std::sync::{Arc, Mutex, OnceLock};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cnn::Conv;

/// A batch of one: planar f32 values, shape `[channels, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Planes {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// The values, row by row, channel by channel.
    pub values: Vec<f32>,
}

/// A network that was read and understood.
pub struct Network {
    model: InferenceModel,
    name: Option<String>,
    layers: Vec<Layer>,
    /// By layer, `[out, in / groups, height, width]`.
    kernels: Vec<Arc<Tensor>>,
    /// The graph for our own executor, or what that lacks: then tract runs the network.
    graph: std::result::Result<engine::Graph, String>,
    /// By layer, kernels and biases in full precision as our own executor takes them.
    packed: OnceLock<Vec<Arc<engine::Kernels>>>,
    rule: Rule,
    convention: Convention,
    parameters: usize,
    /// Output positions of each layer for one pixel of the network's input.
    positions: Vec<f64>,
    /// Of activations that a run holds at most, for one pixel of the input.
    bytes_per_pixel: f64,
    plans: Mutex<Vec<([usize; 3], Arc<Plan>)>>,
}

/// What runs a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(all(feature = "cli", not(target_arch = "wasm32")), derive(clap::ValueEnum))]
pub enum Engine {
    /// Ours: the same result, bit for bit, on every machine.
    Own,
    /// tract, which has every operator.
    Tract,
}

/// Largest declared input that a network of one size may have.
const MAX_FIXED_PIXELS: usize = 4 << 20;

/// Says which node could not be used, and why, where tract's chain of causes names both.
fn unusable(error: TractError) -> Error {
    let links: Vec<String> = error.chain().map(|link| link.to_string()).collect();
    // "Failed analyse for node #4 "name" Operator", with rules and passes of tract below.
    let node = links.iter().find_map(|link| link.split_once("node #")?.1.split('"').nth(1));
    let cause = links.last().map_or("", |link| link.lines().next().unwrap_or_default());
    // tract's way to write a whole number.
    let cause = cause.replace("Val(", "").replace(')', "");
    Error::Network(match (node, links.len()) {
        (Some(node), _) => format!("its node {node} does not fit what it is given: {cause}"),
        (None, 0 | 1) => cause,
        (None, count) => format!("{}: {cause}", links[count - 2]),
    })
}

impl Network {
    /// Reads an ONNX network and finds out what it takes for an image.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with it.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        Self::load_with(bytes, Properties::new())
    }

    /// As [`Network::load`]; where the file is silent, `properties` are believed.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with file or properties.
    pub fn load_with(bytes: &[u8], mut properties: Properties) -> Result<Self> {
        let proto = onnx::parse(bytes)?;
        properties.extend(proto.metadata_props.iter().map(|p| (p.key.clone(), p.value.clone())));
        let stated = Stated::read(&properties)?;
        let graph = proto.graph.as_ref().ok_or_else(|| Error::Network("the file holds no graph".into()))?;
        let (rule, layers) = layers::find(graph)?;
        let parameters = graph
            .initializer
            .iter()
            .filter(|t| t.dims.len() == 4 || t.dims.len() == 1)
            .map(|t| t.dims.iter().product::<i64>() as usize)
            .sum();
        let model = tract_onnx::onnx()
            .with_ignore_output_shapes(true)
            .with_ignore_value_info(true)
            .parse(&proto, None)
            .map_err(unusable)?
            .model;
        let mut network = Network {
            model,
            name: stated.name.clone(),
            kernels: Vec::new(),
            graph: engine::read(graph, &layers),
            packed: OnceLock::new(),
            positions: vec![1.0; layers.len()],
            layers,
            rule,
            convention: Convention {
                scale: 1,
                range: 1.0,
                colour: Colour::Rgb,
                mean: [0.0; 3],
                size: None,
                assumed: vec![],
            },
            parameters,
            bytes_per_pixel: 0.0,
            plans: Mutex::default(),
        };
        let declared = DeclaredInput::of(graph);
        let free = network.probe(&stated, declared.channels, PROBE_SIZE);
        match (free, declared.size) {
            (Err(_), Some(size)) if size[0] * size[1] <= MAX_FIXED_PIXELS => {
                network.probe(&stated, declared.channels, size)?;
                network.convention.size = Some(size);
            }
            (free, _) => free?,
        }
        Ok(network)
    }

    /// Finds kernels, scale, range and each layer's share of the work by building and running a small plan.
    fn probe(&mut self, stated: &Stated, declared_channels: Option<usize>, size: [usize; 2]) -> Result<()> {
        let [height, width] = size;
        let channels =
            stated.colour.map(Colour::channels).or(declared_channels).unwrap_or(self.layers[0].inputs);
        let mut assumed = Vec::new();
        let colour = match (stated.colour, channels) {
            (Some(colour), _) => colour,
            (None, 1) => Colour::Y,
            (None, 3) => {
                assumed.push("colour order red, green, blue".to_owned());
                Colour::Rgb
            }
            (None, other) => {
                return Err(Error::Network(format!("its input has {other} channels, not 1 or 3")));
            }
        };
        self.convention = Convention { colour, ..self.convention.clone() };

        self.measure_layers(&self.typed(1, size)?, size)?;
        if let Ok(Err(lacking)) = self.graph.as_ref().map(|graph| self.plan_own(graph, size)) {
            self.graph = Err(lacking);
        }
        let plan = self.plan(size)?;
        self.bytes_per_pixel = plan.peak_bytes as f64 / (height * width) as f64;

        let picture = convention::probe_picture(channels, size);
        let mut errors = Vec::new();
        let ranges = stated.range.map_or(vec![1.0, 255.0], |range| vec![range]);
        for range in &ranges {
            let values = picture.iter().map(|v| v * range).collect();
            let input = Planes { channels, height, width, values };
            let (output, _) = self.run(&plan, input, &[], &mut ())?;
            let scale = output.height / height;
            let expected = (channels, scale * height, scale * width);
            if scale == 0 || scale > 8 || (output.channels, output.height, output.width) != expected {
                return Err(Error::Network(format!(
                    "a {width} x {height} image gives {} channels of {} x {}, not an enlarged image",
                    output.channels, output.width, output.height
                )));
            }
            if stated.scale.is_some_and(|s| s != scale) {
                return Err(Error::Network(format!(
                    "it says it enlarges {} times, but does so {scale} times",
                    stated.scale.unwrap_or(0)
                )));
            }
            self.convention.scale = scale;
            errors.push(convention::probe_error(&output.values, size, scale, *range, channels));
        }
        // A network for 0..1 may do well on 0..255 too, being nearly linear; the other way round it fails plainly.
        self.convention.range = match (&ranges[..], &errors[..]) {
            ([range], _) => *range,
            (_, [one, full]) if *full < 0.5 * one => 255.0,
            _ => 1.0,
        };
        if stated.range.is_none() {
            assumed.push(format!("input range 0..{}, from a trial run", self.convention.range));
        }
        if stated.scale.is_none() {
            assumed.push(format!("scale {}, from a trial run", self.convention.scale));
        }
        self.convention.mean = stated.mean.unwrap_or_default();
        self.convention.assumed = assumed;
        Ok(())
    }

    /// The graph for so many inputs of one size, with shapes known and nothing optimized.
    fn typed(&self, batch: usize, [height, width]: [usize; 2]) -> Result<TypedModel> {
        let channels = self.convention.colour.channels();
        self.model
            .clone()
            .with_input_fact(0, f32::fact([batch, channels, height, width]).into())
            .and_then(|model| model.into_typed())
            .map_err(unusable)
    }

    /// Node of each layer in the typed graph.
    fn convolutions(&self, typed: &TypedModel) -> Result<Vec<usize>> {
        let found = |layer: &Layer| typed.nodes().iter().find(|n| n.name == layer.name && n.op_is::<Conv>());
        self.layers
            .iter()
            .map(|layer| found(layer).map(|n| n.id))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::Network("a convolution changed its form when the network was read".into()))
    }

    /// Reads kernels and each layer's share of the work.
    fn measure_layers(&mut self, typed: &TypedModel, [height, width]: [usize; 2]) -> Result<()> {
        self.positions.clear();
        self.kernels.clear();
        for (node, layer) in self.convolutions(typed)?.into_iter().zip(&self.layers) {
            let node = typed.node(node);
            let kernel = typed.outlet_fact(node.inputs[1]).map_err(unusable)?.konst.clone();
            let kernel = kernel.filter(|k| k.datum_type() == f32::datum_type() && k.len() == layer.weights());
            self.kernels.push(
                kernel.ok_or_else(|| {
                    Error::Network(format!("the kernels of {} are not plain f32", layer.name))
                })?,
            );
            let shape = node.outputs[0].fact.shape.as_concrete().unwrap_or(&[]);
            let area: usize = shape.iter().skip(2).product();
            self.positions.push(area as f64 / (height * width) as f64);
        }
        Ok(())
    }

    /// The error for NaN or infinity in this channel.
    pub fn non_finite(&self, layer: usize, channel: usize) -> Error {
        Error::NonFinite { layer: self.layers[layer].name.clone(), channel }
    }

    /// Every convolution, in the network's order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// A layer's kernels in full precision, `[out, in / groups, height, width]`.
    pub fn kernels(&self, layer: usize) -> Result<&[f32]> {
        self.kernels[layer].try_as_plain_ram().and_then(|k| k.as_slice::<f32>()).map_err(unusable)
    }

    /// Makes weights for a run: kernels in the layer's own shape, and what is added to its bias, for each output
    /// channel or nothing.
    pub fn make_weights(&self, layer: usize, kernels: &[f32], bias_change: &[f32]) -> Result<Weights> {
        if let Ok(graph) = &self.graph {
            return Ok(Weights(Form::Own(Arc::new(graph.kernels(
                &self.layers,
                layer,
                kernels,
                bias_change,
            )))));
        }
        let kernels = Tensor::from_shape(self.kernels[layer].shape(), kernels).map_err(unusable)?;
        Ok(Weights(Form::Tract { kernels: kernels.into_arc_tensor(), bias_change: bias_change.to_vec() }))
    }

    /// The weights in full precision as our own executor takes them.
    fn packed(&self, graph: &engine::Graph) -> Result<&[Arc<engine::Kernels>]> {
        if let Some(packed) = self.packed.get() {
            return Ok(packed);
        }
        let pack = |layer| Ok(Arc::new(graph.kernels(&self.layers, layer, self.kernels(layer)?, &[])));
        let packed = (0..self.layers.len()).map(pack).collect::<Result<_>>()?;
        Ok(self.packed.get_or_init(|| packed))
    }

    /// What runs the network.
    pub fn engine(&self) -> Engine {
        if self.graph.is_ok() { Engine::Own } else { Engine::Tract }
    }

    /// What our own engine lacks for this network, if tract runs it.
    pub fn lacking(&self) -> Option<&str> {
        self.graph.as_ref().err().map(String::as_str)
    }

    /// Lets tract run the network from now on: to compare with.
    pub fn use_tract(&mut self) {
        self.graph = Err("nothing: tract was asked for".into());
        self.plans.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }

    /// What it takes for an image.
    pub fn convention(&self) -> &Convention {
        &self.convention
    }

    /// How the layers to quantize were chosen.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The name that the file gives itself.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Bytes of activations that a run holds at most, for one pixel of the input.
    pub fn bytes_per_pixel(&self) -> f64 {
        self.bytes_per_pixel
    }

    /// Multiply-accumulates of one layer for one pixel of the input.
    pub fn layer_macs(&self, layer: usize) -> f64 {
        self.layers[layer].macs() as f64 * self.positions[layer]
    }

    /// Multiply-accumulates for one pixel of the input.
    pub fn macs_per_pixel(&self) -> f64 {
        (0..self.layers.len()).map(|layer| self.layer_macs(layer)).sum()
    }
}
