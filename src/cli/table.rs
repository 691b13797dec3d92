//! `dfsq table`

mod text;

use super::idle::Work;
use super::options::{CropOptions, NetworkFile, PointOptions, Quantization, RecipeOptions, bit_pair, choice};
use super::results::{Kept, Results, Shard};
use super::{eval, files, out, passed_over, session};
use anyhow::{Context, Result, ensure};
use dfsq::network::{Engine, Scope};
use dfsq::quant::BitWidth;
use dfsq::quant::subset::Selection;
use dfsq::session::{Method, Options, Session};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use text::{Cell, Table};

#[derive(clap::Args)]
pub struct Arguments {
    /// ONNX networks, as many as there are
    #[arg(required = true)]
    models: Vec<PathBuf>,
    /// A set of images: its name and a folder of references, with low-resolution images too where names or folders tell them
    /// apart; several sets are columns side by side
    #[arg(long = "set", value_name = "NAME=DIR", required = true)]
    sets: Vec<Set>,
    /// Methods, with commas between them; full precision is always there
    #[arg(long, value_parser = choice::<Method>(), value_delimiter = ',', default_value = "min-max,dfsq,dfsq-opt")]
    methods: Vec<Method>,
    /// Bits of weights and activations, with commas between them: 4 is short for 4/4
    #[arg(long, value_parser = bit_pair, value_delimiter = ',', default_value = "8,6,4,3,2")]
    bits: Vec<[BitWidth; 2]>,
    /// A folder of high-resolution images, on random crops of which everything is calibrated and optimized
    /// [default: the files that lie beside each network]
    #[arg(long, value_name = "DIR")]
    calibration: Option<PathBuf>,
    /// Which convolutions are quantized, as for the other commands
    #[arg(long, value_name = "paper|all|NAMES")]
    scope: Option<Scope>,
    /// What runs the networks: native or tract
    #[arg(long)]
    engine: Option<Engine>,
    #[command(flatten)]
    recipe: RecipeOptions,
    #[command(flatten)]
    points: PointOptions,
    #[command(flatten)]
    crops: CropOptions,
    /// Which part of every set to score, of how many: 1/4 to 4/4. The same command without it puts the parts together
    #[arg(long, value_name = "I/N", default_value = "1/1", hide_default_value = true)]
    shard: Shard,
    /// A folder for table.md, table.csv, table.tex, and what was scored so far, from which the same command goes on
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Images with a name.
#[derive(Debug, Clone)]
struct Set {
    name: String,
    folder: PathBuf,
}

impl FromStr for Set {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, folder)) if is_file_name(name) && !folder.is_empty() => {
                Ok(Set { name: name.into(), folder: folder.into() })
            }
            _ => Err("say NAME=DIR, with a name of letters, digits, - and _".into()),
        }
    }
}

/// Without a dot, which stands between names in those of files.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_".contains(c))
}

pub fn run(arguments: &Arguments, fast: bool) -> Result<()> {
    check(arguments)?;
    let cells = arguments.output.join("cells");
    let is_new = std::fs::read_dir(&arguments.output).map_or(true, |mut entries| entries.next().is_none());
    ensure!(
        is_new || cells.is_dir(),
        "{} holds other things than tables of this command",
        arguments.output.display()
    );
    std::fs::create_dir_all(&cells).with_context(|| format!("cannot write {}", cells.display()))?;
    let mut table = Table::new(arguments.sets.iter().map(|set| set.name.clone()).collect());
    let mut missing = 0;
    for model in &arguments.models {
        // Full precision first: whether it can be had at all is known soon.
        for method in std::iter::once(Method::Fp32).chain(methods(arguments)) {
            let all = options_of(method, &arguments.bits);
            let network = NetworkFile::of(model.clone(), arguments.engine, arguments.scope.clone());
            let session = session::prepared_session(&network, &asked(arguments, method), &all)?;
            for set in &arguments.sets {
                for options in &all {
                    match scored(arguments, (model, &session), set, options, fast) {
                        Ok(results) => {
                            missing += results.total - results.images.len();
                            table.extend(Cell::of(&set.name, &results));
                        }
                        // Not all methods can be had at all bits.
                        Err(Unscored::NotOffered(error)) => {
                            let [weights, activations] =
                                [options.weight_bits, options.activation_bits].map(BitWidth::bits);
                            let what =
                                format!("{}, {method} at {weights}/{activations} bits", model.display());
                            passed_over::add(Path::new(&what), error.context(what.clone()))?;
                        }
                        Err(Unscored::Failed(error)) => return Err(error),
                    }
                }
            }
        }
    }
    let whole = arguments.shard.is_whole();
    if !whole && missing > 0 {
        out::note(format_args!(
            "this part is done; {missing} scores are still missing: the same command without --shard makes the tables"
        ));
        return Ok(());
    }
    for (name, text) in
        [("table.md", table.markdown()), ("table.csv", table.csv()), ("table.tex", table.latex())]
    {
        files::write(&arguments.output.join(name), text.as_bytes())?;
    }
    match arguments.json {
        true => out::line(format_args!("{}", serde_json::to_string(&table)?)),
        false => out::line(format_args!("{}", table.markdown())),
    }
}

