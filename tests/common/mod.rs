//! Tiny networks, built as ONNX files byte for byte, whose answers are known by hand.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod admitted;
pub mod hostile;

pub use prost::Message;
pub use tract_onnx::pb::tensor_proto::DataType;
pub use tract_onnx::pb::*;
use tract_onnx::tract_core::tract_data::prelude::f16;

/// Writes ONNX graphs.
pub struct Builder {
    graph: GraphProto,
    metadata: Vec<StringStringEntryProto>,
    /// Of the format, and of the operators.
    versions: [i64; 2],
}

fn dimension(value: tensor_shape_proto::dimension::Value) -> tensor_shape_proto::Dimension {
    tensor_shape_proto::Dimension { denotation: String::new(), value: Some(value) }
}

fn image(name: &str, channels: i64, size: Option<[i64; 2]>) -> ValueInfoProto {
    use tensor_shape_proto::dimension::Value::{DimParam, DimValue};
    let side = |axis: usize, letter: &str| match size {
        Some(size) => dimension(DimValue(size[axis])),
        None => dimension(DimParam(format!("{name}.{letter}"))),
    };
    let dim = vec![dimension(DimValue(1)), dimension(DimValue(channels)), side(0, "h"), side(1, "w")];
    let tensor = type_proto::Tensor {
        elem_type: tensor_proto::DataType::Float as i32,
        shape: Some(TensorShapeProto { dim }),
    };
    let r#type = TypeProto { denotation: String::new(), value: Some(type_proto::Value::TensorType(tensor)) };
    ValueInfoProto { name: name.into(), r#type: Some(r#type), ..Default::default() }
}

pub fn integer(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: attribute_proto::AttributeType::Int as i32,
        i,
        ..Default::default()
    }
}

pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: attribute_proto::AttributeType::Float as i32,
        f,
        ..Default::default()
    }
}

pub fn integers(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: attribute_proto::AttributeType::Ints as i32,
        ints: ints.to_vec(),
        ..Default::default()
    }
}

pub fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: attribute_proto::AttributeType::Floats as i32,
        floats: floats.to_vec(),
        ..Default::default()
    }
}

