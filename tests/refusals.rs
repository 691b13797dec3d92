//! What the command line refuses in words, rather than do something else than was asked for.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/program.rs"]
mod program;

use common::{Builder, copying, gradient};
use program::{CROPS, Folder, POINTS, SMALL, words};
use std::process::{Command, Stdio};

/// Every option of a quantized network that has no effect with what else is said.
#[test]
fn options_without_effect_are_refused() {
    let folder = Folder::new("idle");
    folder.json(&[&words("calibrate net.onnx --images hr -o net.calibration --json")[..], &SMALL].concat());
    folder.json(&[&words("optimize net.onnx --images hr -o net.optimized --json")[..], &SMALL].concat());
    std::fs::write(folder.path("bits.json"), br#"{"block.conv1": [4, 4]}"#).unwrap();
    let others = [
        "--weight-bits 3",
        "--activation-bits 3",
        "--layer-bits bits.json",
        "--denormalization-bits 8",
        "--min-max-range static",
        "--point-source apot",
        "--range-estimator mse",
        "--range-granularity channel",
        "--calibration hr",
        "--weights subset",
        "--rounding compensated",
        "--damping 0.02",
        "--refits 1",
        "--channel-bits allocated",
    ];
    let all = [&others[..], &POINTS, &CROPS].concat();
    let idle = |command: &str, used: &[&str]| {
        for option in &all {
            let name = option.split(' ').next().unwrap();
            if used.contains(&name) {
                continue;
            }
            let output = folder.run(&words(&format!("{command} {option}")));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success(), "{command} takes {option}");
            let refused = said.contains(&format!("{name} has no effect"))
                || said.contains("give a folder of images with --calibration");
            assert!(refused, "{command} {option}: {said}");
        }
    };
    for method in ["fp32", "bicubic"] {
        idle(&format!("eval net.onnx --hr hr --method {method}"), &[]);
    }
    let bits = ["--weight-bits", "--activation-bits", "--layer-bits"];
    let ranges = ["--min-max-range", "--range-estimator", "--range-granularity", "--weights"];
    idle("eval net.onnx --hr hr --method min-max", &[&bits[..], &ranges].concat());
    let ranged = "eval net.onnx --hr hr --method min-max --min-max-range static";
    idle(ranged, &[&bits[..], &["--min-max-range", "--weights", "--calibration"]].concat());
    let fixed = [&bits[..], &["--denormalization-bits", "--weights", "--point-source"]].concat();
    idle("eval net.onnx --hr hr --method dfsq --point-source powers-of-two", &fixed);
    let on_file = [&fixed[..], &["--calibration"]].concat();
    idle("eval net.onnx --hr hr --method dfsq", &on_file);
    let optimized = [&bits[..], &["--denormalization-bits", "--calibration"]].concat();
    idle(
        "eval net.onnx --hr hr --method dfsq-opt --weight-bits 4 --activation-bits 4",
        &[&optimized[..], &bits].concat(),
    );
    idle("upscale net.onnx hr/a.png -o out.png --force --method fp32", &[]);

    for (command, words_said) in [
        (
            "eval net.onnx --hr hr --calibration hr --granularity layer --denormalization-bits 6",
            "has no effect with --granularity layer",
        ),
        (
            "eval net.onnx --hr hr --calibration hr --normalization none --denormalization-bits 6",
            "has no effect with --normalization none",
        ),
        (
            "eval net.onnx --hr hr --calibration hr --selection exact --restarts 4",
            "--restarts has no effect with --selection exact",
        ),
        (
            "eval net.onnx --hr hr --activation-bits 32 --denormalization-bits 4",
            "where activations stay in full precision",
        ),
        (
            "eval net.onnx --hr hr --method dfsq-opt --calibration hr --rounding nearest --damping 1",
            "--damping has no effect with --rounding nearest",
        ),
        (
            "optimize net.onnx --images hr -o x --rounding nearest --refits 3",
            "--refits has no effect with --rounding nearest",
        ),
        (
            "optimize net.onnx --images hr -o x --preset paper",
            "--preset has no effect with --selection exact",
        ),
        (
            "calibrate net.onnx --images hr -o x --selection exact --restarts 3",
            "--restarts has no effect with --selection exact",
        ),
        (
            "ablate net.onnx --hr hr --calibration hr --rounding nearest --damping 0.1",
            "--damping has no effect with --rounding nearest",
        ),
        ("assign net.onnx --images hr --weight-bits 3", "--weight-bits has no effect with assign"),
        ("assign net.onnx --images hr --layer-bits bits.json", "--layer-bits has no effect with assign"),
        (
            "assign net.onnx --images hr --method min-max --selection exact",
            "--selection has no effect with --method min-max",
        ),
    ] {
        folder.fails(&words(command), words_said);
    }
}

