//! What calibration gathers: histograms of the normalized inputs of quantized layers, and their ranges.
//!
//! Sums do not depend on order, so several threads may add to the same statistics. Their memory does not grow with the
//! number of images; where it would be too much for all layers of a network at once, [`groups`] divides them.

use crate::calibrate::LayerCalibration;
use crate::network::{Layer, Observer, Tap};
use crate::quant::histogram::TooManyValues;
use crate::quant::{BitWidth, Histogram, Normalizer, PointSets, PointSettings, Summary};
use crate::{Error, Result};
use std::ops::{ControlFlow, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Consecutive layers of a network such that the statistics of each group's quantized layers take at most `bytes`, or are
/// those of a single layer.
pub fn groups(layers: &[Layer], settings: &PointSettings, bytes: usize) -> Vec<Range<usize>> {
    let histogram = Histogram::most_bytes(settings.universal());
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut taken = 0;
    for (index, layer) in layers.iter().enumerate().filter(|(_, layer)| layer.quantized) {
        let own = histogram * settings.granularity.groups(layer.conv.inputs());
        match groups.last_mut() {
            Some(group) if taken + own <= bytes => {
                group.end = index + 1;
                taken += own;
            }
            _ => {
                groups.push(index..index + 1);
                taken = own;
            }
        }
    }
    groups
}

/// Statistics of the quantized layers of a group, gathered while images run in full precision.
pub struct Statistics {
    settings: PointSettings,
    group: Range<usize>,
    /// By layer of the group; none where it is not quantized.
    layers: Vec<Option<Mutex<LayerStatistics>>>,
}

struct LayerStatistics {
    layer: Layer,
    /// Of the normalized values, by channel, or of all of them.
    histograms: Vec<Histogram>,
    range: [f32; 2],
}

fn lock(layer: &Mutex<LayerStatistics>) -> MutexGuard<'_, LayerStatistics> {
    layer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LayerStatistics {
    /// Takes note of values of this range. Without normalization the histograms are of values divided by a power of two
    /// that covers the range.
    fn extend(&mut self, [low, high]: [f32; 2], settings: &PointSettings) -> Result<(), TooManyValues> {
        if self.range[0] > self.range[1] {
            self.range = [low, high];
            return Ok(());
        }
        let before = self.range;
        self.range = [before[0].min(low), before[1].max(high)];
        let [before, now] =
            [before, self.range].map(|range| settings.normalizer(self.layer.after_relu, range));
        if let (Normalizer::Fixed(before), Normalizer::Fixed(now)) = (before, now) {
            for _ in 0..(now.range / before.range).log2().max(0.0) as u32 {
                self.histograms.iter_mut().try_for_each(Histogram::halve)?;
            }
        }
        Ok(())
    }

    /// Adds a layer's inputs.
    fn add(&mut self, tap: &Tap<'_>, settings: &PointSettings) -> Result<()> {
        let mut summaries = Vec::with_capacity(tap.channels);
        tap.each(&mut |channel, values| {
            let summary = Summary::of(values);
            if summary.range().is_none() {
                return Err(Error::NonFinite { layer: self.layer.name.clone(), channel });
            }
            summaries.push(summary);
            Ok(())
        })?;
        let whole = summaries.iter().fold(Summary::EMPTY, Summary::with);
        self.extend([whole.low, whole.high], settings)?;
        let normalizer = settings.normalizer(self.layer.after_relu, self.range);
        let by_channel = self.histograms.len() == summaries.len();
        tap.each(&mut |channel, values| {
            let (index, summary) = if by_channel { (channel, &summaries[channel]) } else { (0, &whole) };
            // All values are finite, as seen above.
            if let (Some(norm), Some(of)) =
                (normalizer.normalization(summary), self.histograms.get_mut(index))
            {
                of.add(values.iter().map(|x| norm.normalize(*x)))?;
            }
            Ok(())
        })
    }
}

impl Statistics {
    /// Of this group of a network's layers, with nothing seen yet.
    pub fn new(layers: &[Layer], group: Range<usize>, settings: PointSettings) -> Self {
        let empty = Histogram::new(settings.universal());
        let statistics = |layer: &Layer| {
            Mutex::new(LayerStatistics {
                layer: layer.clone(),
                histograms: vec![empty.clone(); settings.granularity.groups(layer.conv.inputs())],
                range: [f32::INFINITY, f32::NEG_INFINITY],
            })
        };
        let layers = layers[group.clone()].iter().map(|l| l.quantized.then(|| statistics(l))).collect();
        Statistics { settings, group, layers }
    }

    /// How what was gathered is normalized.
    pub fn settings(&self) -> PointSettings {
        self.settings
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        let bytes = |layer| lock(layer).histograms.iter().map(Histogram::bytes).sum::<usize>();
        self.layers.iter().flatten().map(bytes).sum()
    }

    /// The layers that they are of.
    pub fn group(&self) -> &Range<usize> {
        &self.group
    }

    /// Adds the inputs of one of the network's layers; passes over layers that are not in the group.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for NaN and infinity.
    pub fn add(&self, tap: &Tap<'_>) -> Result<()> {
        let layer = tap.layer.checked_sub(self.group.start).and_then(|index| self.layers.get(index));
        match layer.and_then(Option::as_ref) {
            Some(layer) => lock(layer).add(tap, &self.settings),
            None => Ok(()),
        }
    }

    /// Chooses the points of every layer for these bit widths as `settings` say, which must gather alike
    /// ([`PointSettings::gather_as`]), and hands them to `take` with the layer's index.
    ///
    /// # Errors
    /// [`Error::Option`] for settings that need other statistics, and where there are too many subsets to try; what `take`
    /// returns.
    pub fn select(
        &self,
        settings: &PointSettings,
        widths: &[BitWidth],
        take: &mut dyn FnMut(usize, LayerCalibration) -> Result<()>,
    ) -> Result<()> {
        if !settings.gather_as(&self.settings) {
            return Err(Error::Option("these settings need other statistics".into()));
        }
        for (index, layer) in self.group.clone().zip(&self.layers) {
            let Some(layer) = layer else { continue };
            let LayerStatistics { histograms, range, .. } = &*lock(layer);
            let mut chosen = vec![Vec::with_capacity(histograms.len()); widths.len()];
            for (channel, histogram) in histograms.iter().enumerate() {
                let data = histogram.cumulative();
                // Every channel draws from its own stream, so that one more channel changes no other.
                let stream = ((index as u64) << 32) | channel as u64;
                for (width, chosen) in widths.iter().zip(&mut chosen) {
                    let Some(levels) = width.levels() else { continue };
                    chosen.push(settings.select(&data, levels, stream)?);
                }
            }
            let chosen = widths.iter().zip(chosen).filter(|(width, _)| **width != BitWidth::FULL);
            let sets =
                |(width, subsets): (&BitWidth, _)| Ok((*width, PointSets::new(settings.word_sets, subsets)?));
            let points = chosen.map(sets).collect::<Result<_>>()?;
            take(index, LayerCalibration { range: *range, points })?;
        }
        Ok(())
    }
}

/// Adds what passes to statistics, and ends the run at their last layer.
pub struct Gathering<'s>(pub &'s Statistics);

