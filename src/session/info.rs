//! What is known of a network, for people and programs.

use super::{Method, Options, Session};
use crate::hash;
use crate::network::{Colour, Convention, Engine, Layer, Network, Rule, Scope, ValueRange};
use crate::quant::{BitWidth, PointSettings, Recipe};
use serde::Serialize;

/// A report on a network.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct NetworkInfo {
    /// The name in the file, if it gives one.
    pub name: Option<String>,
    /// SHA-256 of the file.
    pub sha256: String,
    /// [`Session::identity`].
    pub identity: String,
    /// What the network takes for an image.
    pub convention: ConventionInfo,
    /// What the native engine lacks for it, if tract runs it.
    pub lacking: Option<String>,
    /// That weights were quantized before the network came here, in words.
    pub stored: Option<String>,
    /// How the layers to quantize were chosen.
    pub rule: Rule,
    /// Which were to be: `paper`, `all`, or names with commas between them.
    pub scope: String,
    /// How many are quantized, which, and what is left out, in words.
    pub quantized_layers: String,
    /// Every convolution.
    pub layers: Vec<LayerInfo>,
    /// Weights and biases.
    pub parameters: usize,
    /// Multiply-accumulates for one pixel of the input.
    pub macs_per_pixel: f64,
    /// Bytes of activations that a run holds at most, for one pixel of the input.
    pub bytes_per_pixel: f64,
    /// The calibration in use.
    pub calibration: Option<CalibrationInfo>,
    /// The optimized layers in use.
    pub optimization: OptimizationInfo,
}

/// How pixels become a network's numbers, and back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct ConventionInfo {
    /// Output size over input size.
    pub scale: usize,
    /// The value of a full channel of the input.
    pub range: f32,
    /// Channel order.
    pub colour: Colour,
    /// Taken off every channel of the input.
    pub mean: [f32; 3],
    /// Height and width of the input, where the network takes no other.
    pub size: Option<[usize; 2]>,
    /// Sides are padded to multiples of this.
    pub multiple: usize,
    /// Rows and columns that are put around an image, so that all of the enlarged one comes out.
    pub border: usize,
    /// Both in words, where there is something to say.
    pub padding: Vec<String>,
    /// In words, what the file did not say and was measured or assumed.
    pub assumed: Vec<String>,
    /// What goes in.
    pub input: ValueRange,
    /// What comes out.
    pub output: ValueRange,
    /// What could go in and come out, of other networks, the most usual first.
    pub usual: [ValueRange; 4],
    /// Why no picture can be made yet.
    pub doubt: Option<String>,
}

/// A convolution.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct LayerInfo {
    /// The ONNX node's name; no two layers have the same.
    pub name: String,
    /// Input channels.
    pub inputs: usize,
    /// Output channels, which is the number of kernels.
    pub outputs: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Channel groups.
    pub groups: usize,
    /// Whether every output position is a weighted sum of the inputs around that very position.
    pub same: bool,
    /// Whether the input comes straight from a ReLU.
    pub after_relu: bool,
    /// Whether it is quantized.
    pub quantized: bool,
    /// The bits of its weights and inputs where it is given none of its own, instead of those of all layers.
    pub usual_bits: Option<BitWidth>,
    /// Bits of each weight in the file, where it was quantized before.
    pub stored_bits: Option<u8>,
}

impl From<&Convention> for ConventionInfo {
    fn from(convention: &Convention) -> Self {
        let Convention { fit, colour, input, output, assumed, doubt } = convention.clone();
        let (range, mean) = (input.high, input.mean);
        ConventionInfo {
            scale: fit.scale,
            range,
            colour,
            mean,
            size: fit.size,
            multiple: fit.multiple,
            border: fit.border(),
            padding: fit.words(),
            assumed,
            input,
            output,
            usual: ValueRange::USUAL,
            doubt,
        }
    }
}

impl From<&Layer> for LayerInfo {
    fn from(Layer { name, conv, stored_bits, after_relu, quantized, usual_bits }: &Layer) -> Self {
        LayerInfo {
            name: name.clone(),
            inputs: conv.inputs(),
            outputs: conv.outputs(),
            kernel: conv.kernel(),
            groups: conv.groups(),
            same: conv.is_same(),
            after_relu: *after_relu,
            quantized: *quantized,
            usual_bits: *usual_bits,
            stored_bits: *stored_bits,
        }
    }
}

