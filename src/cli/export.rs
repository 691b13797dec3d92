//! `dfsq export`

use super::crops::{Source, random_crops};
use super::options::{NetworkFile, Quantization};
use super::progress::Bar;
use super::{files, out, session};
use anyhow::{Context, Result, bail};
use dfsq::export::{Exported, ExportedLayer, LayerCheck, check};
use dfsq::network::{Network, Observer, Planes, Tap};
use dfsq::session::{Prepared, Session};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    network: NetworkFile,
    /// Where to write the ONNX file
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    overwriting: files::Overwriting,
    #[command(flatten)]
    quantization: Quantization,
    /// ONNX's operator set: 21, which onnxruntime knows from 1.20 on, or 25, for codes of 2 bits
    #[arg(long, default_value_t = 21)]
    opset: i64,
    /// Have runtimes compute in integers: QuantizeLinear and DequantizeLinear around every quantized convolution, for min-max with static
    /// ranges, 8 bits of activations and at most 8 of weights. The ranges of what convolutions give are measured on crops of the
    /// images in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "opset")]
    integer: Option<PathBuf>,
    /// Say of every quantized convolution what onnxruntime makes of it, and fail where it does not become what it should
    #[arg(long)]
    check: bool,
    /// Write NumPy arrays into this folder, to compare another runtime's with: what goes in, what comes out, and the input of each
    /// quantized layer before it is quantized
    #[arg(long, value_name = "DIR", requires = "sample")]
    reference: Option<PathBuf>,
    /// The image that these are of
    #[arg(long, value_name = "IMAGE", requires = "reference")]
    sample: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    arguments.overwriting.check(&arguments.output)?;
    if let Some(folder) = &arguments.reference {
        arguments.overwriting.check_folder(folder)?;
    }
    let options = session::options(&arguments.network, &arguments.quantization)?;
    let runs = std::slice::from_ref(&options);
    let asked = session::Use { runs, crops: arguments.integer.is_some() };
    let session = session::session(&arguments.network, &arguments.quantization, runs, asked)?;
    let prepared = session.prepare(&options)?;
    let file = session::read_whole(&arguments.network.model)?;
    let exported = write(arguments, &session, &prepared, &file)?;
    let checked = if arguments.check { check(&exported.bytes)? } else { Vec::new() };
    if let (Some(folder), Some(sample)) = (&arguments.reference, &arguments.sample) {
        write_reference(&session, &prepared, sample, folder)?;
    }
    files::write(&arguments.output, &exported.bytes)?;
    let bytes = exported.bytes.len();
    if arguments.json {
        let mut made = serde_json::json!({"output": arguments.output, "bytes": bytes, "opset": arguments.opset, "layers": exported.layers});
        if arguments.check {
            made["check"] = serde_json::json!(checked);
        }
        out::line(format_args!("{made}"))?;
        return verdict(&checked);
    }
    let sum = |of: fn(&ExportedLayer) -> usize| exported.layers.iter().map(of).sum::<usize>();
    for layer in &exported.layers {
        let ExportedLayer { name, weight_bits, activation_bits, weights, activations, .. } = layer;
        out::line(format_args!(
            "{name}: weights {weight_bits} bits ({weights}), activations {activation_bits} bits ({activations})"
        ))?;
    }
    out::line(format_args!(
        "{}: {bytes} bytes, {} of them weights of quantized layers with their points, {} what quantizes activations",
        arguments.output.display(),
        sum(|layer| layer.weight_bytes),
        sum(|layer| layer.activation_bytes)
    ))?;
    for LayerCheck { name, why, .. } in &checked {
        out::line(format_args!("{name}: {why}"))?;
    }
    verdict(&checked)
}

fn write(arguments: &Arguments, session: &Session, prepared: &Prepared, file: &[u8]) -> Result<Exported> {
    let Some(images) = &arguments.integer else {
        return Ok(session.export(file, prepared, arguments.opset)?);
    };
    let asked = &arguments.quantization;
    let crops = random_crops(session, &Source { images, crops: &asked.crops, seed: asked.points.seed() })?;
    let ranges = session.output_ranges(&crops, &Bar::new("measuring what convolutions give"))?;
    Ok(session.export_integer(file, prepared, &ranges)?)
}

/// An error where a layer does not become what it should.
fn verdict(checked: &[LayerCheck]) -> Result<()> {
    match checked.iter().find(|layer| !layer.fuses) {
        Some(LayerCheck { name, why, .. }) => bail!("{name} is not fused: {why}"),
        None => Ok(()),
    }
}

/// Writes what another runtime's tensors can be compared with.
fn write_reference(session: &Session, prepared: &Prepared, sample: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let network = session.network();
    let (plan, input) = network.enter(&files::read(sample)?)?;
    let mut writing = Writing { network, folder };
    writing.write("input", &input)?;
    let output = plan.run(&input, prepared.quantized(), &mut writing, &Bar::new("running the sample"))?;
    writing.write("output", &output.planes)
}

struct Writing<'w> {
    network: &'w Network,
    folder: &'w Path,
}

impl Writing<'_> {
    /// As `[1, channels, height, width]` of f32. The format's header is a line of text, which is no reason for a library.
    fn write(&self, name: &str, Planes { channels, height, width, values }: &Planes) -> Result<()> {
        let mut header = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': (1, {channels}, {height}, {width})}}"
        );
        // The numbers begin at a multiple of 64 bytes: magic, version and the header's length take 10, its end 1.
        let padding = (10 + header.len() + 1).next_multiple_of(64) - (10 + header.len() + 1);
        header += &" ".repeat(padding);
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let name: String =
            name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        files::write(&self.folder.join(format!("{name}.npy")), &bytes)
    }
}

impl Observer for Writing<'_> {
    fn taps(&self, layer: usize) -> bool {
        self.network.layers()[layer].quantized
    }

    fn tap(&mut self, tap: Tap<'_>) -> dfsq::Result<ControlFlow<()>> {
        let name = &self.network.layers()[tap.layer].name;
        self.write(name, &tap.to_planes()).map_err(|error| dfsq::Error::Option(format!("{error:#}")))?;
        Ok(ControlFlow::Continue(()))
    }
}
