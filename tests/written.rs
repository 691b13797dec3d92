//! What each option of each command writes, read again: a file made with it gives the same scores as what is made on the way,
//! another file than without it, and is taken back where it says that it is taken back.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/program.rs"]
mod program;

use common::random_edsr;
use program::{CROPS, Folder, POINTS, SMALL, words};
use serde_json::Value;
use std::collections::BTreeSet;

/// How weights are rounded with compensation.
const RECIPE: [&str; 5] =
    ["--weights uniform", "--rounding nearest", "--damping 0.5", "--refits 0", "--channel-bits allocated"];
/// What is said of the network.
const NETWORK: [&str; 6] = [
    "--engine tract",
    "--input-range -1..1",
    "--output-range 0..255",
    "--property mean=0.2,0.3,0.4",
    "--property colour=BGR",
    "--scope all",
];
/// What is no way to make anything.
const OTHERS: [&str; 4] = ["--help", "--fast", "--json", "--force"];

/// What says what activations are rounded to, where it is not as by default.
const GRIDS: [&str; 4] = ["--min-max-range", "--range-estimator", "--range-granularity", "--point-source"];

/// A folder with a network of random weights, and bits of its layers.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    std::fs::write(folder.path("net.onnx"), random_edsr()).unwrap();
    let bits = r#"{"0.conv1": [2, 4], "0.conv2": [3, 3], "1.conv1": [3, 2], "1.conv2": [4, 4]}"#;
    std::fs::write(folder.path("bits.json"), bits).unwrap();
    folder
}

/// A command with an option, on crops that are small unless the option says otherwise.
fn with(command: &str, option: &str) -> Vec<String> {
    let mut all: Vec<String> = words(&format!("{command} {option}")).into_iter().map(str::to_owned).collect();
    for pair in SMALL.chunks(2).filter(|pair| !option.contains(&format!("{} ", pair[0]))) {
        all.extend(pair.iter().map(|word| (*word).to_owned()));
    }
    all
}

impl Folder {
    fn made(&self, command: &str, option: &str) -> Value {
        let all = with(command, option);
        self.json(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn scored(&self, command: &str) -> Value {
        self.json(&words(command))["images"].clone()
    }

    /// A file's bytes, which is then gone.
    fn take(&self, name: &str) -> Vec<u8> {
        let bytes = std::fs::read(self.path(name)).unwrap();
        std::fs::remove_file(self.path(name)).unwrap();
        bytes
    }

    /// That a command has these options and no others.
    fn has_options(&self, command: &str, options: &[&str]) {
        let help = String::from_utf8(self.run(&[command, "--help"]).stdout).unwrap();
        let of_line = |line: &str| {
            let line = line.trim_start();
            let long =
                line.starts_with('-').then(|| line.split_whitespace().find(|word| word.starts_with("--")));
            long.flatten().map(|name| name.trim_end_matches([',', '.']).to_owned())
        };
        let there: BTreeSet<String> = help.lines().filter_map(of_line).collect();
        let name = |option: &&str| option.split(' ').next().unwrap().to_owned();
        let tested: BTreeSet<String> = options
            .iter()
            .chain(&OTHERS)
            .map(name)
            .filter(|name| there.contains(name) || !OTHERS.contains(&name.as_str()))
            .collect();
        assert_eq!(there, tested, "options of {command} and those that are read again");
    }
}

fn all<'o>(parts: &[&[&'o str]]) -> Vec<&'o str> {
    parts.concat()
}

/// Of an option, what says of the network how it is to be run; the file is not taken for another network.
fn of_network(option: &str) -> &str {
    if NETWORK.contains(&option) { option } else { "" }
}

#[test]
fn points_of_a_file_are_those_made_on_the_way() {
    let folder = folder("written-points");
    let options = all(&[&[""], &POINTS, &CROPS, &NETWORK]);
    folder.has_options("calibrate", &all(&[&options[1..], &["--images", "--output"]]));
    let mut files = BTreeSet::new();
    for option in options {
        folder.made("calibrate net.onnx --images hr -o x.calibration --json", option);
        for bits in [
            "--activation-bits 3",
            "--activation-bits 2 --weights subset",
            "--method min-max --min-max-range static",
        ] {
            let chosen = if bits.contains("min-max") && POINTS.contains(&option) && !option.contains("seed") {
                continue;
            } else {
                option
            };
            let eval = |rest: &str| format!("eval net.onnx --hr hr --json {bits} {rest}");
            let here = folder.made(&eval("--calibration hr"), chosen)["images"].clone();
            let read = folder.scored(&eval(&format!("--calibration x.calibration {}", of_network(option))));
            assert_eq!(here, read, "{option} with {bits}");
        }
        let is_another = files.insert(folder.take("x.calibration"));
        assert!(is_another || option == "--engine tract", "{option} changes nothing in the file");
    }
}

