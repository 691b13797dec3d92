//! Commands, their options, and how they report.

mod ablate;
mod assign;
mod calibrate;
mod crops;
mod eval;
mod export;
mod files;
mod idle;
mod inspect;
mod interrupt;
mod merge;
mod mixed;
mod optimize;
mod options;
mod out;
mod passed_over;
mod progress;
mod report;
mod results;
mod session;
mod table;
mod upscale;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Quantize a super-resolution network (ONNX) and see what it costs in dB.
///
/// Low-bit arithmetic is simulated: values are quantized and dequantized, so a quantized run is not faster.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Use fused multiply-add where tract runs the network, because the native engine lacks an operator: faster, but rounds
    /// differently from a browser. At low bit widths that moves scores by some 0.02 dB
    #[arg(long, global = true)]
    fast: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Describe a network: what it takes for an image, its layers, and which of them are quantized
    Inspect(inspect::Arguments),
    /// Enlarge one image
    Upscale(upscale::Arguments),
    /// Choose quantization points from sample images and write them to a file
    Calibrate(calibrate::Arguments),
    /// Optimize weights and points layer by layer for the method dfsq-opt, and write them to a file
    Optimize(optimize::Arguments),
    /// Measure what every layer costs at every bit width, and assign bits to layers under a budget
    Assign(assign::Arguments),
    /// Score a method on a folder of images (PSNR and SSIM on Y)
    Eval(eval::Arguments),
    /// Score networks, methods and bits on several sets of images, and write the tables that papers have
    Table(table::Arguments),
    /// Put the results of `dfsq eval` on parts of a folder together
    Merge(merge::Arguments),
    /// Write figures and tables of the distributions of every quantized layer
    Report(report::Arguments),
    /// Write the quantized network as an ONNX file that other runtimes run as it is
    Export(export::Arguments),
    /// Score the paper's choices one by one, and what goes beyond them
    Ablate(ablate::Arguments),
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if !cli.fast {
        dfsq::network::round_as_browsers_do();
    }
    interrupt::watch();
    // On one of the pool's threads, which works with the others; this one would wait for them, and wake them, each time.
    let result = rayon::scope(|_| run(&cli));
    let passed_over = passed_over::report();
    match result {
        Ok(()) if passed_over => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if out::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) if interrupt::is(&error) => {
            out::note(format_args!("interrupted"));
            ExitCode::from(interrupt::STATUS)
        }
        Err(error) => {
            out::note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(Cli { command, fast }: &Cli) -> anyhow::Result<()> {
    match command {
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Upscale(arguments) => upscale::run(arguments),
        Command::Calibrate(arguments) => calibrate::run(arguments),
        Command::Optimize(arguments) => optimize::run(arguments),
        Command::Assign(arguments) => assign::run(arguments),
        Command::Eval(arguments) => eval::run(arguments, *fast),
        Command::Table(arguments) => table::run(arguments, *fast),
        Command::Merge(arguments) => merge::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Ablate(arguments) => ablate::run(arguments),
        Command::Export(arguments) => export::run(arguments),
    }
}