#[test]
fn what_is_out_of_bounds_is_refused_before_the_work() {
    let folder = Folder::new("bounds");
    for (option, said) in [
        ("--refits 21", "21 is not a whole number of 0 to 20"),
        ("--damping -1", "not above 0"),
        ("--damping 0", "0 is not above 0 and at most 10"),
        ("--damping 20", "20 is not above 0 and at most 10"),
        ("--damping NaN", "NaN is not above 0 and at most 10"),
        ("--bits 9", "choose 1 to 8"),
        ("--word-sets 6", "choose 2 to 5"),
        ("--selection best", "[possible values: kmeans, exact, exhaustive]"),
    ] {
        folder.fails(&words(&format!("optimize net.onnx --images hr -o x.optimized {option}")), said);
    }
    let many: Vec<String> = (1..=8).flat_map(|w| (1..=8).map(move |a| format!("{w}/{a}"))).collect();
    let all = format!("optimize net.onnx --images hr -o x.optimized --bits {},32/4", many.join(","));
    folder.fails(&[&words(&all)[..], &SMALL].concat(), "65 choices of bits are more than the 64");
    assert!(!folder.path("x.optimized").exists());
    let fits = format!("optimize net.onnx --images hr -o x.optimized --bits {} --json", many.join(","));
    folder.json(&[&words(&fits)[..], &SMALL].concat());
    folder.json(&words("eval net.onnx --hr hr --method dfsq-opt --calibration x.optimized --weight-bits 8 --activation-bits 1 --json"));
}

