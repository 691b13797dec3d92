//! The best subset of the universal set for a channel, exactly, and bounds to compare with.
//!
//! The error of all samples between two neighbouring points depends on these two points alone: each sample goes to the
//! nearer one. So the best K of M values are a path of K nodes through M, found by dynamic programming, where the paper
//! calls the choice exponential. With `e(i, j)` the error between values i and j, and `D(k, j)` the least error of all
//! samples up to value j with j the k-th point,
//!
//! `D(k, j) = min over i < j of D(k - 1, i) + e(i, j)`.
//!
//! which `shortest_path` finds in O(K M log M) or less.

use super::UniversalSet;
use super::histogram::Cumulative;
use super::shortest_path::{Path, shortest_path};
use crate::{Error, Result};

/// Most subsets that [`exhaustive`] tries for one channel.
pub const MAX_SUBSETS: f64 = 1e7;

/// Number of ways to choose `levels` of `values`.
pub fn subsets(values: usize, levels: usize) -> f64 {
    let few = levels.min(values.saturating_sub(levels));
    (0..few).fold(1.0, |n, i| n * (values - i) as f64 / (i + 1) as f64).round()
}

/// Indices into `universal` of the at most `levels` points of least squared error, ascending. Points that no value
/// would go to are left out.
pub fn exact(data: &Cumulative, universal: &UniversalSet, levels: usize) -> Vec<u16> {
    let costs = Costs::new(data, universal);
    costs.used(&shortest_path(costs.nodes(), levels, &costs))
}

/// As [`exact`], by trying every subset.
///
/// # Errors
/// [`Error::Option`] where there are more than [`MAX_SUBSETS`].
pub fn exhaustive(data: &Cumulative, universal: &UniversalSet, levels: usize) -> Result<Vec<u16>> {
    let costs = Costs::new(data, universal);
    let levels = levels.min(costs.nodes());
    let count = subsets(costs.nodes(), levels);
    if count > MAX_SUBSETS {
        return Err(Error::Option(format!(
            "there are {count:.3e} ways to choose {levels} of {} values; trying all is offered up to {MAX_SUBSETS:.0e}",
            costs.nodes()
        )));
    }
    let mut chosen: Vec<usize> = Vec::with_capacity(levels);
    let mut best = (f64::INFINITY, Vec::new());
    try_all(&costs, levels, 0.0, &mut chosen, &mut best);
    Ok(costs.used(&best.1))
}

/// Extends `chosen` in every way; `cost` is that of all samples below the last point.
fn try_all(
    costs: &Costs<'_>,
    levels: usize,
    cost: f64,
    chosen: &mut Vec<usize>,
    best: &mut (f64, Vec<usize>),
) {
    let left = levels - chosen.len();
    let last = chosen.last().copied();
    if let (0, Some(last)) = (left, last) {
        let total = cost + costs.last(last);
        if total < best.0 {
            *best = (total, chosen.clone());
        }
        return;
    }
    for next in last.map_or(0, |last| last + 1)..=costs.nodes() - left {
        let step = last.map_or_else(|| costs.first(next), |last| costs.between(last, next));
        chosen.push(next);
        try_all(costs, levels, cost + step, chosen, best);
        chosen.pop();
    }
}

/// Least squared error of any `levels` points, not only universal ones: exact one-dimensional k-means, a bound for every
/// selection. Exact for values at their bins' means.
pub fn lower_bound(data: &Cumulative, levels: usize) -> f64 {
    let bins = data.occupied();
    // Running count, sum and sum of squares of the bins' means.
    let sums: Vec<[f64; 3]> = std::iter::once([0.0; 3])
        .chain(bins.iter().scan([0.0; 3], |sum, (count, mean)| {
            *sum = [sum[0] + count, sum[1] + count * mean, sum[2] + count * mean * mean];
            Some(*sum)
        }))
        .collect();
    let error = |from: usize, to: usize| {
        let [count, sum, squares] = [0, 1, 2].map(|i| sums[to][i] - sums[from][i]);
        if count > 0.0 { (squares - sum * sum / count).max(0.0) } else { 0.0 }
    };
    // A cluster is the stretch between two cuts, so the nodes of the path are cuts, the first and last being given.
    struct Cuts<F>(F, usize);
    impl<F: Fn(usize, usize) -> f64> Path for Cuts<F> {
        fn first(&self, to: usize) -> f64 {
            (self.0)(0, to)
        }
        fn between(&self, from: usize, to: usize) -> f64 {
            (self.0)(from, to)
        }
        fn last(&self, from: usize) -> f64 {
            (self.0)(from, self.1)
        }
    }
    if levels <= 1 || bins.len() <= levels {
        return if levels == 1 { error(0, bins.len()) } else { 0.0 };
    }
    let cuts = Cuts(&error, bins.len());
    let path = shortest_path(bins.len() + 1, levels - 1, &cuts);
    let inner: f64 = path.windows(2).map(|pair| error(pair[0], pair[1])).sum();
    path.first().map_or(0.0, |i| cuts.first(*i)) + inner + path.last().map_or(0.0, |i| cuts.last(*i))
}

