//! Quantizes a vector as the paper does, and with exactly chosen points: normalize, and round to points that were chosen for it
//! from the universal set.
//!
//! `cargo run --release --example quantize`

use dfsq::quant::{BitWidth, PointSettings};

fn main() -> dfsq::Result<()> {
    // Positive and skewed, as values after a ReLU are.
    let values: Vec<f32> = (0..4096).map(|i| (i as f32 * 0.37).sin().abs().powi(3) * 2.5).collect();

    for settings in [PointSettings::default(), PointSettings::EXACT] {
        let quantized = settings.quantize(&values, BitWidth::new(3)?)?;
        let noise: f64 = values.iter().zip(&quantized.values).map(|(x, q)| f64::from(x - q).powi(2)).sum();
        let signal: f64 = values.iter().map(|x| f64::from(*x).powi(2)).sum();
        println!("{:?}: {:?}", settings.selection, quantized.points.values());
        println!("signal to quantization noise {:.2} dB", 10.0 * (signal / noise).log10());
    }
    Ok(())
}
