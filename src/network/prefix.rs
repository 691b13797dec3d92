//! Runs of one image that share their beginning.

use super::plan::{Executor, Plan};
#[cfg(feature = "tract")]
use super::run::of_another;
use super::{LayerQuantization, Network, Planes, Runner, engine};
use crate::Result;
use std::sync::Arc;

/// An image, run in full precision as far as a layer, from where it can go on in different ways.
pub(crate) struct Prefix<'n> {
    network: &'n Network,
    plan: Arc<Plan>,
    state: State,
}

enum State {
    Own(engine::Pass),
    /// tract begins anew each time.
    #[cfg(feature = "tract")]
    Tract(Planes),
}

impl Network {
    /// An image at the beginning.
    ///
    /// # Errors
    /// As [`Network::plan`].
    pub(crate) fn prefix(&self, input: Planes) -> Result<Prefix<'_>> {
        let plan = self.plan([input.height, input.width])?;
        let state = match (&self.runner, &plan.executor) {
            (Runner::Own(own), Executor::Own(of_own)) => State::Own(own.enter(of_own, input)),
            #[cfg(feature = "tract")]
            _ => State::Tract(input),
        };
        Ok(Prefix { network: self, plan, state })
    }
}

impl Prefix<'_> {
    /// Goes on to the input of a layer that is still to come.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub fn advance(&mut self, layer: usize) -> Result<()> {
        match (&self.network.runner, &self.plan.executor, &mut self.state) {
            (Runner::Own(own), Executor::Own(of_own), State::Own(pass)) => {
                own.advance(self.network, (&self.plan, of_own), pass, layer)
            }
            #[cfg(feature = "tract")]
            _ => Ok(()),
        }
    }

    /// The network's output when it goes on from here with `layers`, as [`Network::run`] takes them; those that are past
    /// must be in full precision.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub fn finish(&self, layers: &[LayerQuantization]) -> Result<Planes> {
        let Self { network, plan, state } = self;
        match (&network.runner, &plan.executor, state) {
            (Runner::Own(own), Executor::Own(of_own), State::Own(pass)) => {
                let mut errors = vec![Vec::new(); network.layers.len()];
                own.finish(network, (plan, of_own), pass.clone(), layers, &mut (), &mut errors)
            }
            #[cfg(feature = "tract")]
            (_, _, State::Tract(input)) => Ok(network.run(plan, input.clone(), layers, &mut ())?.0),
            #[cfg(feature = "tract")]
            _ => Err(of_another()),
        }
    }
}
