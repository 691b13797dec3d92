//! Super-resolution networks: read, understood, and run.
//!
//! A network is read once. For every image size it is laid out once in a [`Plan`]; weights and activation quantizers are
//! handed to each run, so changing them costs nothing there. Our own engine runs it; where that lacks an operator, `tract`
//! does, in programs that were built with it.

mod convention;
mod engine;
mod layers;
mod onnx;
mod own;
mod plan;
mod prefix;
mod run;
#[cfg(feature = "tract")]
mod tract;

pub use convention::{Colour, Convention, Properties};
pub(crate) use engine::everywhere;
pub use layers::{Layer, Rule};
pub use plan::Plan;
pub(crate) use prefix::Prefix;
pub use run::{LayerQuantization, Observer, Tap, Visit, Weights};
#[cfg(feature = "tract")]
pub use tract::round_as_browsers_do;

use crate::{Error, Result};
use convention::{PROBE_SIZE, Stated};
use layers::Found;
use onnx::DeclaredInput;
use own::Own;
use run::Form;
use std::sync::{Arc, Mutex};

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
    name: Option<String>,
    layers: Vec<Layer>,
    /// By layer, `[out, in / groups, height, width]`.
    kernels: Vec<Vec<f32>>,
    runner: Runner,
    rule: Rule,
    convention: Convention,
    parameters: usize,
    /// Output positions of each layer for one pixel of the network's input.
    positions: Vec<f64>,
    /// Of activations that a run holds at most, for one pixel of the input.
    bytes_per_pixel: f64,
    plans: Mutex<Vec<([usize; 3], Arc<Plan>)>>,
}

enum Runner {
    Own(Own),
    #[cfg(feature = "tract")]
    Tract(Box<tract::Tract>),
}

/// What runs a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(all(feature = "cli", not(target_arch = "wasm32")), derive(clap::ValueEnum))]
pub enum Engine {
    /// Ours: the same result, bit for bit, on every machine.
    Own,
    /// tract, which has more operators; not in every program.
    Tract,
}

impl Runner {
    /// Our own engine where it has all that the network needs, unless one is asked for.
    fn read(
        model: &onnx::Model,
        graph: &onnx::Graph,
        layers: &[Layer],
        channels: usize,
        engine: Option<Engine>,
    ) -> Result<Self> {
        let lacking = match (engine, Own::read(graph, layers, channels)) {
            (None | Some(Engine::Own), Ok(own)) => return Ok(Runner::Own(own)),
            (Some(Engine::Own), Err(lacking)) => return Err(Error::Lacking(lacking)),
            (None, Err(lacking)) => lacking,
            (Some(Engine::Tract), _) => "nothing: tract was asked for".to_owned(),
        };
        #[cfg(feature = "tract")]
        return Ok(Runner::Tract(Box::new(tract::Tract::read(model, graph, channels, lacking)?)));
        #[cfg(not(feature = "tract"))]
        {
            let _ = model;
            Err(Error::Lacking(lacking))
        }
    }
}

/// Largest declared input that a network of one size may have.
const MAX_FIXED_PIXELS: u64 = 4 << 20;

/// Most bytes that a run may hold for each pixel of its image; the bundled networks hold up to 15 kB.
const MAX_BYTES_PER_PIXEL: f64 = 1e6;

/// Most values of one tensor, for an image of so many pixels: the paper's RDN has 1024 channels side by side, 16 times as many
/// values come before a fourfold enlargement. Networks that make more of it are not for images.
fn most_values(pixels: u64) -> u64 {
    pixels.saturating_mul(1 << 14).max(1 << 24)
}