impl Observer for Gathering<'_> {
    fn taps(&self, layer: usize) -> bool {
        self.0.group.contains(&layer)
    }

    fn tap(&mut self, tap: Tap<'_>) -> Result<ControlFlow<()>> {
        self.0.add(&tap)?;
        let last = tap.layer + 1 == self.0.group.end;
        Ok(if last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Conv, Window};
    use wasm_bindgen_test::wasm_bindgen_test;

    fn layer(index: usize, inputs: usize, quantized: bool) -> Layer {
        let conv = Conv::new([64, inputs, 3, 3], 1, Window::VALID).unwrap();
        Layer {
            name: index.to_string(),
            conv,
            stored_bits: None,
            after_relu: false,
            quantized,
            usual_bits: None,
        }
    }

    /// The paper's own RDN: 16 dense blocks of 8 convolutions and a fusion each, and two global fusions.
    fn paper_rdn() -> Vec<Layer> {
        let blocks = (0..16).flat_map(|_| (0..9).map(|i| 64 + 64 * i)).chain([1024, 64]);
        blocks.enumerate().map(|(index, inputs)| layer(index, inputs, true)).collect()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_papers_rdn_is_divided_into_groups_that_fit() {
        let layers = paper_rdn();
        assert_eq!(layers.iter().map(|l| l.conv.inputs()).sum::<usize>(), 47_168);
        for word_sets in [4, 5] {
            let settings = PointSettings {
                word_sets: crate::quant::WordSets::new(word_sets).unwrap(),
                ..PointSettings::default()
            };
            let histogram = Histogram::most_bytes(settings.universal());
            let all = groups(&layers, &settings, 256 << 20);
            assert!(all.len() > 1 && all[0].start == 0 && all.last().unwrap().end == layers.len());
            assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start));
            for group in all {
                let inputs: usize = layers[group].iter().map(|l| l.conv.inputs()).sum();
                assert!(inputs * histogram <= 256 << 20);
            }
        }
        assert_eq!(groups(&layers, &PointSettings::default(), usize::MAX).len(), 1);
        let few = [layer(0, 3, false), layer(1, 8, true), layer(2, 8, false), layer(3, 8, true)];
        assert_eq!(groups(&few, &PointSettings::default(), 0), [1..2, 3..4]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn statistics_take_memory_for_what_they_have_seen() {
        let statistics = Statistics::new(&paper_rdn(), 0..18, PointSettings::default());
        assert!(statistics.bytes() < 8 << 20, "{}", statistics.bytes());
        let values: Vec<f32> = (0..64 * 100).map(|i| (i * 37 % 101) as f32).collect();
        statistics.add(&Tap::of_planes(0, 64, [10, 10], &values)).unwrap();
        assert!(statistics.bytes() < 16 << 20, "{}", statistics.bytes());
    }
}
