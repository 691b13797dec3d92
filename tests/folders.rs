//! The command line over folders: files that are there, bad files, parts, interruptions.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/program.rs"]
mod program;

use common::gradient;
use program::{Folder, SMALL, has, words};
use std::process::Command;

#[test]
fn nothing_is_written_over_unless_asked() {
    let folder = Folder::new("force");
    std::fs::write(folder.path("out.png"), b"mine").unwrap();
    let upscale = words("upscale net.onnx hr/a.png --method bicubic -o out.png");
    let refused = folder.run(&upscale);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("out.png is there already; --force"));
    assert_eq!(std::fs::read(folder.path("out.png")).unwrap(), b"mine");
    assert!(folder.run(&[&upscale[..], &["--force"]].concat()).status.success());
    assert!(std::fs::read(folder.path("out.png")).unwrap().len() > 100);
    let report = words("report net.onnx --images hr -o hr");
    assert!(String::from_utf8_lossy(&folder.run(&report).stderr).contains("hr is there already"));
}

#[test]
fn a_bad_file_is_passed_over_and_named_at_the_end() {
    let folder = Folder::new("bad");
    std::fs::write(folder.path("hr/0.png"), b"no picture").unwrap();
    let outcome = |arguments: &str| {
        // Where crops are cut, they are small.
        let small = ["calibrate", "ablate"].iter().any(|command| arguments.starts_with(command));
        let output = folder.run(&[&words(arguments)[..], if small { &SMALL } else { &[] }].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && said.contains("passed over: hr/0.png: cannot read"),
            "{said}"
        );
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let scores = outcome("eval net.onnx --hr hr --method bicubic --json");
    assert_eq!(scores["images"].as_array().unwrap().len(), 2, "the others are scored");
    assert_eq!(outcome("calibrate net.onnx --images hr -o net.calibration --json")["crops"], 4);
    assert!(has(&folder.path("net.calibration")));
    let rows = outcome("ablate net.onnx --hr hr --calibration hr --bits 3 --json");
    assert_eq!(rows["full_precision"], outcome("eval net.onnx --hr hr --method fp32 --json")["mean_psnr_y"]);
    assert_eq!(outcome("report net.onnx --images hr -o report --json")["images"], 2);
}

#[test]
fn parts_of_a_folder_merge_to_the_whole_and_an_interrupted_run_goes_on() {
    let folder = Folder::new("shards");
    for size in 41..46 {
        let picture = gradient(size, size, 110).encode_png().unwrap();
        std::fs::write(folder.path("hr").join(format!("{size}.png")), picture).unwrap();
    }
    let eval = |rest: &str| {
        let arguments = format!("eval net.onnx --hr hr --calibration hr --weight-bits 3 --json {rest}");
        folder.json(&[&words(&arguments)[..], &SMALL].concat())
    };
    let figures =
        |report: &serde_json::Value| ["images", "mean_psnr_y", "mean_ssim_y"].map(|key| report[key].clone());
    let whole = eval("");
    let parts = [1, 2, 3].map(|part| format!("{part}.json"));
    for (i, part) in parts.iter().enumerate() {
        eval(&format!("--shard {}/3 --results {part}", i + 1));
    }
    let merge = |files: &[&str]| folder.run(&[&["merge", "--json"], files].concat());
    let merged = merge(&["3.json", "1.json", "2.json"]);
    assert_eq!(
        figures(&serde_json::from_slice(&merged.stdout).unwrap()),
        figures(&whole),
        "to the last digit"
    );
    let some = merge(&["1.json", "3.json"]);
    assert!(String::from_utf8_lossy(&some.stderr).contains("2 of 7 images are missing"));

    // What is there is not scored again, what has changed is.
    let saved = std::fs::read_to_string(folder.path("1.json")).unwrap();
    std::fs::write(folder.path("whole.json"), &saved).unwrap();
    let refused = folder.run(&words("eval net.onnx --hr hr --method bicubic --results whole.json"));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("whole.json is there already"));
    let other = folder.run(&words("eval net.onnx --hr hr --method bicubic --results whole.json --resume"));
    assert!(
        String::from_utf8_lossy(&other.stderr).contains("of another network, method, calibration or options")
    );
    let invented = saved.replacen("\"psnr_y\": ", "\"psnr_y\": 10", 1);
    std::fs::write(folder.path("whole.json"), invented).unwrap();
    let resumed = eval("--results whole.json --resume");
    assert!(resumed["images"][0]["psnr_y"].as_f64() > Some(100.0), "taken from the file");
    assert_eq!(resumed["images"].as_array().unwrap()[1..], whole["images"].as_array().unwrap()[1..]);
    std::fs::write(folder.path("hr/41.png"), gradient(41, 41, 90).encode_png().unwrap()).unwrap();
    assert_ne!(eval("--results whole.json --resume")["images"], resumed["images"]);
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_work_and_keeps_what_is_done() {
    let folder = Folder::new("interrupt");
    for i in 0..40 {
        std::fs::copy(folder.path("hr/b.png"), folder.path("hr").join(format!("c{i}.png"))).unwrap();
    }
    // Such a picture takes longer than the rest together.
    let large = gradient(1600, 1200, 110).encode_png().unwrap();
    std::fs::write(folder.path("hr/z.png"), large).unwrap();
    let arguments = words("eval net.onnx --hr hr --method fp32 --results r.json --json");
    let mut program = Command::new(env!("CARGO_BIN_EXE_dfsq"));
    let child =
        program.current_dir(&folder.0).args(arguments).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let begun = || std::fs::read_to_string(folder.path("r.json")).is_ok_and(|text| text.contains("psnr_y"));
    while !begun() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "interrupted\n");
    let results: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path("r.json")).unwrap()).unwrap();
    let done = results["images"].as_object().unwrap().len();
    assert!((1..43).contains(&done), "{done}");
    let names =
        std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{names:?}");
}

#[test]
fn what_can_no_longer_be_read_is_forgotten() {
    let folder = Folder::new("forgotten");
    let arguments = words("eval net.onnx --hr hr --method bicubic --results r.json --resume --json");
    folder.json(&arguments);
    std::fs::write(folder.path("hr/a.png"), b"no picture").unwrap();
    assert_eq!(folder.run(&arguments).status.code(), Some(1));
    let merged = folder.run(&words("merge r.json"));
    assert!(String::from_utf8_lossy(&merged.stderr).contains("1 of 2 images are missing"));
}

#[test]
fn what_cannot_be_written_is_refused_before_the_work() {
    let folder = Folder::new("outputs");
    for (output, words_said) in [("nowhere/x", "there is no folder for nowhere/x"), ("hr", "hr is a folder")]
    {
        let refused = folder.run(&["calibrate", "net.onnx", "--images", "hr", "-o", output]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains(words_said), "{output}");
    }
}

#[test]
fn a_score_without_end_survives_a_file_of_results() {
    let folder = Folder::new("infinite");
    // Black stays black when it is enlarged.
    std::fs::write(folder.path("hr/b.png"), gradient(48, 48, 0).encode_png().unwrap()).unwrap();
    folder.json(&words("eval net.onnx --hr hr --method bicubic --results r.json --json"));
    let again =
        folder.json(&words("eval net.onnx --hr hr --method bicubic --results r.json --resume --json"));
    assert!(again["images"][1]["psnr_y"].is_null() && again["images"][0]["psnr_y"].is_number(), "{again}");
    let none =
        folder.run(&words("eval net.onnx --hr hr --method bicubic --shard 9/9 --results 9.json --json"));
    assert!(none.status.success() && has(&folder.path("9.json")), "a part without an image");
}