pub fn tensor(name: &str, dims: &[i64], values: &[f32]) -> AttributeProto {
    let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    AttributeProto {
        name: name.into(),
        r#type: attribute_proto::AttributeType::Tensor as i32,
        t: Some(TensorProto {
            dims: dims.to_vec(),
            data_type: DataType::Float as i32,
            raw_data,
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub fn string(name: &str, text: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: attribute_proto::AttributeType::String as i32,
        s: text.as_bytes().to_vec(),
        ..Default::default()
    }
}

impl Builder {
    pub fn new(channels: i64) -> Self {
        Self::with_input(image("lr", channels, None), channels)
    }

    /// A network that states the size of its input.
    pub fn of_size(channels: i64, height: i64, width: i64) -> Self {
        Self::with_input(image("lr", channels, Some([height, width])), channels)
    }

    fn with_input(input: ValueInfoProto, channels: i64) -> Self {
        let graph = GraphProto {
            name: "test".into(),
            input: vec![input],
            output: vec![image("sr", channels, None)],
            ..Default::default()
        };
        Builder { graph, metadata: Vec::new(), versions: [8, 13] }
    }

    pub fn metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata.push(StringStringEntryProto { key: key.into(), value: value.into() });
        self
    }

    pub fn node(mut self, op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> Self {
        self.graph.node.push(NodeProto {
            op_type: op.into(),
            name: output.into(),
            input: inputs.iter().map(|i| (*i).into()).collect(),
            output: vec![output.into()],
            attribute: attributes,
            ..Default::default()
        });
        self
    }

    /// Gives the last node another name than its output's.
    pub fn named(mut self, name: &str) -> Self {
        if let Some(node) = self.graph.node.last_mut() {
            node.name = name.into();
        }
        self
    }

    /// A tensor of other numbers: the code of their type, and their bytes.
    pub fn raw(self, name: &str, dims: &[i64], kind: tensor_proto::DataType, bytes: Vec<u8>) -> Self {
        self.stored(name, dims, kind, bytes)
    }

    /// Split along an axis, with the tensor of the parts' lengths or none.
    pub fn split(mut self, input: &str, lengths: &str, outputs: &[&str], axis: i64) -> Self {
        let inputs: Vec<&str> = [input, lengths].into_iter().filter(|name| !name.is_empty()).collect();
        self = self.node("Split", &inputs, outputs[0], vec![integer("axis", axis)]);
        if let Some(node) = self.graph.node.last_mut() {
            node.output = outputs.iter().map(|name| (*name).to_owned()).collect();
        }
        self
    }

    fn stored(mut self, name: &str, dims: &[i64], kind: tensor_proto::DataType, raw_data: Vec<u8>) -> Self {
        let (name, dims) = (name.into(), dims.to_vec());
        self.graph.initializer.push(TensorProto {
            name,
            dims,
            data_type: kind as i32,
            raw_data,
            ..Default::default()
        });
        self
    }

    pub fn tensor(self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.stored(name, dims, tensor_proto::DataType::Float, bytes)
    }

    /// A list of whole numbers, such as a shape.
    pub fn shape(self, name: &str, values: &[i64]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.stored(name, &[values.len() as i64], tensor_proto::DataType::Int64, bytes)
    }

    /// A 3x3 convolution with these kernels, `[outputs, inputs, 3, 3]`, and no bias.
    pub fn conv(self, input: &str, output: &str, outputs: i64, inputs: i64, kernels: &[f32]) -> Self {
        let kernel = format!("{output}.weight");
        self.tensor(&kernel, &[outputs, inputs, 3, 3], kernels).node(
            "Conv",
            &[input, &kernel],
            output,
            vec![
                integers("kernel_shape", &[3, 3]),
                integers("pads", &[1, 1, 1, 1]),
                integers("strides", &[1, 1]),
            ],
        )
    }

    pub fn shuffle(self, input: &str, output: &str) -> Self {
        self.node("DepthToSpace", &[input], output, vec![integer("blocksize", 2), string("mode", "CRD")])
    }

    /// Stores every tensor as f16, with a Cast back to f32.
    pub fn halved(mut self) -> Self {
        let mut casts = Vec::new();
        for tensor in &mut self.graph.initializer {
            let wide = tensor.name.clone();
            tensor.name = format!("{wide}.f16");
            let bits = |b: &[u8]| f16::from_f32(f32::from_le_bytes([b[0], b[1], b[2], b[3]])).to_le_bytes();
            tensor.raw_data = tensor.raw_data.chunks_exact(4).flat_map(bits).collect();
            tensor.data_type = tensor_proto::DataType::Float16 as i32;
            casts.push(NodeProto {
                op_type: "Cast".into(),
                input: vec![tensor.name.clone()],
                output: vec![wide],
                attribute: vec![integer("to", 1)],
                ..Default::default()
            });
        }
        self.graph.node.splice(..0, casts);
        self
    }

    /// Makes another tensor than "sr" the output.
    pub fn output(mut self, name: &str) -> Self {
        self.graph.output = vec![image(name, 3, None)];
        self
    }

    /// Another version of the format and of the operators, which are all of this domain.
    pub fn versions(mut self, format: i64, operators: i64, domain: &str) -> Self {
        self.versions = [format, operators];
        self.graph.node.iter_mut().for_each(|node| node.domain = domain.into());
        self
    }

    /// A tensor of f64.
    pub fn doubles(self, name: &str, dims: &[i64], values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.stored(name, dims, tensor_proto::DataType::Double, bytes)
    }

    /// A list that says it is of another length.
    pub fn short_shape(self, name: &str, length: i64, values: &[i64]) -> Self {
        let mut builder = self.shape(name, values);
        if let Some(tensor) = builder.graph.initializer.last_mut() {
            tensor.dims = vec![length];
        }
        builder
    }

    pub fn build(self) -> Vec<u8> {
        self.model().encode_to_vec()
    }

    /// The file before it is written, to be changed.
    pub fn model(self) -> ModelProto {
        ModelProto {
            ir_version: self.versions[0],
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: self.versions[1] }],
            graph: Some(self.graph),
            metadata_props: self.metadata,
            ..Default::default()
        }
    }
}

/// Kernels that copy: output `o` is `gain` times input `from(o)`.
pub fn copying(outputs: usize, inputs: usize, gain: f32, from: impl Fn(usize) -> usize) -> Vec<f32> {
    let mut kernels = vec![0.0; outputs * inputs * 9];
    for o in 0..outputs {
        kernels[(o * inputs + from(o)) * 9 + 4] = gain;
    }
    kernels
}

/// EDSR with two residual blocks of 8 features, and random weights.
pub fn random_edsr() -> Vec<u8> {
    const FEATURES: i64 = 8;
    let mut rng = fastrand::Rng::with_seed(3);
    let mut kernels = |outputs: i64, inputs: i64, gain: f32| -> Vec<f32> {
        let bound = gain / (inputs as f32 * 3.0).sqrt();
        (0..outputs * inputs * 9).map(|_| (rng.f32() + rng.f32() - 0.9) * bound).collect()
    };
    let mut net = Builder::new(3).conv("lr", "head", FEATURES, 3, &kernels(FEATURES, 3, 1.0));
    let mut x = "head".to_owned();
    for i in 0..2 {
        let name = |part: &str| format!("{i}.{part}");
        net = net
            .conv(&x, &name("conv1"), FEATURES, FEATURES, &kernels(FEATURES, FEATURES, 1.0))
            .node("Relu", &[&name("conv1")], &name("relu"), vec![])
            .conv(&name("relu"), &name("conv2"), FEATURES, FEATURES, &kernels(FEATURES, FEATURES, 1.0))
            .node("Add", &[&x, &name("conv2")], &name("add"), vec![]);
        x = name("add");
    }
    net.conv(&x, "last", FEATURES, FEATURES, &kernels(FEATURES, FEATURES, 0.5))
        .node("Add", &["last", "head"], "add", vec![])
        .conv("add", "up", 12, FEATURES, &kernels(12, FEATURES, 0.7))
        .shuffle("up", "shuffled")
        .conv("shuffled", "sr", 3, 3, &copying(3, 3, 1.0, |o| o))
        .metadata("scale", "2")
        .metadata("input_range", "0..1")
        .metadata("colour", "RGB")
        .build()
}

/// EDSR in small: head, one residual block that adds `max(x, 0) / 4`, body end, pixel shuffle, tail. Every pixel `x`
/// (not negative) comes out 2.25 times as bright, in a block of 2 x 2.
pub fn small_edsr() -> Builder {
    Builder::new(3)
        .conv("lr", "head", 3, 3, &copying(3, 3, 1.0, |o| o))
        .conv("head", "block.conv1", 3, 3, &copying(3, 3, 0.5, |o| o))
        .node("Relu", &["block.conv1"], "block.relu", vec![])
        .conv("block.relu", "block.conv2", 3, 3, &copying(3, 3, 0.5, |o| o))
        .node("Add", &["block.conv2", "head"], "block.add", vec![])
        .conv("block.add", "last", 3, 3, &copying(3, 3, 1.0, |o| o))
        .node("Add", &["last", "head"], "global.add", vec![])
        .conv("global.add", "up", 12, 3, &copying(12, 3, 1.0, |o| o / 4))
        .shuffle("up", "shuffled")
        .conv("shuffled", "sr", 3, 3, &copying(3, 3, 1.0, |o| o))
}

/// [`small_edsr`] with all that the page would have to guess stated.
pub fn stated_edsr() -> Vec<u8> {
    small_edsr().metadata("scale", "2").metadata("input_range", "0..1").metadata("colour", "RGB").build()
}

/// A picture of smooth waves, with levels up to `top`.
pub fn gradient(width: usize, height: usize, top: u8) -> dfsq::image_io::Picture {
    let level = |i: usize| {
        let (x, y, c) = ((i / 3 % width) as f64, (i / 3 / width) as f64, (i % 3) as f64);
        (f64::from(top) * (0.5 + 0.3 * (0.9 * x + c).sin() + 0.2 * (0.7 * y - c).cos())) as u8
    };
    let rgb: Vec<u8> = (0..3 * width * height).map(level).collect();
    dfsq::image_io::Picture::from_rgb(width, height, &rgb)
}

/// Asks for what quantizers do.
pub struct Measuring;

impl dfsq::network::Observer for Measuring {
    fn measures_errors(&self) -> bool {
        true
    }
}

/// The bytes of a picture's colours.
pub fn rgb(picture: &dfsq::image_io::Picture) -> Vec<u8> {
    picture.rgb().flatten().collect()
}