#[test]
fn optimized_layers_of_a_file_are_those_made_on_the_way() {
    let folder = folder("written-layers");
    // Restarts and presets are those of k-means.
    let kmeans = ["--selection kmeans --preset paper", "--selection kmeans --restarts 1"];
    let points: Vec<&str> = POINTS
        .into_iter()
        .filter(|option| {
            !["--preset paper", "--restarts 1", "--selection exact", "--normalization none"].contains(option)
        })
        .collect();
    let options = all(&[&["", "--selection kmeans"], &points, &kmeans, &CROPS, &RECIPE, &NETWORK]);
    let bits = ["--bits 3/2", "--layer-bits bits.json", "--mixed 3"];
    folder.has_options(
        "optimize",
        &all(&[&options[1..], &bits, &["--images", "--output", "--preset", "--restarts", "--normalization"]]),
    );
    let mut files = BTreeSet::new();
    for option in options {
        folder.made("optimize net.onnx --images hr -o x.optimized --bits 3/2 --json", option);
        let eval = |rest: &str| {
            format!(
                "eval net.onnx --hr hr --json --method dfsq-opt --weight-bits 3 --activation-bits 2 {rest}"
            )
        };
        let here = folder.made(&eval("--calibration hr"), option)["images"].clone();
        let read = folder.scored(&eval(&format!("--calibration x.optimized {}", of_network(option))));
        assert_eq!(here, read, "{option}");
        assert!(
            files.insert(folder.take("x.optimized")) || option == "--engine tract",
            "{option} changes nothing in the file"
        );
    }
    folder.made("optimize net.onnx --images hr -o net.optimized --json", &bits.join(" "));
    let eval = |rest: &str| folder.scored(&format!("eval net.onnx --hr hr --json --method dfsq-opt {rest}"));
    let here = |rest: &str| {
        folder.made("eval net.onnx --hr hr --json --method dfsq-opt --calibration hr", rest)["images"].clone()
    };
    for choice in ["--weight-bits 3 --activation-bits 2", "--layer-bits bits.json"] {
        assert_eq!(eval(choice), here(choice), "{choice}");
    }
    folder.made("assign net.onnx --images hr --method dfsq-opt --average-bits 3 --budget bit-ops --widths 1,2,3,4,5,6,7,8 -o mixed.json --json", "");
    assert_eq!(eval("--mixed 3"), here("--layer-bits mixed.json"));
}

#[test]
fn assigned_bits_are_those_that_are_read() {
    let folder = folder("written-bits");
    let own = ["--average-bits 3", "--budget bit-ops", "--widths 2,5", "--measured-crops 1"];
    let of_method = [
        "--method min-max",
        "--method dfsq-opt",
        "--method min-max --min-max-range static",
        "--method min-max --range-estimator mse",
        "--method min-max --range-granularity channel",
        "--denormalization-bits 4",
        "--weights subset",
    ];
    let recipe: Vec<String> = RECIPE.iter().map(|option| format!("--method dfsq-opt {option}")).collect();
    let recipe: Vec<&str> = recipe.iter().map(String::as_str).collect();
    let options = all(&[&[""], &own, &of_method, &POINTS, &CROPS, &NETWORK, &recipe]);
    let refused = ["--weight-bits", "--activation-bits", "--layer-bits", "--mixed", "--point-source"];
    let named: Vec<&str> =
        options.iter().flat_map(|option| option.split(' ')).filter(|word| word.starts_with("--")).collect();
    folder.has_options("assign", &all(&[&named, &refused, &["--images", "--output", "--calibration"]]));
    for option in options {
        let optimizes = option.contains("dfsq-opt");
        let source = if optimizes || option.starts_with("--method min-max") && !option.contains("static") {
            ""
        } else {
            "--calibration hr"
        };
        let report =
            folder.made(&format!("assign net.onnx --images hr {source} -o x.json --force --json"), option);
        let written: Value = serde_json::from_slice(&folder.take("x.json")).unwrap();
        for layer in report["layers"].as_array().unwrap() {
            let bits = &written[layer["layer"].as_str().unwrap()];
            assert_eq!((&bits[0], &bits[1]), (&layer["bits"], &layer["activation_bits"]), "{option}");
        }
        let layers = if option == "--scope all" { 8 } else { 4 };
        assert_eq!(written.as_object().unwrap().len(), layers, "{option}");
    }
}

