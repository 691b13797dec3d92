//! What an exported file defines for itself, in standard operators, so that whoever reads it sees what the paper says.

use super::formulas::nodes;
use crate::network::onnx::exported::{DOMAIN, QUANTIZE};
use crate::network::onnx::{Function, Node};
use crate::quant::BitWidth;

/// A function of an exported file.
pub struct Defined(Function);

/// A call of one.
pub struct Call {
    pub node: Node,
    pub function: Function,
}

impl Defined {
    fn new(name: &str, inputs: &str, output: &str, formulas: &str, words: &str) -> Self {
        Defined(Function {
            name: name.into(),
            domain: DOMAIN.into(),
            input: inputs.split(", ").map(str::to_owned).collect(),
            output: vec![output.into()],
            node: nodes(formulas),
            doc_string: words.into(),
            ..Function::default()
        })
    }

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

/// `(codes [kernels, weights], points [kernels, points], shape)`: kernels of that shape.
pub fn codebook_weights() -> Defined {
    const FORMULAS: &str = "
        indices = Cast(codes) to=6
        flat = GatherElements(points, indices) axis=1
        weights = Reshape(flat, shape)";
    let words = "Each weight is the point of its kernel that its code names. Runtimes compute this once, when they load the file.";
    Defined::new("CodebookWeights", "codes, points, shape", "weights", FORMULAS, words)
}

/// `(codes [kernels, weights], firsts [kernels, 1], scales [kernels, 1], shape)`: kernels of that shape.
pub fn uniform_weights() -> Defined {
    const FORMULAS: &str = "
        steps = Cast(codes) to=1
        whole = Add(steps, firsts)
        flat = Mul(whole, scales)
        weights = Reshape(flat, shape)";
    let words = "Each weight is so many steps of its kernel's uniform grid: (code + first) * scale. Runtimes compute this once, when \
                 they load the file.";
    Defined::new("UniformWeights", "codes, firsts, scales, shape", "weights", FORMULAS, words)
}

/// The values nearest to `$x` on the grid of `$origin`, `$scale` and `steps`; `$x` itself where the scale is 0. `$` is whose it is.
const UNIFORM: &str = "
    $zero = 0.0
    $from = Sub($x, $origin)
    $code = Div($from, $scale)
    $held = Clip($code, $zero, steps)
    $whole = Round($held)
    $back = Mul($whole, $scale)
    $grid = Add($back, $origin)
    $wide = Greater($scale, $zero)
    $quantized = Where($wide, $grid, $x)";

/// The grid between the extremes over `axes`.
const EXTREMES: &str = "
    $origin = ReduceMin($x, $axes)
    $high = ReduceMax($x, $axes)
    $span = Sub($high, $origin)
    $scale = Div($span, steps)";

/// `(x, steps)`: a grid of so many steps between the extremes of each sample.
pub fn dynamic_uniform() -> Defined {
    let formulas = ["axes = [1, 2, 3]", EXTREMES, UNIFORM].join("\n").replace('$', "");
    let words = "Min-max quantization: a uniform grid between the extremes of each sample.";
    Defined::new(&format!("DynamicUniform{QUANTIZE}"), "x, steps", "quantized", &formulas, words)
}

/// `(x, origin, scale, steps)`: a given grid.
pub fn uniform() -> Defined {
    let words = "A uniform grid over a range that was calibrated: round(clip((x - origin) / scale, 0, steps)) * scale + origin.";
    let formulas = UNIFORM.replace('$', "");
    Defined::new(&format!("Uniform{QUANTIZE}"), "x, origin, scale, steps", "quantized", &formulas, words)
}

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

/// Mean and range of the sample, for each channel of `axes`.
const MEAN: &str = "
    mean = ReduceMean(x, axes)
    centred = Sub(x, mean)";
const RANGE: &str = "
    magnitude = Abs(centred)
    largest = ReduceMax(magnitude, axes)
    tiny = 1e-8
    range = Add(largest, tiny)";

/// From one point to the next, `@` to `#`, where the midpoint between them is passed.
const NEXT: &str = "
    sum# = Add(p@, p#)
    middle# = Mul(sum#, half)
    step# = Sub(p#, p@)
    beyond# = Greater(y, middle#)
    passed# = Cast(beyond#) to=1
    gained# = Mul(passed#, step#)
    q# = Add(q@, gained#)";

/// All midpoints and points in a row each, and where a channel's own begin: they lie point by point, each of all channels.
const SEARCHED: &str = "
    minus_one = [-1]
    one = [1]
    none = [0]
    most = [9223372036854775807]
    half = 0.5
    lower = Slice(points, none, minus_one, none)
    upper = Slice(points, one, most, none)
    sums = Add(lower, upper)
    middles = Mul(sums, half)
    flat_middles = Reshape(middles, minus_one)
    flat_points = Reshape(points, minus_one)
    shape = Shape(points)
    second = integer 1
    channels_64 = Gather(shape, second)
    channels = Cast(channels_64) to=6
    from_64 = integer 0
    from = Cast(from_64) to=6
    by_64 = integer 1
    by = Cast(by_64) to=6
    each = Range(from, channels, by)
    as_channels = [1, -1, 1, 1]
    at0 = Reshape(each, as_channels)";

/// `#` points on, from `@`, where the midpoint before is passed; `%` is one less.
const HALF: &str = "
    less_64_# = integer %
    less# = Cast(less_64_#) to=6
    more_64_# = integer #
    more# = Cast(more_64_#) to=6
    ahead# = Mul(channels, less#)
    jump# = Mul(channels, more#)
    tried# = Add(at@, ahead#)
    middle# = Gather(flat_middles, tried#)
    beyond# = Greater(y, middle#)
    passed# = Cast(beyond#) to=6
    gained# = Mul(passed#, jump#)
    at# = Add(at@, gained#)";

impl Subset {
    /// So many points that there is one to compare with, and that a search comes out even.
    pub fn padded(points: usize) -> usize {
        if points <= COMPARED { points.max(2) } else { points.next_power_of_two() }
    }

