//! Which of a network's convolutions are quantized.

use super::graph::Graph;
use super::onnx::{self, Node, Tensor};
use crate::{Error, Result};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A choice of convolutions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those of the high-level feature extraction (paper, section 4.1).
    #[default]
    Paper,
    /// All, with 8 bits for the first and the last, as PTQ4SR and AdaBM count.
    All,
    /// Those of these names; one that ends in `*` stands for all that begin so.
    Names(Vec<String>),
}

impl FromStr for Scope {
    type Err = Infallible;

    /// `paper`, `all`, or names with commas between them.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.trim() {
            "paper" => Scope::Paper,
            "all" => Scope::All,
            names => Scope::Names(names.split(',').map(|name| name.trim().to_owned()).collect()),
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Paper => f.write_str("paper"),
            Scope::All => f.write_str("all"),
            Scope::Names(names) => f.write_str(&names.join(",")),
        }
    }
}

/// How the quantized layers were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "web", derive(tsify::Tsify))]
pub enum Rule {
    /// EDSR: the convolutions of the residual blocks.
    ResidualBlocks,
    /// RDN: dense blocks, local and global fusion.
    DenseBlocks,
    /// Another network: all but the first convolution, up to the upsampler.
    General,
    /// All convolutions.
    All,
    /// Those that were named.
    Names,
}

impl Rule {
    fn words(self) -> &'static str {
        match self {
            Rule::ResidualBlocks => "those of the residual blocks",
            Rule::DenseBlocks => "dense blocks and feature fusion",
            Rule::General => "not the first, none from the upsampler on",
            Rule::All => "all, 8 bits for the first and the last",
            Rule::Names => "those that were named",
        }
    }
}

/// What a scope comes to in a network.
#[derive(Debug)]
pub struct Selected {
    /// By what rule.
    pub rule: Rule,
    /// Nodes that are quantized.
    pub quantized: HashSet<usize>,
    /// Those of them that usually get 8 bits.
    pub ends: HashSet<usize>,
    /// Nodes whose input comes straight from a ReLU.
    pub after_relu: HashSet<usize>,
    /// How many convolutions would be quantized, but have one value of each channel to look at.
    gates: usize,
    /// How many layers are linear, and not looked at.
    linear: usize,
}

impl Selected {
    /// The layers that a scope means.
    ///
    /// # Errors
    /// [`Error::Option`] where it names what is no convolution.
    pub fn of(graph: &Graph, scope: &Scope) -> Result<Self> {
        let wiring = Wiring::new(graph);
        let all = || graph.convolutions().map(|(node, _)| node);
        let ends = || all().next().into_iter().chain(all().last()).collect();
        let (rule, chosen, ends) = match scope {
            Scope::Paper => {
                let (rule, chosen) = wiring.paper();
                (rule, chosen, HashSet::new())
            }
            Scope::All => (Rule::All, all().collect(), ends()),
            Scope::Names(names) => (Rule::Names, wiring.named(names, all().collect())?, HashSet::new()),
        };
        let gates: HashSet<usize> = match scope {
            Scope::Names(_) => HashSet::new(),
            _ => chosen
                .iter()
                .copied()
                .filter(|node| wiring.is_pooled(&wiring.nodes[*node].input[0]))
                .collect(),
        };
        let is_linear = |node: &&Node| {
            let multiplies = ["MatMul", "Gemm"].contains(&node.op_type.as_str());
            multiplies && node.input.iter().take(2).any(|input| wiring.stored.contains_key(input.as_str()))
        };
        Ok(Selected {
            rule,
            quantized: chosen.into_iter().filter(|node| !gates.contains(node)).collect(),
            ends,
            after_relu: all().filter(|node| wiring.after_relu(*node)).collect(),
            gates: gates.len(),
            linear: graph.nodes().iter().filter(is_linear).count(),
        })
    }

    /// Which layers are quantized, in words; `share` is that of multiply-accumulates, 0 to 1.
    pub fn words(&self, convolutions: usize, share: f64) -> String {
        let many = |count: usize, [one, more]: [&str; 2]| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {more}"),
        };
        let left = [
            (
                self.gates,
                [
                    "convolution that sees one value of each channel",
                    "convolutions that see one value of each channel",
                ],
            ),
            (self.linear, ["linear layer", "linear layers"]),
        ];
        let left = left.iter().filter(|(count, _)| *count > 0);
        let left: Vec<String> = left.map(|(count, words)| many(*count, *words)).collect();
        let left =
            if left.is_empty() { String::new() } else { format!("; in full precision: {}", left.join(", ")) };
        format!(
            "{} of {} ({:.0} % of their multiply-accumulates): {}{left}",
            self.quantized.len(),
            many(convolutions, ["convolution", "convolutions"]),
            100.0 * share,
            self.rule.words(),
        )
    }
}

