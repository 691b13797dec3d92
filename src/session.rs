//! The façade that page and command line share: a network with what was learned about it, ready to upscale pictures.

mod costs;
mod info;
mod layer_errors;
mod options;
mod prepare;

pub use costs::{Bytes, Costs, OperandMacs, Product};
pub use info::{CalibrationInfo, ConventionInfo, LayerInfo, NetworkInfo, OptimizationInfo, VariantInfo};
pub use layer_errors::Reference;
pub use options::{Method, MinMaxRange, Options, WeightGrid};
pub use prepare::Prepared;

use crate::analysis::{Analyzer, SampleAnalysis};
use crate::calibrate::{Calibration, Calibrator};
use crate::image_io::{self, Picture};
use crate::network::{LoadOptions, Network, Observer, Output};
use crate::optimize::{Optimized, Optimizer};
use crate::parallel::Progress;
use crate::quant::QuantizationError;
use crate::quant::{BitWidth, PointSets, PointSettings, PointSource, Recipe};
use crate::{Error, Result, hash};

/// A network and what was learned about it.
pub struct Session {
    network: Network,
    hash: String,
    calibration: Option<Calibration>,
    optimized: Optimized,
    calibrator: Calibrator,
    optimizer: Optimizer,
}

/// An enlarged picture.
#[derive(Debug)]
pub struct Upscaled {
    /// The picture, `scale` times the input's width and height.
    pub picture: Picture,
    /// By layer, what quantization did to each channel of its input; empty where it did nothing or the observer does not
    /// measure it.
    pub errors: Vec<Vec<QuantizationError>>,
}

impl Session {
    /// Reads an ONNX network.
    ///
    /// # Errors
    /// [`Error::Network`] says what is wrong with it.
    pub fn load(network: &[u8]) -> Result<Self> {
        Self::load_with(network, &LoadOptions::default())
    }

    /// As [`Session::load`], with what is known beside the file.
    ///
    /// # Errors
    /// As [`Network::load_with`].
    pub fn load_with(network: &[u8], options: &LoadOptions) -> Result<Self> {
        let hash = hash::sha256(network);
        let optimized = Optimized::empty(hash.clone(), PointSettings::EXACT, Recipe::default());
        let network = Network::load_with(network, options)?;
        Ok(Session {
            network,
            hash,
            calibration: None,
            optimized,
            calibrator: Calibrator::default(),
            optimizer: Optimizer::default(),
        })
    }

    /// Takes over a calibration file made for this network, or stays with the calibration before.
    ///
    /// # Errors
    /// [`Error::Calibration`] where it does not fit.
    pub fn load_calibration(&mut self, bytes: &[u8]) -> Result<()> {
        self.calibration = Some(Calibration::load(bytes, &self.network, &self.hash)?);
        Ok(())
    }

