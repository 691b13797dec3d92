//! Files as others write them: the same network in another form of numbers, in parts, as functions, quantized before, with
//! channels last, for some sizes only. Each is what the plain file is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::*;
use dfsq::image_io::Picture;
use dfsq::network::{Colour, Engine, LoadOptions, Network, join, second_files};
use dfsq::session::{Options, Session};
use tract_onnx::tract_core::tract_data::prelude::f16;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn plain() -> ModelProto {
    ModelProto::decode(&random_edsr()[..]).unwrap()
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

fn changed(change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
    let mut model = plain();
    change(&mut model);
    model.encode_to_vec()
}

fn upscale_with(bytes: &[u8], options: &LoadOptions, picture: &Picture) -> Picture {
    let session = Session::load_with(bytes, options).unwrap();
    let prepared = session.prepare(&Options::full_precision()).unwrap();
    session.upscale(picture, &prepared, &mut (), &()).unwrap().picture
}

fn upscale(bytes: &[u8], picture: &Picture) -> Picture {
    upscale_with(bytes, &LoadOptions::default(), picture)
}

/// Largest difference of two pictures' bytes.
fn apart(one: &Picture, other: &Picture) -> u8 {
    assert_eq!(one.size(), other.size());
    one.rgba.iter().zip(&other.rgba).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

fn is_same(bytes: &[u8], way: &str) {
    let picture = gradient(21, 18, 200);
    assert_eq!(apart(&upscale(bytes, &picture), &upscale(&random_edsr(), &picture)), 0, "{way}");
    assert_eq!(Network::load(bytes).unwrap().engine(), Engine::Native, "{way}");
}

#[wasm_bindgen_test(unsupported = test)]
fn nodes_may_stand_in_any_order() {
    is_same(&changed(|model| graph(model).node.reverse()), "backwards");
    let circle = changed(|model| {
        let nodes = &mut graph(model).node;
        nodes[1].input[0] = nodes[4].output[0].clone();
    });
    let said = Network::load(&circle).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("which nothing before it computes"), "{said}");
}

#[wasm_bindgen_test(unsupported = test)]
fn other_floating_point_numbers_are_computed_in_f32() {
    type Bits = fn(f32) -> Vec<u8>;
    let ways: [(DataType, Bits, u8); 3] = [
        (DataType::Float16, |v| f16::from_f32(v).to_le_bytes().into(), 1),
        (DataType::Bfloat16, |v| v.to_le_bytes()[2..].into(), 8),
        (DataType::Double, |v| f64::from(v).to_le_bytes().into(), 0),
    ];
    let picture = gradient(21, 18, 200);
    let wanted = upscale(&random_edsr(), &picture);
    for (kind, bits, off) in ways {
        let bytes = changed(|model| {
            let graph = graph(model);
            for tensor in &mut graph.initializer {
                let values = tensor.raw_data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
                tensor.raw_data = values.flat_map(bits).collect();
                tensor.data_type = kind as i32;
            }
            for value in graph.input.iter_mut().chain(&mut graph.output) {
                let Some(type_proto::Value::TensorType(tensor)) = &mut value.r#type.as_mut().unwrap().value
                else {
                    panic!()
                };
                tensor.elem_type = kind as i32;
            }
        });
        let apart = apart(&upscale(&bytes, &picture), &wanted);
        assert!(apart <= off, "{kind:?}: {apart} levels");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn functions_of_the_file_are_what_they_consist_of() {
    // A block's two convolutions and ReLU as a function, which calls another.
    let function = |name: &str, input: &[&str], output: &str, node: Vec<NodeProto>| FunctionProto {
        name: Some(name.into()),
        domain: Some("own".into()),
        input: input.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.into()],
        attribute: vec!["border".into()],
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 13 }],
        node,
        ..Default::default()
    };
    let node =
        |op: &str, domain: &str, input: &[&str], output: &str, attribute: Vec<AttributeProto>| NodeProto {
            op_type: op.into(),
            domain: domain.into(),
            input: input.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.into()],
            attribute,
            ..Default::default()
        };
    let border = || AttributeProto {
        name: "pads".into(),
        ref_attr_name: "border".into(),
        r#type: attribute_proto::AttributeType::Ints as i32,
        ..Default::default()
    };
    let call = |name: &str| vec![AttributeProto { name: name.into(), ..integers("", &[1; 4]) }];
    let bytes = changed(|model| {
        model.functions = vec![
            function(
                "Both",
                &["x", "one", "two"],
                "y",
                vec![
                    node(
                        "Sure",
                        "own",
                        &["x", "one"],
                        "h",
                        vec![AttributeProto { name: "border".into(), ..border() }],
                    ),
                    node("Conv", "", &["h", "two"], "y", vec![border()]),
                ],
            ),
            function(
                "Sure",
                &["x", "kernels"],
                "y",
                vec![
                    node("Conv", "", &["x", "kernels"], "h", vec![border()]),
                    node("Relu", "", &["h"], "y", vec![]),
                ],
            ),
        ];
        let nodes = &mut graph(model).node;
        for block in ["0", "1"] {
            let at = nodes.iter().position(|node| node.name == format!("{block}.conv1")).unwrap();
            let input = nodes[at].input[0].clone();
            let kernels = [1, 2].map(|i| format!("{block}.conv{i}.weight"));
            let output = format!("{block}.conv2");
            let call = node("Both", "own", &[&input, &kernels[0], &kernels[1]], &output, call("border"));
            nodes.splice(at..at + 3, [call]);
        }
    });
    is_same(&bytes, "functions");
    let circle = changed(|model| {
        model.functions =
            vec![function("Again", &["x"], "y", vec![node("Again", "own", &["x"], "y", vec![])])];
        graph(model).node.insert(0, node("Again", "own", &["lr"], "unread", vec![]));
    });
    let said = Network::load(&circle).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("its functions call each other more than 16 deep"), "{said}");
}

