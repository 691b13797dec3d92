//! What the convolutions of a network give, which integer convolutions round.

use crate::image_io::Picture;
use crate::network::{Kernels, Layer, Network, Observer, Room, Tap, convolve};
use crate::parallel::Progress;
use crate::quant::uniform::range;
use crate::session::Session;
use crate::{Error, Result};
use std::ops::ControlFlow;

/// What the convolutions of one network give.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRanges {
    /// SHA-256 of the network's file, in hexadecimal.
    network: String,
    /// By layer and output channel, the least and the greatest, without the bias. Nothing for layers that are not quantized.
    pub(super) layers: Vec<Vec<[f32; 2]>>,
}

impl OutputRanges {
    pub(super) fn are_of(&self, session: &Session) -> bool {
        self.network == session.hash()
    }
}

impl Session {
    /// Measures what the quantized convolutions give on these pictures, in full precision: integer convolutions round that too.
    ///
    /// # Errors
    /// [`Error::Option`] for no pictures, [`Error::NonFinite`] for NaN and infinity, [`Error::Cancelled`], and what goes wrong in the
    /// network.
    pub fn output_ranges(&self, pictures: &[Picture], progress: &dyn Progress) -> Result<OutputRanges> {
        if pictures.is_empty() {
            return Err(Error::Option("no picture to measure what convolutions give on".into()));
        }
        let network = self.network();
        let pack = |(layer, Layer { conv, quantized, .. }): (usize, &Layer)| {
            quantized.then(|| Kernels::new(conv, None, network.kernels(layer), &vec![0.0; conv.outputs()]))
        };
        let mut measuring = Measuring {
            network,
            kernels: network.layers().iter().enumerate().map(pack).collect(),
            room: Room::default(),
            ranges: vec![Vec::new(); network.layers().len()],
        };
        for (index, picture) in pictures.iter().enumerate() {
            let (plan, input) = network.enter(picture)?;
            plan.observe(&input, &mut measuring, &())?;
            progress.step((index + 1) as f32 / pictures.len() as f32)?;
        }
        Ok(OutputRanges { network: self.hash().to_owned(), layers: measuring.ranges })
    }
}

struct Measuring<'n> {
    network: &'n Network,
    /// By layer that is quantized, without the bias.
    kernels: Vec<Option<Kernels>>,
    room: Room,
    ranges: Vec<Vec<[f32; 2]>>,
}

impl Observer for Measuring<'_> {
    fn taps(&self, layer: usize) -> bool {
        self.kernels[layer].is_some()
    }

    fn tap(&mut self, tap: Tap<'_>) -> Result<ControlFlow<()>> {
        let conv = &self.network.layers()[tap.layer].conv;
        let Some(kernels) = &self.kernels[tap.layer] else { return Ok(ControlFlow::Continue(())) };
        let given = convolve(conv, kernels, tap.size, &tap.to_planes().values, &mut self.room);
        let given = given.unwrap_or_default();
        let ranges = &mut self.ranges[tap.layer];
        ranges.resize(conv.outputs(), [f32::INFINITY, f32::NEG_INFINITY]);
        let planes = given.chunks_exact((given.len() / conv.outputs()).max(1));
        for (channel, (known, plane)) in ranges.iter_mut().zip(planes).enumerate() {
            let (low, high) = range(plane).ok_or_else(|| self.network.non_finite(tap.layer, channel))?;
            *known = [known[0].min(low), known[1].max(high)];
        }
        Ok(ControlFlow::Continue(()))
    }
}
