//! What an exported file defines for itself, in standard operators, so that whoever reads it sees what the paper says.

use super::DOMAIN;
use crate::network::onnx::{Attribute, Function, Node, Tensor};
use crate::quant::BitWidth;

/// A function of an exported file.
pub struct Defined(Function);

/// A call of one.
pub struct Call {
    pub node: Node,
    pub function: Function,
}

impl Defined {
    /// What gives the tensor `output`.
    pub fn call(self, output: &str, inputs: Vec<String>) -> Call {
        let node = Node {
            op_type: self.0.name.clone(),
            domain: DOMAIN.into(),
            name: output.into(),
            input: inputs,
            output: vec![output.into()],
            ..Node::default()
        };
        Call { node, function: self.0 }
    }
}

/// A function while it is written.
struct Body {
    nodes: Vec<Node>,
}

impl Body {
    fn new() -> Self {
        Body { nodes: Vec::new() }
    }

    /// One of ONNX's own operators.
    fn op<'o>(&mut self, op: &str, inputs: &[&str], output: &'o str) -> &'o str {
        self.nodes.push(Node::of(op, output.into(), inputs, output));
        output
    }

    fn with(&mut self, op: &str, inputs: &[&str], output: &str, attribute: Attribute) {
        self.nodes.push(Node::of(op, output.into(), inputs, output).with(attribute));
    }

    fn float(&mut self, name: &str, value: f32) {
        self.with("Constant", &[], name, Attribute::of_float("value_float", value));
    }

    fn integer(&mut self, name: &str, value: i64) {
        self.with("Constant", &[], name, Attribute::of_integer("value_int", value));
    }

    fn integers(&mut self, name: &str, values: &[i64]) {
        self.with("Constant", &[], name, Attribute::of_integers("value_ints", values.to_vec()));
    }

    fn cast(&mut self, input: &str, output: &str, to: i32) {
        self.with("Cast", &[input], output, Attribute::of_integer("to", to.into()));
    }

    /// `output = round(clip((x - origin) / scale, 0, steps)) * scale + origin`; `x` itself where the scale is 0.
    fn uniform(&mut self, x: &str, [origin, scale, steps]: [&str; 3], own: &str, output: &str) {
        let name = |what: &str| format!("{own}{what}");
        let [zero, from, code, held, whole, back, grid, wide] =
            ["zero", "from", "code", "held", "whole", "back", "grid", "wide"].map(name);
        self.float(&zero, 0.0);
        self.op("Sub", &[x, origin], &from);
        self.op("Div", &[&from, scale], &code);
        self.op("Clip", &[&code, &zero, steps], &held);
        self.op("Round", &[&held], &whole);
        self.op("Mul", &[&whole, scale], &back);
        self.op("Add", &[&back, origin], &grid);
        self.op("Greater", &[scale, &zero], &wide);
        self.op("Where", &[&wide, &grid, x], output);
    }

    /// The same with the extremes over these axes as the ends of the grid.
    fn between_extremes(&mut self, x: &str, axes: &str, steps: &str, own: &str, output: &str) {
        let name = |what: &str| format!("{own}{what}");
        let [low, high, span, scale] = ["low", "high", "span", "scale"].map(name);
        self.op("ReduceMin", &[x, axes], &low);
        self.op("ReduceMax", &[x, axes], &high);
        self.op("Sub", &[&high, &low], &span);
        self.op("Div", &[&span, steps], &scale);
        self.uniform(x, [&low, &scale, steps], own, output);
    }

    fn finish(self, name: &str, inputs: &[&str], output: &str, words: String) -> Defined {
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Defined(Function {
            name: name.into(),
            domain: DOMAIN.into(),
            input: strings(inputs),
            output: strings(&[output]),
            node: self.nodes,
            doc_string: words,
            ..Function::default()
        })
    }
}

/// `(codes [kernels, weights], points [kernels, points], shape)`: kernels of that shape.
pub fn codebook_weights() -> Defined {
    let mut body = Body::new();
    body.cast("codes", "indices", Tensor::INT32);
    body.with("GatherElements", &["points", "indices"], "flat", Attribute::of_integer("axis", 1));
    body.op("Reshape", &["flat", "shape"], "weights");
    let words = "Each weight is the point of its kernel that its code names. Runtimes compute this once, when they load the file.";
    body.finish(CODEBOOK_WEIGHTS, &["codes", "points", "shape"], "weights", words.into())
}

