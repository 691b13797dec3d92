//! Super-resolution networks: read, understood, and run.
//!
//! A network is read once. For every image size it is laid out once in a [`Plan`]; weights and activation
//! quantizers are handed to each run, so changing them costs nothing there. The native engine runs it; where that lacks an
//! operator, `tract` does, in programs that were built with it.

mod convention;
mod execution;
mod fit;
pub(crate) mod graph;
mod layers;
mod limits;
mod native;
pub(crate) mod onnx;
mod plan;
mod planes;
mod scope;
#[cfg(feature = "tract")]
mod tract;
mod trial;
mod weights;

pub use convention::{Colour, Convention, Properties, ValueRange};
pub use execution::{Observer, Tap};
pub(crate) use execution::{Visit, Visitor};
pub use fit::Fit;
pub use graph::{Conv, Pads, Window};
pub use layers::Layer;
pub(crate) use native::{Kernels, Room, convolve, full_convolution, matrix, padded, winograd};
pub use onnx::{join, second_files};
pub(crate) use plan::Prefix;
pub use plan::{Output, Plan};
pub use planes::Planes;
pub use scope::{Rule, Scope};
#[cfg(feature = "tract")]
pub use tract::round_as_browsers_do;
pub use weights::{LayerQuantization, Quantized, Weights};

use crate::image_io::Picture;
use crate::{Error, Result};
use convention::Stated;
use execution::non_finite;
use graph::Graph;
use layers::Layers;
use limits::MAX_BYTES_PER_PIXEL;
use native::Native;
use scope::Selected;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A network that was read and understood.
pub struct Network {
    name: Option<String>,
    layers: Arc<Layers>,
    engine: Box<dyn execution::Engine>,
    /// What the native engine lacks, where tract is the engine.
    lacking: Option<String>,
    scope: Scope,
    selected: Selected,
    convention: Convention,
    /// What dfsq wrote of itself into the file, if it did.
    exported: Option<String>,
    parameters: usize,
    /// Output positions of each layer for one pixel of the network's input.
    positions: Vec<f64>,
    /// Of activations that a run holds at most, for one pixel of the input.
    bytes_per_pixel: f64,
    plans: Mutex<Vec<([usize; 3], Arc<Plan>)>>,
}

/// What runs a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Ours: the same result, bit for bit, on every machine.
    Native,
    /// tract, which has more operators; not in every program.
    Tract,
}

impl std::str::FromStr for Engine {
    type Err = Error;

    /// `own` is an older name of the native engine.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "native" | "own" => Ok(Engine::Native),
            "tract" => Ok(Engine::Tract),
            _ => Err(Error::Option("choose native or tract".into())),
        }
    }
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Engine::Native => "native",
            Engine::Tract => "tract",
        })
    }
}

/// How a network is read, beside its file.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Believed where the file is silent.
    pub listed: Properties,
    /// Believed whatever the file says.
    pub stated: Properties,
    /// What must run it; without, the native engine does, or tract where that lacks something.
    pub engine: Option<Engine>,
}

impl LoadOptions {
    /// To be run by this engine.
    pub fn on(engine: Engine) -> Self {
        LoadOptions { engine: Some(engine), ..LoadOptions::default() }
    }
}

/// Height and width of a picture that memory may be short for.
const LARGE: [usize; 2] = [768, 768];

/// Plans kept at a time; a folder of images often has a few sizes.
const PLANS: usize = 4;

/// The engine for a graph, what it does to an image's size, and what the native one lacks.
type Chosen = (Box<dyn execution::Engine>, Fit, Option<String>);

/// The native engine where it has all that the network needs, unless one is asked for.
fn choose(graph: &Graph, layers: &Arc<Layers>, channels: usize, engine: Option<Engine>) -> Result<Chosen> {
    let lacking = match engine {
        Some(Engine::Tract) => "nothing: tract was asked for".to_owned(),
        None | Some(Engine::Native) => match Native::read(graph, layers.clone(), channels) {
            Ok((native, fit)) => return Ok((Box::new(native), fit, None)),
            Err(lacking) => lacking,
        },
    };
    #[cfg(feature = "tract")]
    if engine != Some(Engine::Native) {
        let (tract, fit) = tract::Tract::read(graph, layers.clone(), channels, engine.is_some())?;
        return Ok((Box::new(tract), fit, Some(lacking)));
    }
    Err(Error::Lacking(lacking))
}

/// In words, what [`crate::export`] wrote.
fn exported(properties: &Properties) -> Option<String> {
    let (method, version) =
        (properties.get(onnx::exported::METHOD)?, properties.get(onnx::exported::VERSION)?);
    Some(format!(
        "exported by dfsq {version} with {method}: its weights are as they were written, and its activations are quantized as is \
         chosen here"
    ))
}

