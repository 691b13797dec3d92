//! Seeded one-dimensional k-means on a histogram.
//!
//! On a sorted line the values nearest to a centre are consecutive, so one step costs one look-up per centre in the
//! running sums, whatever the number of values.

use super::histogram::Cumulative;

/// What to search for and how hard.
#[derive(Debug, Clone, Copy)]
pub struct KMeans {
    /// Number of centres asked for.
    pub clusters: usize,
    /// Independent starts.
    pub restarts: usize,
    /// Keeps one centre at exactly 0.
    pub pin_zero: bool,
    /// Most steps of one start.
    pub max_iterations: usize,
    /// A start ends when no centre moved farther than this.
    pub tolerance: f64,
}

impl KMeans {
    /// Runs every start and hands its centres (ascending, at most `clusters`) to `keep`.
    ///
    /// Centres start by k-means++ on the means of the occupied bins. A centre that loses all its values stays where
    /// it is. With no more occupied bins than centres, the bins' means are the answer and there is one start.
    pub fn run(&self, data: &Cumulative, rng: &mut fastrand::Rng, mut keep: impl FnMut(&[f64])) {
        let bins = data.occupied();
        if bins.len() <= self.clusters {
            let mut centres: Vec<f64> = bins.iter().map(|(_, mean)| *mean).collect();
            if self.pin_zero || centres.is_empty() {
                pin_zero(&mut centres, self.clusters);
            }
            return keep(&centres);
        }
        for _ in 0..self.restarts.max(1) {
            let mut lloyd = Lloyd::new(data, plus_plus(&bins, self.clusters, rng));
            for _ in 0..self.max_iterations {
                if self.pin_zero {
                    pin_zero(&mut lloyd.centres, self.clusters);
                }
                // A pinned centre moves away in every step, and back, so that the others may all have come to rest.
                if lloyd.is_at_rest() || lloyd.step() <= self.tolerance {
                    break;
                }
            }
            if self.pin_zero {
                pin_zero(&mut lloyd.centres, self.clusters);
            }
            keep(&lloyd.centres);
        }
    }
}

/// Lloyd's steps. Most centres soon come to rest; only what lies beside one that moved is looked at again.
struct Lloyd<'d> {
    data: &'d Cumulative,
    /// Ascending.
    centres: Vec<f64>,
    /// Where they were in the last step.
    before: Vec<f64>,
    /// By centre, the end of its values in the last step, and their mean; NaN where there are none.
    clusters: Vec<(usize, f64)>,
}

impl<'d> Lloyd<'d> {
    fn new(data: &'d Cumulative, centres: Vec<f64>) -> Self {
        Lloyd { data, centres, before: Vec::new(), clusters: Vec::new() }
    }

    /// Whether the next step would be as the last one.
    fn is_at_rest(&self) -> bool {
        self.centres == self.before
    }

    /// Moves every centre to the mean of its values; returns the farthest move. A mean lies between its cluster's ends, so
    /// the order is kept.
    fn step(&mut self) -> f64 {
        let Lloyd { data, centres, before, clusters } = self;
        if before.len() != centres.len() {
            *before = vec![f64::NAN; centres.len()];
            *clusters = vec![(0, f64::NAN); centres.len()];
        }
        let (mut from, mut other_start) = (0, false);
        for (i, (end, mean)) in clusters.iter_mut().enumerate() {
            let to = match centres.get(i + 1) {
                None => data.end(),
                Some(next) if centres[i] != before[i] || *next != before[i + 1] => {
                    data.cut((centres[i] + next) / 2.0).max(from)
                }
                Some(_) => (*end).max(from),
            };
            let other_end = to != *end;
            if other_start || other_end {
                let (count, sum) = data.range(from, to);
                (*end, *mean) = (to, sum / count);
            }
            (from, other_start) = (to, other_end);
        }
        before.clone_from(centres);
        let mut farthest = 0.0f64;
        for (centre, (_, mean)) in centres.iter_mut().zip(clusters) {
            if !mean.is_nan() {
                // A comparison, because `max` is a function in WebAssembly.
                let moved = (*mean - *centre).abs();
                farthest = if moved > farthest { moved } else { farthest };
                *centre = *mean;
            }
        }
        farthest
    }
}

