//! How the inputs of a layer are quantized: measured first, then mapped channel by channel or pixel by pixel.

use super::error::{QuantizationError, add_pixels};
use super::pixel_points::PixelPoints;
use super::pixels::Pixels;
use super::points::{Points, Scaled};
use super::ranges::{EstimatedRange, Visit};
use super::{BitWidth, NonFiniteChannel, Normalization, Normalizer, Quantizer, Summary, UniformGrid};

/// Pixels that are mapped together: what belongs to them stays in the nearest cache.
const STRIP: usize = 64;

/// Farthest from 0 that a value may be: means, ranges and points made of such values are finite.
const LARGEST: f32 = f32::MAX / 4.0;

/// How the inputs of one layer are quantized.
#[derive(Debug, Clone)]
pub enum ActivationQuantizer {
    /// DFSQ (paper, eq. 1 to 5): each channel is normalized on the fly and mapped to its own points.
    Subset(SubsetQuantizer),
    /// One uniform grid over the minimum and maximum of this very input.
    DynamicMinMax(BitWidth),
    /// One uniform grid over a calibrated range.
    StaticMinMax(UniformGrid),
    /// A uniform grid for each channel or for all, over a range that is found on this very input.
    Estimated(EstimatedRange),
}

/// Points that normalized channels are mapped to.
#[derive(Debug, Clone)]
pub struct SubsetQuantizer {
    /// One set a channel, or a single one for all of them together; at least one.
    points: Vec<Points>,
    normalizer: Normalizer,
    denormalization_bits: BitWidth,
}

impl SubsetQuantizer {
    /// `points` has one set a channel, or a single one for all of them together; in front of them stands `normalizer`, and
    /// `denormalization_bits` are those of the means and ranges that points are dequantized with (paper, section 5).
    ///
    /// None without points.
    pub fn new(points: Vec<Points>, normalizer: Normalizer, denormalization_bits: BitWidth) -> Option<Self> {
        (!points.is_empty()).then_some(SubsetQuantizer { points, normalizer, denormalization_bits })
    }

    /// By channel, or the single ones of all channels.
    pub fn points(&self) -> &[Points] {
        &self.points
    }

    /// What stands in front of the points.
    pub fn normalizer(&self) -> Normalizer {
        self.normalizer
    }

    /// Bits of the means and ranges that points are dequantized with.
    pub fn denormalization_bits(&self) -> BitWidth {
        self.denormalization_bits
    }

    /// Gives a channel other points, or all of them where they have the same.
    pub fn replace(&mut self, channel: usize, points: Points) {
        let at = channel.min(self.points.len() - 1);
        self.points[at] = points;
    }
}

impl ActivationQuantizer {
    /// Whether it is for an input of so many channels.
    pub fn fits(&self, channels: usize) -> bool {
        match self {
            ActivationQuantizer::Subset(subset) => [1, channels].contains(&subset.points.len()),
            _ => true,
        }
    }

    /// Quantizes and dequantizes `values` in place, shape `[channels, values.len() / channels]`.
    ///
    /// # Errors
    /// [`NonFiniteChannel`] for NaN or infinity; `values` is then unchanged.
    pub fn apply(&self, values: &mut [f32], channels: usize) -> Result<(), NonFiniteChannel> {
        let pixels = values.len() / channels.max(1);
        if pixels == 0 {
            return Ok(());
        }
        let summaries: Vec<Summary> = values.chunks_exact(pixels).map(Summary::of).collect();
        let planes = &*values;
        let mapping = self.fit(&summaries, &|take| {
            for (channel, values) in planes.chunks_exact(pixels).enumerate() {
                take(channel, 1, Pixels { values, stride: 1 });
            }
        })?;
        for (channel, values) in values.chunks_exact_mut(pixels).enumerate() {
            mapping.apply(channel, values);
        }
        Ok(())
    }

