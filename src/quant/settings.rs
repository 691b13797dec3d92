//! What is chosen about quantization points.

use super::bounded::Restarts;
use super::histogram::Cumulative;
use super::subset::{Preset, Selection, Snapped};
use super::{
    Granularity, MeanMode, Normalization, NormalizationMode, Normalizer, UniversalSet, WordSets, exact,
    subset,
};
use crate::Result;
use serde::{Deserialize, Serialize};

/// How activations are normalized and their points chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct PointSettings {
    /// Word sets of the universal set.
    pub word_sets: WordSets,
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
    /// How often k-means starts.
    pub restarts: Restarts,
    /// Seed of every random choice.
    pub seed: u32,
}

impl PointSettings {
    /// As the authors' code has it, but for points that are chosen exactly.
    pub const EXACT: PointSettings = PointSettings {
        word_sets: WordSets::REFERENCE,
        granularity: Granularity::Channel,
        normalization: NormalizationMode::Sample,
        mean: MeanMode::Auto,
        selection: Selection::Exact,
        preset: Preset::Reference,
        restarts: Restarts::AS_PRESET,
        seed: 0,
    };

    /// Fields, as they are in JSON, that count with [`Selection::Kmeans`] alone.
    pub const OF_KMEANS: [&str; 3] = ["preset", "restarts", "seed"];

    /// The universal set that points are from.
    pub fn universal(&self) -> &'static UniversalSet {
        UniversalSet::of(self.word_sets)
    }

    /// The normalization of a layer whose inputs lie in `range`, and do or do not come straight from a ReLU.
    pub fn normalizer(&self, after_relu: bool, [low, high]: [f32; 2]) -> Normalizer {
        match self.normalization {
            NormalizationMode::Sample => {
                Normalizer::Sample { subtract_mean: self.mean.subtracts(after_relu) }
            }
            NormalizationMode::None => Normalizer::Fixed(Normalization::covering(high.max(-low))),
        }
    }

    /// Whether what was gathered under `other` can be selected from under these settings.
    pub fn gather_as(&self, other: &PointSettings) -> bool {
        let gathering =
            |s: &PointSettings| (s.granularity, s.normalization, s.mean, s.universal().resolution());
        gathering(self) == gathering(other)
    }

    /// These settings without what makes no difference: k-means is described only where it is used.
    pub fn canonical(self) -> Self {
        match self.selection {
            Selection::Kmeans => self,
            _ => PointSettings { preset: Preset::default(), restarts: Restarts::AS_PRESET, seed: 0, ..self },
        }
    }

    /// Indices into the universal set of at most `levels` points for `data`, ascending. Only k-means draws from the stream
    /// that `seed` names, beside the seed of the settings.
    ///
    /// # Errors
    /// [`Error::Option`](crate::Error::Option) where there are too many subsets to try.
    pub fn select(&self, data: &Cumulative, levels: usize, stream: u64) -> Result<Vec<u16>> {
        let universal = self.universal();
        match self.selection {
            Selection::Kmeans => Ok(self.kmeans(data, levels, stream).points),
            Selection::Exact => Ok(exact::exact(data, universal, levels)),
            Selection::Exhaustive => exact::exhaustive(data, universal, levels),
        }
    }

    /// What k-means finds with these settings, whatever the selection is.
    pub fn kmeans(&self, data: &Cumulative, levels: usize, stream: u64) -> Snapped {
        let restarts = match self.restarts.get() {
            0 => self.preset.restarts(),
            restarts => restarts.into(),
        };
        let seed = u64::from(self.seed).wrapping_add(stream);
        subset::kmeans(data, self.universal(), levels, (self.preset, restarts), seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn what_is_out_of_range_is_refused() {
        let read = |text: &str| serde_json::from_str::<PointSettings>(text);
        assert_eq!(read("{}").unwrap(), PointSettings::default());
        assert_eq!(read("{\"restarts\": 100}").unwrap().restarts.get(), 100);
        for bad in
            ["{\"restarts\": 101}", "{\"restarts\": 4000000000}", "{\"restarts\": -1}", "{\"wordSets\": 6}"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn settings_of_kmeans_count_only_there() {
        let exact = PointSettings { restarts: Restarts::new(3).unwrap(), seed: 7, ..PointSettings::EXACT };
        assert_eq!(exact.canonical(), PointSettings::EXACT);
        let kmeans = PointSettings { selection: Selection::Kmeans, ..exact };
        assert_eq!(kmeans.canonical(), kmeans);
        let other = PointSettings { preset: Preset::Paper, ..exact };
        let fields = |settings: PointSettings| serde_json::to_value(settings).unwrap();
        let (given, counted) = (fields(other), fields(other.canonical()));
        let dropped = given.as_object().unwrap().keys().filter(|name| given[name] != counted[name]);
        assert!(dropped.eq(PointSettings::OF_KMEANS));
    }
}
