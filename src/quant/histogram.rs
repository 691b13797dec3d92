//! What the point selection needs to know of a channel's normalized values.

use super::UniversalSet;
use crate::Error;

/// Bins per unit where no universal set asks for others.
const RESOLUTION: usize = 2048;

/// Bins that are allocated together.
const BLOCK: usize = 64;

/// Values that are prepared before they are counted.
const AT_ONCE: usize = 64;

/// Added to a number of up to 51 bits, this leaves it as a whole one in the low bits.
const WHOLE: f64 = (3u64 << 51) as f64;

/// Sums are kept in units of this, so that they do not depend on the order in which values come, nor on which thread saw
/// them. A value is at most half a bin, 2^-12, from its bin's centre, so 2^32 of them fit in 60 bits.
const UNITS: f64 = (1u64 << 40) as f64;

/// Count and sum of the normalized values in equal bins over [-1, 1], with the sum of all squares.
///
/// From these the squared error of any assignment of whole bins to points is exact. The bins are chosen so that the
/// values of the universal set and the midpoints of any two of them fall on edges between bins. So the error of a set
/// of universal points is that of the samples, but for samples within one rounding error (1e-7) of a midpoint in the
/// sets of 3 and 5 words, whose values are not dyadic: there the two points are equally far, and nothing is lost.
///
/// Only stretches that hold values take memory: 12 bytes a bin, 48 KiB at most for 4 word sets.
#[derive(Debug, Clone)]
pub struct Histogram {
    blocks: Vec<Option<Box<Block>>>,
    /// In units.
    squares: i128,
}

#[derive(Debug, Clone)]
struct Block {
    counts: [u32; BLOCK],
    /// Sums of the distances from the bins' centres, in units.
    offsets: [i64; BLOCK],
}

impl Block {
    const EMPTY: Block = Block { counts: [0; BLOCK], offsets: [0; BLOCK] };
}

/// More than 2^32 - 1 values fell into one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyValues;

impl From<TooManyValues> for Error {
    fn from(_: TooManyValues) -> Self {
        Error::Option("there are too many values to choose points from: more than 4 billion alike".into())
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::with_resolution(RESOLUTION)
    }
}

fn centre(bin: i32, resolution: usize) -> f64 {
    (f64::from(bin) + 0.5) * (1.0 / resolution as f64) - 1.0
}

impl Histogram {
    /// An empty histogram with the bins for this universal set.
    pub fn new(universal: &UniversalSet) -> Self {
        Self::with_resolution(universal.resolution())
    }

    fn with_resolution(resolution: usize) -> Self {
        Histogram { blocks: vec![None; (2 * resolution).div_ceil(BLOCK)], squares: 0 }
    }

    /// Most bytes that a histogram for this universal set can take.
    pub fn most_bytes(universal: &UniversalSet) -> usize {
        Self::new(universal).blocks.len() * (size_of::<Block>() + size_of::<Option<Box<Block>>>())
    }

