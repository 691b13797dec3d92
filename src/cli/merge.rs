//! `dfsq merge`

use super::results::Results;
use anyhow::{Result, ensure};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// Files that `dfsq eval --shard I/N --results` wrote, for every part of a folder
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(Arguments { results, json }: &Arguments) -> Result<()> {
    let mut all = Results::read(&results[0])?;
    for path in &results[1..] {
        all.add(Results::read(path)?, path)?;
    }
    let missing = all.total.saturating_sub(all.images.len());
    ensure!(missing == 0, "{missing} of {} images are missing", all.total);
    all.print(*json)
}
