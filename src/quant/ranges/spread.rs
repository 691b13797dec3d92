//! The distribution of values between their extremes, and the ends of a grid that each estimator finds on it.

use super::RangeEstimator;
use crate::quant::{BitWidth, Points, Summary};

/// Bins of a distribution between its extremes.
const BINS: usize = 2048;

/// Ends that are tried on each side, equally spaced between the extreme and the mean.
const ENDS: usize = 64;

/// How often both ends are gone over, each with the other as it is.
const ROUNDS: usize = 3;

/// Ranges that are tried for the least relative entropy.
const CLIPS: usize = 128;

/// Steps of the uniform quantizer of least squared error for a normal distribution of deviation 1, for 1 to 8 bits (Max, 1960).
const NORMAL_STEPS: [f32; 8] = [1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308];

/// Values counted in equal bins between their extremes.
pub(super) struct Spread {
    low: f64,
    high: f64,
    mean: f64,
    counts: Vec<u32>,
}

impl Spread {
    /// Of values with this summary, none of them counted yet.
    pub fn new(summary: &Summary) -> Self {
        let [low, high] = [summary.low, summary.high].map(f64::from);
        Spread { low, high, mean: summary.mean().into(), counts: vec![0; BINS] }
    }

    /// Counts a value.
    pub fn add(&mut self, value: f32) {
        let share = (f64::from(value) - self.low) / self.width();
        // A cast saturates, and makes 0 of NaN, where all values are alike.
        self.counts[((share * BINS as f64) as usize).min(BINS - 1)] += 1;
    }

    fn width(&self) -> f64 {
        self.high - self.low
    }

    fn centre(&self, bin: usize) -> f64 {
        self.low + (bin as f64 + 0.5) * self.width() / BINS as f64
    }

    /// The ends of the grid.
    pub fn range(&self, estimator: RangeEstimator, bits: BitWidth) -> [f32; 2] {
        let levels = bits.levels().unwrap_or(Points::MOST);
        let ends = match estimator {
            _ if self.width() <= 0.0 => [self.low, self.high],
            RangeEstimator::MinMax => [self.low, self.high],
            RangeEstimator::Percentile999 => self.percentiles(0.0005),
            RangeEstimator::Percentile9999 => self.percentiles(0.00005),
            RangeEstimator::Mse => self.least_error(levels),
            RangeEstimator::Entropy => self.least_entropy(levels),
            RangeEstimator::Deviation => self.around_mean(bits),
        };
        ends.map(|end| end as f32)
    }

    /// The values below and above which this share of all lies.
    fn percentiles(&self, share: f64) -> [f64; 2] {
        let total: f64 = self.counts.iter().map(|count| f64::from(*count)).sum();
        let walk = |counts: &mut dyn Iterator<Item = &u32>| {
            let mut left = share * total;
            let mut passed = 0.0;
            for count in counts {
                let count = f64::from(*count);
                if count > left {
                    return (passed + left / count) / BINS as f64;
                }
                left -= count;
                passed += 1.0;
            }
            1.0
        };
        let (below, above) = (walk(&mut self.counts.iter()), walk(&mut self.counts.iter().rev()));
        [self.low + below * self.width(), self.high - above * self.width()]
    }

    /// Mean and deviation, and the step that is best for a normal distribution.
    fn around_mean(&self, bits: BitWidth) -> [f64; 2] {
        let (mut total, mut squares) = (0.0, 0.0);
        for (bin, count) in self.counts.iter().enumerate() {
            total += f64::from(*count);
            squares += f64::from(*count) * (self.centre(bin) - self.mean).powi(2);
        }
        let at = usize::from(bits.bits()).clamp(1, NORMAL_STEPS.len()) - 1;
        let half = f64::from(NORMAL_STEPS[at]) * (bits.levels().unwrap_or(2) - 1) as f64 / 2.0;
        let reach = half * (squares / f64::max(total, 1.0)).sqrt();
        [self.mean - reach, self.mean + reach]
    }