/// Squared errors, less the sum of squares of all samples, which is the same for every choice. The nodes are the values
/// that can be of use: from the last one below all samples to the first one above.
struct Costs<'d> {
    data: &'d Cumulative,
    /// By node.
    values: Vec<f64>,
    /// By node, the bin that starts there.
    edges: Vec<u32>,
    /// By node, the cost of all samples below, from its value.
    below: Vec<f64>,
    /// Index of the first node in the universal set.
    offset: usize,
}

impl<'d> Costs<'d> {
    fn new(data: &'d Cumulative, universal: &UniversalSet) -> Self {
        let all = universal.values();
        let (mut low, mut high) = (0, data.end());
        while low < high && data.range(low, low + 1).0 == 0.0 {
            low += 1;
        }
        while high > low && data.range(high - 1, high).0 == 0.0 {
            high -= 1;
        }
        let start = all.iter().rposition(|v| data.edge(f64::from(*v)) <= low).unwrap_or(0);
        let stop = all.iter().position(|v| data.edge(f64::from(*v)) >= high).unwrap_or(all.len() - 1);
        let values: Vec<f64> = all[start..=stop.max(start)].iter().map(|v| f64::from(*v)).collect();
        let edges: Vec<u32> = values.iter().map(|v| data.edge(*v) as u32).collect();
        let below =
            values.iter().zip(&edges).map(|(v, edge)| cost(data.sums()[*edge as usize], *v)).collect();
        Costs { data, values, edges, below, offset: start }
    }

    fn nodes(&self) -> usize {
        self.values.len()
    }

    /// The universal indices of the nodes that samples go to; one at least.
    fn used(&self, nodes: &[usize]) -> Vec<u16> {
        let universal = |node: usize| (node + self.offset) as u16;
        let middle = |a: usize, b: usize| ((self.edges[a] + self.edges[b]) / 2) as usize;
        let samples = |i: usize| {
            let from = if i == 0 { 0 } else { middle(nodes[i - 1], nodes[i]) };
            let to = nodes.get(i + 1).map_or(self.data.end(), |next| middle(nodes[i], *next));
            self.data.range(from, to).0
        };
        let used: Vec<u16> =
            (0..nodes.len()).filter(|i| samples(*i) > 0.0).map(|i| universal(nodes[i])).collect();
        if used.is_empty() { nodes.first().map(|node| universal(*node)).into_iter().collect() } else { used }
    }
}

/// Of so many samples with this sum, from this value.
#[inline]
fn cost((count, sum): (f64, f64), value: f64) -> f64 {
    value * (value * count - 2.0 * sum)
}

