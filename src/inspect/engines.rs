//! Both engines at one picture: how far what they compute lies apart, and what each takes.

use crate::image_io::Picture;
use crate::network::Convention;
use crate::parallel::{Part, Progress};
use crate::session::Session;
use crate::{Error, Result};
use serde::Serialize;

/// One network in full precision, run by the native engine and by tract.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct EngineCheck {
    /// PSNR in dB of all output values, before they are rounded, against the whole range of the output; none where all are equal.
    pub db: Option<f64>,
    /// Levels of 0 to 255 that any channel of a pixel differs by at most.
    pub levels: u8,
    /// Seconds of the run by the native engine.
    pub native: f64,
    /// Seconds of the run by tract.
    pub tract: f64,
}

/// Enlarges a picture by both; the sessions are of one network. `clock` tells seconds.
///
/// # Errors
/// As [`Session::upscale`].
pub fn check_engines(
    [native, tract]: [&Session; 2],
    picture: &Picture,
    clock: &dyn Fn() -> f64,
    progress: &dyn Progress,
) -> Result<EngineCheck> {
    let run = |session: &Session, part: &Part<'_>| {
        let network = session.network();
        let (plan, input) = network.enter(picture)?;
        let full = network.full_precision();
        let start = clock();
        let output = plan.run(&input, &full, &mut (), part)?.planes;
        Ok::<_, Error>((output, clock() - start))
    };
    let (ours, native_seconds) = run(native, &Part { whole: progress, start: 0.0, share: 0.3 })?;
    let (theirs, tract_seconds) = run(tract, &Part { whole: progress, start: 0.3, share: 0.7 })?;
    if ours.shape() != theirs.shape() {
        return Err(Error::Network("the engines give outputs of different sizes".into()));
    }
    let squares = ours.values.iter().zip(&theirs.values).map(|(a, b)| f64::from(a - b).powi(2));
    let error = squares.sum::<f64>() / ours.values.len().max(1) as f64;
    let convention: &Convention = native.network().convention();
    let [a, b] = [convention.to_picture(&ours, picture)?, convention.to_picture(&theirs, picture)?];
    Ok(EngineCheck {
        db: (error > 0.0).then(|| 10.0 * (f64::from(convention.output.span()).powi(2) / error).log10()),
        levels: a.rgba.iter().zip(&b.rgba).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0),
        native: native_seconds,
        tract: tract_seconds,
    })
}
