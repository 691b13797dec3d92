//! Kernels as what they are: codes, and the points of each kernel that the codes stand for.

use super::OPSET_OF_TWO_BITS;
use super::functions::{self, Call};
use super::names::Names;
use crate::network::Conv;
use crate::network::onnx::{Graph, Tensor};
use crate::quant::BitWidth;
use crate::quant::codebook::{Codebook, UniformCodes};

/// How codes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Four to a byte, from [`OPSET_OF_TWO_BITS`] on.
    Two,
    /// Two to a byte.
    Four,
    Eight,
}

impl Width {
    /// The narrowest that tells so many points apart.
    pub fn of(points: usize, opset: i64) -> Self {
        match points {
            0..=4 if opset >= OPSET_OF_TWO_BITS => Width::Two,
            0..=16 => Width::Four,
            _ => Width::Eight,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Width::Two => "UINT2",
            Width::Four => "UINT4",
            Width::Eight => "UINT8",
        }
    }

    fn data_type(self) -> i32 {
        match self {
            Width::Two => Tensor::UINT2,
            Width::Four => Tensor::UINT4,
            Width::Eight => Tensor::UINT8,
        }
    }

    /// Codes one after another, the first in a byte's low bits.
    fn pack(self, codes: &[u8]) -> Vec<u8> {
        let bits = match self {
            Width::Two => 2,
            Width::Four => 4,
            Width::Eight => return codes.to_vec(),
        };
        let byte = |codes: &[u8]| codes.iter().rev().fold(0, |byte, code| byte << bits | code);
        codes.chunks(8 / bits).map(byte).collect()
    }
}

/// Puts a layer's kernels into a graph: what computes them, and how they are stored, in words. None where they have too many
/// values.
pub fn put(
    graph: &mut Graph,
    names: &Names,
    conv: &Conv,
    [originals, weights]: [&[f32]; 2],
    bits: BitWidth,
    opset: i64,
) -> Option<(Call, String)> {
    let outputs = conv.outputs();
    let mut add = |tensor: Tensor| {
        let name = tensor.name.clone();
        graph.initializer.push(tensor);
        name
    };
    let coded = |codes: &[u8], levels: usize| {
        let width = Width::of(levels, opset);
        let dims = [outputs, codes.len() / outputs];
        let words = format!("{} codes", width.title());
        (Tensor::stored(&names.of("codes"), &dims, width.data_type(), width.pack(codes)), words)
    };
    let by_kernel = |what: &str, values: &[f32]| {
        Tensor::of_floats(&names.of(what), &[outputs, values.len() / outputs], values)
    };
    let [height, width] = conv.kernel();
    let shape = [outputs, conv.inputs() / conv.groups(), height, width].map(|side| side as i64);
    let shape = Tensor::of_integers(&names.of("weight_shape"), &shape);
    let (function, inputs, words) = match UniformCodes::of(originals, weights, outputs, bits) {
        Some(UniformCodes { firsts, scales, codes }) => {
            let (codes, words) = coded(&codes, bits.levels().unwrap_or(usize::MAX));
            let inputs = vec![codes, by_kernel("firsts", &firsts), by_kernel("scales", &scales), shape];
            (functions::uniform_weights(), inputs, format!("{words} of uniform grids"))
        }
        None => {
            let Codebook { points, each, codes } = Codebook::of(weights, outputs)?;
            let (codes, words) = coded(&codes, each);
            let inputs = vec![codes, by_kernel("weight_points", &points), shape];
            (functions::codebook_weights(), inputs, format!("{words}, {each} points a kernel"))
        }
    };
    let inputs = inputs.into_iter().map(&mut add).collect();
    Some((function.call(&names.of("weights"), inputs), words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lie_with_the_first_in_the_low_bits() {
        assert_eq!(Width::Four.pack(&[1, 2, 15]), [0x21, 0x0f]);
        assert_eq!(Width::Two.pack(&[1, 2, 3, 0, 2]), [0b00_11_10_01, 0b10]);
        assert_eq!(
            (Width::of(3, 21), Width::of(3, 25), Width::of(17, 25)),
            (Width::Four, Width::Two, Width::Eight)
        );
    }
}
