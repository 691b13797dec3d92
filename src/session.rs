//! The façade that page and command line share: a network with its calibration, ready to upscale pictures.

mod costs;
mod layer_errors;
mod options;
mod prepare;
mod study;

pub use costs::{Bytes, Costs, OperandMacs, Product};
pub use layer_errors::Reference;
pub use options::{Method, MinMaxRange, Options, WeightGrid};
pub use prepare::Prepared;
pub use study::{Choice, Study};

use crate::analysis::{Analyzer, SampleAnalysis};
use crate::calibration::{Calibration, Collector, Settings};
use crate::image_io::{self, Picture};
use crate::network::{Convention, Layer, Network, Observer, Properties, QuantizationError, Rule, Tap};
use crate::optimize::{Optimized, Recipe, Targets, Variant};
use crate::quant::BitWidth;
use crate::{Error, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A network and what was learned about it.
pub struct Session {
    network: Network,
    hash: String,
    calibration: Option<Calibration>,
    optimized: Optimized,
}

/// An enlarged picture.
#[derive(Debug)]
pub struct Upscaled {
    /// The picture, `scale` times the input's width and height.
    pub picture: Picture,
    /// What quantization did to each layer's input; all zero where it did nothing or the observer does not measure it.
    pub errors: Vec<QuantizationError>,
}

/// A report on a network, for people and programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInfo<'s> {
    /// The name in the file, if it gives one.
    pub name: Option<&'s str>,
    /// SHA-256 of the file.
    pub sha256: &'s str,
    /// What the network takes for an image.
    pub convention: &'s Convention,
    /// How the layers to quantize were chosen.
    pub rule: Rule,
    /// Every convolution.
    pub layers: &'s [Layer],
    /// Weights and biases.
    pub parameters: usize,
    /// Multiply-accumulates for one pixel of the input.
    pub macs_per_pixel: f64,
    /// How the calibration in use was made.
    pub calibration: Option<Settings>,
    /// The bit widths that DFSQ is calibrated for.
    pub calibrated_widths: Vec<BitWidth>,
    /// How the network is optimized.
    pub optimization: Settings,
    /// And how its weights are rounded then.
    pub recipe: Recipe,
    /// The bits of weights and activations, by layer, that it is optimized for.
    pub optimized_bits: Vec<&'s [[BitWidth; 2]]>,
}

impl Session {
    /// Reads an ONNX network.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with it.
    pub fn load(network: &[u8]) -> Result<Self> {
        Self::load_with(network, Properties::new())
    }

    /// As [`Session::load`]; where the file is silent, `properties` are believed.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with it.
    pub fn load_with(network: &[u8], properties: Properties) -> Result<Self> {
        let hash = sha256(network);
        let optimized = Optimized::empty(hash.clone());
        Ok(Session { network: Network::load_with(network, properties)?, hash, calibration: None, optimized })
    }

    /// Takes over a calibration file made for this network.
    ///
    /// # Errors
    /// [`Error::Calibration`] where it does not fit.
    pub fn load_calibration(&mut self, bytes: &[u8]) -> Result<()> {
        let calibration = Calibration::load(bytes)?;
        calibration.check(&self.network, &self.hash)?;
        self.calibration = Some(calibration);
        Ok(())
    }

    /// The calibration in use.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// The points of one channel under these options, ascending on the normalized axis. None for methods without, for
    /// layers in full precision, and where they have not been chosen.
    ///
    /// # Errors
    /// [`Error::Option`] for options that make no sense for this network.
    pub fn points(&self, options: &Options, layer: usize, channel: usize) -> Result<Vec<f64>> {
        let layers = self.network.layers();
        let bits = options.bits(layers)?;
        let Some((shape, [_, width])) = layers.get(layer).zip(bits.get(layer)) else { return Ok(Vec::new()) };
        let sets = match (options.method, &self.calibration) {
            (Method::Dfsq, Some(calibration)) => {
                calibration.layers.get(&shape.name).and_then(|known| known.points.get(width))
            }
            (Method::DfsqOpt, _) => {
                let known = self.optimized.find(&bits).and_then(|layers| layers[layer].as_ref());
                known.map(|layer| &layer.points)
            }
            _ => None,
        };
        // One set may serve all channels.
        let indices = sets.and_then(|sets| sets.get(channel.min(sets.len().saturating_sub(1))));
        Ok(self.universal_set(options.method)?.pick(indices.map_or(&[], Vec::as_slice)))
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Facts about network and calibration.
    pub fn info(&self) -> NetworkInfo<'_> {
        NetworkInfo {
            name: self.network.name(),
            sha256: &self.hash,
            convention: self.network.convention(),
            rule: self.network.rule(),
            layers: self.network.layers(),
            parameters: self.network.parameters(),
            macs_per_pixel: self.network.macs_per_pixel(),
            optimization: self.optimized.settings,
            recipe: self.optimized.recipe,
            optimized_bits: self.optimized.variants.iter().map(|v| v.bits.as_slice()).collect(),
            calibration: self.calibration.as_ref().map(|calibration| calibration.settings),
            calibrated_widths: self.calibration.as_ref().map(Calibration::widths).unwrap_or_default(),
        }
    }

