//! The cheapest path of so many nodes through nodes in a line, by dynamic programming.
//!
//! With `D(k, j)` the least cost of getting to node j as the k-th of the path,
//! `D(k, j) = min over i < j of D(k - 1, i) + between(i, j)`. Costs must fulfil the quadrangle inequality; then the best i
//! never decreases with j, nor with k. One row of D is found by divide and conquer in O(M log M) for M nodes, or, where the
//! row above is near, by a sweep between both bounds.

use std::ops::RangeInclusive;

/// Costs of a path: from the start to its first node, from node to node, from its last node to the end.
pub trait Path {
    /// From the start to a node.
    fn first(&self, to: usize) -> f64;
    /// From a node to a later one.
    fn between(&self, from: usize, to: usize) -> f64;
    /// From a node to the end.
    fn last(&self, from: usize) -> f64;
}

/// Rows from this one on are swept, earlier ones filled by divide and conquer. Between row k - 1 and k the best
/// predecessor of node j moves by some j / k^2, which from here on is less than the depth of the recursion.
const SWEPT: usize = 6;

/// The cheapest path through exactly `length` of the nodes (all of them if there are fewer), ascending.
pub fn shortest_path(nodes: usize, length: usize, path: &impl Path) -> Vec<usize> {
    if length == 0 || length >= nodes {
        return (0..nodes.min(length)).collect();
    }
    let mut before: Vec<f64> = (0..nodes).map(|j| path.first(j)).collect();
    // Every entry is written before it is read, so that two rows are enough.
    let mut now = before.clone();
    // By row, the best predecessor of each node.
    let mut rows: Vec<Vec<u16>> = vec![vec![0; nodes]];
    for k in 1..length {
        let mut row = Row { path, before: &before, above: &rows[k - 1], now, from: vec![0; nodes] };
        // The k-th of `length` nodes leaves room for those before and after it.
        let (first, last) = (k, nodes - length + k);
        if k < SWEPT {
            row.fill(first..last + 1, k - 1, last - 1);
        } else {
            row.sweep(first..=last);
        }
        let Row { now: next, from, .. } = row;
        rows.push(from);
        now = std::mem::replace(&mut before, next);
    }
    let total = |j: usize| before[j] + path.last(j);
    let Some(mut node) = (length - 1..nodes).min_by(|a, b| total(*a).total_cmp(&total(*b))) else {
        return Vec::new();
    };
    let mut result = vec![node];
    for row in rows.iter().skip(1).rev() {
        node = usize::from(row[node]);
        result.push(node);
    }
    result.reverse();
    result
}

struct Row<'r, P> {
    path: &'r P,
    before: &'r [f64],
    /// The best predecessors of the row above: those of this row are no lower. 0 where that row has none.
    above: &'r [u16],
    now: Vec<f64>,
    from: Vec<u16>,
}

impl<P: Path> Row<'_, P> {
    /// Sets entry j by its best predecessor in `range`, the first of several, and returns that.
    #[inline]
    fn set(&mut self, j: usize, range: RangeInclusive<usize>) -> usize {
        let (mut best, mut from) = (f64::INFINITY, *range.start());
        for i in range {
            let cost = self.before[i] + self.path.between(i, j);
            if cost < best {
                (best, from) = (cost, i);
            }
        }
        (self.now[j], self.from[j]) = (best, from as u16);
        from
    }

    /// Fills these entries from the last to the first: the best predecessor of each lies between that of the row above
    /// and that of the next entry.
    fn sweep(&mut self, range: RangeInclusive<usize>) {
        let (lowest, mut high) = (range.start() - 1, range.end() - 1);
        for j in range.rev() {
            // The row above ends one entry earlier.
            let above = self.above[j].max(self.above[j - 1]);
            high = high.min(j - 1);
            high = self.set(j, usize::from(above).max(lowest).min(high)..=high);
        }
    }

    /// Fills the entries `range`, whose best predecessors lie in `low..=high`.
    fn fill(&mut self, range: std::ops::Range<usize>, low: usize, high: usize) {
        if range.is_empty() {
            return;
        }
        let j = usize::midpoint(range.start, range.end - 1);
        let end = high.min(j - 1);
        // Rounding may make two equal costs differ, so that the row above is a step too far.
        let start = low.max(usize::from(self.above[j])).min(end);
        let from = self.set(j, start..=end);
        self.fill(range.start..j, low, from);
        self.fill(j + 1..range.end, from, high);
    }
}
