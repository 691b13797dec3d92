//! Networks that are to be refused, and with which words.

use super::{Builder, copying, float, integer, integers, small_edsr, string};

/// A convolution, from "a" on what is to be tried, which makes "sr".
fn after() -> Builder {
    Builder::new(3).conv("lr", "a", 3, 3, &copying(3, 3, 1.0, |o| o))
}

/// `a -> op -> sr`
fn one(op: &str, attributes: Vec<tract_onnx::pb::AttributeProto>) -> Builder {
    after().node(op, &["a"], "sr", attributes)
}

/// `a, list -> op -> sr`
fn listed(op: &str, list: &[i64], attributes: Vec<tract_onnx::pb::AttributeProto>) -> Builder {
    after().shape("list", list).node(op, &["a", "list"], "sr", attributes)
}

/// Resize with these scales.
fn resized(scales: &[f32]) -> Builder {
    let attributes = vec![string("mode", "nearest"), string("coordinate_transformation_mode", "asymmetric")];
    let net = after().tensor("scales", &[scales.len() as i64], scales);
    net.node("Resize", &["a", "", "scales"], "sr", attributes)
}

/// The same node so many times, one after another.
fn repeated(times: usize, mut next: impl FnMut(Builder, &str, &str) -> Builder) -> Builder {
    (0..times).fold(after(), |net, i| {
        let from = if i == 0 { "a".to_owned() } else { format!("t{i}") };
        let to = if i + 1 == times { "sr".to_owned() } else { format!("t{}", i + 1) };
        next(net, &from, &to)
    })
}

/// An image repeated to a size that is small where "x" equals "y".
fn chosen(compared: impl Fn(Builder) -> Builder) -> Builder {
    let net = compared(after()).node("Equal", &["x", "y"], "same", vec![]);
    let net = net.shape("small", &[1, 1, 1, 1]).shape("large", &[1, 1, 1 << 17, 1 << 17]).tensor(
        "one",
        &[],
        &[1.0],
    );
    let net = net.node("Where", &["same", "small", "large"], "sides", vec![]);
    net.node("Expand", &["one", "sides"], "e", vec![]).node("ReduceMean", &["e"], "m", vec![]).node(
        "Mul",
        &["a", "m"],
        "sr",
        vec![],
    )
}