    /// The ends of least squared error, of those that are tried: one is moved, then the other, and again.
    fn least_error(&self, levels: usize) -> [f64; 2] {
        let sums = Sums::of(self);
        let mut best = ([self.low, self.high], f64::INFINITY);
        for round in 0..2 * ROUNDS {
            let side = round % 2;
            let from = [self.low, self.high][side];
            for end in 0..ENDS {
                let mut ends = best.0;
                ends[side] = from + (self.mean - from) * end as f64 / ENDS as f64;
                let error = sums.error(ends, levels);
                if error < best.1 {
                    best = (ends, error);
                }
            }
        }
        best.0
    }

    /// Of ranges that are clipped at the same distance from 0, that of least relative entropy: of the counts within, with what
    /// lies beyond added to the outermost bins, against those counts spread evenly over what is rounded to the same value.
    fn least_entropy(&self, levels: usize) -> [f64; 2] {
        let farthest = self.high.max(-self.low);
        let mut best = ([self.low, self.high], f64::INFINITY);
        for clip in (CLIPS / 16..=CLIPS).rev() {
            let at = farthest * clip as f64 / CLIPS as f64;
            let ends = [self.low.max(-at), self.high.min(at)];
            let entropy = self.entropy(ends, levels);
            if entropy < best.1 {
                best = (ends, entropy);
            }
        }
        best.0
    }

    /// The relative entropy of counts between these ends; infinite where they hold nothing.
    fn entropy(&self, [low, high]: [f64; 2], levels: usize) -> f64 {
        let bin = |value: f64| {
            (((value - self.low) / self.width()) * BINS as f64).round().clamp(0.0, BINS as f64) as usize
        };
        let (first, end) = (bin(low), bin(high));
        let inside = &self.counts[first..end.max(first)];
        let sum = |counts: &[u32]| counts.iter().map(|count| f64::from(*count)).sum::<f64>();
        let (total, held) = (sum(&self.counts), sum(inside));
        if inside.len() < levels || held <= 0.0 {
            return f64::INFINITY;
        }
        let mut wanted: Vec<f64> = inside.iter().map(|count| f64::from(*count)).collect();
        let last = wanted.len() - 1;
        wanted[0] += sum(&self.counts[..first]);
        wanted[last] += sum(&self.counts[end..]);
        let mut entropy = 0.0;
        for level in 0..levels {
            let [from, to] = [level, level + 1].map(|level| level * inside.len() / levels);
            let filled = wanted[from..to].iter().filter(|count| **count > 0.0).count();
            let spread = sum(&inside[from..to]) / filled.max(1) as f64 / held;
            for count in &wanted[from..to] {
                let share = count / total;
                if share > 0.0 {
                    entropy += if spread > 0.0 { share * libm::log(share / spread) } else { f64::INFINITY };
                }
            }
        }
        entropy
    }
}

/// Sums of counts, values and squares over the bins before each.
struct Sums<'s> {
    spread: &'s Spread,
    sums: Vec<[f64; 3]>,
}

impl<'s> Sums<'s> {
    fn of(spread: &'s Spread) -> Self {
        let mut sums = vec![[0.0; 3]; BINS + 1];
        for (bin, count) in spread.counts.iter().enumerate() {
            let (count, centre) = (f64::from(*count), spread.centre(bin));
            let own = [count, count * centre, count * centre * centre];
            sums[bin + 1] = [0, 1, 2].map(|power| sums[bin][power] + own[power]);
        }
        Sums { spread, sums }
    }