#[wasm_bindgen_test(unsupported = test)]
fn weights_may_lie_in_a_second_file() {
    let mut second = Vec::new();
    let bytes = changed(|model| {
        for tensor in &mut graph(model).initializer {
            let entry = |key: &str, value: String| StringStringEntryProto { key: key.into(), value };
            tensor.external_data = vec![
                entry("location", "weights.data".into()),
                entry("offset", second.len().to_string()),
                entry("length", tensor.raw_data.len().to_string()),
            ];
            tensor.data_location = Some(1);
            second.append(&mut tensor.raw_data);
        }
    });
    assert_eq!(second_files(&bytes).unwrap(), ["weights.data"]);
    let named = |contents: &[u8]| [("weights.data".to_owned(), contents.to_vec())].into();
    is_same(&join(&bytes, &named(&second)).unwrap(), "two files");
    let fails = |result: dfsq::Result<Vec<u8>>, words: &str| {
        let said = result.unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    };
    fails(Network::load(&bytes).map(|_| vec![]), "in a second file, weights.data: open both together");
    fails(join(&bytes, &named(&second[1..])), "weights.data is too short");
    fails(join(&bytes, &Default::default()), "weights.data: open both together");
    for outside in ["../secret", "/etc/passwd", "a/../../b", "C:\\x", "..\\x"] {
        let leading_out = changed(|model| {
            let entry = StringStringEntryProto { key: "location".into(), value: outside.into() };
            graph(model).initializer[0].external_data = vec![entry];
        });
        fails(second_files(&leading_out).map(|_| vec![]), "is not beside it");
    }
}

/// Codes of 8 bits for the weights of a tensor, with the scale of each kernel.
fn codes(tensor: &TensorProto) -> (Vec<u8>, Vec<f32>) {
    let values: Vec<f32> = tensor.raw_data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let kernels = values.chunks_exact(values.len() / tensor.dims[0] as usize);
    let scale = |kernel: &[f32]| kernel.iter().fold(1e-6f32, |most, v| most.max(v.abs())) / 127.0;
    let scales: Vec<f32> = kernels.clone().map(scale).collect();
    let code = |(kernel, scale): (&[f32], &f32)| {
        kernel.iter().map(|v| (v / scale).round() as i8 as u8).collect::<Vec<_>>()
    };
    (kernels.zip(&scales).flat_map(code).collect(), scales)
}

