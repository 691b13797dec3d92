//! The command line, run as a program.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Folder(PathBuf);

impl Folder {
    /// A fresh folder with a network and two pictures.
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dfsq-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("hr")).unwrap();
        std::fs::write(folder.join("net.onnx"), stated_edsr()).unwrap();
        for (name, size) in [("b.png", 48), ("a.png", 40)] {
            std::fs::write(folder.join("hr").join(name), gradient(size, size, 110).encode_png().unwrap())
                .unwrap();
        }
        Folder(folder)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dfsq")).current_dir(&self.0).args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "bars vanish where there is no terminal");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn has(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.len() > 0)
}

#[test]
fn calibrate_then_eval_then_upscale() {
    let folder = Folder::new("pipeline");
    let made = folder.json(&[
        "calibrate",
        "net.onnx",
        "--images",
        "hr",
        "-o",
        "net.calibration",
        "--crops",
        "3",
        "--crop-size",
        "16",
        "--json",
    ]);
    assert_eq!((made["layers"].as_u64(), made["crops"].as_u64()), (Some(2), Some(3)));
    assert!(has(&folder.path("net.calibration")));

    let report = folder.json(&[
        "eval",
        "net.onnx",
        "--hr",
        "hr",
        "--weight-bits",
        "8",
        "--activation-bits",
        "8",
        "--json",
    ]);
    assert_eq!((report["model"].as_str(), report["scale"].as_u64()), (Some("net"), Some(2)));
    assert_eq!((report["method"].as_str(), report["weight_bits"].as_u64()), (Some("dfsq"), Some(8)));
    let names: Vec<_> =
        report["images"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"], "sorted by name");
    let scores: Vec<f64> =
        report["images"].as_array().unwrap().iter().map(|i| i["psnr_y"].as_f64().unwrap()).collect();
    assert!((report["mean_psnr_y"].as_f64().unwrap() - (scores[0] + scores[1]) / 2.0).abs() < 1e-9);
    assert!(report["mean_ssim_y"].is_number() && report["seconds"].is_number());

    let on_folder = folder.json(&[
        "eval",
        "net.onnx",
        "--hr",
        "hr",
        "--calibration",
        "hr",
        "--crops",
        "2",
        "--crop-size",
        "16",
        "--json",
    ]);
    assert!(on_folder["mean_psnr_y"].is_number());

    let made = [
        "optimize",
        "net.onnx",
        "--images",
        "hr",
        "-o",
        "net.optimized",
        "--crop-size",
        "16",
        "--bits",
        "3,4",
        "--json",
    ];
    assert!(folder.json(&made)["bytes"].as_u64().unwrap() > 100);
    let ours = folder.json(&["eval", "net.onnx", "--hr", "hr", "--method", "dfsq-opt", "--json"]);
    assert_eq!(ours["method"], "dfsq-opt");
    assert!(ours["mean_psnr_y"].as_f64().unwrap() > 5.0);

    let result =
        folder.json(&["upscale", "net.onnx", "hr/a.png", "-o", "out.png", "--method", "bicubic", "--json"]);
    assert_eq!((result["width"].as_u64(), result["height"].as_u64()), (Some(80), Some(80)));
    assert!(has(&folder.path("out.png")));
}

#[test]
fn ablate_prints_a_row_for_every_choice() {
    let folder = Folder::new("ablate");
    let arguments =
        ["ablate", "net.onnx", "--hr", "hr", "--calibration", "hr", "--crop-size", "16", "--crops", "4"];
    let report = folder.json(&[&arguments[..], &["--bits", "4,3", "--json"]].concat());
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["variant"].as_str().unwrap()).collect();
    for name in ["min-max, static", "dfsq", "2 word sets", "exact points and weights"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(rows.iter().all(|row| row["psnr_y"].as_array().unwrap().len() == 2));
    let eval = [
        "eval",
        "net.onnx",
        "--hr",
        "hr",
        "--calibration",
        "hr",
        "--crop-size",
        "16",
        "--crops",
        "4",
        "--json",
    ];
    let dfsq = rows.iter().find(|row| row["variant"] == "dfsq").unwrap();
    assert_eq!(dfsq["psnr_y"][0], folder.json(&eval)["mean_psnr_y"]);
}

#[test]
fn inspect_tells_what_is_quantized() {
    let folder = Folder::new("inspect");
    let info = folder.json(&["inspect", "net.onnx", "--json"]);
    let quantized: Vec<bool> =
        info["layers"].as_array().unwrap().iter().map(|l| l["quantized"].as_bool().unwrap()).collect();
    assert_eq!(quantized, [false, true, true, false, false, false]);
    assert!(String::from_utf8(folder.run(&["inspect", "net.onnx"]).stdout).unwrap().contains("block.conv1"));
}

#[test]
fn a_list_beside_the_network_says_what_the_file_does_not() {
    let folder = Folder::new("list");
    let silent = small_edsr().build();
    std::fs::write(folder.path("net.onnx"), &silent).unwrap();
    let list = |hash: &str| {
        let entry =
            serde_json::json!({"sha256": hash, "properties": {"input_range": "0..255", "colour": "BGR"}});
        std::fs::write(folder.path("models.json"), serde_json::json!({"networks": [entry]}).to_string())
            .unwrap();
        folder.json(&["inspect", "net.onnx", "--json"])["convention"].clone()
    };
    let listed = list(&dfsq::session::sha256(&silent));
    assert_eq!((listed["range"].as_f64(), listed["colour"].as_str()), (Some(255.0), Some("BGR")));
    assert_eq!(listed["assumed"].as_array().unwrap().len(), 1, "only the scale is left to be measured");
    let unlisted = list("0");
    assert_eq!((unlisted["range"].as_f64(), unlisted["colour"].as_str()), (Some(1.0), Some("RGB")));
}

#[test]
fn errors_name_the_file_and_end_with_a_status() {
    let folder = Folder::new("errors");
    let fails = |arguments: &[&str], words: &str| {
        let output = folder.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty() && text.contains(words), "{text}");
    };
    fails(&["inspect", "missing.onnx"], "missing.onnx");
    fails(&["inspect", "hr/a.png"], "hr/a.png: cannot use this network");
    fails(&["eval", "net.onnx", "--hr", "hr"], "needs a calibration");
    fails(&["eval", "net.onnx", "--hr", ".", "--method", "fp32"], "holds no PNG");
    fails(&["eval", "net.onnx", "--hr", "hr", "--lr", "hr/a.png", "--method", "fp32"], "2 references but 1");
    fails(&["eval", "net.onnx", "--hr", "hr", "--weight-bits", "9"], "choose 2 to 8");
    fails(
        &["calibrate", "net.onnx", "--images", "hr", "-o", "x", "--crop-size", "99"],
        "no image is large enough",
    );
}