/// `(codes [kernels, weights], firsts [kernels, 1], scales [kernels, 1], shape)`: kernels of that shape.
pub fn uniform_weights() -> Defined {
    let mut body = Body::new();
    body.cast("codes", "steps", Tensor::FLOAT);
    body.op("Add", &["steps", "firsts"], "whole");
    body.op("Mul", &["whole", "scales"], "flat");
    body.op("Reshape", &["flat", "shape"], "weights");
    let words = "Each weight is so many steps of its kernel's uniform grid: (code + first) * scale. Runtimes compute this once, when \
                 they load the file.";
    body.finish(UNIFORM_WEIGHTS, &["codes", "firsts", "scales", "shape"], "weights", words.into())
}

/// Names of the functions that make kernels.
const CODEBOOK_WEIGHTS: &str = "CodebookWeights";
const UNIFORM_WEIGHTS: &str = "UniformWeights";
pub const OF_WEIGHTS: [&str; 2] = [CODEBOOK_WEIGHTS, UNIFORM_WEIGHTS];

/// How a layer's input is mapped to points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subset {
    /// Points of each channel, be it that some are there twice.
    pub points: usize,
    /// Whether mean and range are measured on the sample, or the range is given.
    pub measured: bool,
    /// Whether the mean is measured and subtracted.
    pub mean: bool,
    /// Whether all channels are taken together.
    pub together: bool,
    /// Bits of the means and ranges that points are multiplied with and added to.
    pub denormalization: BitWidth,
}

/// Most points that are compared with one after another; more are searched for.
const COMPARED: usize = 16;

impl Subset {
    /// So many points that there is one to compare with, and that a search comes out even.
    pub fn padded(points: usize) -> usize {
        if points <= COMPARED { points.max(2) } else { points.next_power_of_two() }
    }

    fn name(&self) -> String {
        let mut name = format!("SubsetQuantize{}", self.points);
        if self.together {
            name += "PerTensor";
        }
        if !self.measured {
            name += "Fixed";
        } else if !self.mean {
            name += "WithoutMean";
        }
        if self.rounds() {
            name += &format!("Denormalization{}", self.denormalization.bits());
        }
        name
    }

    fn rounds(&self) -> bool {
        self.measured && self.denormalization != BitWidth::FULL
    }

    /// `(x [samples, channels, height, width], points [points, channels or 1, 1, 1])`, points ascending, and the range where it is
    /// not measured.
    pub fn define(&self) -> Defined {
        let mut body = Body::new();
        let (mut mean, mut range) = (None, "range");
        let mut centred = "x";
        if self.measured {
            body.integers("axes", if self.together { &[1, 2, 3] } else { &[2, 3] });
            if self.mean {
                mean = Some(body.op("ReduceMean", &["x", "axes"], "mean"));
                centred = body.op("Sub", &["x", "mean"], "centred");
            }
            body.op("Abs", &[centred], "magnitude");
            body.op("ReduceMax", &["magnitude", "axes"], "largest");
            body.float("tiny", 1e-8);
            body.op("Add", &["largest", "tiny"], "range");
        }
        body.op("Div", &[centred, "range"], "y");
        let point = if self.points <= COMPARED { self.compare(&mut body) } else { self.search(&mut body) };
        if self.rounds() {
            body.integers("all", &[1]);
            body.float("steps", self.denormalization.levels().map_or(1.0, |levels| (levels - 1) as f32));
            if mean.is_some() {
                body.between_extremes("mean", "all", "steps", "mean_", "rounded_mean");
                mean = Some("rounded_mean");
            }
            body.between_extremes("range", "all", "steps", "range_", "rounded_range");
            range = "rounded_range";
        }
        match mean {
            Some(mean) => {
                body.op("Mul", &[&point, range], "scaled");
                body.op("Add", &["scaled", mean], "quantized");
            }
            None => {
                body.op("Mul", &[&point, range], "quantized");
            }
        }
        let inputs: &[&str] = if self.measured { &["x", "points"] } else { &["x", "points", "range"] };
        body.finish(&self.name(), inputs, "quantized", self.words())
    }

    fn words(&self) -> String {
        let each =
            if self.together { "All channels of a sample are" } else { "Each channel of each sample is" };
        let normalized = match (self.measured, self.mean) {
            (false, _) => "divided by a given range",
            (true, false) => "divided by its largest magnitude",
            (true, true) => "less its mean, over the largest magnitude of that",
        };
        let rounded = if self.rounds() {
            format!(", to what these are rounded to with {} bits", self.denormalization.bits())
        } else {
            String::new()
        };
        format!(
            "Distribution-flexible subset quantization (arXiv 2305.05888, eq. 1 to 5). {each} {normalized}, mapped to the nearest of \
             its points, and brought back{rounded}."
        )
    }