    /// What this quantizer does to an input with these channels, whose `values` are asked for where summaries do not do.
    ///
    /// # Errors
    /// [`NonFiniteChannel`] where a channel holds NaN, infinity, or values so large that its range or a point may be infinite.
    pub fn fit(&self, channels: &[Summary], values: &Visit<'_>) -> Result<Mapping<'_>, NonFiniteChannel> {
        let mut whole = Summary::EMPTY;
        for (channel, summary) in channels.iter().enumerate() {
            let held = |(low, high): &(f32, f32)| -low <= LARGEST && *high <= LARGEST;
            summary.range().filter(held).ok_or(NonFiniteChannel(channel))?;
            whole = whole.with(summary);
        }
        Ok(match self {
            ActivationQuantizer::Subset(SubsetQuantizer { points, normalizer, denormalization_bits }) => {
                let groups = if points.len() == channels.len() { channels } else { &[whole] };
                let measure =
                    |(group, summary)| normalizer.normalization(summary).ok_or(NonFiniteChannel(group));
                let inputs = groups.iter().enumerate().map(measure).collect::<Result<Vec<_>, _>>()?;
                let mut outputs = inputs.clone();
                let own = matches!(normalizer, Normalizer::Sample { .. });
                if own && *denormalization_bits != BitWidth::FULL {
                    Normalization::round_all(&mut outputs, *denormalization_bits);
                }
                let scaled = points.iter().zip(inputs).zip(outputs).zip(groups);
                Mapping::Points(
                    scaled.map(|(((points, i), o), values)| Scaled::new(points, i, o, values)).collect(),
                )
            }
            ActivationQuantizer::DynamicMinMax(bits) => {
                Mapping::Grid(UniformGrid::spanning(whole.low, whole.high, *bits))
            }
            ActivationQuantizer::StaticMinMax(grid) => Mapping::Grid(*grid),
            ActivationQuantizer::Estimated(range) => {
                let ranges = range.ranges(channels, values);
                let groups = if ranges.len() == channels.len() { channels } else { &[whole] };
                let scaled = ranges.into_iter().zip(groups);
                Mapping::Points(
                    scaled.map(|(range_of, of)| Scaled::new(&range.points, range_of, range_of, of)).collect(),
                )
            }
        })
    }
}

/// A quantizer made ready for one sample.
pub enum Mapping<'a> {
    /// By channel, or one for all of them together.
    Points(Vec<Scaled<'a>>),
    /// The same for all channels.
    Grid(UniformGrid),
}

impl Mapping<'_> {
    /// Quantizes and dequantizes values of one channel.
    pub fn apply(&self, channel: usize, values: &mut [f32]) {
        match self {
            Mapping::Points(groups) => Self::scaled(groups, channel).apply(values),
            Mapping::Grid(grid) => grid.apply(values),
        }
    }

    fn scaled<'s>(groups: &'s [Scaled<'_>], channel: usize) -> &'s Scaled<'s> {
        &groups[channel.min(groups.len() - 1)]
    }

    /// What values of a channel are mapped to, ascending. None where a grid leaves them as they are.
    pub fn levels(&self, channel: usize) -> Vec<f32> {
        match self {
            Mapping::Points(groups) => Self::scaled(groups, channel).levels(),
            Mapping::Grid(grid) => grid.values(),
        }
    }

    /// Index among [`Mapping::levels`] of what a value of a channel is mapped to.
    pub fn index(&self, channel: usize, value: f32) -> usize {
        match self {
            Mapping::Points(groups) => Self::scaled(groups, channel).index(value),
            Mapping::Grid(grid) => grid.index(value),
        }
    }

    /// The same for pixels with all their channels.
    pub fn of_pixels(&self) -> PixelMapping<'_> {
        match self {
            Mapping::Points(groups) => match &groups[..] {
                [all] => PixelMapping::All(all),
                each => PixelMapping::Each(PixelPoints::new(each)),
            },
            Mapping::Grid(grid) => PixelMapping::Grid(*grid),
        }
    }
}

/// A [`Mapping`] for values that lie `[pixels, channels]`.
pub enum PixelMapping<'m> {
    /// The same points for all channels.
    All(&'m Scaled<'m>),
    /// By channel.
    Each(PixelPoints<'m>),
    /// The same grid for all channels.
    Grid(UniformGrid),
}

impl PixelMapping<'_> {
    /// Quantizes and dequantizes whole pixels into `to`, `[pixels, channels]`, and counts the errors of each channel.
    pub fn apply(
        &self,
        mut from: Pixels<'_>,
        to: &mut [f32],
        channels: usize,
        mut errors: Option<&mut [QuantizationError]>,
    ) {
        for to in to.chunks_mut(STRIP * channels) {
            let (strip, rest) = from.split(STRIP);
            from = rest;
            let errors = errors.as_deref_mut();
            match self {
                PixelMapping::Each(points) => points.apply(strip, to, errors),
                PixelMapping::All(points) => copy_and(|to| points.apply(to), strip, to, channels, errors),
                PixelMapping::Grid(grid) => copy_and(|to| grid.apply(to), strip, to, channels, errors),
            }
        }
    }
}

/// For what maps all channels alike, where they lie.
fn copy_and(
    map: impl FnOnce(&mut [f32]),
    from: Pixels<'_>,
    to: &mut [f32],
    channels: usize,
    errors: Option<&mut [QuantizationError]>,
) {
    to.chunks_exact_mut(channels).zip(from.iter(channels)).for_each(|(to, from)| to.copy_from_slice(from));
    map(to);
    if let Some(errors) = errors {
        add_pixels(errors, from, Pixels { values: to, stride: channels });
    }
}
