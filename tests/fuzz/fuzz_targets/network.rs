//! Networks with one to four things changed: attributes, operators, edges, shapes, weights, versions. Valid protobufs, since
//! random bytes never get past the reader. Each is refused in words, or enlarges an image.
#![no_main]

#[path = "../../common/mod.rs"]
mod common;

use arbitrary::{Result, Unstructured};
use dfsq::network::{Engine, LoadOptions};
use dfsq::session::{Options, Session};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use std::sync::LazyLock;
use tract_onnx::pb::{ModelProto, TensorProto};

/// What is changed: networks that are admitted, and some that are not.
static BASES: LazyLock<Vec<ModelProto>> = LazyLock::new(|| {
    let admitted = common::admitted::networks().into_iter().map(|(_, network)| network);
    let hostile = common::hostile::networks().into_iter().map(|(_, network, _)| network);
    let own = [common::small_edsr()];
    let stated = |network: common::Builder| network.metadata("input_range", "0..1").build();
    own.into_iter()
        .chain(admitted)
        .chain(hostile)
        .map(|n| ModelProto::decode(&stated(n)[..]).unwrap())
        .collect()
});

const NUMBERS: [i64; 20] =
    [0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 255, 256, 65_536, -1, -2, -4, i32::MAX as i64, i64::MAX, i64::MIN];
const FLOATS: [f32; 10] = [0.0, -0.0, 1.0, 2.0, 0.5, -3.0, 1e-40, f32::MAX, f32::INFINITY, f32::NAN];
const OPERATORS: [&str; 46] = [
    "Mod",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "Relu",
    "LeakyRelu",
    "PRelu",
    "Clip",
    "Sigmoid",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Min",
    "Max",
    "Concat",
    "Split",
    "Slice",
    "Pad",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Transpose",
    "DepthToSpace",
    "SpaceToDepth",
    "Resize",
    "Upsample",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "ReduceMean",
    "ReduceMax",
    "Softmax",
    "MatMul",
    "Gather",
    "Shape",
    "Cast",
    "Identity",
    "BatchNormalization",
    "Constant",
    "Gemm",
    "Expand",
    "Where",
    "Equal",
];
const ATTRIBUTES: [&str; 24] = [
    "nearest_mode",
    "fmod",
    "axis",
    "axes",
    "blocksize",
    "mode",
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "group",
    "perm",
    "keepdims",
    "ceil_mode",
    "auto_pad",
    "output_padding",
    "to",
    "start",
    "end",
    "allowzero",
    "split",
    "alpha",
    "count_include_pad",
    "coordinate_transformation_mode",
];
const WORDS: [&str; 8] =
    ["CRD", "nearest", "linear", "reflect", "SAME_UPPER", "VALID", "align_corners", "\u{0}"];

fn number(u: &mut Unstructured<'_>) -> Result<i64> {
    if u.ratio(7, 8)? { Ok(*u.choose(&NUMBERS)?) } else { u.arbitrary() }
}