/// Moves the centre nearest to 0 there, or adds one while there is room. Centres are and stay ascending.
fn pin_zero(centres: &mut Vec<f64>, clusters: usize) {
    let above = centres.partition_point(|centre| *centre < 0.0);
    let around = [above.wrapping_sub(1), above].into_iter().filter(|i| *i < centres.len());
    match around.min_by(|a, b| centres[*a].abs().total_cmp(&centres[*b].abs())) {
        Some(i) if centres.len() >= clusters || centres[i] == 0.0 => centres[i] = 0.0,
        _ => centres.insert(above, 0.0),
    }
}

/// k-means++: each next centre is drawn with probability proportional to its squared distance from those before.
fn plus_plus(bins: &[(f64, f64)], clusters: usize, rng: &mut fastrand::Rng) -> Vec<f64> {
    let (counts, means): (Vec<f64>, Vec<f64>) = bins.iter().copied().unzip();
    let mut costs = Weights::new(&counts);
    // Bins that are centres, ascending.
    let mut chosen: Vec<usize> = Vec::with_capacity(clusters);
    while chosen.len() < clusters {
        let Some(bin) = costs.draw(rng.f64()) else { break };
        let (at, centre) = (chosen.partition_point(|other| *other < bin), means[bin]);
        // Up to halfway to its neighbours a new centre is the nearest.
        let halfway = |from: usize, to: usize| {
            let middle = (means[from] + means[to]) / 2.0;
            from + means[from..to].partition_point(|mean| *mean < middle)
        };
        let from = if at > 0 { halfway(chosen[at - 1], bin) } else { 0 };
        // A centre is its own nearest, also where the middle is rounded to it.
        let to = chosen.get(at).map_or(bins.len(), |next| halfway(bin, *next).max(bin + 1));
        let nearer = counts[from..to].iter().zip(&means[from..to]);
        costs.replace(from, nearer.map(|(count, mean)| count * (mean - centre) * (mean - centre)));
        chosen.insert(at, bin);
    }
    chosen.into_iter().map(|bin| means[bin]).collect()
}

/// Weights to draw by, with the sums of blocks of them in a tree, so that a draw passes only a few.
struct Weights {
    /// Whole blocks.
    weights: Vec<f64>,
    /// The sum of all at 1, the parts of the sum at `i` at `2 i` and `2 i + 1`, those of the blocks in the last half.
    sums: Vec<f64>,
}

/// Weights that are summed at once.
const BLOCK: usize = 16;

impl Weights {
    fn new(weights: &[f64]) -> Self {
        let blocks = weights.len().div_ceil(BLOCK);
        let mut sums =
            Weights { weights: vec![0.0; blocks * BLOCK], sums: vec![0.0; 2 * blocks.next_power_of_two()] };
        sums.replace(0, weights.iter().copied());
        sums
    }

    /// Replaces weights from this one on.
    fn replace(&mut self, from: usize, new: impl ExactSizeIterator<Item = f64>) {
        let leaves = self.sums.len() / 2;
        let to = from + new.len();
        for (weight, new) in self.weights[from..to].iter_mut().zip(new) {
            *weight = new;
        }
        let (mut first, mut end) = (from / BLOCK, to.div_ceil(BLOCK));
        let blocks = self.weights[first * BLOCK..end * BLOCK].chunks_exact(BLOCK);
        (first, end) = (leaves + first, leaves + end);
        for (sum, block) in self.sums[first..end].iter_mut().zip(blocks) {
            // In four sums, that need not wait for each other.
            let mut parts = [0.0; 4];
            for four in block.chunks_exact(4) {
                for (part, weight) in parts.iter_mut().zip(four) {
                    *part += weight;
                }
            }
            *sum = (parts[0] + parts[1]) + (parts[2] + parts[3]);
        }
        while first > 1 {
            (first, end) = (first / 2, end.div_ceil(2));
            let (above, below) = self.sums.split_at_mut(2 * first);
            for (sum, parts) in above[first..end].iter_mut().zip(below.chunks_exact(2)) {
                *sum = parts[0] + parts[1];
            }
        }
    }