    fn name(&self) -> String {
        let mut name = format!("Subset{QUANTIZE}{}", self.points);
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
        let mut formulas = String::new();
        if self.measured {
            formulas += if self.together { "axes = [1, 2, 3]" } else { "axes = [2, 3]" };
            formulas += &if self.mean { [MEAN, RANGE].concat() } else { RANGE.replace("centred", "x") };
        }
        formulas += &format!("\ny = Div({}, range)\n", if self.mean { "centred" } else { "x" });
        formulas += &if self.points <= COMPARED { self.compare() } else { self.search() };
        let rounded = |name: &str| {
            let own = [EXTREMES, UNIFORM].concat().replace("$x", name).replace('$', &format!("{name}_"));
            own.replace(&format!("{name}_axes"), "all")
        };
        let (mut mean, mut range) = ("mean", "range");
        if self.rounds() {
            let steps = self.denormalization.levels().map_or(1, |levels| levels - 1);
            formulas += &format!("\nall = [1]\nsteps = {steps}.0\n{}", rounded("range"));
            range = "range_quantized";
            if self.mean {
                formulas += &rounded("mean");
                mean = "mean_quantized";
            }
        }
        formulas += &if self.mean {
            format!("\nscaled = Mul(point, {range})\nquantized = Add(scaled, {mean})")
        } else {
            format!("\nquantized = Mul(point, {range})")
        };
        let inputs = if self.measured { "x, points" } else { "x, points, range" };
        Defined::new(&self.name(), inputs, "quantized", &formulas, &self.words())
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
            "Distribution-flexible subset quantization (arXiv 2305.05888, eq. 1 to 5). {each} {normalized}, mapped to the nearest \
             of its points, and brought back{rounded}."
        )
    }

    /// One midpoint after another: the lowest point, and the step to the next for each midpoint that is passed.
    fn compare(&self) -> String {
        let last = self.points - 1;
        let names: Vec<String> = (0..=last).map(|at| format!("p{at}")).collect();
        let next = |at: usize| NEXT.replace('#', &at.to_string()).replace('@', &(at - 1).to_string());
        let steps: String = (1..=last).map(next).collect();
        let split = format!("{} = Split(points) axis=0 num_outputs={}", names.join(", "), self.points);
        format!("{split}\nhalf = 0.5\nq0 = Identity(p0){steps}\npoint = Identity(q{last})")
    }

    /// By halves: the number of midpoints below a value, bit by bit from the highest.
    fn search(&self) -> String {
        let mut formulas = SEARCHED.to_owned();
        let (mut before, mut jump) = (0, self.points / 2);
        while jump > 0 {
            let half = HALF.replace('#', &jump.to_string()).replace('@', &before.to_string());
            formulas += &half.replace('%', &(jump - 1).to_string());
            (before, jump) = (jump, jump / 2);
        }
        formulas + &format!("\npoint = Gather(flat_points, at{before})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every input is one of the function's or made before, and what comes out is made.
    fn holds_together(Defined(function): Defined) {
        let mut known = function.input.clone();
        for node in &function.node {
            for input in &node.input {
                assert!(known.contains(input), "{}: {} reads {input}", function.name, node.name);
            }
            for output in &node.output {
                assert!(!known.contains(output), "{}: {output} is made twice", function.name);
            }
            known.extend(node.output.clone());
        }
        assert!(known.contains(&function.output[0]), "{}", function.name);
        assert!(
            function.input.iter().all(|input| function.node.iter().any(|node| node.input.contains(input)))
        );
    }

    #[test]
    fn every_function_holds_together() {
        [codebook_weights(), uniform_weights(), dynamic_uniform(), uniform()]
            .into_iter()
            .for_each(holds_together);
        for points in [2, 3, 16, 32, 256] {
            for (measured, mean) in [(true, true), (true, false), (false, false)] {
                for together in [true, false] {
                    for denormalization in [BitWidth::FULL, BitWidth::EIGHT] {
                        holds_together(Subset { points, measured, mean, together, denormalization }.define());
                    }
                }
            }
        }
        for formulas in [UNIFORM, EXTREMES, MEAN, RANGE, NEXT, SEARCHED, HALF] {
            // With numbers for what stands for numbers.
            let formulas = formulas.replace(['#', '%', '@'], "1");
            let lines = formulas.lines().filter(|line| !line.trim().is_empty()).count();
            assert_eq!(nodes(&formulas).len(), lines, "{formulas}");
        }
    }
}