#[test]
fn pairs_are_found_by_name_and_what_has_none_is_named() {
    let folder = Folder::new("pairs");
    for kind in ["high", "low"] {
        std::fs::create_dir(folder.path(kind)).unwrap();
    }
    // In the order of names, 10 comes before 1x2 and after it.
    for i in 1..=12usize {
        let picture = gradient(40 + 2 * i, 40, 110 + i as u8);
        std::fs::write(folder.path(&format!("high/{i}.png")), picture.encode_png().unwrap()).unwrap();
        let low = dfsq::image_io::downscale(&picture, 2);
        std::fs::write(folder.path(&format!("low/{i}x2.png")), low.encode_png().unwrap()).unwrap();
    }
    let eval = |rest: &str| format!("eval net.onnx --method bicubic --json {rest}");
    let (made, given) =
        (folder.json(&words(&eval("--hr high"))), folder.json(&words(&eval("--hr high --lr low"))));
    assert_eq!(made["images"], given["images"]);
    assert_eq!(given["images"].as_array().unwrap().len(), 12);

    let passed_over = |rest: &str, names: &[&str]| {
        let output = folder.run(&words(&eval(rest)));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(names.iter().all(|name| said.contains(&format!("passed over: {name}"))), "{said}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["images"]
            .as_array()
            .unwrap()
            .len()
    };
    std::fs::rename(folder.path("low/3x2.png"), folder.path("low/other.png")).unwrap();
    std::fs::copy(folder.path("high/1.png"), folder.path("high/scan.bmp")).unwrap();
    let names = ["high/3.png", "low/other.png", "high/scan.bmp"];
    assert_eq!(passed_over("--hr high --lr low", &names), 11);

    // As the field has it, and as Set5 comes.
    for (name, text) in [
        ("DIV2K/HR/1.png", "high/1.png"),
        ("DIV2K/LR_bicubic/X2/1x2.png", "low/1x2.png"),
        ("Set/1_HR.png", "high/1.png"),
        ("Set/1_LR.png", "low/1x2.png"),
    ] {
        std::fs::create_dir_all(folder.path(name).parent().unwrap()).unwrap();
        std::fs::copy(folder.path(text), folder.path(name)).unwrap();
    }
    for set in ["DIV2K", "Set"] {
        let report = folder.json(&words(&eval(&format!("--hr {set}"))));
        assert_eq!(report["images"].as_array().unwrap().len(), 1, "{set}");
        assert_eq!(report["images"][0]["psnr_y"], given["images"][0]["psnr_y"], "{set}");
    }
}

#[test]
fn a_reference_of_another_size_is_refused_by_name_and_a_remainder_is_cut() {
    let folder = Folder::new("sizes");
    for kind in ["high", "low"] {
        std::fs::create_dir(folder.path(kind)).unwrap();
    }
    let picture = gradient(97, 81, 110);
    let save = |name: &str, picture: &dfsq::image_io::Picture| {
        std::fs::write(folder.path(name), picture.encode_png().unwrap()).unwrap();
    };
    save("high/a.png", &picture);
    save("low/a.png", &dfsq::image_io::downscale(&picture, 2));
    // Made for a fourfold network.
    save("high/b.png", &gradient(96, 80, 110));
    save("low/b.png", &dfsq::image_io::downscale(&gradient(96, 80, 110), 4));
    let output = folder.run(&words("eval net.onnx --hr high --lr low --method bicubic --json"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1)
            && said.contains("high/b.png")
            && said.contains("24 x 20 pixels, the reference 96 x 80, which is not 2 times that"),
        "{said}"
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["images"].as_array().unwrap().len(), 1);
    assert!(report["images"][0]["psnr_y"].as_f64() > Some(20.0));
}

#[test]
fn a_truncated_photograph_is_passed_over() {
    let folder = Folder::new("truncated");
    let whole = include_bytes!("images/progressive.jpg");
    std::fs::write(folder.path("hr/c.jpg"), &whole[..whole.len() / 2]).unwrap();
    let output = folder.run(&words("eval net.onnx --hr hr --method bicubic --json"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1)
            && said.contains("passed over: hr/c.jpg")
            && said.contains("truncated"),
        "{said}"
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["images"].as_array().unwrap().len(), 2);
}

#[test]
fn whoever_stops_reading_ends_the_program_without_a_word() {
    let folder = Folder::new("pipe");
    for i in 0..60 {
        std::fs::copy(folder.path("hr/a.png"), folder.path(&format!("hr/c{i}.png"))).unwrap();
    }
    for arguments in ["eval net.onnx --hr hr --method bicubic", "inspect net.onnx"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dfsq"))
            .current_dir(&folder.0)
            .args(words(arguments))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Before anything is written.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.is_empty(), "{arguments}: {:?} {said}", output.status);
    }
}

#[test]
fn layers_of_similar_names_have_files_of_their_own() {
    let folder = Folder::new("similar");
    let net = Builder::new(3)
        .conv("lr", "head", 3, 3, &copying(3, 3, 1.0, |o| o))
        .conv("head", "one", 3, 3, &copying(3, 3, 0.5, |o| o))
        .named("a/b")
        .conv("one", "two", 3, 3, &copying(3, 3, 0.5, |o| o))
        .named("a_b")
        .conv("two", "three", 3, 3, &copying(3, 3, 4.0, |o| o))
        .named("A:b")
        .conv("three", "up", 12, 3, &copying(12, 3, 1.0, |o| o / 4))
        .shuffle("up", "sr")
        .metadata("input_range", "0..1");
    std::fs::write(folder.path("names.onnx"), net.build()).unwrap();
    folder.json(&words("report names.onnx --images hr -o report --method min-max --json"));
    let mut channels: Vec<String> = std::fs::read_dir(folder.path("report"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with("-channels.svg"))
        .collect();
    channels.sort();
    assert_eq!(channels, ["A_b_3-channels.svg", "a_b-channels.svg", "a_b_2-channels.svg"]);
}

#[test]
fn methods_that_round_nothing_have_no_bits() {
    let folder = Folder::new("bits");
    let output = folder.run(&words("eval net.onnx --hr hr --method fp32"));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("fp32, full precision") && !said.contains("4/4"), "{said}");
    assert_eq!(folder.json(&words("eval net.onnx --hr hr --method fp32 --json"))["weight_bits"], 32);
}
