//! Bits of single layers, searched for on crops.

use super::progress::Bar;
use anyhow::{Context, Result};
use dfsq::image_io::Picture;
use dfsq::mixed_precision::{Budget, LayerErrors, assign_by_runs};
use dfsq::quant::{BitWidth, PointSettings, Recipe};
use dfsq::session::{Method, Options, Session};
use std::collections::BTreeMap;

/// A search for one method.
pub struct Search<'s> {
    /// Has what the method needs for all widths; DFSQ-opt's layers are made on the way, and many stay in it.
    pub session: &'s mut Session,
    /// Optimized on.
    pub crops: &'s [Picture],
    /// How many of them are measured on.
    pub measured: usize,
    pub base: &'s Options,
    /// How layers are optimized.
    pub way: (PointSettings, Recipe),
    pub widths: &'s [BitWidth],
    pub budget: Budget,
}

impl Search<'_> {
    fn measured(&self) -> &[Picture] {
        &self.crops[..self.measured.clamp(1, self.crops.len())]
    }

    pub fn layer_errors(&self) -> Result<Vec<LayerErrors>> {
        let bar = Bar::new("measuring layers");
        Ok(self.session.layer_errors(self.measured(), self.base, self.way, self.widths, &bar)?)
    }

    /// Bits of every layer that was measured, by its name, refined by runs.
    pub fn assign(
        &mut self,
        errors: &[LayerErrors],
        average_bits: f64,
    ) -> Result<BTreeMap<String, [BitWidth; 2]>> {
        let layers = self.session.network().layers();
        let names: Vec<String> = errors.iter().map(|of| layers[of.layer].name.clone()).collect();
        let named = |bits: &[[BitWidth; 2]]| names.iter().cloned().zip(bits.iter().copied()).collect();
        let (widths, budget, base) = (self.widths, self.budget, self.base);
        let run = |bits: &[[BitWidth; 2]]| {
            Ok::<_, anyhow::Error>(self.errors(&[Options { layer_bits: named(bits), ..base.clone() }])?[0])
        };
        let bits = assign_by_runs(errors, widths, budget, average_bits, run)?;
        Ok(named(&bits.with_context(|| format!("no width is as low as {average_bits} bits"))?))
    }

    /// Mean squared errors of the output of runs with these options, in units of the network's range squared.
    pub fn errors(&mut self, all: &[Options]) -> Result<Vec<f64>> {
        if self.base.method == Method::DfsqOpt {
            let layers = self.session.network().layers();
            let bits = all.iter().map(|options| options.bits(layers)).collect::<dfsq::Result<Vec<_>>>()?;
            let (settings, recipe) = self.way;
            self.session.optimize(self.crops, &bits, settings, recipe, &Bar::new("optimizing"))?;
        }
        let references = self.measured().iter().map(|crop| self.session.reference(crop));
        let references = references.collect::<dfsq::Result<Vec<_>>>()?;
        let error = |options| Ok(self.session.output_error(&references, &self.session.prepare(options)?)?);
        all.iter().map(error).collect()
    }
}