const UPSAMPLERS: [&str; 4] = ["DepthToSpace", "Resize", "Upsample", "ConvTranspose"];

/// The graph's nodes, and who makes which tensor.
struct Wiring<'a> {
    nodes: &'a [Node],
    input: &'a str,
    stored: HashMap<&'a str, &'a Tensor>,
    producer: HashMap<&'a str, usize>,
}

impl<'a> Wiring<'a> {
    fn new(graph: &'a Graph) -> Self {
        let outputs =
            |(i, node): (usize, &'a Node)| node.output.iter().map(move |output| (output.as_str(), i));
        let producer = graph.nodes().iter().enumerate().flat_map(outputs).collect();
        let stored = graph.tensors().iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        Wiring { nodes: graph.nodes(), input: graph.input(), stored, producer }
    }

    fn is(&self, index: usize, op: &str) -> bool {
        self.nodes[index].op_type == op
    }

    /// What this tensor is, passing over Identity and over rounding that the file does itself, and the node that computes it.
    fn origin(&self, tensor: &'a str) -> Option<(&'a str, usize)> {
        let mut tensor = tensor;
        // A damaged graph may hold a loop of Identity nodes; no chain is longer than the list.
        for _ in 0..self.nodes.len() {
            let index = *self.producer.get(tensor)?;
            tensor = match self.rounded(index) {
                Some(before) => before,
                None if self.is(index, "Identity") => self.nodes[index].input.first()?,
                None => return Some((tensor, index)),
            };
        }
        None
    }

    /// The node that computes a tensor.
    fn source(&self, tensor: &'a str) -> Option<usize> {
        self.origin(tensor).map(|(_, node)| node)
    }

    /// What this node gives rounded, if it is the last of those that stand for QuantizeLinear and DequantizeLinear.
    fn rounded(&self, last: usize) -> Option<&'a str> {
        let before = |index: usize| -> Option<usize> {
            self.producer.get(self.nodes[index].input.first()?.as_str()).copied()
        };
        let mut at = last;
        for op in ["Mul", "Sub", "Clip", "Add", "Round", "Div"] {
            // Where zero stands for zero, nothing is added and subtracted.
            if !self.is(at, op) && ["Sub", "Add"].contains(&op) {
                continue;
            }
            if !self.is(at, op) {
                return None;
            }
            if op == "Div" {
                return self.nodes[at].input.first().map(String::as_str);
            }
            at = before(at)?;
        }
        None
    }

    /// Whether a node's first input comes straight from a ReLU.
    fn after_relu(&self, node: usize) -> bool {
        let input = self.nodes[node].input.first();
        input.and_then(|input| self.source(input)).is_some_and(|source| self.is(source, "Relu"))
    }

    /// The convolutions with one of these names.
    fn named(&self, names: &[String], convolutions: Vec<usize>) -> Result<Vec<usize>> {
        let means = |name: &String, node: &usize| match name.strip_suffix('*') {
            Some(beginning) => self.nodes[*node].name.starts_with(beginning),
            None => self.nodes[*node].name == *name,
        };
        if let Some(name) = names.iter().find(|name| !convolutions.iter().any(|node| means(name, node))) {
            let first = convolutions.first().map_or("", |node| self.nodes[*node].name.as_str());
            return Err(Error::Option(format!(
                "the scope names {name}, which is no convolution of this network; its first is {first}"
            )));
        }
        Ok(convolutions.into_iter().filter(|node| names.iter().any(|name| means(name, node))).collect())
    }

    /// Whether a tensor holds one value of each channel: it is made of nothing but such, and of a mean or maximum over the
    /// picture.
    fn is_pooled(&self, tensor: &str) -> bool {
        let (mut waiting, mut seen) = (vec![tensor], HashSet::new());
        let mut pooled = false;
        while let Some(tensor) = waiting.pop() {
            let Some(&index) = self.producer.get(tensor) else {
                // Stored numbers say nothing; the picture does.
                if tensor == self.input {
                    return false;
                }
                continue;
            };
            if self.is_pooling(index) {
                pooled = true;
            } else if self.is(index, "Shape") {
                // A picture's size is none of its values.
            } else if seen.insert(index) {
                waiting.extend(self.nodes[index].input.iter().map(String::as_str));
            }
        }
        pooled
    }

    /// Whether an operator leaves one value of each channel.
    fn is_pooling(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        let stored = || node.input.get(1).and_then(|name| onnx::whole(self.stored.get(name.as_str())?));
        let axes = onnx::attribute(node, "axes").map(|axes| axes.ints.clone());
        let pixels =
            |axes: Vec<i64>| axes.len() == 2 && axes.iter().all(|axis| [2, 3, -1, -2].contains(axis));
        let reduces = node.op_type.starts_with("Reduce") && axes.or_else(stored).is_some_and(pixels);
        reduces || ["GlobalAveragePool", "GlobalMaxPool"].contains(&node.op_type.as_str())
    }