impl Path for Costs<'_> {
    #[inline]
    fn first(&self, to: usize) -> f64 {
        self.below[to]
    }

    /// What lies below the middle goes to `from`, the rest to `to`: written with sums from 0 on, so that only the
    /// middle's are looked up.
    #[inline]
    fn between(&self, from: usize, to: usize) -> f64 {
        let (count, sum) = self.data.sums()[((self.edges[from] + self.edges[to]) / 2) as usize];
        let (low, high) = (self.values[from], self.values[to]);
        (low - high) * ((low + high) * count - 2.0 * sum) + (self.below[to] - self.below[from])
    }

    #[inline]
    fn last(&self, from: usize) -> f64 {
        cost(self.data.range(self.edges[from] as usize, self.data.end()), self.values[from])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::subset::{self, Preset};
    use crate::quant::{Histogram, WordSets};
    use wasm_bindgen_test::wasm_bindgen_test;

    fn universal(sets: u8) -> &'static UniversalSet {
        UniversalSet::of(WordSets::new(sets).unwrap())
    }

    fn histogram(universal: &UniversalSet, values: impl IntoIterator<Item = f32>) -> Cumulative {
        let mut histogram = Histogram::new(universal);
        histogram.add(values).unwrap();
        histogram.cumulative()
    }

    fn error(data: &Cumulative, universal: &UniversalSet, indices: &[u16]) -> f64 {
        data.squared_error(&universal.pick(indices))
    }

    /// Skewed, with gaps and spikes.
    fn sample(rng: &mut fastrand::Rng, count: usize) -> Vec<f32> {
        let (power, spike) = (rng.i32(1..6), rng.f32());
        let value = |rng: &mut fastrand::Rng| match rng.u8(0..8) {
            0 => spike,
            1 => -rng.f32() * 0.2,
            _ => rng.f32().powi(power),
        };
        (0..count).map(|_| value(rng)).collect()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn exact_equals_exhaustive_search() {
        let universal = universal(2);
        let mut rng = fastrand::Rng::with_seed(1);
        for round in 0..60 {
            // 29 values; of 0 to 0.55 there are 16 candidates at most, and every K is tried.
            let scale = if round % 3 == 0 { 1.0 } else { 0.55 };
            let count = rng.usize(1..300);
            let data = histogram(universal, sample(&mut rng, count).iter().map(|v| v * scale));
            let most = if scale == 1.0 { 5 } else { 17 };
            for levels in 1..most {
                let best = exhaustive(&data, universal, levels).unwrap();
                let points = exact(&data, universal, levels);
                let (a, b) = (error(&data, universal, &points), error(&data, universal, &best));
                assert!((a - b).abs() <= 1e-9 * data.squares(), "{levels}: {points:?} {a}, {best:?} {b}");
            }
        }
    }

    /// The recurrence as it stands, every predecessor tried.
    fn naive(costs: &Costs<'_>, levels: usize) -> f64 {
        let mut row: Vec<f64> = (0..costs.nodes()).map(|j| costs.first(j)).collect();
        for _ in 1..levels {
            let best = |j: usize| (0..j).map(|i| row[i] + costs.between(i, j)).fold(f64::INFINITY, f64::min);
            row = (0..row.len()).map(best).collect();
        }
        row.iter().enumerate().map(|(j, cost)| cost + costs.last(j)).fold(f64::INFINITY, f64::min)
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn bounds_on_predecessors_leave_no_better_one_out() {
        let mut rng = fastrand::Rng::with_seed(7);
        for (round, levels) in [2, 5, 6, 7, 12, 40, 64, 128, 200, 256].into_iter().enumerate() {
            let universal = universal(if round % 2 == 0 { 4 } else { 3 });
            let data = histogram(universal, sample(&mut rng, 3000));
            let costs = Costs::new(&data, universal);
            let levels = levels.min(costs.nodes());
            let path = shortest_path(costs.nodes(), levels, &costs);
            assert!(path.len() == levels && path.windows(2).all(|pair| pair[0] < pair[1]));
            let inner: f64 = path.windows(2).map(|pair| costs.between(pair[0], pair[1])).sum();
            let ours = costs.first(path[0]) + inner + costs.last(path[levels - 1]);
            let best = naive(&costs, levels);
            assert!((ours - best).abs() <= 1e-9 * data.squares(), "{levels}: {ours} is not {best}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn exact_equals_a_search_over_the_whole_universal_set() {
        let universal = universal(2);
        let mut rng = fastrand::Rng::with_seed(6);
        for _ in 0..20 {
            let scale = rng.f32();
            let data = histogram(universal, sample(&mut rng, 100).iter().map(|v| v * scale));
            let all = 0..universal.values().len() as u16;
            let triples =
                all.clone().flat_map(|a| (a + 1..29).flat_map(move |b| (b + 1..29).map(move |c| [a, b, c])));
            let best = triples.map(|t| error(&data, universal, &t)).fold(f64::INFINITY, f64::min);
            let ours = error(&data, universal, &exact(&data, universal, 3));
            assert!((ours - best).abs() <= 1e-9 * data.squares(), "{ours} is not {best}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_error_of_a_choice_is_that_of_the_samples() {
        let mut rng = fastrand::Rng::with_seed(4);
        for sets in 2..=5 {
            let universal = universal(sets);
            let values = sample(&mut rng, 3000);
            let data = histogram(universal, values.iter().copied());
            let indices = exact(&data, universal, 7);
            let points = universal.pick(&indices);
            let nearest =
                |v: f32| points.iter().map(|p| (f64::from(v) - p).powi(2)).fold(f64::INFINITY, f64::min);
            let naive: f64 = values.iter().map(|v| nearest(*v)).sum();
            let ours = data.squared_error(&points);
            assert!((ours - naive).abs() < 1e-5 * naive, "{sets}: {ours} is not {naive}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn exact_is_never_worse_than_k_means_and_more_points_never_hurt() {
        let mut rng = fastrand::Rng::with_seed(2);
        for round in 0..40 {
            let universal = universal(2 + round % 4);
            let data = histogram(universal, sample(&mut rng, 2000));
            let mut before = f64::INFINITY;
            for levels in [2, 3, 4, 8, 16, 64, 256] {
                let points = exact(&data, universal, levels);
                assert!(points.windows(2).all(|p| p[0] < p[1]) && points.len() <= levels);
                let ours = error(&data, universal, &points);
                let slack = 1e-9 * data.squares();
                assert!(ours <= before + slack, "{levels} points: {ours} after {before}");
                let k_means = subset::kmeans(&data, universal, levels, (Preset::Reference, 5), 0).points;
                let theirs = error(&data, universal, &k_means);
                assert!(ours <= theirs + slack, "{levels} points: {ours}, k-means {theirs}");
                assert!(lower_bound(&data, levels) <= ours + slack);
                before = ours;
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn no_point_is_wasted() {
        let universal = universal(4);
        let zero = universal.nearest(0.0) as u16;
        assert_eq!(exact(&histogram(universal, [0.0; 9]), universal, 16), [zero]);
        assert_eq!(exact(&histogram(universal, []), universal, 16).len(), 1);
        let ends = exact(&histogram(universal, [-1.0, 1.0]), universal, 8);
        assert_eq!(ends, [0, 376]);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn too_many_subsets_are_refused() {
        assert_eq!((subsets(377, 1), subsets(16, 4), subsets(4, 9)), (377.0, 1820.0, 1.0));
        let universal = universal(4);
        let data = histogram(universal, (0..999).map(|i| i as f32 / 999.0));
        assert!(matches!(exhaustive(&data, universal, 16), Err(Error::Option(_))));
    }
}