impl Network {
    /// Reads an ONNX network and finds out what it takes for an image.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with it, [`Error::Lacking`] what it has that cannot be run here.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        Self::load_with(bytes, &LoadOptions::default())
    }

    /// As [`Network::load`], with what is known beside the file.
    ///
    /// # Errors
    /// As [`Network::load`], also for the properties.
    pub fn load_with(bytes: &[u8], options: &LoadOptions) -> Result<Self> {
        let model = onnx::parse(bytes)?;
        let mut properties = options.listed.clone();
        properties.extend(model.metadata_props.iter().map(|p| (p.key.clone(), p.value.clone())));
        properties.extend(options.stated.clone());
        let stated = Stated::read(&properties)?;
        let graph = Graph::read(model)?;
        let scope = stated.scope.clone();
        let (selected, layers) = layers::find(&graph, &scope)?;
        let declared = graph.declared();
        let of_layer = layers[0].conv.inputs();
        let channels = stated.colour.map(Colour::channels).or(declared.channels).unwrap_or(of_layer);
        let (colour, guessed) = match (stated.colour, channels) {
            (Some(colour), _) => (colour, None),
            (None, 1) => (Colour::Y, None),
            (None, 3) => (Colour::Rgb, Some("colour order red, green, blue".to_owned())),
            (None, 4) => (Colour::Rgba, Some("channels red, green, blue, alpha".to_owned())),
            (None, other) => {
                return Err(Error::Network(format!("its input has {other} channels, not 1, 3 or 4")));
            }
        };
        let weights = graph.tensors().iter().filter(|t| t.data_type == onnx::Tensor::FLOAT);
        let weights = weights.filter(|t| t.dims.len() == 4 || t.dims.len() == 1);
        let parameters = weights.filter_map(onnx::length).sum();
        let kernels = graph.convolutions().map(|(_, convolution)| convolution.kernels.clone()).collect();
        let layers = Arc::new(Layers::new(layers, kernels));
        let (engine, fit, lacking) = choose(&graph, &layers, channels, options.engine)?;
        drop(graph);
        let mut network = Network {
            name: stated.name.clone(),
            layers,
            engine,
            lacking,
            scope,
            selected,
            convention: Convention {
                fit,
                colour,
                input: ValueRange::UNIT,
                output: ValueRange::UNIT,
                assumed: guessed.into_iter().collect(),
                doubt: None,
            },
            exported: exported(&properties),
            parameters,
            positions: vec![],
            bytes_per_pixel: 0.0,
            plans: Mutex::default(),
        };
        let ranges = [
            stated.input.or_else(|| declared.bytes[0].then_some(ValueRange::BYTE)),
            stated.output.or_else(|| declared.bytes[1].then_some(ValueRange::BYTE)),
        ];
        network.probe(&stated, ranges)?;
        Ok(network)
    }

    /// Finds scale, ranges and each layer's share of the work for a small picture, which is run where the ranges are not known.
    fn probe(&mut self, stated: &Stated, ranges: [Option<ValueRange>; 2]) -> Result<()> {
        let fit = self.convention.fit;
        let size = fit.size.unwrap_or(trial::SIZE);
        let [height, width] = fit.padded(size);
        let plan = self.plan([height, width])?;
        let pixels = (height * width) as f64;
        self.positions = plan.areas().iter().map(|area| *area as f64 / pixels).collect();
        self.bytes_per_pixel = self.bytes_of_large().unwrap_or(plan.bytes() as f64 / pixels);
        if self.bytes_per_pixel > MAX_BYTES_PER_PIXEL {
            let kilobytes = (self.bytes_per_pixel / 1e3).ceil();
            return Err(Error::Network(format!("it takes {kilobytes} kB for each pixel of the image")));
        }
        let scale = fit.scale;
        match stated.scale {
            Some(stated) if stated != scale => {
                return Err(Error::Network(format!(
                    "it says it enlarges {stated} times, but does so {scale} times"
                )));
            }
            Some(_) => {}
            None => self.convention.assumed.push(format!("scale {scale}, from its shapes")),
        }
        let full = self.full_precision();
        trial::find(&mut self.convention, ranges, size, |planes| {
            Ok(plan.run(planes, &full, &mut (), &())?.planes)
        })
    }

    /// Bytes for each pixel of a large picture, where that is quickly known. Bands of rows are a small part of it.
    fn bytes_of_large(&self) -> Option<f64> {
        let Convention { fit, .. } = &self.convention;
        if self.engine() == Engine::Tract || fit.size.is_some() {
            return None;
        }
        let [height, width] = fit.padded(LARGE);
        let layout = self.engine.lay_out(1, [height, width]).ok()?;
        Some(layout.peak_bytes as f64 / (height * width) as f64)
    }

    /// The plan for images of this height and width, built on first use.
    ///
    /// # Errors
    /// [`Error::Network`] where the network cannot take this size, [`Error::Memory`] where it would take too much.
    pub fn plan(&self, size: [usize; 2]) -> Result<Arc<Plan>> {
        self.batch_plan(1, size)
    }

    /// The plan for so many images at a time.
    pub(crate) fn batch_plan(&self, batch: usize, [height, width]: [usize; 2]) -> Result<Arc<Plan>> {
        let key = [batch, height, width];
        if let Some((_, plan)) = lock(&self.plans).iter().find(|(known, _)| *known == key) {
            return Ok(plan.clone());
        }
        let input = [self.convention.colour.channels(), height, width];
        let layout = self.engine.lay_out(batch, [height, width])?;
        let plan = Arc::new(Plan::new(self.layers.clone(), batch, input, layout)?);
        let mut plans = lock(&self.plans);
        if plans.len() >= PLANS {
            plans.remove(0);
        }
        plans.push((key, plan.clone()));
        Ok(plan)
    }

    /// The plan for a picture, and what goes into it.
    ///
    /// # Errors
    /// As [`Network::check_size`] and [`Network::plan`].
    pub fn enter(&self, picture: &Picture) -> Result<(Arc<Plan>, Planes)> {
        self.check_size(picture)?;
        let input = self.convention.to_planes(picture);
        Ok((self.plan([input.height, input.width])?, input))
    }

    /// Whether the network takes a picture of this size.
    ///
    /// # Errors
    /// [`Error::ImageTooSmall`] below 8 x 8 pixels, [`Error::Option`] for another size than the network's where it takes one
    /// only.
    pub fn check_size(&self, picture: &Picture) -> Result<()> {
        let [width, height] = picture.size();
        if width < 8 || height < 8 {
            return Err(Error::ImageTooSmall(format!("{width} x {height} pixels; the network needs 8 x 8")));
        }
        match self.convention.fit.size {
            Some([rows, columns]) if [rows, columns] != [height, width] => Err(Error::Option(format!(
                "this network takes pictures of exactly {columns} x {rows} pixels, not {width} x {height}"
            ))),
            _ => Ok(()),
        }
    }

    /// The error for NaN or infinity in this channel.
    pub fn non_finite(&self, layer: usize, channel: usize) -> Error {
        non_finite(&self.layers()[layer], channel)
    }

    /// Every convolution, in the network's order.
    pub fn layers(&self) -> &[Layer] {
        self.layers.layers()
    }

    /// A layer's kernels in full precision, `[out, in / groups, height, width]`.
    pub fn kernels(&self, layer: usize) -> &[f32] {
        self.layers.kernels(layer)
    }

    /// Makes weights for a run: kernels in the layer's own shape, and what is added to its bias, for each output
    /// channel or nothing.
    ///
    /// # Errors
    /// [`Error::Option`] for another number of kernels or biases, [`Error::NonFinite`] for NaN and infinity.
    pub fn make_weights(&self, layer: usize, kernels: Vec<f32>, bias_change: Vec<f32>) -> Result<Weights> {
        let Layer { name, conv, .. } = &self.layers()[layer];
        let weights = Weights::new(kernels, bias_change);
        if !weights.fit(conv) {
            return Err(Error::Option(format!("{} weights for the layer {name}", weights.kernels().len())));
        }
        let unusable = |values: &[f32]| values.iter().position(|value| !value.is_finite());
        let kernel = unusable(weights.kernels()).map(|at| at / conv.kernel_size());
        match kernel.or_else(|| unusable(weights.bias_change())) {
            Some(output) => Err(self.non_finite(layer, output)),
            None => Ok(weights),
        }
    }

    /// What puts nothing in the place of anything.
    pub fn full_precision(&self) -> Quantized {
        Quantized { network: self.layers.clone(), layers: Vec::new() }
    }

    /// What a run puts into each of the layers.
    ///
    /// # Errors
    /// [`Error::Option`] for another number of layers, and for weights and points that do not fit them.
    pub fn quantized(&self, layers: Vec<LayerQuantization>) -> Result<Quantized> {
        Quantized::new(self.layers.clone(), layers)
    }

    /// What runs the network.
    pub fn engine(&self) -> Engine {
        if self.lacking.is_none() { Engine::Native } else { Engine::Tract }
    }

    /// How the file was made, in words, if dfsq exported it.
    pub fn exported(&self) -> Option<&str> {
        self.exported.as_deref()
    }

    /// What the native engine lacks for this network, if tract runs it.
    pub fn lacking(&self) -> Option<&str> {
        self.lacking.as_deref()
    }

    /// What it takes for an image.
    pub fn convention(&self) -> &Convention {
        &self.convention
    }

    /// How the layers to quantize were chosen.
    pub fn rule(&self) -> Rule {
        self.selected.rule
    }

    /// Which layers were to be quantized.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// How many layers are quantized, by what rule, and what is left out, in words.
    pub fn quantized_in_words(&self) -> String {
        let macs: f64 = self.layers.quantized().map(|layer| self.layer_macs(layer)).sum();
        self.selected.words(self.layers().len(), macs / self.macs_per_pixel().max(f64::MIN_POSITIVE))
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
        self.layers()[layer].conv.weights() as f64 * self.positions[layer]
    }

    /// Multiply-accumulates for one pixel of the input.
    pub fn macs_per_pixel(&self) -> f64 {
        (0..self.layers().len()).map(|layer| self.layer_macs(layer)).sum()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
