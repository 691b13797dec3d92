//! What the point selection needs to know of a channel's normalized values.

/// Bins over [-1, 1]: their width is 2^-11, so the midpoints between neighbours of the 2- and 4-set universal sets,
/// which are multiples of it, fall on edges between bins.
const BINS: usize = 4096;

/// Count and sum of the normalized values in each of 4096 bins over [-1, 1], with the sum of all squares.
///
/// From these the squared error of any assignment of whole bins to points is exact.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u32>,
    /// Sum of the distances from the bin's centre. Each is below 2^-12, so f32 loses nothing that matters.
    offsets: Vec<f32>,
    squares: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BINS], offsets: vec![0.0; BINS], squares: 0.0 }
    }
}

fn centre(bin: usize) -> f64 {
    (bin as f64 + 0.5) / (BINS / 2) as f64 - 1.0
}

impl Histogram {
    /// Adds normalized values; what lies outside [-1, 1] counts in the outermost bins.
    pub fn add(&mut self, values: impl IntoIterator<Item = f32>) {
        for y in values {
            let bin = (((y + 1.0) * (BINS / 2) as f32) as usize).min(BINS - 1);
            self.counts[bin] += 1;
            self.offsets[bin] += (f64::from(y) - centre(bin)) as f32;
            self.squares += f64::from(y) * f64::from(y);
        }
    }

    /// Adds all that `other` has counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
        for (a, b) in self.offsets.iter_mut().zip(&other.offsets) {
            *a += b;
        }
        self.squares += other.squares;
    }

    /// Counts in `groups` equal intervals over [-1, 1] (a divisor of 4096), for drawing.
    pub fn grouped(&self, groups: usize) -> Vec<u32> {
        self.counts.chunks(BINS / groups).map(|bins| bins.iter().sum()).collect()
    }

    /// The running sums that selection works on.
    pub fn cumulative(&self) -> Cumulative {
        let mut result = Cumulative {
            count: Vec::with_capacity(BINS + 1),
            sum: Vec::with_capacity(BINS + 1),
            squares: self.squares,
        };
        let (mut count, mut sum) = (0.0, 0.0);
        result.count.push(0.0);
        result.sum.push(0.0);
        for (bin, (n, offset)) in self.counts.iter().zip(&self.offsets).enumerate() {
            count += f64::from(*n);
            sum += f64::from(*n) * centre(bin) + f64::from(*offset);
            result.count.push(count);
            result.sum.push(sum);
        }
        result
    }
}

/// Running count and sum of a [`Histogram`]: entry `i` covers the bins below `i`.
#[derive(Debug, Clone)]
pub struct Cumulative {
    count: Vec<f64>,
    sum: Vec<f64>,
    squares: f64,
}

impl Cumulative {
    /// Count and sum of the values in bins `from..to`.
    #[inline]
    pub fn range(&self, from: usize, to: usize) -> (f64, f64) {
        (self.count[to] - self.count[from], self.sum[to] - self.sum[from])
    }

    /// Number of values.
    pub fn total(&self) -> f64 {
        self.count[BINS]
    }

    /// The bins that hold values, with their count and mean, ascending.
    pub fn occupied(&self) -> Vec<(f64, f64)> {
        (0..BINS)
            .map(|bin| self.range(bin, bin + 1))
            .filter(|(count, _)| *count > 0.0)
            .map(|(count, sum)| (count, sum / count))
            .collect()
    }

    /// First bin whose values are nearer to points above `y` than to those below it: a bin goes to the side on
    /// which its mean lies.
    #[inline]
    pub fn cut(&self, y: f64) -> usize {
        let bin = ((y + 1.0) * (BINS / 2) as f64).clamp(0.0, (BINS - 1) as f64) as usize;
        let (count, sum) = self.range(bin, bin + 1);
        if count > 0.0 && sum <= y * count { bin + 1 } else { bin }
    }

    /// The end of the bins, as [`Cumulative::cut`] counts them.
    pub fn end(&self) -> usize {
        BINS
    }

    /// Sum of squared distances of all values from the nearest of `points` (ascending).
    pub fn squared_error(&self, points: &[f64]) -> f64 {
        let mut error = self.squares;
        let mut from = 0;
        for (i, point) in points.iter().enumerate() {
            let to = points.get(i + 1).map_or(BINS, |next| self.cut((point + next) / 2.0)).max(from);
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
        assert_eq!(cumulative.range(BINS - 1, BINS), (2.0, 2.5));
    }
}