/// Methods that quantize, each once.
fn methods(arguments: &Arguments) -> impl Iterator<Item = Method> {
    let mut seen = BTreeSet::new();
    arguments
        .methods
        .iter()
        .copied()
        .filter(move |method| *method != Method::Fp32 && seen.insert(method.to_string()))
}

/// Refuses what would end hours later, or say nothing.
fn check(arguments: &Arguments) -> Result<()> {
    let mut names = BTreeSet::new();
    for model in &arguments.models {
        ensure!(model.is_file(), "{} is no file", model.display());
        let name = files::stem(model);
        ensure!(
            names.insert(name.clone()),
            "two networks are called {name}: tables tell them apart by their names"
        );
    }
    let mut sets = BTreeSet::new();
    for Set { name, folder } in &arguments.sets {
        ensure!(sets.insert(name), "two sets are called {name}");
        ensure!(folder.is_dir(), "{} is no folder", folder.display());
    }
    let folder = arguments.calibration.as_deref();
    ensure!(folder.is_none_or(Path::is_dir), "--calibration is a folder of images here");
    let runs: Vec<Options> =
        methods(arguments).flat_map(|method| options_of(method, &arguments.bits)).collect();
    let given = arguments.points.given().with([arguments.recipe.given(), arguments.crops.given()]);
    let made_here = folder.is_some();
    ensure!(
        made_here || given.is_empty(),
        "these options choose points or weights anew: give a folder of images with --calibration"
    );
    given.check(&Work {
        runs: &runs,
        settings: arguments.points.settings(Selection::Kmeans),
        recipe: arguments.recipe.recipe(),
        made_here,
        optimizes: false,
    })
}

/// What a method needs.
fn asked(arguments: &Arguments, method: Method) -> Quantization {
    let Arguments { calibration, recipe, points, crops, .. } = arguments;
    Quantization::of(method, calibration.clone(), (recipe.clone(), points.clone(), crops.clone()))
}

/// As it is run at each of these bits, once.
fn options_of(method: Method, bits: &[[BitWidth; 2]]) -> Vec<Options> {
    if !method.quantizes() {
        return vec![Options { method, ..Options::full_precision() }];
    }
    let at = |[weight_bits, activation_bits]: &[BitWidth; 2]| Options {
        method,
        weight_bits: *weight_bits,
        activation_bits: *activation_bits,
        ..Options::default()
    };
    let first = |index: &usize| !bits[..*index].contains(&bits[*index]);
    (0..bits.len()).filter(first).map(|index| at(&bits[index])).collect()
}

/// Why a cell has no scores.
enum Unscored {
    /// The network, or what was made of it, has no such bits.
    NotOffered(anyhow::Error),
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Unscored {
    fn from(error: E) -> Self {
        Unscored::Failed(error.into())
    }
}

/// The scores of one cell: those of earlier runs and of other parts, and what is missing of this part.
fn scored(
    arguments: &Arguments,
    (model, session): (&Path, &Session),
    set: &Set,
    options: &Options,
    fast: bool,
) -> Result<Results, Unscored> {
    let run = eval::run_of(model, session, options, false, fast)?;
    let pairs = eval::Images::of(set.folder.clone()).pairs(run.scale)?;
    let name =
        format!("{}.{}.{}.{}.{}", run.model, set.name, run.method, run.weight_bits, run.activation_bits);
    let mut results = Results { run, total: pairs.len(), images: BTreeMap::new(), seconds: 0.0 };
    let cells = arguments.output.join("cells");
    for path in files_of(&cells, &name)? {
        let before = Results::read(&path)?;
        if before.run == results.run && before.total == results.total {
            results.add_agreed(before);
        } else {
            out::note(format_args!(
                "{} is of other networks, options or images, and is made anew",
                path.display()
            ));
        }
    }
    let part = match arguments.shard {
        shard if shard.is_whole() => String::new(),
        shard => format!(".{shard}"),
    };
    let path = cells.join(format!("{name}{part}.json"));
    let is_known = results.is_whole();
    let kept = Kept::new(results, Some(&path))?;
    // Files may have changed since; where all are known it is looked up without preparing anything.
    let scorer = eval::Scorer::new(session, options, false).map_err(Unscored::NotOffered)?;
    let what = if is_known { "comparing" } else { "scoring" };
    eval::score_missing(&kept, &pairs, arguments.shard, &scorer, what)?;
    Ok(kept.into_inner())
}

/// The files of a cell, of all parts.
fn files_of(cells: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(cells).with_context(|| format!("cannot read {}", cells.display()))?;
    let mut paths = Vec::new();
    for entry in read {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let rest = file.strip_prefix(name).and_then(|rest| rest.strip_suffix(".json"));
        let is_part = |rest: &str| rest.is_empty() || rest.starts_with('.');
        if rest.is_some_and(is_part) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
