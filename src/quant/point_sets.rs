//! Quantization points of several channels or kernels, all from one universal set.

use super::{Points, UniversalSet, WordSets};
use crate::hash::Digest;
use crate::{Error, Result};

/// Subsets of one universal set: the points of each channel of a layer's input (or one subset for all of them), or of
/// each kernel (where an empty one stands for a uniform grid).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PointSets {
    word_sets: WordSets,
    /// Indices into the universal set, ascending.
    subsets: Vec<Vec<u16>>,
}

impl PointSets {
    /// Points given by their indices into the universal set, ascending in each subset, at most 256.
    ///
    /// # Errors
    /// [`Error::Option`] for other lists.
    pub fn new(word_sets: WordSets, subsets: Vec<Vec<u16>>) -> Result<Self> {
        let most = UniversalSet::of(word_sets).values().len();
        let fits = |subset: &Vec<u16>| {
            subset.len() <= Points::MOST
                && subset.windows(2).all(|pair| pair[0] < pair[1])
                && subset.last().is_none_or(|last| usize::from(*last) < most)
        };
        if subsets.iter().all(fits) {
            Ok(PointSets { word_sets, subsets })
        } else {
            Err(Error::Option("a subset of the universal set has at most 256 indices, ascending".into()))
        }
    }

    /// Of subsets that were chosen, and so are as [`PointSets::new`] wants them.
    pub(super) fn of_chosen(word_sets: WordSets, subsets: Vec<Vec<u16>>) -> Self {
        PointSets { word_sets, subsets }
    }

    /// None at all.
    pub fn none(word_sets: WordSets) -> Self {
        PointSets { word_sets, subsets: Vec::new() }
    }

    /// What the points are from.
    pub fn universal(&self) -> &'static UniversalSet {
        UniversalSet::of(self.word_sets)
    }

    /// Number of subsets.
    pub fn len(&self) -> usize {
        self.subsets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.subsets.is_empty()
    }

    /// Indices into the universal set, by subset.
    pub fn subsets(&self) -> &[Vec<u16>] {
        &self.subsets
    }

    /// The points that channel `index` is rounded to, ascending on the normalized axis; none where there are no subsets.
    pub fn values(&self, index: usize) -> Vec<f64> {
        self.universal().pick(self.subset(index))
    }

    /// The same as indices into the universal set.
    pub fn subset(&self, index: usize) -> &[u16] {
        // One subset may serve all channels.
        self.subsets.get(index.min(self.len().saturating_sub(1))).map_or(&[], Vec::as_slice)
    }

    /// Adds everything to a digest.
    pub fn add_to(&self, digest: &mut Digest) {
        digest.add(&[self.word_sets.into()]);
        for subset in &self.subsets {
            digest.add(&(subset.len() as u64).to_le_bytes());
            subset.iter().for_each(|index| digest.add(&index.to_le_bytes()));
        }
    }

    /// The subsets, ready to be searched.
    pub fn points(&self) -> Vec<Points> {
        let values = self.universal().values();
        self.subsets
            .iter()
            .map(|subset| Points::of_sorted(subset.iter().map(|i| values[usize::from(*i)]).collect()))
            .collect()
    }
}
