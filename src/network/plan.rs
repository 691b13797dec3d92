//! A network made ready for images of one size.

use super::execution::{Along, Begun, Execution, Layout, Observer, Visitor};
use super::layers::Layers;
use super::limits::MAX_BYTES;
use super::planes::Planes;
use super::weights::Quantized;
use crate::parallel::Progress;
use crate::quant::QuantizationError;
use crate::{Error, Result};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A network laid out for images of one size.
pub struct Plan {
    network: Arc<Layers>,
    execution: Box<dyn Execution>,
    batch: usize,
    /// Channels, rows and columns of an image.
    input: [usize; 3],
    areas: Vec<usize>,
    /// Share of the multiply-accumulates that lie before each layer.
    done: Vec<f32>,
    output: [usize; 3],
    peak_bytes: u64,
    walk_bytes: u64,
}

/// Whether so much can be held for an image.
fn check(bytes: u64, [_, height, width]: [usize; 3]) -> Result<()> {
    if bytes > MAX_BYTES {
        return Err(Error::Memory { width, height, megabytes: bytes >> 20 });
    }
    Ok(())
}

/// What a run gives.
#[derive(Debug)]
pub struct Output {
    /// What comes out of the network.
    pub planes: Planes,
    /// By layer, what its quantizer did to each channel; empty unless the observer measures it.
    pub errors: Vec<Vec<QuantizationError>>,
}

impl Plan {
    pub(super) fn new(network: Arc<Layers>, batch: usize, input: [usize; 3], layout: Layout) -> Result<Self> {
        let Layout { execution, areas, output, peak_bytes, walk_bytes } = layout;
        check(peak_bytes, input)?;
        let macs = |(layer, area): (&super::Layer, &usize)| layer.conv.weights() as f64 * *area as f64;
        let work: Vec<f64> = network.layers().iter().zip(&areas).map(macs).collect();
        let total: f64 = work.iter().sum();
        let done = work.iter().scan(0.0, |done, w| Some(std::mem::replace(done, *done + w) / total));
        let done = done.map(|share| share as f32).collect();
        Ok(Plan { network, execution, batch, input, areas, done, output, peak_bytes, walk_bytes })
    }

    /// Bytes of activations that a run holds at most.
    pub fn bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// The same while images are [walked](Plan::walk) through.
    pub(crate) fn walk_bytes(&self) -> u64 {
        self.walk_bytes
    }

    /// Whether a layer's input can be held beside what a run holds.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn check_input(&self, layer: usize) -> Result<()> {
        let conv = &self.network.layers()[layer].conv;
        // About as many positions of the input for each of the output.
        let strides: usize = conv.window().strides.iter().product();
        let values = conv.inputs() * self.areas[layer] * strides;
        check(self.peak_bytes.saturating_add((values * size_of::<f32>()) as u64), self.input)
    }

    /// Output positions of each layer.
    pub fn areas(&self) -> &[usize] {
        &self.areas
    }

    /// Channels, rows and columns of what comes out.
    pub fn output(&self) -> [usize; 3] {
        self.output
    }

    fn check(&self, images: &[&Planes]) -> Result<()> {
        let [channels, height, width] = self.input;
        let fits =
            |image: &&Planes| image.shape() == self.input && image.values.len() == channels * height * width;
        if images.len() == self.batch && images.iter().all(fits) {
            return Ok(());
        }
        Err(Error::SizeMismatch(format!(
            "this plan is for {} of {channels} channels of {width} x {height}",
            if self.batch == 1 { "an image".to_owned() } else { format!("{} images", self.batch) }
        )))
    }

    /// Runs one image.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`] for an image of another size, [`Error::Option`] for what was made for another network,
    /// [`Error::NonFinite`] where a layer that is quantized meets NaN or infinity, [`Error::Cancelled`], and what the
    /// observer returns.
    pub fn run(
        &self,
        input: &Planes,
        quantized: &Quantized,
        observer: &mut dyn Observer,
        progress: &dyn Progress,
    ) -> Result<Output> {
        match self.run_until(input, quantized, observer, progress)? {
            ControlFlow::Continue(output) => Ok(output),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }

    /// Runs one image in full precision for as long as there is something to see.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub fn observe(
        &self,
        input: &Planes,
        observer: &mut dyn Observer,
        progress: &dyn Progress,
    ) -> Result<()> {
        let full = Quantized { network: self.network.clone(), layers: Vec::new() };
        self.run_until(input, &full, observer, progress).map(|_| ())
    }

    fn run_until(
        &self,
        input: &Planes,
        quantized: &Quantized,
        observer: &mut dyn Observer,
        progress: &dyn Progress,
    ) -> Result<ControlFlow<(), Output>> {
        self.check(&[input])?;
        if !Arc::ptr_eq(&self.network, &quantized.network) {
            return Err(Error::Option("the quantized layers are those of another network".into()));
        }
        let mut errors = vec![Vec::new(); self.network.layers().len()];
        let mut along = Along { observer, progress, done: &self.done, errors: &mut errors };
        Ok(match self.execution.run(input, &quantized.layers, &mut along)? {
            ControlFlow::Continue(planes) => ControlFlow::Continue(Output { planes, errors }),
            ControlFlow::Break(()) => ControlFlow::Break(()),
        })
    }

    /// Runs images side by side, as far as the last quantized layer. `visit` sees the input of each quantized layer in the
    /// order of computation; it may change the input, and the weights that come next, and end it all.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`] for other images, what `visit` returns, and what goes wrong in the network.
    pub(crate) fn walk(&self, images: &[Planes], visit: &mut Visitor<'_>) -> Result<()> {
        self.check(&images.iter().collect::<Vec<_>>())?;
        let mut left = self.network.quantized().count();
        self.execution.walk(images, &mut |visited| {
            let next = visit(visited)?;
            left -= 1;
            // What comes after the last of them nobody sees.
            Ok(if left == 0 { ControlFlow::Break(()) } else { next })
        })
    }

    /// Begins with an image, to go on from each layer in different ways.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`] for an image of another size.
    pub(crate) fn begin(&self, input: Planes) -> Result<Prefix<'_>> {
        self.check(&[&input])?;
        Ok(Prefix { network: &self.network, begun: self.execution.begin(input) })
    }
}

/// An image, run in full precision as far as a layer, from where it can go on in different ways.
pub(crate) struct Prefix<'p> {
    network: &'p Arc<Layers>,
    begun: Box<dyn Begun + 'p>,
}

impl Prefix<'_> {
    /// Goes on to the input of a layer that is still to come.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub fn advance(&mut self, layer: usize) -> Result<()> {
        self.begun.advance(layer)
    }

    /// The network's output when it goes on from here, with what is past in full precision.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub fn finish(&self, quantized: &Quantized) -> Result<Planes> {
        if !Arc::ptr_eq(self.network, &quantized.network) {
            return Err(Error::Option("the quantized layers are those of another network".into()));
        }
        self.begun.finish(&quantized.layers)
    }
}