/// What is wrong, the file, and what has to be said of it.
pub fn networks() -> Vec<(&'static str, Builder, &'static str)> {
    let pool = |kernel: &[i64], pads: &[i64]| vec![integers("kernel_shape", kernel), integers("pads", pads)];
    let damaged = |value: f32| {
        let mut kernels = copying(3, 3, 1.0, |o| o);
        kernels[7] = value;
        Builder::new(3)
            .conv("lr", "up", 12, 3, &copying(12, 3, 1.0, |o| o / 4))
            .shuffle("up", "b")
            .conv("b", "sr", 3, 3, &kernels)
    };
    let conv = |attributes| {
        let net = Builder::new(3).tensor("w", &[3, 3, 3, 3], &copying(3, 3, 1.0, |o| o));
        net.node("Conv", &["lr", "w"], "sr", attributes)
    };
    vec![
        (
            "depth-to-space-0",
            one("DepthToSpace", vec![integer("blocksize", 0)]),
            "sr (DepthToSpace, operator set 13): its attribute blocksize is 0",
        ),
        (
            "depth-to-space-huge",
            one("DepthToSpace", vec![integer("blocksize", 1 << 40)]),
            "blocksize is 1099511627776",
        ),
        (
            "repeated-nothing",
            after()
                .shape("times", &[1, 1, 4, 1, 1])
                .shape("whole", &[1, -1, 8, 8])
                .node("Unsqueeze", &[], "apart", vec![])
                .node("Tile", &["apart", "times"], "tiled", vec![])
                .node("Reshape", &["tiled", "whole"], "sr", vec![]),
            "Unsqueeze",
        ),
        ("depth-to-space-negative", one("DepthToSpace", vec![integer("blocksize", -2)]), "blocksize is -2"),
        ("depth-to-space-channels", one("DepthToSpace", vec![integer("blocksize", 2)]), "3 in blocks of 4"),
        (
            "depth-to-space-mode",
            one("DepthToSpace", vec![integer("blocksize", 1), string("mode", "XYZ")]),
            "mode is \"XYZ\"",
        ),
        (
            "depth-to-space-float",
            one("DepthToSpace", vec![float("blocksize", 2.0)]),
            "blocksize is of the wrong type",
        ),
        ("space-to-depth-uneven", one("SpaceToDepth", vec![integer("blocksize", 7)]), "24 in blocks of 7"),
        (
            "gather-out-of-range",
            listed("Gather", &[9], vec![integer("axis", 1)]),
            "there is no index 9 among 3",
        ),
        ("expand-apart", listed("Expand", &[1, 3, 5, 24], vec![]), "cannot be repeated to [1, 3, 5, 24]"),
        ("expand-wraps", listed("Expand", &[1 << 40, 1 << 40, 1, 1, 1, 1], vec![]), "tensor of shape"),
        ("gemm-image", after().node("Gemm", &["a", "a"], "sr", vec![]), "not a matrix of f32"),
        ("where-number", after().node("Where", &["a", "a", "a"], "sr", vec![]), "by what is so or not"),
        (
            "equal-added",
            after().node("Equal", &["a", "a"], "e", vec![]).node("Add", &["e", "e"], "sr", vec![]),
            "sr (Add, operator set 13): it takes numbers only",
        ),
        (
            "split-of-before",
            one("Split", vec![integer("axis", 1), integers("split", &[1, 2])]),
            "its split are an attribute, where this operator set has an input",
        ),
        (
            "equal-in-64-bits",
            chosen(|net| net.shape("x", &[(1 << 53) + 1]).shape("y", &[1 << 53])),
            "cannot be told",
        ),
        (
            "equal-in-32-bits",
            chosen(|net| {
                let net = net.shape("rows", &[2]).shape("y", &[(1 << 32) + 24]);
                net.node("Shape", &["a"], "size", vec![]).node("Gather", &["size", "rows"], "x", vec![])
            }),
            "cannot be told",
        ),
        ("gather-axis", listed("Gather", &[0], vec![integer("axis", 4)]), "there is no axis 4 among 4"),
        ("reduce-axis-77", one("ReduceMean", vec![integers("axes", &[77])]), "there is no axis 77 among 4"),
        ("reduce-axis-twice", one("ReduceMax", vec![integers("axes", &[2, -2])]), "one of them twice"),
        ("reduce-all", one("ReduceMean", vec![integer("keepdims", 0)]), "its output has the shape []"),
        ("max-pool-0", one("MaxPool", pool(&[0, 0], &[0; 4])), "kernel_shape is [0, 0]"),
        ("max-pool-1d", one("MaxPool", pool(&[2], &[0; 4])), "kernel_shape is [2]"),
        (
            "pool-borders-twice",
            one(
                "AveragePool",
                vec![
                    integers("kernel_shape", &[3, 3]),
                    integers("pads", &[1; 4]),
                    string("auto_pad", "VALID"),
                ],
            ),
            "its padding is stated twice",
        ),
        ("reduce-no-axes", one("ReduceMean", vec![integers("axes", &[])]), "its attribute axes is empty"),
        (
            "no-output",
            after().split("a", "", &[""], 1).node("Relu", &["a"], "sr", vec![]),
            "a Split has no output",
        ),
        (
            "empty-list",
            after().shape("n", &[]).shape("m", &[1]).node("Add", &["n", "m"], "q", vec![]).node(
                "Reshape",
                &["a", "q"],
                "sr",
                vec![],
            ),
            "q (Add, operator set 13): its input 0 is empty",
        ),
        ("unsqueeze-many", listed("Unsqueeze", &(0..20).collect::<Vec<_>>(), vec![]), "it has 20 axes"),
        ("max-pool-border", one("MaxPool", pool(&[2, 2], &[2; 4])), "a border of [2, 2, 2, 2]"),
        ("max-pool-negative-border", one("MaxPool", pool(&[2, 2], &[-1; 4])), "pads is [-1, -1, -1, -1]"),
        (
            "average-pool-too-large",
            one("AveragePool", pool(&[200, 200], &[0; 4])),
            "a window of 200 x 200 on 24 x 24 pixels",
        ),
        (
            "average-pool-stride-0",
            one("AveragePool", vec![integers("kernel_shape", &[2, 2]), integers("strides", &[0, 1])]),
            "strides is [0, 1]",
        ),
        ("split-axis-minus-40", one("Split", vec![integer("axis", -40)]), "there is no axis -40 among 4"),
        ("split-sum", listed("Split", &[2], vec![integer("axis", 1)]), "3 in 1 parts of [2]"),
        ("split-negative", listed("Split", &[-3], vec![integer("axis", 1)]), "3 in 1 parts of [-3]"),
        (
            "transpose-too-short",
            one("Transpose", vec![integers("perm", &[0, 1])]),
            "the order [0, 1] for 4 axes",
        ),
        ("transpose-twice", one("Transpose", vec![integers("perm", &[0, 1, 1, 3])]), "one of them twice"),
        (
            "transpose-outside",
            one("Transpose", vec![integers("perm", &[0, 1, 2, 9])]),
            "there is no axis 9 among 4",
        ),
        ("tile-huge", listed("Tile", &[1, 1, 100_000, 100_000], vec![]), "times [1, 3, 24, 24]"),
        ("expand-huge", listed("Expand", &[1 << 20, 3, 24, 24], vec![]), "it would make a tensor of shape"),
        (
            "constant-of-shape",
            after().shape("s", &[1 << 30, 1 << 30]).node("ConstantOfShape", &["s"], "c", vec![]).node(
                "Add",
                &["a", "c"],
                "sr",
                vec![],
            ),
            "ConstantOfShape",
        ),
        (
            "resize-huge",
            resized(&[1.0, 1.0, 1e5, 1e5]),
            "it makes [1, 3, 2400000, 2400000] of [1, 3, 24, 24]",
        ),
        ("resize-0", resized(&[1.0, 1.0, 0.0, 0.0]), "it makes [1, 3, 0, 0]"),
        ("resize-negative", resized(&[1.0, 1.0, -2.0, -2.0]), "it makes [1, 3, 0, 0]"),
        ("resize-channels", resized(&[1.0, 2.0, 2.0, 2.0]), "it makes [1, 6, 48, 48]"),
        ("resize-two-scales", resized(&[2.0, 2.0]), "neither four scales nor four sizes"),
        (
            "resize-tower",
            repeated(6, |net, from, to| {
                let scales = format!("{to}.scales");
                let attributes = vec![
                    string("mode", "nearest"),
                    string("coordinate_transformation_mode", "asymmetric"),
                    string("nearest_mode", "floor"),
                ];
                net.tensor(&scales, &[4], &[1.0, 1.0, 16.0, 16.0]).node(
                    "Resize",
                    &[from, "", &scales],
                    to,
                    attributes,
                )
            }),
            "Resize",
        ),
        (
            "pad-huge",
            listed("Pad", &[0, 0, 100_000, 0, 0, 0, 0, 0], vec![]),
            "its borders are not eight numbers",
        ),
        ("pad-negative", listed("Pad", &[0, 0, -9, 0, 0, 0, 0, 0], vec![]), "24 x 15, not an enlarged image"),
        (
            "pad-mirror",
            listed("Pad", &[0, 0, 30, 0, 0, 0, 0, 0], vec![string("mode", "reflect")]),
            "it mirrors 30 pixels of 24",
        ),
        ("pad-short", listed("Pad", &[1, 1], vec![]), "its borders are not eight numbers"),
        ("reshape-two-open", listed("Reshape", &[1, -1, -1], vec![]), "does not go into [1, -1, -1]"),
        ("reshape-negative", listed("Reshape", &[1, 3, -24, 24], vec![]), "does not go into"),
        (
            "reshape-count",
            listed("Reshape", &[1, 7, 11, 13], vec![]),
            "[1, 3, 24, 24] does not go into [1, 7, 11, 13]",
        ),
        ("reshape-overflow", listed("Reshape", &[1 << 40, 1 << 40, 1], vec![]), "does not go into"),
        (
            "reshape-computed",
            after().node("Cast", &["a"], "i", vec![integer("to", 7)]).node(
                "Reshape",
                &["a", "i"],
                "sr",
                vec![],
            ),
            "its input 1",
        ),
        ("concat-axis-9", one("Concat", vec![integer("axis", 9)]), "there is no axis 9 among 4"),
        (
            "concat-shapes",
            after().node("MaxPool", &["a"], "b", pool(&[2, 2], &[0; 4])).node(
                "Concat",
                &["a", "b"],
                "sr",
                vec![integer("axis", 1)],
            ),
            "do not fit",
        ),
        (
            "concat-tower",
            repeated(40, |net, from, to| net.node("Concat", &[from, from], to, vec![integer("axis", 1)])),
            "(Concat, operator set 13): it would make a tensor of shape",
        ),
        (
            "constant-tower",
            after()
                .tensor("c", &[4096, 1], &[1.0; 4096])
                .tensor("d", &[1, 4096], &[1.0; 4096])
                .node("Mul", &["c", "d"], "e", vec![])
                .tensor("f", &[64, 1, 1], &[1.0; 64])
                .node("Mul", &["e", "f"], "g", vec![])
                .node("Mul", &["a", "g"], "sr", vec![]),
            "it would make a tensor of shape [64, 4096, 4096]",
        ),
        ("squeeze-not-1", listed("Squeeze", &[1], vec![]), "axis 1 of [1, 3, 24, 24] is not 1"),
        ("unsqueeze-axis", listed("Unsqueeze", &[12], vec![]), "there is no axis 12 among 5"),
        (
            "slice-step-0",
            after().shape("s", &[0]).shape("e", &[3]).shape("x", &[1]).shape("t", &[0]).node(
                "Slice",
                &["a", "s", "e", "x", "t"],
                "sr",
                vec![],
            ),
            "a step of 0",
        ),
        (
            "slice-lists",
            after().shape("s", &[0, 0]).shape("e", &[3]).node("Slice", &["a", "s", "e"], "sr", vec![]),
            "its lists differ in length",
        ),
        (
            "slice-nothing",
            after().shape("s", &[3]).shape("e", &[1]).shape("x", &[1]).node(
                "Slice",
                &["a", "s", "e", "x"],
                "sr",
                vec![],
            ),
            "it would make a tensor of shape [1, 0, 24, 24]",
        ),
        ("softmax-axis", one("Softmax", vec![integer("axis", -5)]), "there is no axis -5 among 4"),
        ("flatten-axis", one("Flatten", vec![integer("axis", 9)]), "there is no axis 9 among 4"),
        (
            "mat-mul",
            after().tensor("m", &[5, 5], &[0.0; 25]).node("MatMul", &["a", "m"], "sr", vec![]),
            "shapes [1, 3, 24, 24] and [5, 5] do not fit",
        ),
        (
            "add-shapes",
            after().tensor("m", &[5], &[0.0; 5]).node("Add", &["a", "m"], "sr", vec![]),
            "shapes [1, 3, 24, 24] and [5] do not fit",
        ),
        (
            "prelu-shapes",
            after().tensor("m", &[2, 3, 1, 1], &[0.0; 6]).node("PRelu", &["a", "m"], "sr", vec![]),
            "slopes of shape [2, 3, 1, 1]",
        ),
        (
            "div-whole-by-0",
            after().shape("n", &[4]).shape("z", &[0]).node("Div", &["n", "z"], "q", vec![]).node(
                "Reshape",
                &["a", "q"],
                "sr",
                vec![],
            ),
            "it divides whole numbers by what may not be above 0",
        ),
        ("cast-to-text", one("Cast", vec![integer("to", 8)]), "it makes numbers of the type 8"),
        (
            "batch-normalization",
            after().tensor("m", &[7], &[1.0; 7]).node(
                "BatchNormalization",
                &["a", "m", "m", "m", "m"],
                "sr",
                vec![],
            ),
            "its input 1 has the shape [7]",
        ),
        (
            "conv-transpose-stride",
            after().tensor("k", &[3, 3, 3, 3], &[0.1; 81]).node(
                "ConvTranspose",
                &["a", "k"],
                "sr",
                vec![integers("strides", &[99, 99])],
            ),
            "a stride of 99",
        ),
        (
            "conv-transpose-borders",
            after().tensor("k", &[3, 3, 3, 3], &[0.1; 81]).node(
                "ConvTranspose",
                &["a", "k"],
                "sr",
                vec![integers("pads", &[90; 4])],
            ),
            "it takes away more than it makes",
        ),
        (
            "conv-transpose-channels",
            after().tensor("k", &[5, 3, 3, 3], &[0.1; 135]).node("ConvTranspose", &["a", "k"], "sr", vec![]),
            "kernels for 5 channels in 1 groups on 3 channels",
        ),
        (
            "conv-channels",
            small_edsr().conv("sr", "late", 3, 5, &[0.0; 135]).output("late"),
            "late (Conv, operator set 13): kernels for 5 channels in 1 groups on 3 channels",
        ),
        ("conv-group-0", conv(vec![integer("group", 0)]), "group"),
        ("conv-group-misfit", conv(vec![integer("group", 2)]), "3 kernels for 3 channels each in 2 groups"),
        (
            "conv-groups-of-outputs",
            Builder::new(3).tensor("w", &[4, 1, 1, 1], &[1.0; 4]).node(
                "Conv",
                &["lr", "w"],
                "sr",
                vec![integer("group", 3)],
            ),
            "4 kernels for 1 channels each in 3 groups",
        ),
        (
            "conv-groups-stale",
            Builder::new(3)
                .conv("lr", "first", 3, 3, &copying(3, 3, 1.0, |o| o))
                .tensor("w", &[4, 1, 1, 1], &[1.0; 4])
                .node("Conv", &["first", "w"], "second", vec![integer("group", 3)])
                .conv("second", "sr", 3, 4, &copying(3, 4, 1.0, |o| o)),
            "4 kernels for 1 channels each in 3 groups",
        ),
        (
            "conv-kernel-0",
            Builder::new(3).tensor("w", &[3, 3, 0, 0], &[]).node("Conv", &["lr", "w"], "sr", vec![]),
            "its kernels have 0 x 0 weights",
        ),
        (
            "conv-kernel-1d",
            Builder::new(3).tensor("w", &[3, 3, 3], &[0.0; 27]).node("Conv", &["lr", "w"], "sr", vec![]),
            "its kernels have the shape [3, 3, 3], not [outputs, inputs, height, width]",
        ),
        (
            "conv-kernels-computed",
            Builder::new(3)
                .tensor("w", &[3, 3, 3, 3], &[0.5; 81])
                .node("Tanh", &["w"], "squashed", vec![])
                .node("Conv", &["lr", "squashed"], "sr", vec![integers("pads", &[1; 4])]),
            "its kernels are not stored in the file, but computed",
        ),
        ("conv-stride-0", conv(vec![integers("strides", &[0, 0])]), "strides"),
        ("conv-dilation-negative", conv(vec![integers("dilations", &[-1, 1])]), "dilations"),
        ("conv-pads-huge", conv(vec![integers("pads", &[1 << 40, 0, 0, 0])]), "pads"),
        (
            "conv-kernel-shape",
            conv(vec![integers("kernel_shape", &[9, 9])]),
            "its kernels have 3 x 3 weights, not [9, 9]",
        ),
        (
            "conv-too-large",
            conv(vec![integers("dilations", &[200, 200])]),
            "a window of 401 x 401 on 24 x 24 pixels",
        ),
        (
            "clip-limits",
            after().tensor("m", &[2], &[0.0; 2]).node("Clip", &["a", "m"], "sr", vec![]),
            "its limits are no single numbers of its kind",
        ),
        ("weights-nan", damaged(f32::NAN), "the weights sr.weight of its node sr (Conv) are not all finite"),
        ("weights-infinite", damaged(f32::NEG_INFINITY), "are not all finite"),
        ("operators-99", small_edsr().versions(8, 99, ""), "its operator set is version 99"),
        ("operators-1", small_edsr().versions(8, 1, ""), "its operator set is version 1"),
        ("format-99", small_edsr().versions(99, 13, ""), "its format is version 99"),
        (
            "foreign-domain",
            small_edsr().versions(8, 13, "com.example"),
            "is of the foreign domain com.example",
        ),
        (
            "control-flow-if",
            after().node("If", &["a"], "sr", vec![]),
            "sr (If, operator set 13): this operator is not supported",
        ),
        (
            "pad-least-number",
            after().shape("p", &[0, 0, i64::MIN, 0, 0, 0, 0, 0]).node("Pad", &["a", "p"], "sr", vec![]),
            "Slice",
        ),
        (
            "pad-nothing",
            after().versions(8, 10, "").node(
                "Pad",
                &[],
                "sr",
                vec![integers("pads", &[0, 0, -1, 0, 0, 0, 0, 0])],
            ),
            "Pad",
        ),
        ("control-flow-loop", after().node("Loop", &["a"], "sr", vec![]), "Loop"),
        (
            "short-integers",
            after().short_shape("list", 4, &[1]).node("Reshape", &["a", "list"], "sr", vec![]),
            "the tensor list should have shape [4] but stores 1",
        ),
        (
            "constant-without-value",
            after().node("Constant", &[], "c", vec![]).node("Add", &["a", "c"], "sr", vec![]),
            "Constant",
        ),
        ("enlarged-16-times", resized(&[1.0, 1.0, 16.0, 16.0]), "not an enlarged image"),
    ]
}