fn node(op: &str, input: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        name: format!("{output}.{op}"),
        input: input.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

/// A sum of quantized values, which is quantized itself: as onnxruntime's own operator, or by what stands around it.
fn quantized_sum(add: &NodeProto, operators: bool) -> Vec<NodeProto> {
    let result = &add.output[0];
    let [q0, q1, x0, x1, y, codes] =
        ["q0", "q1", "x0", "x1", "y", "codes"].map(|part| format!("{result}.{part}"));
    let mut nodes = vec![
        node("QuantizeLinear", &[&add.input[0], "scale", "zero"], &q0),
        node("QuantizeLinear", &[&add.input[1], "scale", "zero"], &q1),
    ];
    if operators {
        let inputs = [&q0[..], "scale", "zero", &q1, "scale", "zero", "scale", "zero"];
        nodes.push(NodeProto { domain: "com.microsoft".into(), ..node("QLinearAdd", &inputs, &codes) });
    } else {
        nodes.push(node("DequantizeLinear", &[&q0, "scale", "zero"], &x0));
        nodes.push(node("DequantizeLinear", &[&q1, "scale", "zero"], &x1));
        nodes.push(node("Add", &[&x0, &x1], &y));
        nodes.push(node("QuantizeLinear", &[&y, "scale", "zero"], &codes));
    }
    nodes.push(node("DequantizeLinear", &[&codes, "scale", "zero"], result));
    nodes
}

#[wasm_bindgen_test(unsupported = test)]
fn networks_that_were_quantized_before_run_and_say_so() {
    // Activations on a grid of 1/32 around a zero point.
    let stored = |name: &str, dims: &[i64], kind: DataType, raw_data: Vec<u8>| TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: kind as i32,
        raw_data,
        ..Default::default()
    };
    let quantized = |operators: bool| {
        changed(|model| {
            let graph = graph(model);
            let mut added = vec![
                stored("scale", &[], DataType::Float, (1.0f32 / 32.0).to_le_bytes().into()),
                stored("zero", &[], DataType::Uint8, vec![100]),
            ];
            for tensor in &mut graph.initializer {
                let (codes, scales) = codes(tensor);
                let count = [tensor.dims[0]];
                let bytes = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
                added.push(stored(&format!("{}.scales", tensor.name), &count, DataType::Float, bytes));
                added.push(stored(
                    &format!("{}.zeros", tensor.name),
                    &count,
                    DataType::Int8,
                    vec![0; scales.len()],
                ));
                (tensor.raw_data, tensor.data_type) = (codes, DataType::Int8 as i32);
                tensor.name = format!("{}.codes", tensor.name);
            }
            let mut nodes = Vec::new();
            for mut conv in std::mem::take(&mut graph.node) {
                if conv.op_type == "Add" {
                    nodes.extend(quantized_sum(&conv, operators));
                    continue;
                }
                if conv.op_type != "Conv" {
                    nodes.push(conv);
                    continue;
                }
                let [input, kernels] = [0, 1].map(|at| conv.input[at].clone());
                let [codes, scales, zeros] =
                    ["codes", "scales", "zeros"].map(|part| format!("{kernels}.{part}"));
                let result = conv.output[0].clone();
                let [q, x, y] = ["q", "x", "y"].map(|part| format!("{result}.{part}"));
                nodes.push(node("QuantizeLinear", &[&input, "scale", "zero"], &q));
                if operators {
                    let inputs = [&q[..], "scale", "zero", &codes, &scales, &zeros, "scale", "zero"];
                    conv.input = inputs.map(str::to_owned).into();
                    conv.op_type = "QLinearConv".into();
                } else {
                    nodes.push(node("DequantizeLinear", &[&q, "scale", "zero"], &x));
                    let mut weights = node("DequantizeLinear", &[&codes, &scales, &zeros], &kernels);
                    weights.attribute = vec![integer("axis", 0)];
                    nodes.push(weights);
                    conv.input = vec![x, kernels];
                }
                conv.output = vec![y.clone()];
                nodes.push(conv);
                let codes = format!("{result}.codes");
                let made = if operators { y } else { codes.clone() };
                if !operators {
                    nodes.push(node("QuantizeLinear", &[&format!("{result}.y"), "scale", "zero"], &codes));
                }
                nodes.push(node("DequantizeLinear", &[&made, "scale", "zero"], &result));
            }
            (graph.node, graph.initializer) =
                (nodes, [std::mem::take(&mut graph.initializer), added].concat());
        })
    };
    let picture = gradient(21, 18, 200);
    let [qdq, operators] = [false, true].map(quantized);
    let shown = upscale(&qdq, &picture);
    assert_eq!(apart(&shown, &upscale(&operators, &picture)), 0, "both forms say the same");
    assert_eq!(
        apart(&shown, &upscale_with(&qdq, &LoadOptions::on(Engine::Tract), &picture)),
        0,
        "as on tract"
    );
    let off = apart(&shown, &upscale(&random_edsr(), &picture));
    assert!((1..=24).contains(&off), "{off} levels from full precision");
    for bytes in [qdq, operators] {
        let session = Session::load(&bytes).unwrap();
        let info = session.info();
        assert_eq!(
            info.stored.as_deref(),
            Some("quantized already: weights of 8 bits in 8 of 8 convolutions")
        );
        assert!(info.layers.iter().all(|layer| layer.stored_bits == Some(8)));
        let plain = Session::load(&random_edsr()).unwrap().info();
        let which = |info: &dfsq::session::NetworkInfo| {
            info.layers.iter().map(|layer| layer.quantized).collect::<Vec<_>>()
        };
        assert_eq!((info.rule, which(&info)), (plain.rule, which(&plain)), "the same layers are quantized");
        assert!(session.prepare(&Options::full_precision()).is_ok());
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn channels_may_come_last() {
    let transpose = |input: &str, output: &str, order: [i64; 4]| NodeProto {
        op_type: "Transpose".into(),
        input: vec![input.into()],
        output: vec![output.into()],
        attribute: vec![integers("perm", &order)],
        ..Default::default()
    };
    let bytes = changed(|model| {
        let graph = graph(model);
        for node in &mut graph.node {
            for (outer, inner) in [("lr", "lr.planes"), ("sr", "sr.planes")] {
                let names = node.input.iter_mut().chain(&mut node.output);
                names.filter(|name| *name == outer).for_each(|name| *name = inner.into());
            }
        }
        graph.node.insert(0, transpose("lr", "lr.planes", [0, 3, 1, 2]));
        graph.node.push(transpose("sr.planes", "sr", [0, 2, 3, 1]));
        for value in graph.input.iter_mut().chain(&mut graph.output) {
            let Some(type_proto::Value::TensorType(tensor)) = &mut value.r#type.as_mut().unwrap().value
            else {
                panic!()
            };
            tensor.shape.as_mut().unwrap().dim[1..].rotate_left(1);
        }
    });
    is_same(&bytes, "channels last");
}

#[wasm_bindgen_test(unsupported = test)]
fn four_channels_are_a_picture_with_its_alpha() {
    let network = Builder::new(4)
        .conv("lr", "head", 4, 4, &copying(4, 4, 1.0, |o| o))
        .conv("head", "up", 16, 4, &copying(16, 4, 1.0, |o| o / 4))
        .shuffle("up", "sr")
        .metadata("input_range", "0..1")
        .build();
    let network = Session::load(&network).unwrap();
    assert_eq!(network.network().convention().colour, Colour::Rgba);
    let mut picture = gradient(9, 8, 200);
    picture.rgba.iter_mut().skip(3).step_by(4).enumerate().for_each(|(at, alpha)| *alpha = at as u8);
    let prepared = network.prepare(&Options::full_precision()).unwrap();
    let result = network.upscale(&picture, &prepared, &mut (), &()).unwrap().picture;
    for (at, pixel) in result.rgba.chunks_exact(4).enumerate() {
        let from = at / 18 / 2 * 9 + at % 18 / 2;
        assert_eq!(pixel, &picture.rgba[4 * from..][..4], "at {at}");
    }
}

/// A network that enlarges twice, of blocks of so many pixels.
fn in_blocks(side: i64) -> Vec<u8> {
    let channels = 3 * side * side;
    let eye = |outputs: i64| {
        copying(outputs as usize, channels as usize, 1.0, |o| o * channels as usize / outputs as usize)
    };
    Builder::new(3)
        .conv("lr", "first", 3, 3, &copying(3, 3, 1.0, |o| o))
        .node("SpaceToDepth", &["first"], "blocks", vec![integer("blocksize", side)])
        .conv("blocks", "a", channels, channels, &eye(channels))
        .node("DepthToSpace", &["a"], "pixels", vec![integer("blocksize", side)])
        .conv("pixels", "up", 12, 3, &copying(12, 3, 1.0, |o| o / 4))
        .shuffle("up", "sr")
        .metadata("input_range", "0..1")
        .build()
}

#[wasm_bindgen_test(unsupported = test)]
fn networks_that_take_multiples_get_their_pictures_padded() {
    let picture = gradient(21, 18, 200);
    for side in [2, 3, 16] {
        let bytes = in_blocks(side);
        let session = Session::load(&bytes).unwrap();
        let info = session.info().convention;
        assert_eq!((info.multiple, info.border, info.size), (side as usize, 0, None));
        assert_eq!(info.padding, [format!("sides are padded to multiples of {side}")]);
        let result = upscale(&bytes, &picture);
        for (at, pixel) in result.rgba.chunks_exact(4).enumerate() {
            let from = at / 42 / 2 * 21 + at % 42 / 2;
            assert_eq!(pixel, &picture.rgba[4 * from..][..4], "multiples of {side}, at {at}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn networks_without_padding_give_the_whole_picture() {
    let bytes = changed(|model| {
        for node in graph(model).node.iter_mut().filter(|node| node.op_type == "Conv") {
            node.attribute.retain(|attribute| attribute.name != "pads");
        }
        // Skips would be larger than what they are added to.
        let nodes = &mut graph(model).node;
        for add in nodes.iter_mut().filter(|node| node.op_type == "Add") {
            let kept = add.input.iter().position(|name| name.contains("conv2") || name == "last").unwrap();
            *add =
                NodeProto { op_type: "Identity".into(), input: vec![add.input[kept].clone()], ..add.clone() };
        }
    });
    let session = Session::load(&bytes).unwrap();
    let info = session.info().convention;
    // Seven convolutions of 3 x 3 before the shuffle and one after it: 14 pixels of the image and 2 of the result.
    assert_eq!((info.scale, info.border, info.multiple), (2, 8, 1), "{:?}", info.padding);
    let (picture, larger) = (gradient(40, 36, 200), gradient(80, 76, 200).crop(0, 0, 80, 76));
    let inner = larger.crop(20, 20, 40, 36);
    assert_eq!(upscale(&bytes, &picture).size(), [80, 72]);
    // Away from its border a picture comes out as within a larger one.
    let (own, of_larger) = (upscale(&bytes, &inner), upscale(&bytes, &larger));
    let [own, of_larger] = [own.crop(20, 20, 40, 32), of_larger.crop(60, 60, 40, 32)];
    assert_eq!(apart(&own, &of_larger), 0);
}

/// A convolution of twelve channels, "a", what `middle` makes of it, "b", and a shuffle.
fn between(middle: impl FnOnce(Builder) -> Builder) -> Vec<u8> {
    let kernels: Vec<f32> = (0..12 * 27).map(|i| ((i * 7 % 31) as f32 - 14.0) / 90.0).collect();
    let net = Builder::new(3).conv("lr", "a", 12, 3, &kernels);
    middle(net).shuffle("b", "sr").metadata("input_range", "0..1").metadata("scale", "2").build()
}

#[wasm_bindgen_test(unsupported = test)]
fn einsum_of_attention_is_a_product_of_matrices() {
    // Two heads of six channels, each of which sees all pixels.
    let attention = |products: &dyn Fn(Builder) -> Builder| {
        between(|net| {
            let net = net.shape("heads", &[1, 2, 6, -1]).node("Reshape", &["a", "heads"], "x", vec![]);
            let net = products(net).node("Shape", &["a"], "size", vec![]);
            net.node("Reshape", &["y", "size"], "b", vec![])
        })
    };
    let turned = || vec![integers("perm", &[0, 1, 3, 2])];
    let plain = attention(&|net| {
        net.node("Transpose", &["x"], "xt", turned())
            .node("MatMul", &["x", "xt"], "g", vec![])
            .node("Softmax", &["g"], "p", vec![integer("axis", -1)])
            .node("Transpose", &["p"], "pt", turned())
            .node("MatMul", &["pt", "x"], "y", vec![])
    });
    let einsum = attention(&|net| {
        net.node("Einsum", &["x", "x"], "g", vec![string("equation", "b h c i, b h d i -> b h c d")])
            .node("Softmax", &["g"], "p", vec![integer("axis", -1)])
            .node("Einsum", &["p", "x"], "y", vec![string("equation", "bhcd,bhci->bhdi")])
    });
    let picture = gradient(20, 17, 220);
    assert_eq!(apart(&upscale(&einsum, &picture), &upscale(&plain, &picture)), 0);
    let other = between(|net| {
        let net = net.tensor("mix", &[12, 12], &[0.1; 144]);
        net.node("Einsum", &["a", "mix"], "b", vec![string("equation", "bchw,cd->bdhw")])
    });
    let said = Network::load(&other).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("(Einsum, operator set"), "{said}");
}

#[wasm_bindgen_test(unsupported = test)]
fn channels_that_are_put_in_the_place_of_others_are_joined() {
    let turned = || vec![integers("perm", &[1, 0, 2, 3])];
    let parts = |net: Builder| net.split("a", "parts", &["x", "y", "z"], 1).shape("parts", &[3, 4, 5]);
    let halved = |net: Builder| parts(net).node("Relu", &["y"], "own", vec![]);
    let joined = |net: Builder| net.node("Concat", &["x", "own", "z"], "b", vec![integer("axis", 1)]);
    let plain = between(|net| joined(halved(net)));
    let scattered = between(|net| {
        let net =
            halved(net).node("Transpose", &["a"], "at", turned()).node("Transpose", &["own"], "ot", turned());
        let net = net.raw("places", &[4, 1], DataType::Int64, (3..7i64).flat_map(i64::to_le_bytes).collect());
        net.node("ScatterND", &["at", "places", "ot"], "bt", vec![string("reduction", "none")]).node(
            "Transpose",
            &["bt"],
            "b",
            turned(),
        )
    });
    let picture = gradient(20, 17, 220);
    assert_eq!(apart(&upscale(&scattered, &picture), &upscale(&plain, &picture)), 0);
    assert_eq!(Network::load(&scattered).unwrap().engine(), Engine::Native);

    // Pairs of an image and a channel, computed from the tensor's shape, of what a convolution of so many channels gives.
    let convolved = |net: Builder, outputs: i64| {
        let kernels: Vec<f32> = (0..outputs * 36).map(|i| ((i * 5 % 23) as f32 - 11.0) / 60.0).collect();
        let net = parts(net).tensor("w", &[outputs, 4, 3, 3], &kernels);
        net.node("Conv", &["y", "w"], "own", vec![integers("pads", &[1, 1, 1, 1])])
    };
    let plain = between(|net| joined(convolved(net, 4)));
    let computed = |channels: [i64; 2], outputs: i64| {
        between(|net| {
            let number = |net: Builder, name: &str, value: i64| {
                net.raw(name, &[], DataType::Int64, value.to_le_bytes().to_vec())
            };
            let net = number(number(convolved(net, outputs), "0", 0), "1", 1);
            let net = net.shape("from", &[3]).shape("to", &[7]).shape("axis 1", &[1]).shape("axis 0", &[0]);
            let net = net.shape("own from", &channels[..1]).shape("own to", &channels[1..]);
            let net =
                net.shape("column", &[-1, 1]).shape("last", &[-1]).shape("2", &[2]).shape("end", &[i64::MAX]);
            let counted = |net: Builder, axis: &str, name: &str| {
                let [side, whole] = ["side", "whole"].map(|part| format!("{name} {part}"));
                net.node("Gather", &["sides", axis], &side, vec![])
                    .node("Cast", &[&side], &whole, vec![integer("to", 7)])
                    .node("Range", &["0", &whole, "1"], name, vec![])
            };
            let net = net.node("Shape", &["a"], "sides", vec![]);
            counted(counted(net, "0", "images"), "1", "channels")
                .node("Reshape", &["images", "column"], "rows", vec![])
                .node("Slice", &["channels", "own from", "own to", "axis 0", "axis 1"], "columns", vec![])
                .node("Add", &["rows", "columns"], "sums", vec![])
                .node("Shape", &["sums"], "table", vec![])
                .node("Expand", &["rows", "table"], "all rows", vec![])
                .node("Expand", &["columns", "table"], "all columns", vec![])
                .node("Unsqueeze", &["all rows", "last"], "first of pairs", vec![])
                .node("Unsqueeze", &["all columns", "last"], "second of pairs", vec![])
                .node("Concat", &["first of pairs", "second of pairs"], "pairs", vec![integer("axis", -1)])
                .node("Slice", &["a", "from", "to", "axis 1", "axis 1"], "part", vec![])
                .node("Shape", &["part"], "sides of part", vec![])
                .node("Expand", &["own", "sides of part"], "expanded", vec![])
                .node("Slice", &["sides", "2", "end", "axis 0"], "inner", vec![])
                .node("Concat", &["table", "inner"], "fitting", vec![integer("axis", 0)])
                .node("Reshape", &["expanded", "fitting"], "updates", vec![])
                .node("ScatterND", &["a", "pairs", "updates"], "b", vec![])
        })
    };
    let network = computed([3, 7], 4);
    assert_eq!(apart(&upscale(&network, &picture), &upscale(&plain, &picture)), 0);
    assert_eq!(Network::load(&network).unwrap().engine(), Engine::Native);
    // Other channels than those whose shape is taken; one channel in the place of four.
    for other in [computed([2, 6], 4), computed([3, 7], 1)] {
        let said = Network::load(&other).map(|_| ()).unwrap_err().to_string();
        assert!(said.contains("ScatterND"), "{said}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn channels_that_are_repeated_are_joined() {
    let added = |net: Builder| net.node("Add", &["a", "each"], "b", vec![]);
    let plain = between(|net| {
        let net = net.split("lr", "parts", &["x", "y", "z"], 1).shape("parts", &[1, 1, 1]);
        let list = ["x", "x", "x", "x", "y", "y", "y", "y", "z", "z", "z", "z"];
        added(net.node("Concat", &list, "each", vec![integer("axis", 1)]))
    });
    let repeated = |tile: &str, sides: &dyn Fn(Builder) -> Builder| {
        between(|net| {
            let net = net.shape("axis 2", &[2]).shape("times", &[1, 1, 4, 1, 1]).shape("all", &[-1]);
            let net = net.shape("0", &[0]).shape("1", &[1]).shape("3", &[3]).shape("5", &[5]);
            let net = net.node("Unsqueeze", &["lr", "axis 2"], "apart", vec![]);
            let net = sides(net.node(tile, &["apart", "times"], "tiled", vec![]));
            added(net.node("Reshape", &["tiled", "whole"], "each", vec![]))
        })
    };
    let computed = |net: Builder| {
        net.node("Shape", &["tiled"], "sides", vec![])
            .node("Slice", &["sides", "0", "1", "0"], "images", vec![])
            .node("Slice", &["sides", "3", "5", "0"], "inner", vec![])
            .node("Concat", &["images", "all", "inner"], "whole", vec![integer("axis", 0)])
    };
    let picture = gradient(20, 17, 220);
    for tile in ["Tile", "Expand"] {
        let network = repeated(tile, &computed);
        assert_eq!(apart(&upscale(&network, &picture), &upscale(&plain, &picture)), 0);
        assert_eq!(Network::load(&network).unwrap().engine(), Engine::Native);
    }
    // Of a size that the image may not have, it is no such thing.
    let other = repeated("Tile", &|net| net.shape("whole", &[1, -1, 8, 8]));
    assert_ne!(Network::load(&other).map(|network| network.engine()).ok(), Some(Engine::Native));
}
