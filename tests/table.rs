//! `dfsq table`: networks, methods, bits and sets in one table, part by part and again.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/program.rs"]
mod program;

use common::gradient;
use program::{Folder, SMALL, words};
use serde_json::Value;

const TABLE: &str = "table net.onnx --set one=hr --set two=others --calibration hr --bits 4,3/6 --methods min-max,dfsq -o out";

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    std::fs::create_dir_all(folder.path("others")).unwrap();
    for size in [41, 44, 46] {
        let picture = gradient(size, size, 90).encode_png().unwrap();
        std::fs::write(folder.path("others").join(format!("{size}.png")), picture).unwrap();
    }
    folder
}

/// A command that cuts crops, and what it says.
fn run(folder: &Folder, command: &str) -> (Option<i32>, String, String) {
    let output = folder.run(&[&words(command)[..], &SMALL].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_table_has_the_means_that_eval_has() {
    let folder = folder("table");
    let (code, said, errors) = run(&folder, &format!("{TABLE} --json"));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let table: Value = serde_json::from_str(&said).unwrap();
    let cells = table["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 2 * (1 + 2 * 2));
    let cell = |set: &str, method: &str, bits: [u8; 2]| {
        let is = |cell: &&Value| {
            cell["set"] == set && cell["method"] == method && cell["bits"] == serde_json::json!(bits)
        };
        cells.iter().find(is).unwrap()
    };
    for (set, images) in [("one", "hr"), ("two", "others")] {
        for (method, bits) in [("min-max", [4, 4]), ("dfsq", [3, 6])] {
            let [weights, activations] = bits;
            let eval = format!(
                "eval net.onnx --hr {images} --method {method} --weight-bits {weights} --activation-bits {activations} --json"
            );
            // Min-max needs none, and says so.
            let calibrated = if method == "dfsq" { "--calibration hr" } else { "" };
            let arguments = format!("{eval} {calibrated}");
            let small = if method == "dfsq" { &SMALL[..] } else { &[] };
            let whole = folder.json(&[&words(&arguments)[..], small].concat());
            // Points for other widths too are drawn with the same seed of each layer and channel.
            assert_eq!(cell(set, method, bits)["psnr_y"], whole["mean_psnr_y"], "{set} {method}");
            assert_eq!(cell(set, method, bits)["ssim_y"], whole["mean_ssim_y"], "{set} {method}");
        }
    }
    for (file, words) in [
        ("table.md", "| net ×2 | 3/6 | DFSQ |"),
        ("table.csv", "net,2,two,3,min-max,4,4,"),
        ("table.tex", "\\toprule"),
    ] {
        assert!(std::fs::read_to_string(folder.path("out").join(file)).unwrap().contains(words), "{file}");
    }
}

#[test]
fn parts_make_the_whole_and_what_is_known_is_not_scored_again() {
    let folder = folder("table-parts");
    let (_, whole, _) = run(&folder, TABLE);
    for part in ["1/2", "2/2"] {
        let (code, said, errors) =
            run(&folder, &format!("{} --shard {part}", TABLE.replace("-o out", "-o parts")));
        assert_eq!(code, Some(0), "{errors}");
        assert_eq!(said.is_empty(), part == "1/2", "the last part finds that all are there");
    }
    let parts = TABLE.replace("-o out", "-o parts");
    let (code, said, _) = run(&folder, &parts);
    assert_eq!((code, said), (Some(0), whole.clone()));
    // A score that is known is taken as it is; an image that has changed is scored again.
    let cell = folder.path("out/cells/net.two.dfsq.4.4.json");
    let mut known: Value = serde_json::from_slice(&std::fs::read(&cell).unwrap()).unwrap();
    known["images"]["0"]["psnr_y"] = 99.0.into();
    std::fs::write(&cell, known.to_string()).unwrap();
    let (_, again, _) = run(&folder, TABLE);
    assert_ne!(again, whole);
    std::fs::write(folder.path("others/41.png"), gradient(41, 41, 91).encode_png().unwrap()).unwrap();
    let (code, changed, errors) = run(&folder, TABLE);
    assert!(code == Some(0) && errors.is_empty(), "{errors}");
    assert!(!changed.contains("99.") && changed != again);
    // Parts that were scored at another time may not agree: that image is scored again.
    let part = folder.path("out/cells/net.two.dfsq.4.4.1-of-2.json");
    std::fs::write(&part, known.to_string()).unwrap();
    let (code, once_more, errors) = run(&folder, TABLE);
    assert!(code == Some(0) && errors.is_empty() && once_more == changed, "{errors}");
    // Of other options it is made anew, in words.
    let (code, _, errors) = run(&folder, &format!("{TABLE} --seed 3"));
    assert!(code == Some(0) && errors.contains("net.one.dfsq.4.4.json is of other networks"), "{errors}");
}

#[test]
fn what_cannot_be_had_is_named_and_the_others_are_there() {
    let folder = folder("table-missing");
    let (code, said, errors) = run(&folder, "table net.onnx --set one=hr --bits 4,3 -o out");
    assert_eq!((code, said.as_str()), (Some(1), ""), "options for crops need a folder");
    assert!(errors.contains("give a folder of images with --calibration"), "{errors}");
    let output = folder.run(&words("table net.onnx --set one=hr --bits 4,3 -o out"));
    let (said, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1));
    for missing in ["dfsq at 4/4", "dfsq at 3/3", "dfsq-opt at 4/4", "dfsq-opt at 3/3"] {
        assert!(errors.contains(&format!("net.onnx, {missing} bits: ")), "{errors}");
    }
    assert!(said.contains("| net ×2 | 3 | Min-max |") && !said.contains("DFSQ"), "{said}");
}

#[test]
fn what_would_end_hours_later_is_refused_at_once() {
    let folder = folder("table-refused");
    let fails = |arguments: &str, wanted: &str| folder.fails(&words(arguments), wanted);
    std::fs::copy(folder.path("net.onnx"), folder.path("others/net.onnx")).unwrap();
    fails("table net.onnx others/net.onnx --set one=hr -o out", "two networks are called net");
    fails("table net.onnx --set one=hr --set one=others -o out", "two sets are called one");
    fails("table net.onnx none.onnx --set one=hr -o out", "none.onnx is no file");
    fails("table net.onnx --set one=none -o out", "none is no folder");
    fails("table net.onnx --set a/b=hr -o out", "say NAME=DIR");
    fails("table net.onnx --set one=hr --calibration net.onnx -o out", "a folder of images here");
    fails(
        "table net.onnx --set one=hr --methods min-max --calibration hr --restarts 3 -o out",
        "--restarts has no effect",
    );
    fails("table net.onnx --set one=hr -o hr", "hr holds other things");
}
