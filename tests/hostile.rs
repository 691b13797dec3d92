//! Networks from strangers: each is refused in words that name what is wrong, and none stops the program.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::hostile::networks;
use dfsq::network::Network;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test(unsupported = test)]
fn hostile_networks_are_refused_in_words() {
    let mut wrong = Vec::new();
    for (what, network, words) in networks() {
        match Network::load(&network.build()) {
            Ok(_) => wrong.push(format!("{what} was taken")),
            Err(error) if error.to_string().contains(words) => {}
            Err(error) => wrong.push(format!("{what}: \"{error}\" has no \"{words}\"")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The files in tests/hostile, which are dropped on the page too, are these. `UPDATE_HOSTILE=1 cargo test --test hostile`
/// writes them.
#[test]
#[cfg(not(target_arch = "wasm32"))]
fn files_of_hostile_networks_are_kept() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut expected = serde_json::Map::new();
    let update = std::env::var_os("UPDATE_HOSTILE").is_some();
    for (what, network, words) in networks() {
        let (path, bytes) = (folder.join(format!("{what}.onnx")), network.build());
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).is_ok_and(|kept| kept == bytes), "{} is old", path.display());
        assert!(expected.insert(format!("{what}.onnx"), words.into()).is_none(), "{what} is there twice");
    }
    let (path, text) = (folder.join("expected.json"), serde_json::to_string_pretty(&expected).unwrap());
    if update {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(std::fs::read_to_string(&path).is_ok_and(|kept| kept == text), "{} is old", path.display());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), expected.len() + 1, "a file too many");
}