impl Network {
    /// Reads an ONNX network and finds out what it takes for an image.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with it, [`Error::Lacking`] what it has that cannot be run here.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        Self::load_with(bytes, Properties::new(), None)
    }

    /// As [`Network::load`]; where the file is silent, `properties` are believed. `engine` is what must run it; otherwise
    /// our own does, or where that lacks something, tract.
    ///
    /// # Errors
    /// As [`Network::load`], also for the properties.
    pub fn load_with(bytes: &[u8], mut properties: Properties, engine: Option<Engine>) -> Result<Self> {
        let model = onnx::parse(bytes)?;
        properties.extend(model.metadata_props.iter().map(|p| (p.key.clone(), p.value.clone())));
        let stated = Stated::read(&properties)?;
        let graph = model.graph.as_ref().ok_or_else(|| Error::Network("the file holds no graph".into()))?;
        let Found { rule, layers, kernels } = layers::find(graph)?;
        let declared = DeclaredInput::of(graph);
        let channels = stated.colour.map(Colour::channels).or(declared.channels).unwrap_or(layers[0].inputs);
        let (colour, guessed) = match (stated.colour, channels) {
            (Some(colour), _) => (colour, None),
            (None, 1) => (Colour::Y, None),
            (None, 3) => (Colour::Rgb, Some("colour order red, green, blue".to_owned())),
            (None, other) => {
                return Err(Error::Network(format!("its input has {other} channels, not 1 or 3")));
            }
        };
        let weights = graph.initializer.iter().filter(|t| t.data_type == onnx::Tensor::FLOAT);
        let weights = weights.filter(|t| t.dims.len() == 4 || t.dims.len() == 1);
        let parameters = weights.filter_map(onnx::length).sum();
        let runner = Runner::read(&model, graph, &layers, channels, engine)?;
        let mut network = Network {
            name: stated.name.clone(),
            layers,
            kernels,
            runner,
            rule,
            convention: Convention {
                scale: 1,
                range: 1.0,
                colour,
                mean: stated.mean.unwrap_or_default(),
                size: None,
                assumed: guessed.into_iter().collect(),
            },
            parameters,
            positions: vec![],
            bytes_per_pixel: 0.0,
            plans: Mutex::default(),
        };
        match (network.probe(&stated, PROBE_SIZE), declared.size) {
            (Err(_), Some(size)) if size[0] as u64 * size[1] as u64 <= MAX_FIXED_PIXELS => {
                network.probe(&stated, size)?;
                network.convention.size = Some(size);
            }
            (free, _) => free?,
        }
        Ok(network)
    }

    /// Finds scale, range and each layer's share of the work for a small picture, which is run where the file does not state
    /// the range.
    fn probe(&mut self, stated: &Stated, size: [usize; 2]) -> Result<()> {
        let ([height, width], channels) = (size, self.convention.colour.channels());
        let plan = self.plan(size)?;
        let pixels = (height * width) as f64;
        self.positions = plan.areas.iter().map(|area| *area as f64 / pixels).collect();
        self.bytes_per_pixel = plan.peak_bytes as f64 / pixels;
        if self.bytes_per_pixel > MAX_BYTES_PER_PIXEL {
            let kilobytes = (self.bytes_per_pixel / 1e3).ceil();
            return Err(Error::Network(format!("it takes {kilobytes} kB for each pixel of the image")));
        }
        let scale = plan.output[1] / height;
        if !(1..=8).contains(&scale) || plan.output != [channels, scale * height, scale * width] {
            let [channels, rows, columns] = plan.output;
            return Err(Error::Network(format!(
                "a {width} x {height} image gives {channels} channels of {columns} x {rows}, not an enlarged image"
            )));
        }
        match stated.scale {
            Some(stated) if stated != scale => {
                return Err(Error::Network(format!(
                    "it says it enlarges {stated} times, but does so {scale} times"
                )));
            }
            Some(_) => {}
            None => self.convention.assumed.push(format!("scale {scale}, from its shapes")),
        }
        self.convention.scale = scale;
        self.convention.range = match stated.range {
            Some(range) => range,
            None => {
                let error = |range: f32| -> Result<f64> {
                    let values =
                        convention::probe_picture(channels, size).iter().map(|v| v * range).collect();
                    let input = Planes { channels, height, width, values };
                    let (output, _) = self.run(&plan, input, &[], &mut ())?;
                    Ok(convention::probe_error(&output.values, size, scale, range, channels))
                };
                // A network for 0..1 may do well on 0..255 too, being nearly linear; the other way round it fails plainly.
                let range = if error(255.0)? < 0.5 * error(1.0)? { 255.0 } else { 1.0 };
                self.convention.assumed.push(format!("input range 0..{range}, from a trial run"));
                range
            }
        };
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
    pub fn kernels(&self, layer: usize) -> &[f32] {
        &self.kernels[layer]
    }

    /// Makes weights for a run: kernels in the layer's own shape, and what is added to its bias, for each output
    /// channel or nothing.
    ///
    /// # Errors
    /// [`Error::Network`] for another number of kernels.
    pub fn make_weights(&self, layer: usize, kernels: &[f32], bias_change: &[f32]) -> Result<Weights> {
        if kernels.len() != self.layers[layer].weights() {
            return Err(Error::Network(format!("{} weights for {}", kernels.len(), self.layers[layer].name)));
        }
        Ok(Weights(match &self.runner {
            Runner::Own(own) => Form::Own(Arc::new(own.kernels(&self.layers, layer, kernels, bias_change))),
            #[cfg(feature = "tract")]
            Runner::Tract(_) => Form::Tract(tract::weights(&self.layers[layer], kernels, bias_change)?),
        }))
    }

    /// What runs the network.
    pub fn engine(&self) -> Engine {
        if self.lacking().is_none() { Engine::Own } else { Engine::Tract }
    }

    /// What our own engine lacks for this network, if tract runs it.
    pub fn lacking(&self) -> Option<&str> {
        match &self.runner {
            Runner::Own(_) => None,
            #[cfg(feature = "tract")]
            Runner::Tract(tract) => Some(&tract.lacking),
        }
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
