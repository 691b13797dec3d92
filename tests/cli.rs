//! The command line, run as a program.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/program.rs"]
mod program;

use common::{gradient, small_edsr};
use program::{Folder, SMALL, has, words};
use serde_json::Value;

#[test]
fn calibrate_then_eval_then_upscale() {
    let folder = Folder::new("pipeline");
    let made = words("calibrate net.onnx --images hr -o net.calibration --json");
    let made = folder.json(&[&made[..], &SMALL].concat());
    assert_eq!((made["layers"].as_u64(), made["crops"].as_u64()), (Some(2), Some(4)));
    assert!(has(&folder.path("net.calibration")));

    let report = folder.json(&words("eval net.onnx --hr hr --weight-bits 8 --activation-bits 8 --json"));
    assert_eq!((report["model"].as_str(), report["scale"].as_u64()), (Some("net"), Some(2)));
    assert_eq!((report["method"].as_str(), report["weight_bits"].as_u64()), (Some("dfsq"), Some(8)));
    let names: Vec<_> =
        report["images"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"], "sorted by name");
    let scores: Vec<f64> =
        report["images"].as_array().unwrap().iter().map(|i| i["psnr_y"].as_f64().unwrap()).collect();
    assert!((report["mean_psnr_y"].as_f64().unwrap() - (scores[0] + scores[1]) / 2.0).abs() < 1e-9);
    assert!(report["mean_ssim_y"].is_number() && report["seconds"].is_number());

    let on_folder = words("eval net.onnx --hr hr --calibration hr --selection exact --json");
    assert!(folder.json(&[&on_folder[..], &SMALL].concat())["mean_psnr_y"].is_number());

    let made = words("optimize net.onnx --images hr -o net.optimized --bits 3,4 --json");
    assert!(folder.json(&[&made[..], &SMALL].concat())["bytes"].as_u64().unwrap() > 100);
    let ours = folder.json(&words("eval net.onnx --hr hr --method dfsq-opt --json"));
    assert_eq!(ours["method"], "dfsq-opt");
    assert!(ours["mean_psnr_y"].as_f64().unwrap() > 5.0);

    let result = folder.json(&words("upscale net.onnx hr/a.png -o out.png --method bicubic --json"));
    assert_eq!((result["width"].as_u64(), result["height"].as_u64()), (Some(80), Some(80)));
    assert!(has(&folder.path("out.png")));
}

#[test]
fn a_network_is_exported_for_integers_and_checked() {
    let folder = Folder::new("integers");
    let made = words("calibrate net.onnx --images hr -o net.calibration --json");
    folder.json(&[&made[..], &SMALL].concat());
    let export = "export net.onnx -o out.onnx --method min-max --min-max-range static --json --force --check";
    let in_integers = format!("{export} --weight-bits 7 --activation-bits 8 --integer hr");
    let made = folder.json(&[&words(&in_integers)[..], &SMALL].concat());
    let layers = made["check"].as_array().unwrap();
    assert!(layers.len() == 2 && layers.iter().all(|layer| layer["why"] == "QLinearConv"), "{made}");
    let again = folder.json(&words("inspect out.onnx --json"));
    assert!(again["stored"].as_str().unwrap().contains("min-max"), "{}", again["stored"]);

    let simulated = folder.json(&words(&format!("{export} --weight-bits 4 --activation-bits 4")));
    let why = simulated["check"][0]["why"].as_str().unwrap();
    assert!(why.contains("made once, behind a quantizer in f32"), "{why}");

    let with = |options: &str| format!("export net.onnx -o no.onnx --integer hr {options}");
    let dynamic = with("--method min-max --weight-bits 8 --activation-bits 8");
    folder.fails(&[&words(&dynamic)[..], &SMALL].concat(), "--min-max-range static");
    let four = with("--method min-max --min-max-range static");
    folder.fails(&[&words(&four)[..], &SMALL].concat(), "activations have 4 bits");
    assert!(!has(&folder.path("no.onnx")));
}

#[test]
fn the_distance_from_full_precision_is_scored_where_it_is_asked_for() {
    let folder = Folder::new("to-full");
    // References that are themselves what comes out in full precision.
    std::fs::create_dir(folder.path("full")).unwrap();
    for name in ["a", "b"] {
        let upscale = format!("upscale net.onnx hr/{name}.png -o full/{name}.png --method fp32");
        assert!(folder.run(&words(&upscale)).status.success());
    }
    let eval = |rest: &str| {
        folder.json(&words(&format!("eval net.onnx --hr full --lr hr --method min-max --json {rest}")))
    };
    let (plain, report) = (eval(""), eval("--to-full --results some.json --shard 1/2"));
    assert_eq!(
        (&plain["images"][0]["psnr_to_full"], &plain["mean_psnr_to_full"]),
        (&Value::Null, &Value::Null)
    );
    assert!(report["images"][0]["psnr_y"].as_f64() > Some(5.0));
    assert_eq!(report["images"][0]["psnr_to_full"], report["images"][0]["psnr_y"]);
    let resumed = eval("--to-full --results some.json --resume");
    assert_eq!(resumed["mean_psnr_to_full"], plain["mean_psnr_y"]);
    let other =
        folder.run(&words("eval net.onnx --hr full --lr hr --method min-max --results some.json --resume"));
    assert!(!other.status.success(), "what was scored is another thing");
}

#[test]
fn small_images_in_a_folder_are_passed_over() {
    let folder = Folder::new("mixed");
    for (name, size) in [("c.png", 1), ("d.png", 20)] {
        std::fs::write(folder.path("hr").join(name), gradient(size, size, 0).encode_png().unwrap()).unwrap();
    }
    // More crops than images, so that each is come to again and again.
    let calibrate =
        words("calibrate net.onnx --images hr -o net.calibration --crop-size 16 --crops 12 --json");
    assert!(folder.json(&calibrate)["bytes"].as_u64().unwrap() > 0);
}

#[test]
fn subset_weights_are_of_the_universal_set_that_was_asked_for() {
    let folder = Folder::new("sets");
    let score = |sets: &str| {
        let eval = "eval net.onnx --hr hr --calibration hr --weights subset --weight-bits 2 --activation-bits 32 --json";
        folder.json(&[&words(eval)[..], &SMALL, &["--word-sets", sets]].concat())["mean_psnr_y"]
            .as_f64()
            .unwrap()
    };
    assert_ne!(score("2"), score("4"));
}

#[test]
fn ablate_prints_a_row_for_every_choice() {
    let folder = Folder::new("ablate");
    let arguments = words("ablate net.onnx --hr hr --calibration hr --bits 4,3 --json");
    let report = folder.json(&[&arguments[..], &SMALL].concat());
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["variant"].as_str().unwrap()).collect();
    for name in ["min-max, static", "dfsq", "2 word sets", "layer-wise", "exact points and weights"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(rows.iter().all(|row| row["psnr_y"].as_array().unwrap().len() == 2));
    // Rows share statistics where they can; the scores are those of a run of its own.
    let eval = |options: &str| {
        let arguments = format!("eval net.onnx --hr hr --calibration hr --json {options}");
        folder.json(&[&words(&arguments)[..], &SMALL].concat())["mean_psnr_y"].clone()
    };
    for (name, options) in [
        ("dfsq", ""),
        ("layer-wise", "--granularity layer"),
        ("3 word sets", "--word-sets 3"),
        ("4 bits of mean and range", "--denormalization-bits 4"),
        ("exact points, compensated", "--method dfsq-opt --weights uniform"),
    ] {
        let row = rows.iter().find(|row| row["variant"] == name).unwrap();
        assert_eq!(row["psnr_y"][0], eval(options), "{name}");
    }
}

#[test]
fn layers_are_measured_and_given_bits() {
    let folder = Folder::new("assign");
    let assign =
        "assign net.onnx --images hr --calibration hr --average-bits 5 --widths 2,4,6 -o bits.json --json";
    let report = folder.json(&[&words(assign)[..], &SMALL].concat());
    let layers = report["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    for layer in layers {
        let psnr: Vec<f64> = layer["psnr"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert!(psnr.windows(2).all(|p| p[0] < p[1]), "{psnr:?}");
    }
    // Weights are 0, 1 and -1, which 2 bits can tell. Both layers have as many inputs, so those of one get 4 and of one 6
    // bits, and the result lies between those.
    assert_eq!(report["average_bits"].as_f64(), Some(2.0));
    assert_eq!(report["average_activation_bits"].as_f64(), Some(5.0));
    let uniform = |i: usize| report["uniform_psnr"][i].as_f64().unwrap();
    let measured = report["measured_psnr"].as_f64().unwrap();
    assert!(uniform(1) <= measured && measured <= uniform(2), "{report}");
    let written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path("bits.json")).unwrap()).unwrap();
    assert_eq!(written.as_object().unwrap().len(), 2);
    let eval = words("eval net.onnx --hr hr --calibration hr --layer-bits bits.json --json");
    assert!(folder.json(&[&eval[..], &SMALL].concat())["mean_psnr_y"].as_f64().unwrap() > 5.0);
}