    fn bins(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    fn block(&mut self, index: usize) -> &mut Block {
        self.blocks[index].get_or_insert_with(|| Box::new(Block::EMPTY))
    }

    /// Adds normalized values; what lies outside [-1, 1] counts in the outermost bins. Sums are right for values up to 2000.
    ///
    /// # Errors
    /// [`TooManyValues`]; the histogram is then of no use any more.
    pub fn add(&mut self, values: impl IntoIterator<Item = f32>) -> Result<(), TooManyValues> {
        // In passes that vectors do, but for the last.
        let values: Vec<f32> = values.into_iter().collect();
        let (last, resolution) = (self.bins() as i32 - 1, self.bins() / 2);
        let (mut bins, mut offsets) = ([0i32; AT_ONCE], [0i64; AT_ONCE]);
        let (mut squares, mut too_many) = (0.0, false);
        for values in values.chunks(AT_ONCE) {
            for (bin, y) in bins.iter_mut().zip(values) {
                *bin = (((y + 1.0) * resolution as f32) as i32).clamp(0, last);
            }
            for ((offset, bin), y) in offsets.iter_mut().zip(&bins).zip(values) {
                let whole = (f64::from(*y) - centre(*bin, resolution)) * UNITS + WHOLE;
                *offset = (whole.to_bits() as i64).wrapping_sub(WHOLE.to_bits() as i64);
            }
            for ((bin, offset), y) in bins.iter().zip(&offsets).zip(values) {
                let (block, at) = (self.block(*bin as usize / BLOCK), *bin as usize % BLOCK);
                block.counts[at] = block.counts[at].wrapping_add(1);
                block.offsets[at] = block.offsets[at].wrapping_add(*offset);
                too_many |= block.counts[at] == 0;
                squares += f64::from(*y) * f64::from(*y);
            }
        }
        self.squares += (squares * UNITS) as i128;
        if too_many { Err(TooManyValues) } else { Ok(()) }
    }

    /// Adds all that `other`, which has the same bins, has counted.
    ///
    /// # Errors
    /// As [`Histogram::add`].
    pub fn merge(&mut self, other: &Histogram) -> Result<(), TooManyValues> {
        for (index, theirs) in other.blocks.iter().enumerate() {
            let Some(theirs) = theirs else { continue };
            let ours = self.block(index);
            for i in 0..BLOCK {
                ours.counts[i] = ours.counts[i].checked_add(theirs.counts[i]).ok_or(TooManyValues)?;
                ours.offsets[i] = ours.offsets[i].saturating_add(theirs.offsets[i]);
            }
        }
        self.squares += other.squares;
        Ok(())
    }

    /// Divides all values by 2, as if they had been so when they were added. Edges of bins stay edges.
    ///
    /// # Errors
    /// As [`Histogram::add`].
    pub fn halve(&mut self) -> Result<(), TooManyValues> {
        let bins = self.bins();
        let mut half = Self::with_resolution(bins / 2);
        for (bin, count, offset) in self.occupied_bins() {
            let to = bin / 2 + bins / 4;
            let shift = ((centre(bin as i32, bins / 2) / 2.0 - centre(to as i32, bins / 2)) * UNITS) as i64;
            let (block, at) = (half.block(to / BLOCK), to % BLOCK);
            block.counts[at] = block.counts[at].checked_add(count).ok_or(TooManyValues)?;
            block.offsets[at] = block.offsets[at].saturating_add(offset / 2 + i64::from(count) * shift);
        }
        half.squares = self.squares / 4;
        *self = half;
        Ok(())
    }

    /// Index, count and offset of the bins that hold values.
    fn occupied_bins(&self) -> impl Iterator<Item = (usize, u32, i64)> {
        let blocks = self.blocks.iter().enumerate().filter_map(|(i, block)| Some((i, block.as_deref()?)));
        blocks.flat_map(|(index, block)| {
            let bins = block.counts.iter().zip(&block.offsets).enumerate();
            bins.filter(|(_, (count, _))| **count > 0)
                .map(move |(at, (count, offset))| (index * BLOCK + at, *count, *offset))
        })
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        self.blocks.len() * size_of::<Option<Box<Block>>>()
            + self.blocks.iter().flatten().count() * size_of::<Block>()
    }

    /// Counts in `groups` equal intervals over [-1, 1] (a divisor of the number of bins), for drawing.
    pub fn grouped(&self, groups: usize) -> Vec<u32> {
        let mut grouped = vec![0u32; groups];
        for (bin, count, _) in self.occupied_bins() {
            let slot = &mut grouped[bin * groups / self.bins()];
            *slot = slot.saturating_add(count);
        }
        grouped
    }

    /// The running sums that selection works on.
    pub fn cumulative(&self) -> Cumulative {
        let bins = self.bins();
        let mut sums = Vec::with_capacity(bins + 1);
        let (mut count, mut sum) = (0.0, 0.0);
        for (bin, n, offset) in self.occupied_bins() {
            sums.resize(bin + 1, (count, sum));
            count += f64::from(n);
            sum += f64::from(n) * centre(bin as i32, bins / 2) + offset as f64 / UNITS;
        }
        sums.resize(bins + 1, (count, sum));
        Cumulative { sums, squares: self.squares as f64 / UNITS }
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
        // Without a branch, which would be mispredicted half of the time.
        bin + usize::from((count > 0.0) & (sum <= y * count))
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
    use crate::quant::WordSets;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn squared_error_equals_the_samples() {
        let mut rng = fastrand::Rng::with_seed(5);
        let values: Vec<f32> = (0..20_000).map(|_| (rng.f32() * 2.0 - 1.0).powi(3)).collect();
        let mut histogram = Histogram::default();
        histogram.add(values[..7000].iter().copied()).unwrap();
        let mut rest = Histogram::default();
        rest.add(values[7000..].iter().copied()).unwrap();
        histogram.merge(&rest).unwrap();
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
        histogram.add([-1.0, 1.0, 1.5, -3.0]).unwrap();
        let cumulative = histogram.cumulative();
        assert_eq!(cumulative.range(0, 1).0, 2.0);
        assert_eq!(cumulative.range(4096 - 1, 4096), (2.0, 2.5));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn halving_is_as_if_the_values_had_been_halved() {
        let mut rng = fastrand::Rng::with_seed(8);
        let values: Vec<f32> = (0..3000).map(|_| rng.f32() * 2.0 - 1.0).collect();
        let (mut halved, mut direct) = (Histogram::default(), Histogram::default());
        halved.add(values.iter().copied()).unwrap();
        halved.halve().unwrap();
        direct.add(values.iter().map(|v| v / 2.0)).unwrap();
        assert_eq!(halved.grouped(4096), direct.grouped(4096));
        let points = [-0.5, -0.0625, 0.25, 0.375];
        let (a, b) = (halved.cumulative().squared_error(&points), direct.cumulative().squared_error(&points));
        assert!((a - b).abs() < 1e-6 * b, "{a} is not {b}");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn many_equal_values_are_summed_exactly() {
        // In f32, a sum of half bins stops growing after 2^24 of them.
        let mut once = Histogram::default();
        once.add(std::iter::repeat_n(0.0, 1 << 20)).unwrap();
        let mut many = once.clone();
        for _ in 1..40 {
            many.merge(&once).unwrap();
        }
        assert_eq!(many.cumulative().range(2048, 2049), (f64::from(40 << 20), 0.0));
        let mut added = Histogram::default();
        added.add(std::iter::repeat_n(0.0, 20 << 20)).unwrap();
        assert_eq!(added.cumulative().range(2048, 2049), (f64::from(20 << 20), 0.0));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn counts_that_no_longer_fit_are_an_error() {
        let mut histogram = Histogram::default();
        histogram.add(std::iter::repeat_n(0.25, 1 << 16)).unwrap();
        for _ in 0..15 {
            histogram.merge(&histogram.clone()).unwrap();
        }
        assert_eq!(histogram.cumulative().total(), f64::from(1u32 << 31));
        assert_eq!(histogram.merge(&histogram.clone()), Err(TooManyValues));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_order_of_values_makes_no_difference() {
        let mut rng = fastrand::Rng::with_seed(1);
        let parts: Vec<Vec<f32>> = (0..9).map(|_| (0..999).map(|_| rng.f32().powi(3)).collect()).collect();
        let gather = |order: &mut dyn Iterator<Item = &Vec<f32>>| {
            let mut histogram = Histogram::default();
            order.for_each(|part| histogram.add(part.iter().copied()).unwrap());
            histogram.cumulative()
        };
        let (forth, back) = (gather(&mut parts.iter()), gather(&mut parts.iter().rev()));
        assert_eq!((forth.sums(), forth.squares()), (back.sums(), back.squares()));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn empty_stretches_take_no_memory() {
        let universal = UniversalSet::of(WordSets::REFERENCE);
        let (mut narrow, mut wide) = (Histogram::new(universal), Histogram::new(universal));
        narrow.add((0..9999).map(|i| i as f32 / 1e6)).unwrap();
        wide.add((0..9999).map(|i| i as f32 / 5000.0 - 1.0)).unwrap();
        assert!(narrow.bytes() < 2500 && wide.bytes() == Histogram::most_bytes(universal));
    }
}