    /// Takes over a file of optimized layers made for this network, or stays with those before.
    ///
    /// # Errors
    /// [`Error::Optimized`] where it does not fit.
    pub fn load_optimized(&mut self, bytes: &[u8]) -> Result<()> {
        self.optimized = Optimized::load(bytes, &self.network, &self.hash)?;
        Ok(())
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// SHA-256 of the network's file, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The calibration in use.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// What [`Method::DfsqOpt`] uses.
    pub fn optimized(&self) -> &Optimized {
        &self.optimized
    }

    /// The points of a layer's input under these options. None for methods without, for layers in full precision, and where
    /// they have not been chosen.
    ///
    /// # Errors
    /// [`Error::Option`] for options that make no sense for this network.
    pub fn points(&self, options: &Options, layer: usize) -> Result<Option<&PointSets>> {
        let layers = self.network.layers();
        let bits = options.bits(layers)?;
        let Some((shape, [_, width])) = layers.get(layer).zip(bits.get(layer)) else { return Ok(None) };
        let calibrated = || self.calibration.as_ref()?.layers.get(&shape.name)?.points.get(width);
        let optimized = || self.optimized.find(&bits)?[layer].as_ref().map(|layer| &layer.points);
        Ok(match options.method {
            Method::Dfsq if options.point_source == PointSource::Calibrated => calibrated(),
            Method::DfsqOpt => optimized().filter(|points| !points.is_empty()),
            _ => None,
        })
    }

    /// Enlarges a picture.
    ///
    /// # Errors
    /// [`Error::ImageTooSmall`] below 8 x 8 pixels, [`Error::Option`] for another size than the network's where it takes one
    /// only or for what was prepared for another network, [`Error::Network`] where its value ranges are not known,
    /// [`Error::Cancelled`], and what goes wrong in the network.
    pub fn upscale(
        &self,
        picture: &Picture,
        prepared: &Prepared,
        observer: &mut dyn Observer,
        progress: &dyn Progress,
    ) -> Result<Upscaled> {
        self.network.check_size(picture)?;
        let convention = self.network.convention();
        if prepared.options.method == Method::Bicubic {
            let errors = vec![Vec::new(); self.network.layers().len()];
            return Ok(Upscaled { picture: image_io::upscale(picture, convention.fit.scale), errors });
        }
        if let Some(doubt) = &convention.doubt {
            return Err(Error::Network(doubt.clone()));
        }
        let (plan, input) = self.network.enter(picture)?;
        let Output { planes, errors } = plan.run(&input, &prepared.quantized, observer, progress)?;
        Ok(Upscaled { picture: convention.to_picture(&planes, picture)?, errors })
    }

    /// Enlarges a picture in full precision and summarizes every quantized layer's input on the way, normalized as
    /// `settings` say; without normalization the ranges are those of the calibration in use.
    ///
    /// # Errors
    /// As [`Session::upscale`].
    pub fn analyze(
        &self,
        picture: &Picture,
        settings: PointSettings,
        progress: &dyn Progress,
    ) -> Result<(Upscaled, SampleAnalysis)> {
        let mut analyzer = Analyzer::new(&self.network, settings, self.calibration.as_ref());
        let full = self.prepare(&Options::full_precision())?;
        let upscaled = self.upscale(picture, &full, &mut analyzer, progress)?;
        Ok((upscaled, analyzer.finish()))
    }

    /// Chooses points for these bit widths on these pictures, and uses them from now on.
    ///
    /// # Errors
    /// As [`Calibrator::calibrate`]; the calibration before stays.
    pub fn calibrate(
        &mut self,
        pictures: &[Picture],
        settings: PointSettings,
        widths: &[BitWidth],
        progress: &dyn Progress,
    ) -> Result<&Calibration> {
        let network = (&self.network, self.hash.as_str());
        let calibration = self.calibrator.calibrate(network, pictures, settings, widths, progress)?;
        Ok(self.calibration.insert(calibration))
    }

    /// Optimizes the network on these pictures, all of one size, for each of these choices of bits of all layers, and uses
    /// the results from now on, beside those that were made in the same way; of more than a file holds the oldest are given up.
    ///
    /// # Errors
    /// As [`Optimizer::optimize`]; the layers before stay.
    pub fn optimize(
        &mut self,
        pictures: &[Picture],
        choices: &[Vec<[BitWidth; 2]>],
        settings: PointSettings,
        recipe: Recipe,
        progress: &dyn Progress,
    ) -> Result<&Optimized> {
        let network = &self.network;
        let variants = self.optimizer.optimize(network, pictures, choices, settings, recipe, progress)?;
        if !self.optimized.takes(settings, recipe) {
            self.optimized = Optimized::empty(self.hash.clone(), settings, recipe);
        }
        variants.into_iter().for_each(|variant| self.optimized.insert(network.layers(), variant));
        Ok(&self.optimized)
    }
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

/// The reference for a low-resolution image that is there already, cut to `scale` times its size. Less than `scale` rows and
/// columns are cut off: with more, the two are no pair.
///
/// # Errors
/// [`Error::SizeMismatch`].
pub fn reference_for(reference: &Picture, low: &Picture, scale: usize) -> Result<Picture> {
    let size = [low.width * scale, low.height * scale];
    let fits = |side: usize, wanted: usize| (wanted..wanted + scale).contains(&side);
    if fits(reference.width, size[0]) && fits(reference.height, size[1]) {
        return Ok(reference.crop(0, 0, size[0], size[1]));
    }
    Err(Error::SizeMismatch(format!(
        "the low-resolution image has {} x {} pixels, the reference {} x {}, which is not {scale} times that",
        low.width, low.height, reference.width, reference.height
    )))
}