    /// Nodes that the picture reaches without an upsampler.
    fn not_enlarged(&self) -> Vec<bool> {
        let mut low = vec![false; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            // A picture's size is no way for its values.
            let carries = !UPSAMPLERS.contains(&node.op_type.as_str()) && node.op_type != "Shape";
            let reached = |input: &String| {
                *input == self.input || self.producer.get(input.as_str()).is_some_and(|from| low[*from])
            };
            low[index] = carries && node.input.iter().any(reached);
        }
        low
    }

    /// The first operator that enlarges for good: of what comes behind it nothing can be reached on another way, as it can
    /// where a branch is made smaller, and as large as before again.
    fn upsampler(&self) -> Option<usize> {
        let low = self.not_enlarged();
        let is_upsampler = |index: &usize| UPSAMPLERS.contains(&self.nodes[*index].op_type.as_str());
        (0..self.nodes.len()).filter(is_upsampler).find(|first| {
            let mut behind = vec![false; self.nodes.len()];
            behind[*first] = true;
            for index in first + 1..self.nodes.len() {
                let follows =
                    |input: &String| self.producer.get(input.as_str()).is_some_and(|from| behind[*from]);
                behind[index] = self.nodes[index].input.iter().any(follows);
            }
            !behind.iter().zip(&low).any(|(behind, low)| *behind && *low)
        })
    }

    /// Where the feature extraction ends: at the addition that closes the global skip connection, else in front of
    /// the convolution that feeds the upsampler, else in front of the last convolution.
    fn trunk_end(&self) -> usize {
        let end = self.upsampler().unwrap_or(self.nodes.len());
        let computed = |n: &Node| n.input.iter().all(|i| self.source(i).is_some());
        let last_add = self.nodes[..end].iter().rposition(|n| n.op_type == "Add" && computed(n));
        let last_conv = || self.nodes[..end].iter().rposition(|n| n.op_type == "Conv");
        last_add.or_else(last_conv).unwrap_or(end)
    }

    /// The convolutions of the residual block that this addition closes: a plain chain from one operand back to the
    /// other, with at least two of them.
    fn residual_block(&self, add: usize) -> Vec<usize> {
        let inputs = &self.nodes[add].input;
        if inputs.len() != 2 {
            return Vec::new();
        }
        for (branch, skip) in [(0, 1), (1, 0)] {
            let Some(start) = self.source(&inputs[skip]) else { continue };
            let mut convolutions = Vec::new();
            let mut at = self.source(&inputs[branch]);
            while let Some(index) = at.filter(|index| *index > start) {
                match self.nodes[index].op_type.as_str() {
                    "Conv" => convolutions.push(index),
                    "Relu" | "PRelu" | "LeakyRelu" | "Mul" => {}
                    _ => break,
                }
                at = self.nodes[index].input.iter().find_map(|tensor| self.source(tensor));
            }
            if at == Some(start) && convolutions.len() >= 2 {
                return convolutions;
            }
        }
        Vec::new()
    }

    /// The first convolution of a dense block: its output goes (through an activation function) into a concatenation with
    /// its own input.
    fn first_dense(&self, end: usize) -> Option<usize> {
        (0..end).filter(|i| self.is(*i, "Concat")).find_map(|concat| {
            let feeds: Vec<_> = self.nodes[concat].input.iter().filter_map(|t| self.origin(t)).collect();
            let convolution = |(_, feed): &(&str, usize)| match self.nodes[*feed].op_type.as_str() {
                "Conv" => Some(*feed),
                _ => self.source(self.nodes[*feed].input.first()?).filter(|i| self.is(*i, "Conv")),
            };
            let dense = |convolution: &usize| {
                let input = self.origin(&self.nodes[*convolution].input[0]);
                input.is_some_and(|input| feeds.contains(&input))
            };
            feeds.iter().filter_map(convolution).find(dense)
        })
    }

    /// What the paper quantizes, and the like of it in other networks.
    fn paper(&self) -> (Rule, Vec<usize>) {
        let end = self.trunk_end();
        let convolutions = || (0..end).filter(|i| self.is(*i, "Conv"));
        if let Some(first) = self.first_dense(end) {
            return (Rule::DenseBlocks, convolutions().filter(|i| *i >= first).collect());
        }
        let adds = (0..end).filter(|i| self.is(*i, "Add"));
        let mut blocks: Vec<usize> = adds.flat_map(|add| self.residual_block(add)).collect();
        blocks.sort_unstable();
        blocks.dedup();
        // One in front of EDSR's blocks, and one behind them; where there are more, blocks are not all there is.
        if !blocks.is_empty() && convolutions().count() <= blocks.len() + 2 {
            (Rule::ResidualBlocks, blocks)
        } else {
            (Rule::General, convolutions().skip(1).collect())
        }
    }
}
