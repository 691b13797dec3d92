//! What quantization does to the network's output, layer by layer or as a whole, to assign bits to layers.

use super::{Options, Prepared, Session};
use crate::image_io::{self, Picture};
use crate::mixed_precision::LayerErrors;
use crate::network::{Layer, Planes};
use crate::parallel::{self, Progress};
use crate::quant::BitWidth;
use crate::{Error, Result};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A picture and the network's output for it in full precision.
pub struct Reference {
    input: Planes,
    output: Planes,
}

impl Session {
    /// Runs a picture in full precision, to compare with.
    ///
    /// # Errors
    /// As [`Session::upscale`].
    pub fn reference(&self, picture: &Picture) -> Result<Reference> {
        self.check_size(picture)?;
        let input = image_io::to_planes(picture, self.network.convention());
        let plan = self.network.plan([picture.height, picture.width])?;
        let (output, _) = self.network.run(&plan, input.clone(), &[], &mut ())?;
        Ok(Reference { input, output })
    }

    /// Mean squared difference of the outputs from those in full precision, in units of the network's range squared.
    ///
    /// # Errors
    /// What goes wrong in the network.
    pub fn output_error(&self, references: &[Reference], prepared: &Prepared) -> Result<f64> {
        let outputs = references.iter().map(|Reference { input, .. }| {
            let plan = self.network.plan([input.height, input.width])?;
            Ok(self.network.run(&plan, input.clone(), &prepared.layers, &mut ())?.0)
        });
        self.mean_error(references, outputs)
    }

    /// The same of outputs that are at hand.
    fn mean_error(
        &self,
        references: &[Reference],
        outputs: impl Iterator<Item = Result<Planes>>,
    ) -> Result<f64> {
        let range = f64::from(self.network.convention().range);
        let (mut sum, mut count) = (0.0, 0usize);
        for (Reference { output, .. }, other) in references.iter().zip(outputs) {
            let pairs = output.values.iter().zip(other?.values);
            sum += pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            count += output.values.len();
        }
        Ok(sum / count.max(1) as f64 / (range * range))
    }

    /// Quantizes one layer alone, with as many bits for weights as for activations, and otherwise as `options` say.
    ///
    /// # Errors
    /// As [`Session::prepare`].
    pub fn prepare_layer(&self, layer: usize, width: BitWidth, options: &Options) -> Result<Prepared> {
        let name = self.network.layers()[layer].name.clone();
        self.prepare(&Options {
            weight_bits: BitWidth::FULL,
            activation_bits: BitWidth::FULL,
            layer_bits: [(name, [width; 2])].into(),
            ..options.clone()
        })
    }

    /// Measures every quantized layer at every width on these pictures. What comes before a layer runs only once; several
    /// widths at a time where there are threads.
    ///
    /// # Errors
    /// [`Error::Cancelled`], and as [`Session::prepare`].
    pub fn layer_errors(
        &self,
        pictures: &[Picture],
        options: &Options,
        widths: &[BitWidth],
        progress: &dyn Progress,
    ) -> Result<Vec<LayerErrors>> {
        let references = parallel::try_map(pictures, |picture| self.reference(picture))?;
        let mut prefixes = Vec::new();
        for Reference { input, .. } in &references {
            prefixes.push(self.network.prefix(input.clone())?);
        }
        let layers = self.network.layers();
        let total = Layer::quantized(layers).count() * widths.len();
        let done = AtomicUsize::new(0);
        let mut found = Vec::new();
        for layer in Layer::quantized(layers) {
            prefixes.iter_mut().try_for_each(|prefix| prefix.advance(layer))?;
            let errors = parallel::try_map(widths, |width| {
                let prepared = self.prepare_layer(layer, *width, options)?;
                let outputs = prefixes.iter().map(|prefix| prefix.finish(&prepared.layers));
                let error = self.mean_error(&references, outputs)?;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if progress.report(done as f32 / total as f32) { Ok(error) } else { Err(Error::Cancelled) }
            })?;
            found.push(LayerErrors { layer, weights: layers[layer].weights(), errors });
        }
        Ok(found)
    }
}
