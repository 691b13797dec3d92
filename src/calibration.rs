//! Calibration: what the quantizers learn from sample images, and the file it is kept in.
//!
//! The file is a [`TensorFile`]. For a layer named `L` it holds `L.range`, f32 `[2]` (the smallest and largest input),
//! and for each bit width `b` `L.points.b`, u8 `[channels, ceil(M / 8)]` (one row where a layer's channels share points): a
//! bit for each of the M universal values, the lowest first, set where the value is a quantization point.

use crate::network::{Layer, Network, Observer, Tap};
use crate::quant::subset::{Preset, Selection};
use crate::quant::{
    BitWidth, Granularity, Histogram, MeanMode, Normalization, NormalizationMode, Normalizer, UniversalSet,
    uniform,
};
use crate::tensor_file::TensorFile;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FORMAT: &str = "dfsq-calibration-2";

/// How activations are normalized and their points chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Settings {
    /// Word sets of the universal set, 2 to 5.
    pub word_sets: usize,
    /// What is normalized together and gets points of its own.
    pub granularity: Granularity,
    /// Where mean and range come from.
    pub normalization: NormalizationMode,
    /// When the mean is subtracted.
    pub mean: MeanMode,
    /// How points are chosen.
    pub selection: Selection,
    /// Whose description of k-means is followed.
    pub preset: Preset,
    /// How often k-means starts; 0 for as often as the preset does.
    pub restarts: usize,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Settings {
    /// As the authors' code has it.
    pub const DEFAULT: Settings = Settings {
        word_sets: UniversalSet::DEFAULT_SETS,
        granularity: Granularity::Channel,
        normalization: NormalizationMode::Sample,
        mean: MeanMode::Auto,
        selection: Selection::Kmeans,
        preset: Preset::Reference,
        restarts: 0,
        seed: 0,
    };

    /// The normalization of a layer whose inputs lie in `range`.
    pub fn normalizer(&self, layer: &Layer, [low, high]: [f32; 2]) -> Normalizer {
        match self.normalization {
            NormalizationMode::Sample => {
                Normalizer::Sample { subtract_mean: self.mean.subtracts(layer.after_relu) }
            }
            NormalizationMode::None => Normalizer::Fixed(Normalization::covering(high.max(-low))),
        }
    }

    /// Times that k-means starts.
    pub fn k_means_starts(&self) -> usize {
        if self.restarts == 0 { self.preset.restarts() } else { self.restarts }
    }

    /// Whether what was gathered under `other` can be selected from under these settings.
    pub fn gather_as(&self, other: &Settings) -> bool {
        let gathering = |s: &Settings| {
            let resolution = UniversalSet::new(s.word_sets).map(|set| set.resolution()).ok();
            (s.granularity, s.normalization, s.mean, resolution)
        };
        gathering(self) == gathering(other)
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
pub struct Collector {
    settings: Settings,
    images: usize,
    /// By layer of the network, which is none where it is not quantized.
    layers: Vec<Option<LayerStatistics>>,
}

struct LayerStatistics {
    layer: Layer,
    /// Of the normalized values, by channel, or of all of them.
    histograms: Vec<Histogram>,
    range: [f32; 2],
}

impl LayerStatistics {
    /// Takes note of values of this range. Without normalization the histograms are of values divided by a power of two
    /// that covers the range.
    fn extend(&mut self, [low, high]: [f32; 2], settings: &Settings) {
        if self.range[0] > self.range[1] {
            self.range = [low, high];
            return;
        }
        let before = self.range;
        self.range = [before[0].min(low), before[1].max(high)];
        let [before, now] = [before, self.range].map(|range| settings.normalizer(&self.layer, range));
        if let (Normalizer::Fixed(before), Normalizer::Fixed(now)) = (before, now) {
            for _ in 0..(now.range / before.range).log2().max(0.0) as u32 {
                self.histograms.iter_mut().for_each(Histogram::halve);
            }
        }
    }
}

impl Collector {
    /// Starts with nothing seen.
    ///
    /// # Errors
    /// [`Error::Option`] for impossible settings.
    pub fn new(network: &Network, settings: Settings) -> Result<Self> {
        let empty = Histogram::new(&UniversalSet::new(settings.word_sets)?);
        let statistics = |layer: &Layer| LayerStatistics {
            layer: layer.clone(),
            histograms: vec![empty.clone(); settings.granularity.groups(layer.inputs)],
            range: [f32::INFINITY, f32::NEG_INFINITY],
        };
        let layers = network.layers().iter().map(|l| l.quantized.then(|| statistics(l))).collect();
        Ok(Collector { settings, images: 0, layers })
    }

    /// How what was gathered is normalized.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether no image has been seen.
    pub fn is_empty(&self) -> bool {
        self.images == 0
    }

    /// Bytes of memory that the statistics take.
    pub fn bytes(&self) -> usize {
        let layers = self.layers.iter().flatten();
        layers.flat_map(|layer| &layer.histograms).map(Histogram::bytes).sum()
    }

    /// An image has been seen as a whole.
    pub fn count_image(&mut self) {
        self.images += 1;
    }

    /// Adds what another collector of the same network and settings has seen.
    pub fn merge(&mut self, mut other: Collector) {
        self.images += other.images;
        for (mine, theirs) in self.layers.iter_mut().zip(&mut other.layers) {
            let (Some(mine), Some(theirs)) = (mine, theirs) else { continue };
            mine.extend(theirs.range, &self.settings);
            theirs.extend(mine.range, &self.settings);
            for (a, b) in mine.histograms.iter_mut().zip(&theirs.histograms) {
                a.merge(b);
            }
        }
    }

    /// Chooses the points for these bit widths as `settings` say, which must gather alike ([`Settings::gather_as`]).
    /// `progress` gets the share done and answers `false` to cancel.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Option`] for impossible settings.
    pub fn finish(
        &self,
        settings: Settings,
        network: String,
        widths: &[BitWidth],
        progress: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Calibration> {
        if !settings.gather_as(&self.settings) {
            return Err(Error::Option("these settings need other statistics".into()));
        }
        let universal = UniversalSet::new(settings.word_sets)?;
        let starts = (settings.preset, settings.k_means_starts());
        let mut layers = BTreeMap::new();
        for (index, statistics) in self.layers.iter().enumerate() {
            if !progress(index as f32 / self.layers.len() as f32) {
                return Err(Error::Cancelled);
            }
            let Some(LayerStatistics { layer, histograms, range }) = statistics else { continue };
            let mut points: BTreeMap<BitWidth, Vec<Vec<u16>>> = BTreeMap::new();
            for (channel, histogram) in histograms.iter().enumerate() {
                let data = histogram.cumulative();
                // Every channel draws from its own stream, so that one more channel changes no other.
                let seed = settings.seed.wrapping_add(((index as u64) << 32) | channel as u64);
                for width in widths {
                    let Some(levels) = width.levels() else { continue };
                    let chosen = settings.selection.select(&data, &universal, levels, starts, seed)?;
                    points.entry(*width).or_default().push(chosen);
                }
            }
            layers.insert(layer.name.clone(), LayerCalibration { range: *range, points });
        }
        Ok(Calibration { settings, network, images: self.images, layers })
    }
}

impl Observer for Collector {
    fn tap(&mut self, tap: Tap<'_>) -> Result<()> {
        let Some(statistics) = &mut self.layers[tap.layer] else { return Ok(()) };
        let pixels = (tap.values.len() / tap.channels).max(1);
        let name = &statistics.layer.name;
        let bad = |channel| Error::NonFinite { layer: name.clone(), channel };
        let mut range = [f32::INFINITY, f32::NEG_INFINITY];
        for (channel, values) in tap.values.chunks_exact(pixels).enumerate() {
            let (low, high) = uniform::range(values).ok_or_else(|| bad(channel))?;
            range = [range[0].min(low), range[1].max(high)];
        }
        statistics.extend(range, &self.settings);
        let normalizer = self.settings.normalizer(&statistics.layer, statistics.range);
        let group = (tap.values.len() / statistics.histograms.len()).max(1);
        for (values, histogram) in tap.values.chunks_exact(group).zip(&mut statistics.histograms) {
            // All values are finite, as seen above.
            let Some(norm) = normalizer.measure(values) else { continue };
            histogram.add(values.iter().map(|x| norm.normalize(*x)));
        }
        Ok(())
    }
}

impl Calibration {
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
                    let groups = self.settings.granularity.groups(layer.inputs);
                    points.len() == groups && points.iter().all(|p| p.len() <= levels)
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
