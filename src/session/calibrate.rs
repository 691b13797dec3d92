//! Calibration as page and command line do it: gather, choose, and keep.

use super::{Session, digest};
use crate::calibration::{Calibration, LayerCalibration};
use crate::image_io::Picture;
use crate::parallel::{self, Part, Progress};
use crate::quant::{BitWidth, PointSettings};
use crate::statistics::{Gathering, Statistics, groups};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes of statistics at a time: EDSR's take 100 MB, the paper's own RDN is gathered in groups of layers.
const MAX_BYTES: usize = 256 << 20;

/// Most of the work that gathering is, against choosing.
const GATHERING: f32 = 0.7;

impl Session {
    /// Chooses points for these bit widths on these pictures, and uses them from now on. Statistics of the same pictures are
    /// used again where the settings allow it.
    ///
    /// # Errors
    /// [`Error::Option`] for no pictures, and where there are too many subsets to try; [`Error::Cancelled`]; as
    /// [`Session::upscale`]. What was gathered and the calibration before stay.
    pub fn calibrate(
        &mut self,
        pictures: &[Picture],
        settings: PointSettings,
        widths: &[BitWidth],
        progress: &dyn Progress,
    ) -> Result<&Calibration> {
        if pictures.is_empty() {
            return Err(Error::Option("no picture to calibrate on".into()));
        }
        let of = digest(pictures);
        let groups = groups(self.network.layers(), &settings, MAX_BYTES);
        let mut layers = BTreeMap::new();
        for (index, group) in groups.iter().enumerate() {
            let share = 1.0 / groups.len() as f32;
            let whole = Part { whole: progress, start: share * index as f32, share };
            if !self.has_statistics(&of, group, &settings) {
                // Two of them may be too much.
                self.statistics = None;
                let part = Part { whole: &whole, start: 0.0, share: GATHERING };
                let gathered = self.gather(pictures, group.clone(), settings, &part)?;
                self.statistics = Some((of.clone(), gathered));
            }
            let part = Part { whole: &whole, start: GATHERING, share: 1.0 - GATHERING };
            self.select(&settings, widths, &part, &mut layers)?;
        }
        let (network, images) = (self.hash.clone(), pictures.len());
        let ranges = self.network.convention().ranges();
        Ok(self.calibration.insert(Calibration { settings, network, ranges, images, layers }))
    }

    fn has_statistics(&self, of: &str, group: &Range<usize>, settings: &PointSettings) -> bool {
        self.statistics.as_ref().is_some_and(|(known, statistics)| {
            known == of && statistics.group() == group && settings.gather_as(&statistics.settings())
        })
    }

    fn gather(
        &self,
        pictures: &[Picture],
        group: Range<usize>,
        settings: PointSettings,
        progress: &dyn Progress,
    ) -> Result<Statistics> {
        let statistics = Statistics::new(self.network.layers(), group, settings);
        let done = AtomicUsize::new(0);
        parallel::try_map(pictures, |picture| {
            let (plan, input) = self.enter(picture)?;
            plan.observe(&input, &mut Gathering(&statistics), &())?;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress.step(done as f32 / pictures.len() as f32)
        })?;
        Ok(statistics)
    }

    fn select(
        &self,
        settings: &PointSettings,
        widths: &[BitWidth],
        progress: &dyn Progress,
        layers: &mut BTreeMap<String, LayerCalibration>,
    ) -> Result<()> {
        let Some((_, statistics)) = &self.statistics else { return Ok(()) };
        let group = statistics.group();
        statistics.select(settings, widths, &mut |index, layer| {
            layers.insert(self.network.layers()[index].name.clone(), layer);
            let done = (index + 1 - group.start) as f32 / group.len() as f32;
            progress.step(done)
        })
    }
}
