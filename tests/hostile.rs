//! Networks from strangers: each is refused in words that name what is wrong, and none stops the program.

mod common;

use common::hostile::networks;
use dfsq::network::Network;
use wasm_bindgen_test::wasm_bindgen_test;

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
