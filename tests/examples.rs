//! The examples, run as programs.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

/// What an example prints. `cargo test` builds examples beside the tests.
fn output(name: &str) -> String {
    let tests = std::env::current_exe().unwrap();
    let folder: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples");
    let output = Command::new(folder.join(name)).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The numbers in front of a word, in order.
fn numbers(text: &str, unit: &str) -> Vec<f64> {
    let before = text.split(unit).map(|part| part.split_whitespace().last().unwrap_or_default());
    before.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn a_vector_is_quantized() {
    let text = output("quantize");
    let decibels = numbers(&text, " dB");
    assert!(decibels.len() == 2 && decibels[0] > 20.0 && decibels[1] >= decibels[0], "{text}");
}

#[test]
fn points_are_selected_and_exact_ones_are_those_of_exhaustive_search() {
    let text = output("select_points");
    let errors: Vec<&str> = text.lines().filter_map(|line| line.split("error ").nth(1)).collect();
    assert!(errors.len() == 3 && errors[1] == errors[2], "{text}");
    assert_eq!(text.matches("mean of").count(), 3 * 4, "{text}");
}

#[test]
fn a_picture_is_enlarged() {
    let text = output("upscale");
    let decibels = numbers(&text, " dB");
    assert!(decibels.len() == 3 && decibels[0] > 25.0 && decibels[2] > decibels[1] + 5.0, "{text}");
}
