//! Quantizes a vector as the paper does: normalize, and round to points that were chosen for it from the universal set.
//!
//! `cargo run --release --example quantize`

use dfsq::quant::points::Scaled;
use dfsq::quant::{Histogram, Normalization, PointSets, PointSettings, Summary};

fn main() -> dfsq::Result<()> {
    // Positive and skewed, as values after a ReLU are.
    let values: Vec<f32> = (0..4096).map(|i| (i as f32 * 0.37).sin().abs().powi(3) * 2.5).collect();
    let norm = Normalization::measure(&values, false).ok_or(dfsq::Error::Option("not finite".into()))?;

    for settings in [PointSettings::default(), PointSettings::EXACT] {
        let mut histogram = Histogram::new(settings.universal());
        histogram.add(values.iter().map(|x| norm.normalize(*x)))?;
        let chosen = settings.select(&histogram.cumulative(), 8, 0)?;
        let points = PointSets::new(settings.word_sets, vec![chosen]);

        let mut quantized = values.clone();
        Scaled::new(&points.points()[0], norm, norm, &Summary::of(&values)).apply(&mut quantized);
        let noise: f64 = values.iter().zip(&quantized).map(|(x, q)| f64::from(x - q).powi(2)).sum();
        let signal: f64 = values.iter().map(|x| f64::from(*x).powi(2)).sum();
        println!("{:?}: {:?}", settings.selection, points.values(0));
        println!("signal to quantization noise {:.2} dB", 10.0 * (signal / noise).log10());
    }
    Ok(())
}