fn change(model: &mut ModelProto, u: &mut Unstructured<'_>) -> Result<()> {
    let graph = model.graph.as_mut().unwrap();
    let names: Vec<String> = graph
        .node
        .iter()
        .flat_map(|n| n.output.clone())
        .chain(graph.initializer.iter().map(|t| t.name.clone()))
        .chain(["lr".into(), String::new()])
        .collect();
    if graph.node.is_empty() {
        return Ok(());
    }
    let at = u.choose_index(graph.node.len())?;
    match u.int_in_range(0..=11)? {
        0..=3 => {
            let attributes = &mut graph.node[at].attribute;
            if attributes.is_empty() || u.ratio(1, 5)? {
                let name = u.choose(&ATTRIBUTES)?;
                attributes.push(match u.int_in_range(0..=3)? {
                    0 => common::integer(name, number(u)?),
                    1 => common::float(name, *u.choose(&FLOATS)?),
                    2 => common::string(name, u.choose(&WORDS)?),
                    _ => common::integers(
                        name,
                        &(0..u.int_in_range(0..=5)?).map(|_| number(u)).collect::<Result<Vec<_>>>()?,
                    ),
                });
                return Ok(());
            }
            let which = u.choose_index(attributes.len())?;
            let attribute = &mut attributes[which];
            match u.int_in_range(0..=7)? {
                0..=3 if !attribute.ints.is_empty() => {
                    let which = u.choose_index(attribute.ints.len())?;
                    attribute.ints[which] = number(u)?;
                }
                0..=3 => attribute.i = number(u)?,
                4 => attribute.ints.push(number(u)?),
                5 => drop(attribute.ints.pop()),
                6 => attribute.s = u.choose(&WORDS)?.as_bytes().to_vec(),
                _ => drop(attributes.remove(which)),
            }
        }
        4 => graph.node[at].op_type = (*u.choose(&OPERATORS)?).to_owned(),
        5 => {
            let name = u.choose(&names)?.clone();
            let inputs = &mut graph.node[at].input;
            match u.int_in_range(0..=3)? {
                0 => inputs.push(name),
                1 => drop(inputs.pop()),
                _ if inputs.is_empty() => inputs.push(name),
                _ => {
                    let which = u.choose_index(inputs.len())?;
                    inputs[which] = name;
                }
            }
        }
        6 => {
            // The same once more, in front of what reads it.
            let mut node = graph.node[at].clone();
            let output = format!("again{}", graph.node.len());
            node.name = output.clone();
            let read = std::mem::replace(&mut node.output, vec![output.clone()]);
            if let (Some(input), Some(read)) = (node.input.first_mut(), read.first()) {
                input.clone_from(read);
                let replace = |name: &mut String| {
                    if name == read {
                        name.clone_from(&output)
                    }
                };
                graph.node[at + 1..].iter_mut().flat_map(|n| &mut n.input).for_each(replace);
                graph.node.insert(at + 1, node);
            }
        }
        7 => drop(graph.node.remove(at)),
        8 | 9 if !graph.initializer.is_empty() => {
            let which = u.choose_index(graph.initializer.len())?;
            tensor(&mut graph.initializer[which], u)?;
        }
        10 => model.opset_import[0].version = u.int_in_range(5..=26)?,
        _ => {
            let output = u.choose(&names)?.clone();
            graph.output[0].name = output;
        }
    }
    Ok(())
}

fn tensor(tensor: &mut TensorProto, u: &mut Unstructured<'_>) -> Result<()> {
    match u.int_in_range(0..=4)? {
        0 if !tensor.dims.is_empty() => {
            let which = u.choose_index(tensor.dims.len())?;
            tensor.dims[which] = number(u)?;
        }
        1 => drop(tensor.dims.pop()),
        2 => tensor.data_type = u.int_in_range(0..=16)?,
        3 => drop(tensor.raw_data.pop()),
        // Another value, in the tensor's own width.
        _ => {
            let value: Vec<u8> = if tensor.data_type == 7 {
                number(u)?.to_le_bytes().to_vec()
            } else {
                u.choose(&FLOATS)?.to_le_bytes().to_vec()
            };
            let places = tensor.raw_data.len() / value.len();
            if places > 0 {
                let at = u.choose_index(places)? * value.len();
                tensor.raw_data[at..at + value.len()].copy_from_slice(&value);
            }
        }
    }
    Ok(())
}

fn build(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let which = u.choose_index(BASES.len())?;
    let mut model = BASES[which].clone();
    for _ in 0..u.int_in_range(1..=4)? {
        change(&mut model, u)?;
    }
    Ok(model.encode_to_vec())
}

fuzz_target!(|data: &[u8]| {
    let Ok(bytes) = build(&mut Unstructured::new(data)) else { return };
    // What an input of libFuzzer stands for.
    if let Some(path) = std::env::var_os("DFSQ_WRITE") {
        std::fs::write(path, &bytes).unwrap();
    }
    for engine in [None, Some(Engine::Tract)] {
        let refused = |error: &dfsq::Error| {
            let words = error.to_string();
            assert!(!words.contains("broke down") && !words.is_empty(), "{words}");
        };
        // Ranges are stated, so that whatever is accepted runs.
        let stated = [("input_range".to_owned(), "0..1".to_owned())].into();
        let session = match Session::load_with(&bytes, &LoadOptions { engine, stated, ..LoadOptions::default() }) {
            Ok(session) => session,
            Err(error) => {
                refused(&error);
                continue;
            }
        };
        let [height, width] = session.network().convention().fit.size.unwrap_or([16, 20]);
        if height * width > 4096 {
            continue;
        }
        let full = session.prepare(&Options::full_precision()).unwrap();
        let scale = session.network().convention().fit.scale;
        match session.upscale(&common::gradient(width, height, 200), &full, &mut (), &()) {
            Ok(result) => {
                assert_eq!((result.picture.width, result.picture.height), (scale * width, scale * height))
            }
            Err(error) => refused(&error),
        }
    }
});
