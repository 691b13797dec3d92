//! What quantization does to the network's output, layer by layer or as a whole, to assign bits to layers.

use super::{Options, Prepared, Session};
use crate::image_io::{self, Picture};
use crate::mixed_precision::LayerErrors;
use crate::network::{Layer, Planes, Prefix};
use crate::parallel::{self, Progress};
use crate::quant::BitWidth;
use crate::{Error, Result};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A picture and the network's output for it in full precision.
pub struct Reference {
    input: Planes,
    output: Planes,
}

impl Reference {
    /// Sum of the squared differences of another output's values.
    fn squared_difference(&self, other: &Planes) -> f64 {
        let pairs = self.output.values.iter().zip(&other.values);
        pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }
}

/// Most bytes of what is kept to go on from.
const MAX_PREFIX_BYTES: u64 = 512 << 20;

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
        let square =
            |reference: &Reference| Ok(reference.squared_difference(&self.rerun(reference, prepared)?));
        let squares = references.iter().map(square).collect::<Result<Vec<f64>>>()?;
        Ok(self.mean_error(references, &squares))
    }

    fn rerun(&self, Reference { input, .. }: &Reference, prepared: &Prepared) -> Result<Planes> {
        let plan = self.network.plan([input.height, input.width])?;
        Ok(self.network.run(&plan, input.clone(), &prepared.layers, &mut ())?.0)
    }

    /// In units of the network's range squared, of the sums of squares of each.
    fn mean_error(&self, references: &[Reference], squares: &[f64]) -> f64 {
        let range = f64::from(self.network.convention().range);
        let count: usize = references.iter().map(|reference| reference.output.values.len()).sum();
        squares.iter().sum::<f64>() / count.max(1) as f64 / (range * range)
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

    /// Measures every quantized layer at every width on these pictures, several at a time where there are threads. On our own
    /// engine what comes before a layer runs only once, where there is room to keep it.
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
        let mut prefixes = self.prefixes(&references)?;
        let layers = self.network.layers();
        let cases: Vec<(usize, usize)> =
            (0..widths.len()).flat_map(|width| (0..references.len()).map(move |at| (width, at))).collect();
        let total = Layer::quantized(layers).count() * cases.len();
        let done = AtomicUsize::new(0);
        let mut found = Vec::new();
        for layer in Layer::quantized(layers) {
            prefixes.iter_mut().try_for_each(|prefix| prefix.advance(layer))?;
            let prepared = parallel::try_map(widths, |width| self.prepare_layer(layer, *width, options))?;
            let squares = parallel::try_map(&cases, |&(width, at)| {
                let (reference, prepared) = (&references[at], &prepared[width]);
                let output = match prefixes.get(at) {
                    Some(prefix) => prefix.finish(&prepared.layers)?,
                    None => self.rerun(reference, prepared)?,
                };
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                let square = reference.squared_difference(&output);
                if progress.report(done as f32 / total as f32) { Ok(square) } else { Err(Error::Cancelled) }
            })?;
            let of_width = squares.chunks(references.len().max(1));
            let errors = of_width.map(|squares| self.mean_error(&references, squares)).collect();
            found.push(LayerErrors { layer, weights: layers[layer].weights(), errors });
        }
        Ok(found)
    }

    /// One for each picture, or none where they would take too much.
    fn prefixes(&self, references: &[Reference]) -> Result<Vec<Prefix<'_>>> {
        let mut bytes = 0u64;
        for Reference { input, .. } in references {
            bytes = bytes.saturating_add(self.network.plan([input.height, input.width])?.bytes());
        }
        if bytes > MAX_PREFIX_BYTES {
            return Ok(Vec::new());
        }
        references.iter().map(|reference| self.network.prefix(reference.input.clone())).collect()
    }
}
