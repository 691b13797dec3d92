//! Quantizers on any floats: what is not finite is refused, of everything else finite values come out.
#![no_main]

use arbitrary::Arbitrary;
use dfsq::quant::subset::Selection;
use dfsq::quant::{
    ActivationQuantizer, BitWidth, Histogram, Normalizer, PointSets, PointSettings, SubsetQuantizer, UniformGrid,
    UniversalSet, WordSets,
};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    values: Vec<f32>,
    /// Bits of f32, so that denormals and the like are as frequent as other numbers.
    bits: Vec<u32>,
    channels: u8,
    width: u8,
    sets: u8,
    exact: bool,
    subtract_mean: bool,
    denormalization: u8,
}

fuzz_target!(|input: Input| {
    let mut values: Vec<f32> =
        input.values.iter().copied().chain(input.bits.iter().map(|bits| f32::from_bits(*bits))).collect();
    let channels = usize::from(input.channels % 16) + 1;
    values.truncate(values.len().min(4096) / channels * channels);
    if values.is_empty() {
        return;
    }
    let width = BitWidth::new(input.width % 7 + 2).unwrap();
    let word_sets = WordSets::new(input.sets % 4 + 2).unwrap();
    let normalizer = Normalizer::Sample { subtract_mean: input.subtract_mean };
    let universal = UniversalSet::of(word_sets);
    let settings = PointSettings {
        word_sets,
        selection: if input.exact { Selection::Exact } else { Selection::Kmeans },
        ..PointSettings::default()
    };
    let size = values.len() / channels;
    let mut chosen = Vec::new();
    for channel in values.chunks_exact(size) {
        let mut histogram = Histogram::new(universal);
        if let Some(norm) = normalizer.measure(channel) {
            assert!(channel.iter().all(|x| norm.normalize(*x).abs() <= 1.0 + 1e-6), "{channel:?}");
            histogram.add(channel.iter().map(|x| norm.normalize(*x))).unwrap();
        }
        let points = settings.select(&histogram.cumulative(), width.levels().unwrap(), 0).unwrap();
        assert!(points.len() <= width.levels().unwrap() && points.windows(2).all(|p| p[0] < p[1]));
        chosen.push(points);
    }
    let denormalization_bits = BitWidth::new(input.denormalization % 7 + 2).unwrap();
    let points = PointSets::new(word_sets, chosen).unwrap().points();
    let subset =
        |bits| ActivationQuantizer::Subset(SubsetQuantizer::new(points.clone(), normalizer, bits).unwrap());
    let quantizers = [
        subset(BitWidth::FULL),
        subset(denormalization_bits),
        ActivationQuantizer::DynamicMinMax(width),
        ActivationQuantizer::StaticMinMax(UniformGrid::spanning(-1.0, 1.0, width)),
    ];
    for quantizer in quantizers {
        let mut quantized = values.clone();
        match quantizer.apply(&mut quantized, channels) {
            Ok(()) => {
                assert!(quantized.iter().all(|value| value.is_finite()), "{values:?} gives {quantized:?}")
            }
            Err(_) => assert_eq!(
                quantized.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
                values.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
            ),
        }
    }
});