#[test]
fn results_are_gone_on_with_under_the_same_options_only() {
    let folder = folder("written-results");
    let options = all(&[
        &["", "--weight-bits 3", "--activation-bits 3", "--layer-bits bits.json", "--denormalization-bits 4"],
        &["--weights subset", "--to-full", "--method fp32", "--method bicubic"],
        &POINTS,
        &CROPS,
        &NETWORK,
    ]);
    let elsewhere = all(&[&["--mixed"], &GRIDS, &["--rounding", "--damping", "--refits", "--channel-bits"]]);
    let own = ["--hr", "--lr", "--calibration", "--shard", "--results", "--resume"];
    folder.has_options("eval", &all(&[&options[1..], &elsewhere, &own]));
    let command = |option: &str| {
        let on = if ["fp32", "bicubic"].iter().any(|method| option.contains(method)) {
            ""
        } else {
            "--calibration hr"
        };
        with(&format!("eval net.onnx --hr hr --json {on} --results x.json"), option)
    };
    let run = |option: &str, more: &str| {
        let mut all = command(option);
        if !option.is_empty() && (option.contains("fp32") || option.contains("bicubic")) {
            all.truncate(all.len() - SMALL.len());
        }
        all.push(more.to_owned());
        folder.run(&all.iter().map(String::as_str).filter(|word| !word.is_empty()).collect::<Vec<_>>())
    };
    for option in &options {
        let made = run(option, "");
        assert!(made.status.success(), "{option}: {}", String::from_utf8_lossy(&made.stderr));
        let scores = |output: &[u8]| serde_json::from_slice::<Value>(output).unwrap()["images"].clone();
        let resumed = run(option, "--resume");
        assert!(resumed.status.success(), "{option}: {}", String::from_utf8_lossy(&resumed.stderr));
        assert_eq!(scores(&made.stdout), scores(&resumed.stdout), "{option}");
        if !option.is_empty() {
            let other = run("", "--resume");
            let said = String::from_utf8_lossy(&other.stderr).into_owned();
            assert!(said.contains("of another network, method, calibration or options"), "{option}: {said}");
        }
        folder.take("x.json");
    }
}

/// A picture without what it says of how it was made; a table as it is.
fn seen(file: Vec<u8>) -> Vec<u8> {
    match dfsq::image_io::Picture::decode(&file) {
        Ok(picture) => picture.rgba,
        Err(_) => file,
    }
}

#[test]
fn pictures_and_tables_of_a_file_are_those_made_on_the_way() {
    let folder = folder("written-pictures");
    let options = all(&[
        &["", "--weight-bits 3", "--activation-bits 3", "--layer-bits bits.json", "--denormalization-bits 4"],
        &["--weights subset"],
        &POINTS,
        &CROPS,
        &NETWORK,
    ]);
    let elsewhere =
        all(&[&["--method", "--mixed"], &GRIDS, &["--rounding", "--damping", "--refits", "--channel-bits"]]);
    folder.has_options("upscale", &all(&[&options[1..], &elsewhere, &["--calibration", "--output"]]));
    folder.has_options(
        "report",
        &all(&[&options[1..], &elsewhere, &["--calibration", "--output", "--images", "--limit"]]),
    );
    for option in options {
        let chooses = POINTS.contains(&option) || CROPS.contains(&option);
        let (making, running) = if chooses { (option, "") } else { (of_network(option), option) };
        folder.made("calibrate net.onnx --images hr -o x.calibration --json", making);
        for (command, written) in [
            ("upscale net.onnx hr/a.png --force --json -o x.png", "x.png"),
            ("report net.onnx --images hr --force --json -o x", "x/layers.csv"),
        ] {
            folder.made(&format!("{command} --calibration hr"), option);
            let here = seen(folder.take(written));
            folder.json(&words(&format!("{command} --calibration x.calibration {running}")));
            assert!(here == seen(folder.take(written)), "{option}: {command}");
        }
        folder.take("x.calibration");
    }
}
