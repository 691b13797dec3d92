//! Chooses 4 of the 29 values that two word sets make, in every way, and shows what each value is made of.
//!
//! `cargo run --release --example select_points`

use dfsq::quant::subset::Selection;
use dfsq::quant::{Histogram, PointSettings, WordSets};

fn main() -> dfsq::Result<()> {
    let word_sets = WordSets::new(2)?;
    let universal = PointSettings { word_sets, ..PointSettings::EXACT }.universal();
    let mut histogram = Histogram::new(universal);
    // Bell-shaped.
    let value = |i: usize| ((i % 31 + i % 37 + i % 41) as f32 - 53.0) / 60.0;
    histogram.add((0..9999).map(value))?;
    let data = histogram.cumulative();

    for selection in [Selection::Kmeans, Selection::Exact, Selection::Exhaustive] {
        let settings = PointSettings { word_sets, selection, ..PointSettings::EXACT };
        let chosen = settings.select(&data, 4, 0)?;
        let points = universal.pick(&chosen);
        println!("{selection:?}: {points:?}, squared error {:.3}", data.squared_error(&points));
        for index in chosen {
            let index = usize::from(index);
            println!("  {} = ± mean of {:?}", universal.values()[index], universal.words(index));
        }
    }
    Ok(())
}
