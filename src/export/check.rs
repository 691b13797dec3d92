//! What a runtime that follows onnxruntime's rules makes of an exported file, layer by layer.

use crate::network::graph::makers::Makers;
use crate::network::onnx::exported::{DOMAIN, QUANTIZE};
use crate::network::onnx::{Graph, Model, Node, Tensor};
use crate::{Error, Result};
use serde::Serialize;
use std::collections::HashMap;

/// What becomes of one convolution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerCheck {
    /// Name of its node.
    pub name: String,
    /// Whether it is computed in integers.
    pub integer: bool,
    /// Whether what it is computed from is as it should be: weights that are made once, when the file is loaded, and where one part of an
    /// integer convolution is there, all others.
    pub fuses: bool,
    /// Why, in words.
    pub why: String,
}

/// Looks at every quantized convolution of a file that [`Session::export`](crate::session::Session::export) or
/// [`export_integer`](crate::session::Session::export_integer) has written, or that has QuantizeLinear and DequantizeLinear around its
/// convolutions.
///
/// # Errors
/// [`Error::Network`] for what is no ONNX file.
pub fn check(file: &[u8]) -> Result<Vec<LayerCheck>> {
    // As it was written: reading it puts functions in the places of their calls.
    let model: Model = prost::Message::decode(file).map_err(|error| Error::Network(error.to_string()))?;
    let graph = model.graph.as_ref().ok_or_else(|| Error::Network("the file holds no graph".into()))?;
    let reading = Reading::of(graph);
    Ok(graph
        .node
        .iter()
        .filter(|node| node.op_type == "Conv")
        .filter_map(|node| reading.layer(node))
        .collect())
}

struct Reading<'g> {
    makers: Makers<'g>,
    readers: HashMap<&'g str, Vec<&'g Node>>,
    /// What the graph gives.
    outputs: Vec<&'g str>,
}

impl<'g> Reading<'g> {
    fn of(graph: &'g Graph) -> Self {
        let mut readers: HashMap<&str, Vec<&Node>> = HashMap::new();
        for (node, input) in
            graph.node.iter().flat_map(|node| node.input.iter().map(move |input| (node, input)))
        {
            readers.entry(input).or_default().push(node);
        }
        Reading {
            makers: Makers::of(graph),
            readers,
            outputs: graph.output.iter().map(|output| output.name.as_str()).collect(),
        }
    }

    /// None for a convolution in full precision.
    fn layer(&self, node: &Node) -> Option<LayerCheck> {
        let is = |maker: Option<&Node>, op: &str| maker.is_some_and(|maker| maker.op_type == op);
        let [input, weights] = [0, 1].map(|at| self.makers.any(node, at));
        let dequantized = [input, weights].map(|maker| is(maker, "DequantizeLinear"));
        let verdict = |integer, fuses, why: &str| {
            Some(LayerCheck { name: node.name.clone(), integer, fuses, why: why.to_owned() })
        };
        if let Some(weights) = weights {
            if !(0..weights.input.len()).all(|at| self.makers.stored(weights, at).is_some()) {
                return verdict(false, false, "its weights are computed anew in every run");
            }
            let codes = self.makers.stored(weights, 0);
            let narrow = codes.is_some_and(|codes| [Tensor::INT4, Tensor::UINT4].contains(&codes.data_type));
            if dequantized[1] && narrow {
                return verdict(
                    false,
                    false,
                    "weights of 4 bits go straight into DequantizeLinear, which is not fused",
                );
            }
        }
        let own = |maker: &&Node| maker.domain == DOMAIN;
        let simulated = input.filter(own).is_some_and(|input| input.op_type.contains(QUANTIZE));
        match (dequantized, weights.filter(own).is_some(), simulated) {
            ([true, true], ..) => {}
            ([true, false], ..) => {
                return verdict(false, false, "its input is quantized, and its weights are not");
            }
            ([false, true], ..) => {
                return verdict(false, false, "its weights are quantized, and its input is not");
            }
            (_, false, false) => return None,
            (_, coded, _) => {
                let weights = if coded { " of weights that are made once" } else { "" };
                let before = if simulated { ", behind a quantizer in f32" } else { "" };
                return verdict(false, true, &format!("a convolution in f32{weights}{before}"));
            }
        }
        let bias = node.input.get(2).filter(|name| !name.is_empty());
        if bias.is_some() && self.makers.maker(node, 2, "DequantizeLinear").is_none() {
            return verdict(false, false, "its bias is in f32");
        }
        if input.and_then(|input| self.makers.maker(input, 0, "QuantizeLinear")).is_none() {
            return verdict(false, false, "what is dequantized in front of it was not quantized");
        }
        let only = |node: &Node| {
            let given = node.output.first()?.as_str();
            match self.readers.get(given)?[..] {
                [reader] if !self.outputs.contains(&given) => Some(reader),
                _ => None,
            }
        };
        let behind =
            only(node).and_then(|reader| if reader.op_type == "Relu" { only(reader) } else { Some(reader) });
        match is(behind, "QuantizeLinear") {
            true => verdict(true, true, "QLinearConv"),
            false => verdict(false, false, "what it gives is not quantized, at once or behind a ReLU"),
        }
    }
}