#[test]
fn mixed_bits_are_assigned_optimized_and_found_again() {
    let folder = Folder::new("mixed-bits");
    // The same by one command as by two.
    let small = |command: &str| folder.json(&[&words(command)[..], &SMALL].concat());
    small("optimize net.onnx --images hr --mixed 3 -o one.optimized --json");
    let report = small(
        "assign net.onnx --images hr --method dfsq-opt --average-bits 3 --budget bit-ops --widths 1,2,3,4,5,6,7,8 -o bits.json --json",
    );
    let average = report["average_bit_ops"].as_f64().unwrap();
    assert!(average > 2.0 && average <= 3.0, "{report}");
    small("optimize net.onnx --images hr --layer-bits bits.json -o two.optimized --json");
    let [one, two] =
        ["one", "two"].map(|name| std::fs::read(folder.path(&format!("{name}.optimized"))).unwrap());
    assert!(one == two, "{} {}", one.len(), two.len());
    let bits = r#"{"block.conv1": [2, 4], "block.conv2": [3, 3]}"#;
    std::fs::write(folder.path("bits.json"), bits).unwrap();
    small("optimize net.onnx --images hr --layer-bits bits.json --bits 3 -o net.optimized --json");
    let eval = |options: &str| {
        let eval = format!("eval net.onnx --hr hr --method dfsq-opt {options} --json");
        folder.json(&words(&eval))
    };
    // Products of 8 and 9 bits, where 3 everywhere makes 9.
    let mixed = eval("--mixed 3");
    assert_eq!(mixed["mean_psnr_y"], eval("--layer-bits bits.json")["mean_psnr_y"]);
    // 81 products a layer, and 9 rescalings of sums that are 4 bits wider than a product, with ranges of 32 bits.
    let bit_ops = 81.0 * (8.0 + 9.0) + 2.0 * 9.0 * (6.0 + 4.0) * 32.0;
    let [square, linear, constant] = [162.0, 18.0 * 2.0 * 32.0, 18.0 * 4.0 * 32.0];
    let alike = (f64::sqrt(linear * linear + 4.0 * square * (bit_ops - constant)) - linear) / (2.0 * square);
    let average = &mixed["average_bits"];
    assert_eq!((average["weights"].as_f64(), average["activations"].as_f64()), (Some(2.5), Some(3.5)));
    assert!((average["bitOps"].as_f64().unwrap() - alike).abs() < 1e-9, "{average} {alike}");
    let alike = eval("--weight-bits 3 --activation-bits 3");
    assert_ne!(mixed["mean_psnr_y"], alike["mean_psnr_y"]);
    assert!(alike.get("average_bits").is_none());
    folder.fails(&words("eval net.onnx --hr hr --method dfsq-opt --mixed 4"), "no mixed bits for 4");
    folder.fails(&words("eval net.onnx --hr hr --method dfsq-opt --damping 1"), "give a folder of images");
}