    /// The squared error of a grid of so many levels between these ends.
    fn error(&self, [low, high]: [f64; 2], levels: usize) -> f64 {
        let step = (high - low) / (levels - 1) as f64;
        if step <= 0.0 {
            return f64::INFINITY;
        }
        let bin = |edge: f64| {
            (((edge - self.spread.low) / self.spread.width()) * BINS as f64).round().clamp(0.0, BINS as f64)
                as usize
        };
        let (mut from, mut error) = (0, 0.0);
        for level in 0..levels {
            let value = low + level as f64 * step;
            let to = if level + 1 == levels { BINS } else { bin(value + step / 2.0) };
            let [count, sum, squares] = [0, 1, 2].map(|power| self.sums[to][power] - self.sums[from][power]);
            error += squares - 2.0 * value * sum + value * value * count;
            from = to;
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn width(bits: u8) -> BitWidth {
        BitWidth::new(bits).unwrap()
    }

    /// Bell-shaped, with a few values that lie far from the others.
    fn values(count: usize) -> Vec<f32> {
        let mut rng = fastrand::Rng::with_seed(count as u64);
        let mut bell = || (0..6).map(|_| rng.f32()).sum::<f32>() - 2.8;
        (0..count).map(|i| if i % 997 == 5 { 9.0 } else { bell() }).collect()
    }

    fn spread(values: &[f32]) -> Spread {
        let mut spread = Spread::new(&Summary::of(values));
        values.iter().for_each(|value| spread.add(*value));
        spread
    }

    fn error(values: &[f32], [low, high]: [f32; 2], levels: usize) -> f64 {
        let step = (high - low) / (levels - 1) as f32;
        let rounded = |x: f32| ((x - low) / step).round().clamp(0.0, (levels - 1) as f32) * step + low;
        values.iter().map(|x| f64::from(x - rounded(*x)).powi(2)).sum()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn percentiles_are_those_of_sorted_values() {
        let values = values(40_000);
        let mut sorted = values.clone();
        sorted.sort_by(f32::total_cmp);
        let bin = (sorted[39_999] - sorted[0]) / BINS as f32;
        for (estimator, cut) in [(RangeEstimator::Percentile999, 20), (RangeEstimator::Percentile9999, 2)] {
            let [low, high] = spread(&values).range(estimator, width(4));
            assert!(
                (low - sorted[cut]).abs() <= bin && (high - sorted[39_999 - cut]).abs() <= bin,
                "{low} {high}"
            );
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_least_error_is_that_of_all_pairs_of_ends() {
        let values = values(20_000);
        let mean = Summary::of(&values).mean();
        for bits in [2, 3, 4, 8] {
            let levels = 1 << bits;
            let found = error(&values, spread(&values).range(RangeEstimator::Mse, width(bits)), levels);
            let full = Summary::of(&values).range().unwrap();
            assert!(found <= error(&values, [full.0, full.1], levels) * 1.001);
            let end = |from: f32, i: usize| from + (mean - from) * i as f32 / 16.0;
            let pairs = (0..16).flat_map(|i| (0..16).map(move |j| [i, j]));
            let best = pairs.map(|[i, j]| error(&values, [end(full.0, i), end(full.1, j)], levels));
            let best = best.fold(f64::INFINITY, f64::min);
            assert!(found < best * 1.02, "{bits} bits: {found} against {best}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn mean_and_deviation_are_those_of_the_values() {
        let values = values(20_000);
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / 20_000.0;
        let deviation =
            (values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / 20_000.0).sqrt();
        let [low, high] = spread(&values).range(RangeEstimator::Deviation, width(3)).map(f64::from);
        assert!(((low + high) / 2.0 - mean).abs() < 1e-3);
        assert!(((high - low) / 7.0 - 0.586 * deviation).abs() < 1e-3 * deviation);
        // The step is the best one for a normal distribution, give or take.
        let mut rng = fastrand::Rng::with_seed(1);
        let normal: Vec<f32> = (0..40_000).map(|_| (0..12).map(|_| rng.f32()).sum::<f32>() - 6.0).collect();
        for bits in [2, 3, 4] {
            let of = |estimator| error(&normal, spread(&normal).range(estimator, width(bits)), 1 << bits);
            let (deviation, least) = (of(RangeEstimator::Deviation), of(RangeEstimator::Mse));
            assert!(deviation < 1.1 * least, "{bits} bits: {deviation} against {least}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn entropy_clips_outliers_and_keeps_what_is_even() {
        let values = values(40_000);
        let [low, high] = spread(&values).range(RangeEstimator::Entropy, width(4));
        assert!(high < 7.0 && high > 1.5 && low < -1.5, "{low} {high}");
        let even: Vec<f32> = (0..40_000).map(|i| i as f32 / 40_000.0).collect();
        let [low, high] = spread(&even).range(RangeEstimator::Entropy, width(4));
        assert!(low == 0.0 && high > 0.98, "{low} {high}");
    }
}