/// How a calibration was made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct CalibrationInfo {
    /// How points were chosen.
    pub settings: PointSettings,
    /// The bit widths that they were chosen for.
    pub widths: Vec<BitWidth>,
    /// How many images they were chosen on.
    pub images: usize,
    /// SHA-256 of all that was learned.
    pub sha256: String,
}

/// How layers were optimized.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct OptimizationInfo {
    /// How points were chosen.
    pub settings: PointSettings,
    /// How weights were rounded.
    pub recipe: Recipe,
    /// The choices of bits that there are layers for.
    pub variants: Vec<VariantInfo>,
}

/// The layers for one choice of bits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub struct VariantInfo {
    /// Of weights and activations, by layer.
    pub bits: Vec<[BitWidth; 2]>,
    /// Where layers differ, the whole number of bits that would take as many BitOPs in all layers alike, or just more.
    pub mixed: Option<u8>,
    /// Of all that was made for them.
    pub sha256: String,
}

/// Which weights were quantized before the network came here. None where none were.
fn stored(network: &Network) -> Option<String> {
    let layers = network.layers();
    let of_all: Vec<u8> = layers.iter().filter_map(|layer| layer.stored_bits).collect();
    let (least, most) = (of_all.iter().min()?, of_all.iter().max()?);
    let bits = if least == most { most.to_string() } else { format!("{least} to {most}") };
    let words = format!(
        "quantized already: weights of {bits} bits in {} of {} convolutions",
        of_all.len(),
        layers.len()
    );
    Some(network.exported().map_or(words.clone(), |exported| format!("{words}; {exported}")))
}

impl Session {
    /// Facts about the network and what was learned about it.
    pub fn info(&self) -> NetworkInfo {
        let calibration = self.calibration.as_ref().map(|calibration| CalibrationInfo {
            settings: calibration.settings,
            widths: calibration.widths(),
            images: calibration.images,
            sha256: calibration.digest(),
        });
        let variant = |(bits, sha256): (&[[BitWidth; 2]], &str)| VariantInfo {
            bits: bits.to_vec(),
            mixed: self.mixed(bits),
            sha256: sha256.to_owned(),
        };
        let network = &self.network;
        NetworkInfo {
            name: network.name().map(str::to_owned),
            sha256: self.hash.clone(),
            identity: self.identity(),
            convention: network.convention().into(),
            lacking: network.lacking().map(str::to_owned),
            stored: stored(network),
            rule: network.rule(),
            scope: network.scope().to_string(),
            quantized_layers: network.quantized_in_words(),
            layers: network.layers().iter().map(LayerInfo::from).collect(),
            parameters: network.parameters(),
            macs_per_pixel: network.macs_per_pixel(),
            bytes_per_pixel: network.bytes_per_pixel(),
            calibration,
            optimization: OptimizationInfo {
                settings: self.optimized.settings,
                recipe: self.optimized.recipe,
                variants: self.optimized.variants().map(variant).collect(),
            },
        }
    }

    /// SHA-256 of all that results depend on beside options and pictures: the network's file, what it takes for an image, which of
    /// its layers are quantized, and what runs it.
    pub fn identity(&self) -> String {
        let network = &self.network;
        let convention = network.convention();
        let mut of_all = format!("{} {} {:?}", self.hash, convention.ranges(), convention.colour);
        if *network.scope() != Scope::Paper {
            of_all += &format!(" {}", network.scope());
        }
        if network.engine() != Engine::Native {
            of_all += &format!(" {}", network.engine());
        }
        hash::sha256(of_all.as_bytes())
    }

    fn mixed(&self, bits: &[[BitWidth; 2]]) -> Option<u8> {
        let layers = self.network.layers();
        let quantized = || Layer::quantized(layers);
        let of_all =
            bits[quantized().find(|layer| layers[*layer].usual_bits.is_none()).or(quantized().next())?];
        let differ = quantized().any(|layer| bits[layer] != of_all.map(|width| layers[layer].bits(width)));
        // Sums are rounded.
        let options = Options { method: Method::DfsqOpt, ..Options::default() };
        differ.then(|| (self.average_bits(bits, &options).bit_ops - 1e-9).ceil() as u8)
    }
}
