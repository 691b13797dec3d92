//! What the point selection needs to know of a channel's normalized values.

use super::UniversalSet;

/// Bins per unit where no universal set asks for others.
const RESOLUTION: usize = 2048;

/// Count and sum of the normalized values in equal bins over [-1, 1], with the sum of all squares.
///
/// From these the squared error of any assignment of whole bins to points is exact. The bins are chosen so that the
/// values of the universal set and the midpoints of any two of them fall on edges between bins. So the error of a set
/// of universal points is that of the samples, but for samples within one rounding error (1e-7) of a midpoint in the
/// sets of 3 and 5 words, whose values are not dyadic: there the two points are equally far, and nothing is lost.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u32>,
    /// Sum of the distances from the bin's centre. Each is at most half a bin, so f32 loses nothing that matters.
    offsets: Vec<f32>,
    squares: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::with_resolution(RESOLUTION)
    }
}

fn centre(bin: usize, resolution: usize) -> f64 {
    (bin as f64 + 0.5) / resolution as f64 - 1.0
}

impl Histogram {
    /// An empty histogram with the bins for this universal set.
    pub fn new(universal: &UniversalSet) -> Self {
        Self::with_resolution(universal.resolution())
    }

    fn with_resolution(resolution: usize) -> Self {
        Histogram { counts: vec![0; 2 * resolution], offsets: vec![0.0; 2 * resolution], squares: 0.0 }
    }

    /// Adds normalized values; what lies outside [-1, 1] counts in the outermost bins.
    pub fn add(&mut self, values: impl IntoIterator<Item = f32>) {
        let (last, resolution) = (self.counts.len() - 1, self.counts.len() / 2);
        for y in values {
            let bin = (((y + 1.0) * resolution as f32) as usize).min(last);
            self.counts[bin] += 1;
            self.offsets[bin] += (f64::from(y) - centre(bin, resolution)) as f32;
            self.squares += f64::from(y) * f64::from(y);
        }
    }

    /// Adds all that `other`, which has the same bins, has counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
        for (a, b) in self.offsets.iter_mut().zip(&other.offsets) {
            *a += b;
        }
        self.squares += other.squares;
    }

    /// Divides all values by 2, as if they had been so when they were added. Edges of bins stay edges.
    pub fn halve(&mut self) {
        let bins = self.counts.len();
        let mut half = Self::with_resolution(bins / 2);
        for (bin, (count, offset)) in self.counts.iter().zip(&self.offsets).enumerate() {
            let to = bin / 2 + bins / 4;
            let shift = centre(bin, bins / 2) / 2.0 - centre(to, bins / 2);
            half.counts[to] += count;
            half.offsets[to] += (f64::from(*offset) / 2.0 + f64::from(*count) * shift) as f32;
        }
        half.squares = self.squares / 4.0;
        *self = half;
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        self.counts.len() * (size_of::<u32>() + size_of::<f32>())
    }

    /// Counts in `groups` equal intervals over [-1, 1] (a divisor of the number of bins), for drawing.
    pub fn grouped(&self, groups: usize) -> Vec<u32> {
        self.counts.chunks(self.counts.len() / groups).map(|bins| bins.iter().sum()).collect()
    }

    /// The running sums that selection works on.
    pub fn cumulative(&self) -> Cumulative {
        let bins = self.counts.len();
        let mut sums = Vec::with_capacity(bins + 1);
        let (mut count, mut sum) = (0.0, 0.0);
        sums.push((count, sum));
        for (bin, (n, offset)) in self.counts.iter().zip(&self.offsets).enumerate() {
            count += f64::from(*n);
            sum += f64::from(*n) * centre(bin, bins / 2) + f64::from(*offset);
            sums.push((count, sum));
        }
        Cumulative { sums, squares: self.squares }
    }
}

/// Running count and sum of a [`Histogram`]: entry `i` covers the bins below `i`.
#[derive(Debug, Clone)]
pub struct Cumulative {
    sums: Vec<(f64, f64)>,
    squares: f64,
}

impl Cumulative {
    /// Count and sum of the values in bins `from..to`.
    #[inline]
    pub fn range(&self, from: usize, to: usize) -> (f64, f64) {
        let (low, high) = (self.sums[from], self.sums[to]);
        (high.0 - low.0, high.1 - low.1)
    }

