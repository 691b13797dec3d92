//! The universal set: every value that four shifts and an addition can make (paper, section 3.3 and appendix C).

use crate::{Error, Result, parallel};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// `WORDS[i]`: the i-th word set in units of 2^-9: {0, 1, 2^-(i+1), 2^-(i+5)}.
const WORDS: [[u16; 4]; 5] =
    [[0, 512, 256, 16], [0, 512, 128, 8], [0, 512, 64, 4], [0, 512, 32, 2], [0, 512, 16, 1]];
const UNIT: f64 = 512.0;

/// Number of word sets that a universal set is made of, 2 to 5 (paper, appendix C).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[cfg_attr(feature = "web", derive(tsify::Tsify), tsify(type = "number"))]
pub struct WordSets(u8);

impl WordSets {
    /// # Errors
    /// [`Error::Option`] unless `sets` is 2 to 5.
    pub fn new(sets: u8) -> Result<Self> {
        if (2..=5).contains(&sets) {
            Ok(WordSets(sets))
        } else {
            Err(Error::Option(format!("{sets} word sets are not offered: choose 2 to 5")))
        }
    }

    /// All that are offered.
    pub fn all() -> impl Iterator<Item = Self> {
        (2..=5).map(WordSets)
    }

    /// The number.
    pub fn count(self) -> usize {
        usize::from(self.0)
    }
}

/// As many as the reference code has.
impl Default for WordSets {
    fn default() -> Self {
        Self::REFERENCE
    }
}

impl WordSets {
    /// As many as the reference code has, 4.
    pub const REFERENCE: WordSets = WordSets(4);
}

impl std::str::FromStr for WordSets {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let sets = text.parse().map_err(|_| Error::Option("choose 2 to 5 word sets".into()))?;
        Self::new(sets)
    }
}

impl TryFrom<u8> for WordSets {
    type Error = Error;
    fn try_from(sets: u8) -> Result<Self> {
        Self::new(sets)
    }
}

impl From<WordSets> for u8 {
    fn from(sets: WordSets) -> u8 {
        sets.0
    }
}

/// The distinct values made by averaging one word from each set, and their negatives, ascending.
///
/// With 2, 3, 4, 5 sets there are 29, 107, 377, 1065 values.
#[derive(Debug)]
pub struct UniversalSet {
    sets: usize,
    values: Vec<f32>,
    words: Vec<Vec<u16>>,
}

impl UniversalSet {
    /// The set of so many word sets, which is made once.
    pub fn of(sets: WordSets) -> &'static UniversalSet {
        static SETS: [OnceLock<UniversalSet>; 4] = [const { OnceLock::new() }; 4];
        parallel::once(&SETS[sets.count() - 2], || Self::build(sets.count()))
    }

    fn build(sets: usize) -> Self {
        let mut sums: std::collections::BTreeMap<i32, Vec<u16>> = Default::default();
        for code in 0..4usize.pow(sets as u32) {
            let words: Vec<u16> = (0..sets).map(|set| WORDS[set][code >> (2 * set) & 3]).collect();
            let sum = words.iter().map(|w| i32::from(*w)).sum::<i32>();
            sums.entry(sum).or_insert_with(|| words.clone());
            sums.entry(-sum).or_insert(words);
        }
        let values = sums.keys().map(|sum| (f64::from(*sum) / (UNIT * sets as f64)) as f32).collect();
        UniversalSet { sets, values, words: sums.into_values().collect() }
    }

    /// The values, ascending, in [-1, 1].
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values of these indices.
    pub fn pick(&self, indices: &[u16]) -> Vec<f64> {
        indices.iter().map(|i| f64::from(self.values[usize::from(*i)])).collect()
    }

    /// Bins per unit that have every value, and the midpoint of any two, on an edge between bins.
    pub fn resolution(&self) -> usize {
        // Values are multiples of 1/128, 1/384, 1/1024 and 1/2560.
        match self.sets {
            3 => 3 * 768,
            5 => 5120,
            _ => 2048,
        }
    }

    /// The words (one of each set) whose mean is `|values()[index]|`.
    pub fn words(&self, index: usize) -> Vec<f32> {
        self.words[index].iter().map(|w| f32::from(*w) / UNIT as f32).collect()
    }

    /// Of how many powers of two `|values()[index]|`, times the number of sets, is the sum.
    pub fn terms(&self, index: usize) -> usize {
        self.words[index].iter().sum::<u16>().count_ones() as usize
    }

    /// Index of the value nearest to `y`; of two equally near, the lower.
    pub fn nearest(&self, y: f32) -> usize {
        nearest(&self.values, y)
    }
}

/// Index of the one nearest to `y` of ascending values, of which there are some; of two equally near, the lower.
pub fn nearest(values: &[f32], y: f32) -> usize {
    let above = values.partition_point(|v| *v < y).min(values.len() - 1);
    let below = above.saturating_sub(1);
    if (y - values[below]).abs() <= (values[above] - y).abs() { below } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn all() -> [&'static UniversalSet; 4] {
        [2, 3, 4, 5].map(|sets| UniversalSet::of(WordSets(sets)))
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn sizes_are_those_of_the_paper() {
        assert_eq!(all().map(|set| set.values().len()), [29, 107, 377, 1065]);
        assert!(WordSets::new(1).is_err() && WordSets::new(6).is_err());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn words_are_the_published_ones() {
        let published = [[0.5, 0.03125], [0.25, 0.015625], [0.125, 0.0078125], [0.0625, 0.00390625]];
        let ours = WORDS.map(|words| words.map(|word| f64::from(word) / UNIT));
        for (ours, [high, low]) in ours.iter().zip(published) {
            assert_eq!(*ours, [0.0, 1.0, high, low]);
        }
        // The ends of the 377 values, and those around 0.
        let values = UniversalSet::of(WordSets(4)).values();
        assert_eq!(values[..2], [-1.0, -0.875]);
        assert_eq!(values[186..191], [-0.001953125, -0.0009765625, 0.0, 0.0009765625, 0.001953125]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn every_value_is_the_mean_of_its_words_and_has_its_negative() {
        for set in all() {
            let sets = set.sets;
            let values = set.values();
            assert!(values.windows(2).all(|v| v[0] < v[1]));
            for (i, value) in values.iter().enumerate() {
                let words = set.words(i);
                assert_eq!(words.len(), sets);
                let mean = words.iter().map(|w| f64::from(*w)).sum::<f64>() / sets as f64;
                assert!(set.terms(i) <= words.iter().filter(|w| **w > 0.0).count());
                assert_eq!(set.terms(i) == 0, *value == 0.0);
                assert_eq!(mean as f32, value.abs());
                assert_eq!(values[values.len() - 1 - i], -value);
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn values_and_midpoints_are_edges_of_bins() {
        for set in all() {
            let sets = set.sets;
            for value in set.values() {
                let edge = 2.0 * f64::from(*value) * set.resolution() as f64 / 2.0;
                assert!(
                    (edge - edge.round()).abs() < 1e-3 && edge.round() as i64 % 2 == 0,
                    "{sets}: {value}"
                );
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn nearest_equals_a_scan() {
        let set = UniversalSet::of(WordSets::REFERENCE);
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..5000 {
            let y = rng.f32() * 2.2 - 1.1;
            let scan = set.values().iter().map(|v| (v - y).abs()).fold(f32::INFINITY, f32::min);
            assert_eq!((set.values()[set.nearest(y)] - y).abs(), scan);
        }
    }
}
