//! Networks with operators beyond those of our own engine, which enlarge twice.

use super::{Builder, copying, float, integer, integers, string};

/// A convolution that makes twelve channels of the image, "a", for a shuffle of "b" at the end.
fn between(middle: impl Fn(Builder) -> Builder) -> Builder {
    let net = Builder::new(3).conv("lr", "a", 12, 3, &copying(12, 3, 1.0, |o| o / 4));
    middle(net).shuffle("b", "sr")
}

/// A convolution of one pixel that copies.
fn pointwise(net: Builder, from: &str, to: &str, outputs: i64, inputs: i64) -> Builder {
    let weight = format!("{to}.weight");
    let values: Vec<f32> =
        (0..outputs * inputs).map(|i| f32::from(u8::from(i / inputs == i % inputs))).collect();
    net.tensor(&weight, &[outputs, inputs, 1, 1], &values).node("Conv", &[from, &weight], to, vec![])
}

pub fn networks() -> Vec<(&'static str, Builder)> {
    let unary = |op: &'static str| between(move |net| net.node(op, &["a"], "b", vec![]));
    vec![
        (
            "channel attention",
            between(|net| {
                let net = net.node("GlobalAveragePool", &["a"], "g", vec![]);
                pointwise(net, "g", "w", 12, 12).node("Sigmoid", &["w"], "s", vec![]).node(
                    "Mul",
                    &["a", "s"],
                    "b",
                    vec![],
                )
            }),
        ),
        (
            "attention by means",
            between(|net| {
                let axes = vec![integers("axes", &[2, 3]), integer("keepdims", 1)];
                net.node("ReduceMean", &["a"], "g", axes).node("Mul", &["a", "g"], "b", vec![])
            }),
        ),
        (
            "parts of channels",
            between(|net| {
                let parts = |net: Builder| net.shape("parts", &[4, 8]).split("a", "parts", &["x", "y"], 1);
                parts(net).node("Concat", &["y", "x"], "b", vec![integer("axis", 1)])
            }),
        ),
        (
            "equal parts",
            between(|net| {
                net.split("a", "", &["x", "y"], 1).node("Concat", &["y", "x"], "b", vec![integer("axis", -3)])
            }),
        ),
        (
            "slices",
            between(|net| {
                let net = net.shape("s", &[0]).shape("m", &[6]).shape("e", &[i64::MAX]).shape("axis", &[1]);
                let net = net.node("Slice", &["a", "s", "m", "axis"], "x", vec![]).node(
                    "Slice",
                    &["a", "m", "e", "axis"],
                    "y",
                    vec![],
                );
                net.node("Concat", &["x", "y"], "b", vec![integer("axis", 1)])
            }),
        ),
        (
            "every other pixel and back",
            between(|net| {
                let net = net
                    .shape("s", &[0, 0])
                    .shape("e", &[1 << 40, 1 << 40])
                    .shape("axes", &[2, 3])
                    .shape("t", &[2, 2]);
                let net = net.node("Slice", &["a", "s", "e", "axes", "t"], "x", vec![]).tensor(
                    "twice",
                    &[4],
                    &[1.0, 1.0, 2.0, 2.0],
                );
                net.node(
                    "Resize",
                    &["x", "", "twice"],
                    "b",
                    vec![string("mode", "linear"), string("coordinate_transformation_mode", "half_pixel")],
                )
            }),
        ),
        (
            "to the size of another",
            between(|net| {
                let net = net.node(
                    "MaxPool",
                    &["a"],
                    "p",
                    vec![integers("kernel_shape", &[2, 2]), integers("strides", &[2, 2])],
                );
                let net = net.node("Shape", &["a"], "size", vec![]);
                net.node(
                    "Resize",
                    &["p", "", "", "size"],
                    "b",
                    vec![
                        string("mode", "nearest"),
                        string("coordinate_transformation_mode", "asymmetric"),
                        string("nearest_mode", "floor"),
                    ],
                )
            }),
        ),
        (
            "a mirrored border",
            between(|net| {
                let net = net.shape("pads", &[0, 0, 1, 1, 0, 0, 1, 1]).node(
                    "Pad",
                    &["a", "pads"],
                    "p",
                    vec![string("mode", "reflect")],
                );
                let weights = copying(12, 12, 1.0, |o| o);
                net.tensor("w", &[12, 12, 3, 3], &weights).node("Conv", &["p", "w"], "b", vec![])
            }),
        ),
        ("a shuffle by its shape", {
            let net = Builder::new(3).conv("lr", "a", 12, 3, &copying(12, 3, 1.0, |o| o / 4)).node(
                "Shape",
                &["a"],
                "size",
                vec![],
            );
            let net = net.shape("two", &[2]).shape("three", &[3]).shape("at", &[2]).shape("rest", &[3]);
            let net = net.node("Gather", &["size", "at"], "h", vec![]).node(
                "Gather",
                &["size", "rest"],
                "w",
                vec![],
            );
            let net = net.shape("one", &[1]).node(
                "Concat",
                &["one", "three", "two", "two", "h", "w"],
                "split",
                vec![integer("axis", 0)],
            );
            let net = net.node("Reshape", &["a", "split"], "six", vec![]).node(
                "Transpose",
                &["six"],
                "turned",
                vec![integers("perm", &[0, 1, 4, 2, 5, 3])],
            );
            let net = net.node("Mul", &["h", "two"], "h2", vec![]).node("Mul", &["w", "two"], "w2", vec![]);
            let net = net.node("Concat", &["one", "three", "h2", "w2"], "joined", vec![integer("axis", 0)]);
            net.node("Reshape", &["turned", "joined"], "sr", vec![])
        }),
        ("a transposed convolution", {
            let net = Builder::new(3).conv("lr", "a", 3, 3, &copying(3, 3, 1.0, |o| o));
            let values: Vec<f32> = (0..36).map(|i| f32::from(u8::from(i / 12 == i / 4 % 3))).collect();
            net.tensor("w", &[3, 3, 2, 2], &values).node(
                "ConvTranspose",
                &["a", "w"],
                "sr",
                vec![integers("strides", &[2, 2])],
            )
        }),
        (
            "softmax over pixels",
            between(|net| {
                let net = net.shape("rows", &[1, 12, -1]).node("Reshape", &["a", "rows"], "q", vec![]);
                let net = net.node("Transpose", &["q"], "k", vec![integers("perm", &[0, 2, 1])]).node(
                    "MatMul",
                    &["q", "k"],
                    "m",
                    vec![],
                );
                let net = net.node("Softmax", &["m"], "p", vec![integer("axis", -1)]).node(
                    "MatMul",
                    &["p", "q"],
                    "o",
                    vec![],
                );
                net.node("Shape", &["a"], "size", vec![]).node("Reshape", &["o", "size"], "b", vec![])
            }),
        ),
        (
            "normalized",
            between(|net| {
                let list = |net: Builder, name: &str, value: f32| net.tensor(name, &[12], &[value; 12]);
                let net =
                    list(list(list(list(net, "scale", 1.0), "shift", 0.0), "mean", 0.0), "variance", 1.0);
                net.node(
                    "BatchNormalization",
                    &["a", "scale", "shift", "mean", "variance"],
                    "b",
                    vec![float("epsilon", 1e-5)],
                )
            }),
        ),
        (
            "axes away and in",
            between(|net| {
                let net = net.shape("first", &[0]).node("Squeeze", &["a", "first"], "x", vec![]);
                net.node("Unsqueeze", &["x", "first"], "b", vec![])
            }),
        ),
        ("squared", between(|net| net.tensor("two", &[], &[2.0]).node("Pow", &["a", "two"], "b", vec![]))),
        (
            "the larger",
            between(|net| net.node("Sigmoid", &["a"], "x", vec![]).node("Max", &["a", "x"], "b", vec![])),
        ),
        (
            "an older Resize without what it does not need",
            between(|net| {
                let shrunk = vec![integers("kernel_shape", &[2, 2]), integers("strides", &[2, 2])];
                let mode =
                    vec![string("mode", "linear"), string("coordinate_transformation_mode", "half_pixel")];
                net.node("MaxPool", &["a"], "p", shrunk).node("Shape", &["a"], "size", vec![]).node(
                    "Resize",
                    &["p", "", "", "size"],
                    "b",
                    mode,
                )
            })
            .versions(8, 11, ""),
        ),
        (
            "a mirrored border as PyTorch writes it",
            between(|net| {
                let net = net
                    .shape("four", &[4])
                    .shape("sides", &[1, 1, 1, 1])
                    .shape("pairs", &[-1, 2])
                    .shape("all", &[-1]);
                let net = net
                    .shape("last", &[-1])
                    .shape("before", &[i64::MIN + 1])
                    .shape("axis", &[0])
                    .shape("back", &[-1]);
                let net = net.node("ConstantOfShape", &["four"], "zeros", vec![]).node(
                    "Cast",
                    &["zeros"],
                    "none",
                    vec![integer("to", 7)],
                );
                let net = net.node("Concat", &["sides", "none"], "list", vec![integer("axis", 0)]).node(
                    "Reshape",
                    &["list", "pairs"],
                    "rows",
                    vec![],
                );
                let net = net.node("Slice", &["rows", "last", "before", "axis", "back"], "turned", vec![]);
                let net = net
                    .node("Transpose", &["turned"], "columns", vec![integers("perm", &[1, 0])])
                    .node("Reshape", &["columns", "all"], "pads", vec![]);
                let net = net.node("Pad", &["a", "pads"], "p", vec![string("mode", "reflect")]);
                net.tensor("w", &[12, 12, 3, 3], &copying(12, 12, 1.0, |o| o)).node(
                    "Conv",
                    &["p", "w"],
                    "b",
                    vec![],
                )
            }),
        ),
        (
            "an empty name for a bias",
            between(|net| {
                let net = net.tensor("w", &[12, 12, 3, 3], &copying(12, 12, 1.0, |o| o));
                let pads = vec![integers("pads", &[1, 1, 1, 1])];
                net.node("Conv", &["a", "w", ""], "c", pads).node("Tanh", &["c"], "b", vec![])
            }),
        ),
        (
            "an older Resize by scales",
            between(|net| {
                let shrunk = vec![integers("kernel_shape", &[2, 2]), integers("strides", &[2, 2])];
                let mode =
                    vec![string("mode", "linear"), string("coordinate_transformation_mode", "half_pixel")];
                net.node("MaxPool", &["a"], "p", shrunk).tensor("twice", &[4], &[1.0, 1.0, 2.0, 2.0]).node(
                    "Resize",
                    &["p", "", "twice"],
                    "b",
                    mode,
                )
            })
            .versions(8, 11, ""),
        ),
        (
            "averages",
            between(|net| {
                let attributes = vec![integers("kernel_shape", &[3, 3]), integers("pads", &[1, 1, 1, 1])];
                net.node("AveragePool", &["a"], "b", attributes)
            }),
        ),
        (
            "attention of whole channels by fully connected layers",
            between(|net| {
                let weights =
                    copying(12, 12, 1.0 / 9.0, |o| o)[4..].iter().step_by(9).copied().collect::<Vec<_>>();
                let net = net
                    .tensor("w", &[12, 12], &weights)
                    .tensor("shift", &[12], &[1.0; 12])
                    .shape("axes", &[2, 3]);
                let net =
                    net.node("GlobalAveragePool", &["a"], "g", vec![]).node("Flatten", &["g"], "f", vec![]);
                let net = net.node(
                    "Gemm",
                    &["f", "w", "shift"],
                    "l",
                    vec![integer("transB", 1), float("beta", 0.5)],
                );
                net.node("Unsqueeze", &["l", "axes"], "s", vec![]).node("Mul", &["a", "s"], "b", vec![])
            }),
        ),
        (
            "a mean repeated over pixels as PyTorch writes it",
            between(|net| {
                let net =
                    net.node("GlobalAveragePool", &["a"], "g", vec![]).node("Shape", &["a"], "size", vec![]);
                let net = net.shape("kept", &[-1]).shape("one", &[1]).shape("two", &[2]).shape("four", &[4]);
                let net = net.shape("first", &[0]);
                let sides = vec![integer("axis", 0)];
                let net = net.node("Slice", &["size", "two", "four", "first"], "sides", vec![]);
                let net = net.node("Concat", &["kept", "kept", "sides"], "wanted", sides);
                let net = net.node("Equal", &["wanted", "kept"], "open", vec![]);
                let net = net.node("Where", &["open", "one", "wanted"], "shape", vec![]);
                net.node("Expand", &["g", "shape"], "e", vec![]).node("Mul", &["a", "e"], "b", vec![])
            }),
        ),
        (
            "normalized over channels",
            between(|net| {
                let mean = || vec![integers("axes", &[1]), integer("keepdims", 1)];
                net.tensor("two", &[], &[2.0])
                    .tensor("least", &[1], &[1e-4])
                    .node("ReduceMean", &["a"], "m", mean())
                    .node("Sub", &["a", "m"], "d", vec![])
                    .node("Pow", &["d", "two"], "q", vec![])
                    .node("ReduceMean", &["q"], "v", mean())
                    .node("Add", &["v", "least"], "w", vec![])
                    .node("Sqrt", &["w"], "s", vec![])
                    .node("Div", &["d", "s"], "n", vec![])
                    .node("Add", &["n", "a"], "b", vec![])
            }),
        ),
        (
            "a map of one channel",
            between(|net| {
                let net = pointwise(net, "a", "p", 1, 12).node("Sigmoid", &["p"], "map", vec![]);
                net.node("Mul", &["map", "a"], "x", vec![]).node("Sub", &["map", "x"], "b", vec![])
            }),
        ),
        (
            "contrast of channels",
            between(|net| {
                let pixels = || vec![integers("axes", &[-2, -1]), integer("keepdims", 1)];
                net.tensor("two", &[1], &[2.0])
                    .node("ReduceMean", &["a"], "m", pixels())
                    .node("Sub", &["m", "a"], "d", vec![])
                    .node("Pow", &["d", "two"], "q", vec![])
                    .node("ReduceMean", &["q"], "v", pixels())
                    .node("Sqrt", &["v"], "s", vec![])
                    .node("Add", &["m", "s"], "c", vec![])
                    .node("Mul", &["c", "a"], "b", vec![])
            }),
        ),
        (
            "parts that go on and are joined",
            between(|net| {
                let wide = copying(12, 8, 1.0, |o| o % 8);
                net.shape("parts", &[4, 8])
                    .split("a", "parts", &["kept", "rest"], 1)
                    .conv("rest", "c", 12, 8, &wide)
                    .node("LeakyRelu", &["c"], "l", vec![float("alpha", 0.05)])
                    .split("l", "parts", &["also", "others"], 1)
                    .node("Concat", &["kept", "others"], "j", vec![integer("axis", 1)])
                    .node("Add", &["j", "a"], "b", vec![])
            }),
        ),
        ("tanh", unary("Tanh")),
        ("elu", unary("Elu")),
        ("softplus", unary("Softplus")),
        ("hard sigmoid", unary("HardSigmoid")),
        ("erf", unary("Erf")),
        ("abs", unary("Abs")),
    ]
}
