//! The command line. `dfsq --help` tells what it does.

#[cfg(not(target_arch = "wasm32"))]
mod cli;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    cli::main()
}

/// The browser uses the library; `wasm-pack test` builds every target all the same.
#[cfg(target_arch = "wasm32")]
fn main() {}
