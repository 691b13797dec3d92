//! Calibration: what the paper's quantizers learned from sample images, and the file it is kept in.
//!
//! For a layer named `L` the file ([`tensor_file`](crate::tensor_file)) holds `L.range`, f32 `[2]` (the smallest and largest
//! input), and for each bit width `b` `L.points.b`, u8 `[channels, ceil(M / 8)]` (one row where a layer's channels share
//! points): a bit for each of the M universal values, the lowest first, set where the value is a quantization point.

use crate::network::Network;
use crate::quant::{BitWidth, PointSets, PointSettings};
use crate::tensor_file::{Format, TensorReader, TensorWriter};
use crate::{Error, Result, hash};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FORMAT: Format = Format { name: "dfsq-calibration-2", error: Error::Calibration };

/// What one layer's quantizers need.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerCalibration {
    /// Smallest and largest input over all samples.
    pub range: [f32; 2],
    /// For each bit width, the points of each channel (or one set for all).
    pub points: BTreeMap<BitWidth, PointSets>,
}

/// What was learned, by layer name.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// How the points were chosen.
    pub settings: PointSettings,
    /// SHA-256 of the network's file, in hexadecimal.
    pub network: String,
    /// The network's value ranges ([`Convention::ranges`](crate::network::Convention::ranges)).
    pub ranges: String,
    /// How many images it was made from.
    pub images: usize,
    /// By layer name.
    pub layers: BTreeMap<String, LayerCalibration>,
}

/// What the file says of itself, under the name of its format.
#[derive(Serialize, Deserialize)]
struct Header {
    settings: PointSettings,
    network: String,
    /// Not said by the first files.
    #[serde(default)]
    ranges: String,
    images: usize,
}

/// What was learned is for the value ranges that the network had then; the first files do not say which.
///
/// # Errors
/// In words, where the network has others now.
pub fn check_ranges(made_for: &str, network: &Network) -> std::result::Result<(), String> {
    let now = network.convention().ranges();
    if made_for.is_empty() || made_for == now {
        Ok(())
    } else {
        Err(format!("it was made with values {made_for}, and the network has {now}"))
    }
}

impl Calibration {
    /// The bit widths that have points.
    pub fn widths(&self) -> Vec<BitWidth> {
        self.layers.values().next().map_or_else(Vec::new, |l| l.points.keys().copied().collect())
    }

    /// SHA-256, in hexadecimal, of all that a run depends on.
    pub fn digest(&self) -> String {
        let mut digest = hash::Digest::default();
        for (name, LayerCalibration { range, points }) in &self.layers {
            digest.add(name.as_bytes());
            range.iter().for_each(|end| digest.add(&end.to_le_bytes()));
            for (width, points) in points {
                digest.add(&[width.bits()]);
                points.add_to(&mut digest);
            }
        }
        digest.finish()
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Calibration`] where a tensor cannot be written.
    pub fn save(&self) -> Result<Vec<u8>> {
        let mut file = TensorWriter::default();
        for (name, layer) in &self.layers {
            file.put_f32(format!("{name}.range"), &[2], layer.range);
            for (width, points) in &layer.points {
                file.put_points(format!("{name}.points.{}", width.bits()), points);
            }
        }
        let Calibration { settings, network, ranges, images, .. } = self.clone();
        let header = Header { settings, network, ranges, images };
        file.save(&FORMAT, &header)
    }

    /// Reads a file that was made for this network, whose SHA-256 is `hash`: every layer that is to be quantized must be
    /// there, with as many channels as it has.
    ///
    /// # Errors
    /// [`Error::Calibration`] says what is wrong with it.
    pub fn load(bytes: &[u8], network: &Network, hash: &str) -> Result<Self> {
        let (file, Header { settings, network: made_for, ranges, images }) =
            TensorReader::load(FORMAT, bytes)?;
        check_ranges(&ranges, network).map_err(Error::Calibration)?;
        if made_for != hash {
            return Err(Error::Calibration("it was made for another network".into()));
        }
        let names = file.names();
        let has = |name: &str| names.binary_search(&name.to_owned()).is_ok();
        let mut layers = BTreeMap::new();
        let mut widths: Option<Vec<BitWidth>> = None;
        for layer in network.layers().iter().filter(|layer| layer.quantized) {
            let (range, prefix) = (format!("{}.range", layer.name), format!("{}.points.", layer.name));
            if !has(&range) {
                return Err(Error::Calibration(format!(
                    "it was made for other layers, without {}",
                    layer.name
                )));
            }
            let own: Vec<BitWidth> =
                BitWidth::quantized().filter(|width| has(&format!("{prefix}{}", width.bits()))).collect();
            if *widths.get_or_insert_with(|| own.clone()) != own {
                return Err(Error::Calibration(format!("it has other widths for the layer {}", layer.name)));
            }
            let groups = settings.granularity.groups(layer.conv.inputs());
            let points = own.into_iter().map(|width| {
                let most = width.levels().unwrap_or(0);
                let name = format!("{prefix}{}", width.bits());
                Ok((width, file.points(&name, settings.word_sets, groups, most)?))
            });
            let range = file.f32(&range)?;
            let &[low, high] = range.as_slice() else {
                return Err(Error::Calibration(format!("the range of the layer {} is damaged", layer.name)));
            };
            if low > high {
                return Err(Error::Calibration(format!("the range of the layer {} is damaged", layer.name)));
            }
            let points = points.collect::<Result<_>>()?;
            layers.insert(layer.name.clone(), LayerCalibration { range: [low, high], points });
        }
        Ok(Calibration { settings, network: made_for, ranges, images, layers })
    }
}