    /// Index of the weight in whose share of the sum `at`, in 0..1, falls. Where rounding carries it past the end, the last
    /// weight above 0; `None` if there is none.
    fn draw(&self, at: f64) -> Option<usize> {
        let leaves = self.sums.len() / 2;
        let mut target = at * self.sums[1];
        let mut i = 1;
        while i < leaves {
            i *= 2;
            // Without a branch, which would be mispredicted half of the time.
            let above = (target >= self.sums[i]) & (self.sums[i + 1] > 0.0);
            target -= self.sums[i] * f64::from(above);
            i += usize::from(above);
        }
        let from = (i - leaves) * BLOCK;
        let mut last = None;
        for (offset, weight) in
            self.weights[from..][..BLOCK].iter().enumerate().filter(|(_, weight)| **weight > 0.0)
        {
            last = Some(from + offset);
            if target < *weight {
                break;
            }
            target -= weight;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::Histogram;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn cumulative(values: &[f32]) -> Cumulative {
        let mut histogram = Histogram::default();
        histogram.add(values.iter().copied()).unwrap();
        histogram.cumulative()
    }

    fn best(data: &Cumulative, options: KMeans, seed: u64) -> Vec<f64> {
        let mut best: (f64, Vec<f64>) = (f64::INFINITY, vec![]);
        options.run(data, &mut fastrand::Rng::with_seed(seed), |centres| {
            let error = data.squared_error(centres);
            if error < best.0 {
                best = (error, centres.to_vec());
            }
        });
        best.1
    }

    const OPTIONS: KMeans =
        KMeans { clusters: 3, restarts: 5, pin_zero: false, max_iterations: 100, tolerance: 1e-7 };

    #[wasm_bindgen_test(unsupported = test)]
    fn separate_clusters_are_found() {
        let mut values = vec![-0.8f32, -0.82, -0.78];
        values.extend([0.1, 0.12, 0.08, 0.1]);
        values.extend([0.9, 0.94]);
        for seed in 0..10 {
            let centres = best(&cumulative(&values), OPTIONS, seed);
            for (centre, want) in centres.iter().zip([-0.8, 0.1, 0.92]) {
                assert!((centre - want).abs() < 1e-6, "{centres:?}");
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_step_never_raises_the_error_and_the_seed_repeats() {
        let mut rng = fastrand::Rng::with_seed(2);
        let data = cumulative(&(0..4000).map(|_| rng.f32().powi(2) * 2.0 - 1.0).collect::<Vec<_>>());
        let mut lloyd = Lloyd::new(&data, plus_plus(&data.occupied(), 12, &mut rng));
        let mut error = data.squared_error(&lloyd.centres);
        for _ in 0..30 {
            lloyd.step();
            let next = data.squared_error(&lloyd.centres);
            assert!(next <= error * (1.0 + 1e-9));
            error = next;
        }
        let options = KMeans { clusters: 12, ..OPTIONS };
        assert_eq!(best(&data, options, 4), best(&data, options, 4));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_is_not_looked_at_again_is_as_it_was() {
        let mut rng = fastrand::Rng::with_seed(6);
        let data = cumulative(&(0..3000).map(|_| rng.f32().powi(3) * 2.0 - 1.0).collect::<Vec<_>>());
        let mut lloyd = Lloyd::new(&data, plus_plus(&data.occupied(), 40, &mut rng));
        for _ in 0..60 {
            pin_zero(&mut lloyd.centres, 40);
            let old = lloyd.centres.clone();
            let cuts = old.windows(2).map(|pair| data.cut((pair[0] + pair[1]) / 2.0));
            let edges: Vec<usize> = [0].into_iter().chain(cuts).chain([data.end()]).collect();
            let mean = |(i, old): (usize, &f64)| match data.range(edges[i], edges[i + 1]) {
                (0.0, _) => *old,
                (count, sum) => sum / count,
            };
            let moved: Vec<f64> = old.iter().enumerate().map(mean).collect();
            lloyd.step();
            assert_eq!(lloyd.centres, moved);
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn zero_is_pinned_and_few_values_are_their_own_centres() {
        let data = cumulative(&[0.5, 0.6, 0.7, 0.8, 0.9]);
        let pinned = best(&data, KMeans { pin_zero: true, ..OPTIONS }, 0);
        assert!(pinned.contains(&0.0) && pinned.len() == 3, "{pinned:?}");
        assert_eq!(best(&cumulative(&[0.25, 0.25]), OPTIONS, 0), [0.25]);
        assert_eq!(best(&cumulative(&[]), OPTIONS, 0), [0.0]);
    }
}
