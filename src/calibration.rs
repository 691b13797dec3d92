//! Calibration: what the quantizers learn from sample images, and the file it is kept in.
//!
//! The file is a [`TensorFile`]. For a layer named `L` it holds `L.range`, f32 `[2]` (the smallest and largest input),
//! and for each bit width `b` `L.points.b`, u8 `[channels, ceil(M / 8)]`: a bit for each of the M universal values, the
//! lowest first, set where the value is a quantization point.

use crate::network::{Network, Observer, Tap};
use crate::quant::subset::{self, Preset, Selection};
use crate::quant::{BitWidth, Histogram, MeanMode, Normalization, Points, UniversalSet, uniform};
use crate::tensor_file::TensorFile;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FORMAT: &str = "dfsq-calibration-2";

/// How points are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Settings {
    /// Word sets of the universal set, 2 to 5.
    pub word_sets: usize,
    /// When a channel's mean is subtracted.
    pub mean: MeanMode,
    /// How points are chosen.
    pub selection: Selection,
    /// Whose description of k-means is followed.
    pub preset: Preset,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            word_sets: UniversalSet::DEFAULT_SETS,
            mean: MeanMode::Auto,
            selection: Selection::Kmeans,
            preset: Preset::Reference,
            seed: 0,
        }
    }
}

/// What one layer's quantizers need.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerCalibration {
    /// Smallest and largest input over all samples.
    pub range: [f32; 2],
    /// For each bit width, the points of each channel as indices into the universal set, ascending.
    pub points: BTreeMap<BitWidth, Vec<Vec<u16>>>,
}

/// What was learned, by layer name.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// How the points were chosen.
    pub settings: Settings,
    /// SHA-256 of the network's file, in hexadecimal.
    pub network: String,
    /// How many images it was made from.
    pub images: usize,
    /// By layer name.
    pub layers: BTreeMap<String, LayerCalibration>,
}

/// What the file says of itself, under the name of its format.
#[derive(Serialize, Deserialize)]
struct Header {
    settings: Settings,
    network: String,
    images: usize,
}

/// Gathers every quantized layer's statistics while images run in full precision.
pub struct Collector<'n> {
    network: &'n Network,
    settings: Settings,
    images: usize,
    layers: Vec<Option<LayerStatistics>>,
}

#[derive(Clone)]
struct LayerStatistics {
    channels: Vec<Histogram>,
    range: [f32; 2],
}

impl<'n> Collector<'n> {
    /// Starts with nothing seen.
    ///
    /// # Errors
    /// [`Error::Option`] for impossible settings.
    pub fn new(network: &'n Network, settings: Settings) -> Result<Self> {
        let empty = Histogram::new(&UniversalSet::new(settings.word_sets)?);
        let statistics = |inputs: usize| LayerStatistics {
            channels: vec![empty.clone(); inputs],
            range: [f32::INFINITY, f32::NEG_INFINITY],
        };
        let layers = network.layers().iter().map(|l| l.quantized.then(|| statistics(l.inputs))).collect();
        Ok(Collector { network, settings, images: 1, layers })
    }

    /// Adds what another collector of the same network has seen.
    pub fn merge(&mut self, other: &Collector<'_>) {
        self.images += other.images;
        for (mine, theirs) in self.layers.iter_mut().zip(&other.layers) {
            let (Some(mine), Some(theirs)) = (mine, theirs) else { continue };
            mine.range = [mine.range[0].min(theirs.range[0]), mine.range[1].max(theirs.range[1])];
            for (a, b) in mine.channels.iter_mut().zip(&theirs.channels) {
                a.merge(b);
            }
        }
    }

    /// Chooses the points for these bit widths. `progress` gets the share done and answers `false` to cancel.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Option`] for impossible settings.
    pub fn finish(
        &self,
        network: String,
        widths: &[BitWidth],
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Calibration> {
        let universal = UniversalSet::new(self.settings.word_sets)?;
        let mut layers = BTreeMap::new();
        for (index, statistics) in self.layers.iter().enumerate() {
            if !progress(index as f32 / self.layers.len() as f32) {
                return Err(Error::Cancelled);
            }
            let Some(statistics) = statistics else { continue };
            let mut points: BTreeMap<BitWidth, Vec<Vec<u16>>> = BTreeMap::new();
            for (channel, histogram) in statistics.channels.iter().enumerate() {
                let data = histogram.cumulative();
                // Every channel draws from its own stream, so that one more channel changes no other.
                let seed = self.settings.seed.wrapping_add(((index as u64) << 32) | channel as u64);
                for width in widths {
                    let Some(levels) = width.levels() else { continue };
                    let chosen = match self.settings.selection {
                        Selection::Kmeans => {
                            subset::kmeans(&data, &universal, levels, self.settings.preset, seed)
                        }
                        Selection::Exact => subset::exact(&data, &universal, levels),
                        Selection::Exhaustive => subset::exhaustive(&data, &universal, levels)?,
                    };
                    points.entry(*width).or_default().push(chosen);
                }
            }
            layers.insert(
                self.network.layers()[index].name.clone(),
                LayerCalibration { range: statistics.range, points },
            );
        }
        Ok(Calibration { settings: self.settings, network, images: self.images, layers })
    }
}

impl Observer for Collector<'_> {
    fn tap(&mut self, tap: Tap<'_>) -> Result<()> {
        let Some(statistics) = &mut self.layers[tap.layer] else { return Ok(()) };
        let subtract = self.settings.mean.subtracts(self.network.layers()[tap.layer].after_relu);
        let pixels = (tap.values.len() / tap.channels).max(1);
        for (c, (values, histogram)) in
            tap.values.chunks_exact(pixels).zip(&mut statistics.channels).enumerate()
        {
            let norm = Normalization::measure(values, subtract)
                .ok_or_else(|| self.network.non_finite(tap.layer, c))?;
            histogram.add(values.iter().map(|x| norm.normalize(*x)));
            if let Some((low, high)) = uniform::range(values) {
                statistics.range = [statistics.range[0].min(low), statistics.range[1].max(high)];
            }
        }
        Ok(())
    }
}

