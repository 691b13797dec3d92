//! Choosing a channel's quantization points from the universal set (paper, section 3.3).

use super::UniversalSet;
use super::histogram::Cumulative;
use super::kmeans::KMeans;
use serde::{Deserialize, Serialize};

/// The two published descriptions of the point selection, where they differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::ValueEnum))]
pub enum Preset {
    /// The paper's text: 3 starts, the best squared error before snapping.
    Paper,
    /// The authors' code: 5 starts, one centre pinned to 0, the best squared error after snapping.
    #[default]
    Reference,
}

const MAX_ITERATIONS: usize = 100;
const TOLERANCE: f64 = 1e-6;

/// Indices into `universal` of at most `levels` points for `data`, ascending: k-means, then each centre snaps to the
/// nearest value. Two centres may snap to the same one; then fewer points come back.
pub fn select(
    data: &Cumulative,
    universal: &UniversalSet,
    levels: usize,
    preset: Preset,
    seed: u64,
) -> Vec<u16> {
    let options = KMeans {
        clusters: levels,
        restarts: match preset {
            Preset::Paper => 3,
            Preset::Reference => 5,
        },
        pin_zero: preset == Preset::Reference,
        max_iterations: MAX_ITERATIONS,
        tolerance: TOLERANCE,
    };
    let mut best = (f64::INFINITY, Vec::new());
    options.run(data, &mut fastrand::Rng::with_seed(seed), |centres| {
        let snapped = snap(centres, universal);
        let error = match preset {
            Preset::Paper => data.squared_error(centres),
            Preset::Reference => {
                let points: Vec<f64> =
                    snapped.iter().map(|i| f64::from(universal.values()[usize::from(*i)])).collect();
                data.squared_error(&points)
            }
        };
        if error < best.0 {
            best = (error, snapped);
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
    use crate::quant::Histogram;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn points_are_universal_distinct_and_repeatable() {
        let universal = UniversalSet::new(4).unwrap();
        let mut rng = fastrand::Rng::with_seed(11);
        let mut histogram = Histogram::default();
        histogram.add((0..5000).map(|_| (rng.f32() * 2.0 - 1.0).powi(5)));
        let data = histogram.cumulative();
        let mut errors = Vec::new();
        for levels in [4, 8, 16, 64, 256] {
            for preset in [Preset::Paper, Preset::Reference] {
                let points = select(&data, &universal, levels, preset, 1);
                assert!(points.windows(2).all(|p| p[0] < p[1]) && points.len() <= levels);
                assert_eq!(points, select(&data, &universal, levels, preset, 1));
            }
            let points = select(&data, &universal, levels, Preset::Reference, 1);
            let values: Vec<f64> =
                points.iter().map(|i| f64::from(universal.values()[usize::from(*i)])).collect();
            assert!(values.contains(&0.0));
            errors.push(data.squared_error(&values));
        }
        assert!(errors.windows(2).all(|e| e[1] < e[0]), "more points, less error: {errors:?}");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_constant_channel_gets_one_point() {
        let universal = UniversalSet::new(4).unwrap();
        let mut histogram = Histogram::default();
        histogram.add([0.0; 100]);
        let zero = universal.nearest(0.0) as u16;
        for preset in [Preset::Paper, Preset::Reference] {
            assert_eq!(select(&histogram.cumulative(), &universal, 16, preset, 0), [zero]);
        }
    }
}
