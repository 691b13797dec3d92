//! Calibration: statistics of a network's layers are gathered from pictures in full precision, and points chosen by them.

mod file;
mod statistics;

pub use file::{Calibration, LayerCalibration, check_ranges};
pub use statistics::Statistics;

use crate::image_io::{self, Picture};
use crate::network::{Layer, Network};
use crate::parallel::{self, Part, Progress};
use crate::quant::{BitWidth, PointSettings};
use crate::{Error, Result};
use statistics::{Gathering, groups};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes of statistics at a time: EDSR's take 100 MB, the paper's own RDN is gathered in groups of layers.
const MAX_BYTES: usize = 256 << 20;

/// Most of the work that gathering is, against choosing.
const GATHERING: f32 = 0.7;

/// Calibrates one network, whose statistics it keeps.
#[derive(Default)]
pub struct Calibrator {
    /// Of the last calibration, with the digest of the pictures that they are of.
    statistics: Option<(String, Statistics)>,
}

impl Calibrator {
    /// Chooses points for these bit widths, and those that single layers usually have, on these pictures. Statistics of the same pictures are used again where the settings
    /// allow it. `hash` is that of the network's file.
    ///
    /// # Errors
    /// [`Error::Option`] for no pictures, and where there are too many subsets to try; [`Error::Cancelled`]; what goes wrong in
    /// the network. What was gathered stays.
    pub fn calibrate(
        &mut self,
        (network, hash): (&Network, &str),
        pictures: &[Picture],
        settings: PointSettings,
        widths: &[BitWidth],
        progress: &dyn Progress,
    ) -> Result<Calibration> {
        if pictures.is_empty() {
            return Err(Error::Option("no picture to calibrate on".into()));
        }
        let widths = &with_usual(widths, network.layers());
        let of = image_io::digest(pictures);
        let groups = groups(network.layers(), &settings, MAX_BYTES);
        let mut layers = BTreeMap::new();
        for (index, group) in groups.iter().enumerate() {
            let share = 1.0 / groups.len() as f32;
            let whole = Part { whole: progress, start: share * index as f32, share };
            if !self.has_statistics(&of, group, &settings) {
                // Two of them may be too much.
                self.statistics = None;
                let part = Part { whole: &whole, start: 0.0, share: GATHERING };
                let gathered = gather(network, pictures, group.clone(), settings, &part)?;
                self.statistics = Some((of.clone(), gathered));
            }
            let part = Part { whole: &whole, start: GATHERING, share: 1.0 - GATHERING };
            self.select(network, &settings, widths, &part, &mut layers)?;
        }
        let (ranges, images) = (network.convention().ranges(), pictures.len());
        Ok(Calibration { settings, network: hash.to_owned(), ranges, images, layers })
    }

    fn has_statistics(&self, of: &str, group: &Range<usize>, settings: &PointSettings) -> bool {
        self.statistics.as_ref().is_some_and(|(known, statistics)| {
            known == of && statistics.group() == group && settings.gather_as(&statistics.settings())
        })
    }

    fn select(
        &self,
        network: &Network,
        settings: &PointSettings,
        widths: &[BitWidth],
        progress: &dyn Progress,
        layers: &mut BTreeMap<String, LayerCalibration>,
    ) -> Result<()> {
        let Some((_, statistics)) = &self.statistics else { return Ok(()) };
        let group = statistics.group();
        statistics.select(settings, widths, &mut |index, layer| {
            layers.insert(network.layers()[index].name.clone(), layer);
            let done = (index + 1 - group.start) as f32 / group.len() as f32;
            progress.step(done)
        })
    }
}

/// These widths, and those that single layers usually have.
fn with_usual(widths: &[BitWidth], layers: &[Layer]) -> Vec<BitWidth> {
    let usual = layers.iter().filter_map(|layer| layer.usual_bits);
    let all: BTreeSet<BitWidth> = widths.iter().copied().chain(usual).collect();
    all.into_iter().collect()
}

fn gather(
    network: &Network,
    pictures: &[Picture],
    group: Range<usize>,
    settings: PointSettings,
    progress: &dyn Progress,
) -> Result<Statistics> {
    let statistics = Statistics::new(network.layers(), group, settings);
    let done = AtomicUsize::new(0);
    parallel::try_map(pictures, |picture| {
        let (plan, input) = network.enter(picture)?;
        plan.observe(&input, &mut Gathering(&statistics), &())?;
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        progress.step(done as f32 / pictures.len() as f32)
    })?;
    Ok(statistics)
}