impl Calibration {
    /// A layer's points, one set a channel; `None` if the layer or the bit width is not calibrated.
    pub fn points(&self, layer: &str, width: BitWidth, universal: &UniversalSet) -> Option<Vec<Points>> {
        let values = universal.values();
        let channels = self.layers.get(layer)?.points.get(&width)?;
        let points =
            |indices: &Vec<u16>| Points::new(indices.iter().map(|i| values[usize::from(*i)]).collect());
        Some(channels.iter().map(points).collect())
    }

    /// The bit widths that have points.
    pub fn widths(&self) -> Vec<BitWidth> {
        self.layers.values().next().map_or_else(Vec::new, |l| l.points.keys().copied().collect())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Calibration`] where a tensor cannot be written.
    pub fn save(&self) -> Result<Vec<u8>> {
        let values = UniversalSet::new(self.settings.word_sets)?.values().len();
        let mut file = TensorFile::default();
        for (name, layer) in &self.layers {
            file.put_f32(format!("{name}.range"), &[2], layer.range);
            for (width, channels) in &layer.points {
                file.put_subsets(format!("{name}.points.{}", width.bits()), channels, values);
            }
        }
        let header = Header { settings: self.settings, network: self.network.clone(), images: self.images };
        file.save(FORMAT, &header)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Calibration`] says what is wrong with it.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        let fail = |message: &str| Error::Calibration(message.to_owned());
        let (file, Header { settings, network, images }) = TensorFile::load(FORMAT, bytes)?;
        let values = UniversalSet::new(settings.word_sets)?.values().len();
        let mut layers: BTreeMap<String, LayerCalibration> = BTreeMap::new();
        for name in file.names() {
            if let Some(layer) = name.strip_suffix(".range") {
                let &[low, high] = file.f32(name)?.as_slice() else { return Err(fail("a range is damaged")) };
                if low > high {
                    return Err(fail("a range is damaged"));
                }
                layers.entry(layer.to_owned()).or_insert_with(LayerCalibration::empty).range = [low, high];
            } else if let Some((layer, bits)) = name.rsplit_once(".points.") {
                let width = bits.parse().ok().and_then(|b| BitWidth::new(b).ok());
                let width = width.ok_or_else(|| fail("a set of points is damaged"))?;
                let layer = layers.entry(layer.to_owned()).or_insert_with(LayerCalibration::empty);
                layer.points.insert(width, file.subsets(name, values)?);
            }
        }
        Ok(Calibration { settings, network, images, layers })
    }

    /// Checks that every layer that is to be quantized is here, with as many channels as it has.
    ///
    /// # Errors
    /// [`Error::Calibration`] names the first layer that does not fit.
    pub fn check(&self, network: &Network, hash: &str) -> Result<()> {
        if self.network != hash {
            return Err(Error::Calibration("it was made for another network".into()));
        }
        let widths = self.widths();
        for layer in network.layers().iter().filter(|l| l.quantized) {
            let fits = |c: &LayerCalibration| {
                let few = |(width, points): (&BitWidth, &Vec<Vec<u16>>)| {
                    let levels = width.levels().unwrap_or(0);
                    points.len() == layer.inputs && points.iter().all(|p| p.len() <= levels)
                };
                c.range[0] <= c.range[1] && c.points.keys().eq(&widths) && c.points.iter().all(few)
            };
            if !self.layers.get(&layer.name).is_some_and(fits) {
                return Err(Error::Calibration(format!("it does not fit the layer {}", layer.name)));
            }
        }
        Ok(())
    }
}

impl LayerCalibration {
    fn empty() -> Self {
        LayerCalibration { range: [f32::INFINITY, f32::NEG_INFINITY], points: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn example() -> Calibration {
        let points = BTreeMap::from([(BitWidth::new(2).unwrap(), vec![vec![0, 7, 8, 376], vec![188]])]);
        let layers =
            BTreeMap::from([("body.0".to_owned(), LayerCalibration { range: [-1.5, 2.25], points })]);
        Calibration { settings: Settings::default(), network: "abc".into(), images: 3, layers }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_file_gives_back_what_was_saved() {
        let calibration = example();
        let bytes = calibration.save().unwrap();
        assert_eq!(Calibration::load(&bytes).unwrap(), calibration);
        assert_eq!(calibration.save().unwrap(), bytes, "the same content gives the same file");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn damaged_files_are_refused() {
        let bytes = example().save().unwrap();
        for bad in [&bytes[..bytes.len() - 1], &bytes[..10], b"", b"text that is no calibration"] {
            assert!(matches!(Calibration::load(bad), Err(Error::Calibration(_))));
        }
        let foreign = TensorFile::default().save("another", &()).unwrap();
        assert!(matches!(Calibration::load(&foreign), Err(Error::Calibration(_))));
    }
}