#[test]
fn report_writes_figures_and_tables() {
    let folder = Folder::new("report");
    let report = words("report net.onnx --images hr -o report --calibration hr --json");
    let report = folder.json(&[&report[..], &SMALL].concat());
    // Two layers with five figures, one of all layers, and three tables.
    assert_eq!((report["files"].as_u64(), report["images"].as_u64()), (Some(14), Some(2)));
    let read = |name: &str| std::fs::read_to_string(folder.path("report").join(name)).unwrap();
    assert_eq!(read("distributions.csv").lines().count(), 1 + 2 * 2 * 3);
    let layers = read("layers.csv");
    assert!(layers.contains("a,block.conv1,dfsq,") && layers.contains("b,block.conv2,min-max,"), "{layers}");
    assert!(!layers.contains("dfsq-opt"), "nothing was optimized");
    for figure in ["layers", "block.conv1-histogram", "block.conv2-universal-set"] {
        assert!(read(&format!("{figure}.svg")).starts_with("<svg"));
    }
    let costs: serde_json::Value = serde_json::from_str(&read("costs.json")).unwrap();
    assert!(costs["dfsq"]["bitOpsPerPixel"].as_f64().unwrap() > 0.0);
}

#[test]
fn report_optimizes_where_that_is_asked_for() {
    let folder = Folder::new("report-opt");
    let report = words("report net.onnx --images hr -o report --calibration hr --method dfsq-opt --json");
    folder.json(&[&report[..], &SMALL].concat());
    let layers = std::fs::read_to_string(folder.path("report/layers.csv")).unwrap();
    assert!(layers.contains("a,block.conv1,dfsq-opt,"), "{layers}");
}

