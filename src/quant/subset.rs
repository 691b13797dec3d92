//! Choosing quantization points from the universal set as the paper does (section 3.3): by k-means and snapping.

use super::UniversalSet;
use super::histogram::Cumulative;
use super::kmeans::KMeans;
use crate::choice::choices;

choices! {
    /// The two published descriptions of the point selection, where they differ.
    pub enum Preset: Reference {
        /// The paper's text: 3 starts, the best squared error before snapping.
        Paper = "paper",
        /// The authors' code: 5 starts, one centre pinned to 0, the best squared error after snapping.
        Reference = "reference",
    }
}

impl Preset {
    /// How often k-means starts where nothing else is asked for.
    pub fn restarts(self) -> usize {
        match self {
            Preset::Paper => 3,
            Preset::Reference => 5,
        }
    }
}

choices! {
    /// How points are chosen.
    pub enum Selection: Kmeans {
        /// k-means, then each centre snaps to the nearest universal value (the paper).
        Kmeans = "kmeans",
        /// The subset of least squared error, by dynamic programming.
        Exact = "exact",
        /// The same by trying every subset: for small universal sets, to compare.
        Exhaustive = "exhaustive",
    }
}

const MAX_ITERATIONS: usize = 100;
const TOLERANCE: f64 = 1e-6;

/// What k-means found, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapped {
    /// The centres, ascending.
    pub centres: Vec<f64>,
    /// Indices into the universal set of the values that they snap to, ascending.
    pub points: Vec<u16>,
}

/// At most `levels` points for `data`: k-means, then each centre snaps to the nearest value of `universal`. Two centres may
/// snap to the same one; then there are fewer points.
pub fn kmeans(
    data: &Cumulative,
    universal: &UniversalSet,
    levels: usize,
    (preset, restarts): (Preset, usize),
    seed: u64,
) -> Snapped {
    let options = KMeans {
        clusters: levels,
        restarts,
        pin_zero: preset == Preset::Reference,
        max_iterations: MAX_ITERATIONS,
        tolerance: TOLERANCE,
    };
    let mut best = (f64::INFINITY, Snapped { centres: Vec::new(), points: Vec::new() });
    options.run(data, &mut fastrand::Rng::with_seed(seed), |centres| {
        let snapped = snap(centres, universal);
        let error = match preset {
            Preset::Paper => data.squared_error(centres),
            Preset::Reference => data.squared_error(&universal.pick(&snapped)),
        };
        if error < best.0 {
            best = (error, Snapped { centres: centres.to_vec(), points: snapped });
        }
    });
    best.1
}

/// The nearest universal value of every centre (ascending), without repetitions.
fn snap(centres: &[f64], universal: &UniversalSet) -> Vec<u16> {
    let mut indices: Vec<u16> = centres.iter().map(|c| universal.nearest(*c as f32) as u16).collect();
    indices.dedup();
    indices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{Histogram, WordSets};
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn points_are_universal_distinct_and_repeatable() {
        let universal = UniversalSet::of(WordSets::REFERENCE);
        let mut rng = fastrand::Rng::with_seed(11);
        let mut histogram = Histogram::default();
        histogram.add((0..5000).map(|_| (rng.f32() * 2.0 - 1.0).powi(5))).unwrap();
        let data = histogram.cumulative();
        let mut errors = Vec::new();
        for levels in [4, 8, 16, 64, 256] {
            for preset in [Preset::Paper, Preset::Reference] {
                let Snapped { centres, points } = kmeans(&data, universal, levels, (preset, 3), 1);
                assert!(points.len() <= centres.len() && centres.is_sorted());
                assert!(points.windows(2).all(|p| p[0] < p[1]) && points.len() <= levels);
                assert_eq!(points, kmeans(&data, universal, levels, (preset, 3), 1).points);
            }
            let points = kmeans(&data, universal, levels, (Preset::Reference, 5), 1).points;
            let values = universal.pick(&points);
            assert!(values.contains(&0.0));
            errors.push(data.squared_error(&values));
        }
        assert!(errors.windows(2).all(|e| e[1] < e[0]), "more points, less error: {errors:?}");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_constant_channel_gets_one_point() {
        let universal = UniversalSet::of(WordSets::REFERENCE);
        let mut histogram = Histogram::default();
        histogram.add([0.0; 100]).unwrap();
        let zero = universal.nearest(0.0) as u16;
        for preset in [Preset::Paper, Preset::Reference] {
            assert_eq!(kmeans(&histogram.cumulative(), universal, 16, (preset, 3), 0).points, [zero]);
        }
    }
}