    /// One midpoint after another: the lowest point, and the step to the next for each midpoint that is passed.
    fn compare(&self, body: &mut Body) -> String {
        let names: Vec<String> = (0..self.points).map(|at| format!("p{at}")).collect();
        body.nodes.push(Node {
            op_type: "Split".into(),
            name: "split".into(),
            input: vec!["points".into()],
            output: names.clone(),
            attribute: vec![
                Attribute::of_integer("axis", 0),
                Attribute::of_integer("num_outputs", self.points as i64),
            ],
            ..Node::default()
        });
        body.float("half", 0.5);
        let mut reached = names[0].clone();
        for (at, pair) in names.windows(2).enumerate() {
            let name = |what: &str| format!("{what}{}", at + 1);
            let [sum, middle, step, beyond, passed, gained, next] =
                ["sum", "middle", "step", "beyond", "passed", "gained", "q"].map(name);
            body.op("Add", &[&pair[0], &pair[1]], &sum);
            body.op("Mul", &[&sum, "half"], &middle);
            body.op("Sub", &[&pair[1], &pair[0]], &step);
            body.op("Greater", &["y", &middle], &beyond);
            body.cast(&beyond, &passed, Tensor::FLOAT);
            body.op("Mul", &[&passed, &step], &gained);
            body.op("Add", &[&reached, &gained], &next);
            reached = next;
        }
        reached
    }

    /// By halves: the number of midpoints below a value, bit by bit from the highest.
    fn search(&self, body: &mut Body) -> String {
        let integer = |body: &mut Body, name: &str, value: i64| {
            body.integer(&format!("{name}_64"), value);
            body.cast(&format!("{name}_64"), name, Tensor::INT32);
        };
        body.integers("minus_one", &[-1]);
        body.integers("one", &[1]);
        body.integers("none", &[0]);
        body.integers("most", &[i64::MAX]);
        body.float("half", 0.5);
        body.op("Slice", &["points", "none", "minus_one", "none"], "lower");
        body.op("Slice", &["points", "one", "most", "none"], "upper");
        body.op("Add", &["lower", "upper"], "sums");
        body.op("Mul", &["sums", "half"], "middles");
        body.op("Reshape", &["middles", "minus_one"], "flat_middles");
        body.op("Reshape", &["points", "minus_one"], "flat_points");
        // Where a channel's own begin: they lie point by point, each of all channels.
        body.op("Shape", &["points"], "shape");
        body.integer("second", 1);
        body.op("Gather", &["shape", "second"], "channels_64");
        body.cast("channels_64", "channels", Tensor::INT32);
        integer(body, "from", 0);
        integer(body, "by", 1);
        body.op("Range", &["from", "channels", "by"], "each");
        body.integers("as_channels", &[1, -1, 1, 1]);
        body.op("Reshape", &["each", "as_channels"], "at0");
        let mut at = "at0".to_owned();
        let bits = self.points.trailing_zeros();
        for bit in (0..bits).rev() {
            let name = |what: &str| format!("{what}{}", 1u32 << bit);
            let [ahead, jump, tried, middle, beyond, passed, gained, next] =
                ["ahead", "jump", "tried", "middle", "beyond", "passed", "gained", "at"].map(name);
            integer(body, &name("less"), (1i64 << bit) - 1);
            integer(body, &name("more"), 1i64 << bit);
            body.op("Mul", &["channels", &name("less")], &ahead);
            body.op("Mul", &["channels", &name("more")], &jump);
            body.op("Add", &[&at, &ahead], &tried);
            body.op("Gather", &["flat_middles", &tried], &middle);
            body.op("Greater", &["y", &middle], &beyond);
            body.cast(&beyond, &passed, Tensor::INT32);
            body.op("Mul", &[&passed, &jump], &gained);
            body.op("Add", &[&at, &gained], &next);
            at = next;
        }
        body.op("Gather", &["flat_points", &at], "point");
        "point".into()
    }
}

/// `(x, steps)`: a grid of so many steps between the extremes of each sample.
pub fn dynamic_uniform() -> Defined {
    let mut body = Body::new();
    body.integers("axes", &[1, 2, 3]);
    body.between_extremes("x", "axes", "steps", "", "quantized");
    let words = "Min-max quantization: a uniform grid between the extremes of each sample.";
    body.finish("DynamicUniformQuantize", &["x", "steps"], "quantized", words.into())
}

/// `(x, origin, scale, steps)`: a given grid.
pub fn uniform() -> Defined {
    let mut body = Body::new();
    body.uniform("x", ["origin", "scale", "steps"], "", "quantized");
    let words = "A uniform grid over a range that was calibrated: round(clip((x - origin) / scale, 0, steps)) * scale + origin.";
    body.finish("UniformQuantize", &["x", "origin", "scale", "steps"], "quantized", words.into())
}
