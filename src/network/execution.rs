//! What an engine is to everybody else: it lays a network out for images of one size, and runs what it laid out.

use super::layers::Layer;
use super::planes::Planes;
use super::weights::{LayerQuantization, Weights};
use crate::Result;
use crate::parallel::Progress;
use crate::quant::QuantizationError;
use std::ops::ControlFlow;

/// A network as one engine has it.
pub trait Engine: Send + Sync {
    /// Lays the network out for so many images of this height and width at a time.
    ///
    /// # Errors
    /// [`Error::Network`](crate::Error::Network) where the network cannot take them.
    fn lay_out(&self, batch: usize, size: [usize; 2]) -> Result<Layout>;
}

/// A network laid out.
pub struct Layout {
    pub execution: Box<dyn Execution>,
    /// Output positions of each layer.
    pub areas: Vec<usize>,
    /// Channels, rows and columns of what comes out for each image.
    pub output: [usize; 3],
    /// Of the values of all images that are alive at the same time.
    pub peak_bytes: u64,
    /// The same while somebody walks through them and changes them.
    pub walk_bytes: u64,
}

/// Images on their way through a network that was laid out for them.
pub trait Execution: Send + Sync {
    /// Takes one image to the end. `layers` is empty in full precision, or has one entry a layer.
    ///
    /// # Errors
    /// What goes wrong in the network, and what `along` returns.
    fn run(
        &self,
        input: &Planes,
        layers: &[LayerQuantization],
        along: &mut Along<'_>,
    ) -> Result<ControlFlow<(), Planes>>;

    /// Takes a batch through, side by side. `visit` sees the input of each quantized layer; it may change the input, and the
    /// weights that come next, and end it all.
    ///
    /// # Errors
    /// As [`Execution::run`].
    fn walk(&self, images: &[Planes], visit: &mut Visitor<'_>) -> Result<()>;

    /// Begins with an image in full precision.
    fn begin(&self, input: Planes) -> Box<dyn Begun + '_>;
}

/// An image, run in full precision as far as a layer.
pub trait Begun: Send + Sync {
    /// Goes on to the input of a layer that is still to come.
    ///
    /// # Errors
    /// What goes wrong in the network.
    fn advance(&mut self, layer: usize) -> Result<()>;

    /// What comes out with `layers`, of which those that are past must be in full precision.
    ///
    /// # Errors
    /// As [`Execution::run`].
    fn finish(&self, layers: &[LayerQuantization]) -> Result<Planes>;
}

/// Sees what a batch comes upon, and answers with the weights that come next, if they are to be others.
pub type Visitor<'v> = dyn FnMut(Visit<'_>) -> Result<ControlFlow<(), Option<Weights>>> + 'v;

/// The input of a quantized layer as a batch comes upon it.
pub struct Visit<'a> {
    /// Index in [`Network::layers`](super::Network::layers).
    pub layer: usize,
    /// Rows and columns.
    pub size: [usize; 2],
    /// The values, shape `[images, channels, height * width]`. What the visitor leaves here goes into the layer.
    pub values: &'a mut [f32],
}

/// A layer's input as a run comes upon it, before quantization.
pub struct Tap<'a> {
    /// Index in [`Network::layers`](super::Network::layers).
    pub layer: usize,
    /// Number of channels.
    pub channels: usize,
    /// Rows and columns.
    pub size: [usize; 2],
    values: Values<'a>,
}

/// Where the values of a tap come from.
enum Values<'a> {
    /// `[channels, height * width]`.
    Planes(&'a [f32]),
    /// Whatever writes the planes of channels, from this one on.
    Parts(&'a dyn Fn(usize, &mut [f32])),
}

/// Channels whose planes are made at a time: those of a cache line.
const CHANNELS: usize = 16;

impl<'a> Tap<'a> {
    /// Of values `[channels, height * width]`.
    pub fn of_planes(layer: usize, channels: usize, size: [usize; 2], values: &'a [f32]) -> Self {
        Tap { layer, channels, size, values: Values::Planes(values) }
    }

    /// Of values that lie in another order: `write` writes the planes of channels, from this one on.
    pub(super) fn in_parts(
        layer: usize,
        channels: usize,
        size: [usize; 2],
        write: &'a dyn Fn(usize, &mut [f32]),
    ) -> Self {
        Tap { layer, channels, size, values: Values::Parts(write) }
    }

    /// Visits the channels one after another, each `[height * width]`. There may never be more than a few of them at a time.
    ///
    /// # Errors
    /// What `visit` returns.
    pub fn each(&self, visit: &mut dyn FnMut(usize, &[f32]) -> Result<()>) -> Result<()> {
        let pixels = (self.size[0] * self.size[1]).max(1);
        let mut visit_all = |first: usize, planes: &[f32]| {
            let mut planes = planes.chunks_exact(pixels).enumerate();
            planes.try_for_each(|(index, values)| visit(first + index, values))
        };
        match self.values {
            Values::Planes(values) => visit_all(0, values),
            Values::Parts(write) => {
                let mut planes = vec![0.0; CHANNELS.min(self.channels) * pixels];
                (0..self.channels).step_by(CHANNELS).try_for_each(|first| {
                    let planes = &mut planes[..CHANNELS.min(self.channels - first) * pixels];
                    write(first, planes);
                    visit_all(first, planes)
                })
            }
        }
    }

    /// All of it.
    pub fn to_planes(&self) -> Planes {
        let (channels, [height, width]) = (self.channels, self.size);
        let values = match self.values {
            Values::Planes(values) => values.to_vec(),
            Values::Parts(write) => {
                let mut values = vec![0.0; channels * height * width];
                write(0, &mut values);
                values
            }
        };
        Planes { channels, height, width, values }
    }
}

/// Looks on while a run passes.
pub trait Observer {
    /// Whether to see the input of this layer.
    fn taps(&self, layer: usize) -> bool {
        let _ = layer;
        false
    }

    /// A layer's input in passing. `Break` ends the run: there is nothing more to see.
    ///
    /// # Errors
    /// Why the run has failed.
    fn tap(&mut self, tap: Tap<'_>) -> Result<ControlFlow<()>> {
        let _ = tap;
        Ok(ControlFlow::Continue(()))
    }

    /// Whether to measure what quantizers do; it costs a pass over every layer's input.
    fn measures_errors(&self) -> bool {
        false
    }
}

/// Watches nothing.
impl Observer for () {}

/// What goes along with a run.
pub struct Along<'a> {
    pub observer: &'a mut dyn Observer,
    pub progress: &'a dyn Progress,
    /// Share of the multiply-accumulates that lie before each layer.
    pub done: &'a [f32],
    /// By layer, what its quantizer does to each channel; where the observer measures that.
    pub errors: &'a mut [Vec<QuantizationError>],
}

impl Along<'_> {
    /// A layer is about to run.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled) where the run is to be given up.
    pub fn begin(&self, layer: usize) -> Result<()> {
        self.progress.step(self.done[layer])
    }
}

/// The error for NaN or infinity in this channel of a layer's input, or in this kernel.
pub fn non_finite(layer: &Layer, channel: usize) -> crate::Error {
    crate::Error::NonFinite { layer: layer.name.clone(), channel }
}