#[test]
fn the_engine_can_be_chosen() {
    let folder = Folder::new("engine");
    let run = |engine: &str| {
        let upscale = words("upscale net.onnx hr/a.png --method min-max --min-max-range dynamic -o");
        let output = format!("{engine}.png");
        assert!(folder.run(&[&upscale[..], &[&output, "--engine", engine]].concat()).status.success());
        dfsq::image_io::Picture::decode(&std::fs::read(folder.path(&output)).unwrap()).unwrap()
    };
    let farthest = run("own").rgba.iter().zip(run("tract").rgba).map(|(a, b)| a.abs_diff(b)).max();
    assert!(farthest.is_some_and(|farthest| farthest <= 1), "{farthest:?}");
    let lacking =
        |rest: &str| folder.json(&words(&format!("inspect net.onnx --json {rest}")))["lacking"].clone();
    assert!(lacking("").is_null() && lacking("--engine own").is_null());
    assert!(lacking("--engine tract").as_str().unwrap().contains("asked for"));

    let squashed = small_edsr().node("Elu", &["sr"], "squashed", vec![]);
    let squashed = squashed.node("Identity", &["squashed"], "out", vec![]).output("out");
    std::fs::write(folder.path("squashed.onnx"), squashed.metadata("input_range", "0..1").build()).unwrap();
    let refused = folder.run(&words("inspect squashed.onnx --engine own"));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("lacks Elu (node squashed)"), "{said}");
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
    let listed = list(&dfsq::hash::sha256(&silent));
    assert_eq!((listed["range"].as_f64(), listed["colour"].as_str()), (Some(255.0), Some("BGR")));
    assert_eq!(listed["assumed"].as_array().unwrap().len(), 1, "only the scale is left to be measured");
    std::fs::write(folder.path("models.json"), "[]").unwrap();
    let another = folder.run(&["inspect", "net.onnx"]);
    assert!(another.status.success() && String::from_utf8_lossy(&another.stderr).contains("passed over"));
    let unlisted = list("0");
    assert_eq!((unlisted["range"].as_f64(), unlisted["colour"].as_str()), (Some(1.0), Some("RGB")));
}

#[test]
fn errors_name_the_file_and_end_with_a_status() {
    let folder = Folder::new("errors");
    let fails = |arguments: &[&str], words: &str| folder.fails(arguments, words);
    fails(&["inspect", "missing.onnx"], "missing.onnx");
    fails(&["inspect", "hr/a.png"], "hr/a.png: cannot use this network");
    fails(&["eval", "net.onnx", "--hr", "hr"], "needs a calibration");
    std::fs::create_dir(folder.path("empty")).unwrap();
    fails(&["eval", "net.onnx", "--hr", "empty", "--method", "fp32"], "holds no PNG");
    fails(
        &["eval", "net.onnx", "--hr", "hr", "--lr", "hr/a.png", "--method", "fp32"],
        "which is not 2 times that",
    );
    fails(&["eval", "net.onnx", "--hr", "hr", "--weight-bits", "9"], "choose 1 to 8");
    std::fs::write(folder.path("net.calibration"), b"never read").unwrap();
    fails(&words("eval net.onnx --hr hr --selection exact"), "give a folder of images with --calibration");
    fails(&words("eval net.onnx --hr hr --rounding compensated"), "compensated by dfsq-opt");
    std::fs::write(folder.path("bits.json"), br#"{"head": [4, 4]}"#).unwrap();
    fails(&words("eval net.onnx --hr hr --layer-bits bits.json"), "head, which is no quantized layer");
    fails(&words("calibrate net.onnx --images hr -o x --crops 0"), "at least 1");
    fails(&words("assign net.onnx --images hr --method fp32"), "fp32 has no bits to assign");
    fails(
        &words("assign net.onnx --images hr --method dfsq-opt --calibration hr"),
        "leave --calibration out",
    );
    fails(&words("eval net.onnx --hr hr --method dfsq-opt --mixed 4"), "cannot read net.optimized");
    fails(
        &["calibrate", "net.onnx", "--images", "hr", "-o", "x", "--crop-size", "99"],
        "no image is large enough",
    );
}