    /// By bin, count and sum of the values below it; one more entry for all of them.
    #[inline]
    pub fn sums(&self) -> &[(f64, f64)] {
        &self.sums
    }

    /// Number of values.
    pub fn total(&self) -> f64 {
        self.sums[self.end()].0
    }

    /// Sum of squares of all values.
    pub fn squares(&self) -> f64 {
        self.squares
    }

    /// The bins that hold values, with their count and mean, ascending.
    pub fn occupied(&self) -> Vec<(f64, f64)> {
        (0..self.end())
            .map(|bin| self.range(bin, bin + 1))
            .filter(|(count, _)| *count > 0.0)
            .map(|(count, sum)| (count, sum / count))
            .collect()
    }

    /// The bin edge at `y`, which lies on one.
    #[inline]
    pub fn edge(&self, y: f64) -> usize {
        ((y + 1.0) * (self.end() / 2) as f64).round() as usize
    }

    /// First bin whose values are nearer to points above `y` than to those below it: a bin goes to the side on
    /// which its mean lies.
    #[inline]
    pub fn cut(&self, y: f64) -> usize {
        let last = self.end() - 1;
        let bin = ((y + 1.0) * (self.end() / 2) as f64).clamp(0.0, last as f64) as usize;
        let (count, sum) = self.range(bin, bin + 1);
        if count > 0.0 && sum <= y * count { bin + 1 } else { bin }
    }

    /// The number of bins, which is the end of the last as [`Cumulative::cut`] counts them.
    pub fn end(&self) -> usize {
        self.sums.len() - 1
    }

    /// Sum of squared distances of all values from the nearest of `points` (ascending).
    pub fn squared_error(&self, points: &[f64]) -> f64 {
        let mut error = self.squares;
        let mut from = 0;
        for (i, point) in points.iter().enumerate() {
            let to = points.get(i + 1).map_or(self.end(), |next| self.cut((point + next) / 2.0)).max(from);
            let (count, sum) = self.range(from, to);
            error += point * (point * count - 2.0 * sum);
            from = to;
        }
        error.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn squared_error_equals_the_samples() {
        let mut rng = fastrand::Rng::with_seed(5);
        let values: Vec<f32> = (0..20_000).map(|_| (rng.f32() * 2.0 - 1.0).powi(3)).collect();
        let mut histogram = Histogram::default();
        histogram.add(values[..7000].iter().copied());
        let mut rest = Histogram::default();
        rest.add(values[7000..].iter().copied());
        histogram.merge(&rest);
        // Dyadic points: their midpoints are bin edges, and the answer is exact but for rounding.
        let points = [-0.75, -0.125, 0.0, 0.0625, 0.5];
        let naive: f64 = values
            .iter()
            .map(|v| points.iter().map(|p| (f64::from(*v) - p).powi(2)).fold(f64::INFINITY, f64::min))
            .sum();
        let error = histogram.cumulative().squared_error(&points);
        assert!((error - naive).abs() < 1e-6 * naive, "{error} is not {naive}");
        assert_eq!(histogram.cumulative().total(), 20_000.0);
        assert_eq!(histogram.grouped(64).iter().sum::<u32>(), 20_000);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn values_at_and_outside_the_ends_are_counted() {
        let mut histogram = Histogram::default();
        histogram.add([-1.0, 1.0, 1.5, -3.0]);
        let cumulative = histogram.cumulative();
        assert_eq!(cumulative.range(0, 1).0, 2.0);
        assert_eq!(cumulative.range(4096 - 1, 4096), (2.0, 2.5));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn halving_is_as_if_the_values_had_been_halved() {
        let mut rng = fastrand::Rng::with_seed(8);
        let values: Vec<f32> = (0..3000).map(|_| rng.f32() * 2.0 - 1.0).collect();
        let (mut halved, mut direct) = (Histogram::default(), Histogram::default());
        halved.add(values.iter().copied());
        halved.halve();
        direct.add(values.iter().map(|v| v / 2.0));
        assert_eq!(halved.counts, direct.counts);
        let points = [-0.5, -0.0625, 0.25, 0.375];
        let (a, b) = (halved.cumulative().squared_error(&points), direct.cumulative().squared_error(&points));
        assert!((a - b).abs() < 1e-6 * b, "{a} is not {b}");
    }
}