    /// Notes what the network computes for these pictures, all of one size, to optimize it on them.
    ///
    /// # Errors
    /// As [`Targets::note`].
    pub fn note_targets(
        &self,
        pictures: &[Picture],
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Targets> {
        let convention = self.network.convention();
        let images = pictures.iter().map(|picture| image_io::to_planes(picture, convention)).collect();
        Targets::note(&self.network, images, progress)
    }

    /// Uses these layers for [`Method::DfsqOpt`] from now on.
    pub fn set_optimized(&mut self, optimized: Optimized) {
        self.optimized = optimized;
    }

    /// Adds one variant to those that [`Method::DfsqOpt`] uses.
    pub fn add_optimized(&mut self, variant: Variant) {
        self.optimized.insert(variant);
    }

    /// What [`Method::DfsqOpt`] uses.
    pub fn optimized(&self) -> &Optimized {
        &self.optimized
    }

    /// SHA-256 of the network's file, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Takes over a file of optimized layers made for this network.
    ///
    /// # Errors
    /// [`Error::Calibration`] where it does not fit.
    pub fn load_optimized(&mut self, bytes: &[u8]) -> Result<()> {
        self.optimized = Optimized::load(bytes, &self.network, &self.hash)?;
        Ok(())
    }

    /// Enlarges a picture.
    ///
    /// # Errors
    /// [`Error::ImageTooSmall`] below 8 x 8 pixels, [`Error::Cancelled`], and what goes wrong in the network.
    pub fn upscale(
        &self,
        picture: &Picture,
        prepared: &Prepared,
        observer: &mut dyn Observer,
    ) -> Result<Upscaled> {
        check_size(picture)?;
        let convention = self.network.convention();
        if prepared.options.method == Method::Bicubic {
            let errors = vec![QuantizationError::default(); self.network.layers().len()];
            return Ok(Upscaled { picture: image_io::upscale(picture, convention.scale), errors });
        }
        let plan = self.network.plan([picture.height, picture.width])?;
        let input = image_io::to_planes(picture, convention);
        let (output, errors) = self.network.run(&plan, input, &prepared.layers, observer)?;
        Ok(Upscaled { picture: image_io::from_planes(&output, picture, convention)?, errors })
    }

    /// Enlarges a picture in full precision and summarizes every quantized layer's input on the way.
    ///
    /// # Errors
    /// As [`Session::upscale`].
    pub fn analyze(
        &self,
        picture: &Picture,
        observer: &mut dyn Observer,
    ) -> Result<(Upscaled, SampleAnalysis)> {
        let mut analyzer = Analyzer::new(&self.network, self.calibration.as_ref());
        let upscaled = self.watch(picture, &mut analyzer, observer)?;
        Ok((upscaled, analyzer.finish()))
    }

    /// Runs a picture in full precision and adds to what was gathered for calibration.
    ///
    /// # Errors
    /// As [`Session::upscale`]; `collector` is then of no use any more.
    pub fn collect(
        &self,
        collector: &mut Collector,
        picture: &Picture,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        self.watch(picture, collector, observer)?;
        collector.count_image();
        Ok(())
    }

    /// Runs a picture in full precision; what passes is shown to `watcher`, progress to `observer`.
    fn watch(
        &self,
        picture: &Picture,
        watcher: &mut dyn Observer,
        observer: &mut dyn Observer,
    ) -> Result<Upscaled> {
        let prepared = self.prepare(&Options { method: Method::Fp32, ..Options::default() })?;
        self.upscale(picture, &prepared, &mut Both(watcher, observer))
    }

    /// Chooses points from what was gathered; the result can be saved, and taken over by [`Session::set_calibration`].
    ///
    /// # Errors
    /// [`Error::Cancelled`] when `progress` (which gets the share done) answers `false`.
    pub fn select(
        &self,
        collected: &Collector,
        settings: Settings,
        widths: &[BitWidth],
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Calibration> {
        collected.finish(settings, self.hash.clone(), widths, progress)
    }

    /// Uses this calibration from now on.
    pub fn set_calibration(&mut self, calibration: Calibration) {
        self.calibration = Some(calibration);
    }
}

/// SHA-256 in hexadecimal, which is how files are told apart.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The pair of a benchmark: the picture cut to a multiple of the scale, and the low-resolution image made of it.
///
/// # Errors
/// [`Error::ImageTooSmall`] where less than 8 x 8 low-resolution pixels are left.
pub fn benchmark_pair(picture: &Picture, scale: usize) -> Result<(Picture, Picture)> {
    let reference = picture.crop(0, 0, picture.width / scale * scale, picture.height / scale * scale);
    if reference.width < 8 * scale || reference.height < 8 * scale {
        return Err(Error::ImageTooSmall(format!(
            "{} x {} pixels; {} x {} are needed to shrink it {scale} times",
            picture.width,
            picture.height,
            8 * scale,
            8 * scale
        )));
    }
    let low = image_io::downscale(&reference, scale);
    Ok((reference, low))
}

fn check_size(picture: &Picture) -> Result<()> {
    if picture.width < 8 || picture.height < 8 {
        return Err(Error::ImageTooSmall(format!(
            "{} x {} pixels; the network needs 8 x 8",
            picture.width, picture.height
        )));
    }
    Ok(())
}

/// Two observers at once: taps go to the first, progress to the second.
struct Both<'o>(&'o mut dyn Observer, &'o mut dyn Observer);

impl Observer for Both<'_> {
    fn progress(&mut self, done: f32) -> bool {
        self.1.progress(done)
    }

    fn tap(&mut self, tap: Tap<'_>) -> Result<()> {
        self.0.tap(tap)
    }
}
