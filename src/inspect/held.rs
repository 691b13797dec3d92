//! Inputs of layers, kept to be looked at closely: each takes a run as far as its layer.

use crate::image_io::Picture;
use crate::network::{Layer, Observer, Planes, Tap};
use crate::parallel::Progress;
use crate::session::Session;
use crate::{Error, Result};
use std::ops::ControlFlow;

/// Most bytes that are kept; the layer last looked at stays in any case.
const MOST_BYTES: usize = 256 << 20;

/// Inputs of layers by the name of what they are of; those that were not looked at for longest go first.
#[derive(Default)]
pub struct HeldInputs {
    /// The last is the one last looked at.
    inputs: Vec<(String, usize, Planes)>,
}

fn bytes(planes: &Planes) -> usize {
    planes.values.len() * size_of::<f32>()
}

impl HeldInputs {
    /// Whether this one is there, which counts as a look at it.
    pub fn touch(&mut self, of: &str, layer: usize) -> bool {
        let at = self.inputs.iter().position(|(name, index, _)| name == of && *index == layer);
        if let Some(at) = at {
            self.inputs[at..].rotate_left(1);
        }
        at.is_some()
    }

    /// One of them.
    pub fn get(&self, of: &str, layer: usize) -> Option<&Planes> {
        self.inputs.iter().find(|(name, index, _)| name == of && *index == layer).map(|(.., planes)| planes)
    }

    /// Adds one that is not there.
    pub fn keep(&mut self, of: String, layer: usize, planes: Planes) {
        let mut sum = bytes(&planes);
        let fitting = self.inputs.iter().rev().take_while(|(.., planes)| {
            sum += bytes(planes);
            sum <= MOST_BYTES
        });
        let fitting = fitting.count();
        self.inputs.drain(..self.inputs.len() - fitting);
        self.inputs.push((of, layer, planes));
    }

    /// Forgets all but those of these names.
    pub fn retain(&mut self, names: &[String]) {
        self.inputs.retain(|(name, ..)| names.contains(name));
    }
}

/// Takes a layer's input, and stops the run then.
struct Taking {
    layer: usize,
    taken: Option<Planes>,
}

impl Observer for Taking {
    fn taps(&self, layer: usize) -> bool {
        layer == self.layer
    }

    fn tap(&mut self, tap: Tap<'_>) -> Result<ControlFlow<()>> {
        self.taken = Some(tap.to_planes());
        Ok(ControlFlow::Break(()))
    }
}

impl Session {
    /// A quantized layer's input in full precision.
    ///
    /// # Errors
    /// [`Error::Option`] for a layer that is not quantized, [`Error::Memory`]; as [`Session::upscale`].
    pub fn layer_input(&self, picture: &Picture, layer: usize, progress: &dyn Progress) -> Result<Planes> {
        if !Layer::quantized(self.network().layers()).any(|index| index == layer) {
            return Err(Error::Option("there is no such layer".into()));
        }
        let mut taking = Taking { layer, taken: None };
        let (plan, input) = self.network().enter(picture)?;
        plan.check_input(layer)?;
        plan.observe(&input, &mut taking, progress)?;
        taking.taken.ok_or_else(|| Error::Option("the run does not come upon this layer".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn what_was_not_looked_at_for_longest_goes_first() {
        let planes = |bytes: usize| Planes { channels: 1, height: 1, width: 1, values: vec![0.0; bytes / 4] };
        let third = MOST_BYTES / 3;
        let mut held = HeldInputs::default();
        for layer in 0..3 {
            held.keep("a".into(), layer, planes(third));
        }
        assert!(held.touch("a", 0) && !held.touch("b", 0));
        held.keep("b".into(), 0, planes(third));
        let there = |held: &HeldInputs, names: &[(&str, usize)]| -> Vec<bool> {
            names.iter().map(|(of, layer)| held.get(of, *layer).is_some()).collect()
        };
        assert_eq!(there(&held, &[("a", 0), ("a", 1), ("a", 2), ("b", 0)]), [true, false, true, true]);
        held.keep("c".into(), 0, planes(2 * MOST_BYTES));
        assert_eq!(there(&held, &[("a", 0), ("b", 0), ("c", 0)]), [false, false, true]);
        held.retain(&["b".into()]);
        assert_eq!(there(&held, &[("c", 0)]), [false]);
    }
}
