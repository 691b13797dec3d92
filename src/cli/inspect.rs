//! `dfsq inspect`

use super::options::NetworkFile;
use super::session;
use anyhow::Result;
use dfsq::quant::BitWidth;
use dfsq::session::{Method, Options};
use std::io::Write;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    network: NetworkFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let session = session::open(&arguments.network)?;
    let info = session.info();
    // Unlike println, a closed pipe (`dfsq inspect … | head`) is then an error and not a panic.
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&info)?)?;
        return Ok(());
    }
    let convention = &info.convention;
    writeln!(
        out,
        "scale {}, {:?}, values {} in and {} out",
        convention.scale, convention.colour, convention.input, convention.output
    )?;
    if let Some(doubt) = &convention.doubt {
        writeln!(out, "no picture can be made: {doubt}")?;
    }
    for padding in &convention.padding {
        writeln!(out, "{padding}")?;
    }
    for assumption in &convention.assumed {
        writeln!(out, "assumed: {assumption}")?;
    }
    writeln!(
        out,
        "{} parameters, {:.0} multiply-accumulates per input pixel",
        info.parameters, info.macs_per_pixel
    )?;
    writeln!(out, "quantized: {}", info.quantized_layers)?;
    if let Some(lacking) = &info.lacking {
        writeln!(out, "runs on tract, slower: the native engine lacks {lacking}")?;
    }
    if let Some(stored) = &info.stored {
        writeln!(out, "{stored}")?;
    }
    for width in [BitWidth::FULL].into_iter().chain(BitWidth::quantized()) {
        let options = Options {
            method: Method::Dfsq,
            weight_bits: width,
            activation_bits: width,
            ..Options::default()
        };
        let costs = session.costs_of(&options)?;
        let (bytes, bit_ops) = (costs.total_bytes, costs.bit_ops_per_pixel / 1e6);
        writeln!(
            out,
            "{:2} bits: {bytes:8} bytes stored, {bit_ops:8.1} million bit operations per input pixel",
            width.bits()
        )?;
    }
    writeln!(out, "{:24} {:>5} {:>5} {:>7}  input       quantized", "layer", "in", "out", "kernel")?;
    for layer in &info.layers {
        let source = if layer.after_relu { "after ReLU" } else { "signed" };
        let quantized = match layer.usual_bits {
            _ if !layer.quantized => "-",
            Some(_) => "8 bits",
            None => "yes",
        };
        let stored = layer.stored_bits.map_or(String::new(), |bits| format!("  {bits} bits in the file"));
        let [height, width] = layer.kernel;
        writeln!(
            out,
            "{:24} {:5} {:5} {height:>3} x {width}  {source:<11} {quantized}{stored}",
            layer.name, layer.inputs, layer.outputs
        )?;
    }
    Ok(())
}
