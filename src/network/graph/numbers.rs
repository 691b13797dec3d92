//! The numbers of stored tensors, of whatever kind.

use crate::network::onnx::{self, Tensor};

/// Most values of one tensor that is computed from constants.
pub const MAX_FOLDED: u64 = 1 << 27;

/// Bits of the numbers of a type, if these are whole.
pub fn whole_bits(data_type: i32) -> Option<u8> {
    match data_type {
        Tensor::UINT2 => Some(2),
        Tensor::UINT4 | Tensor::INT4 => Some(4),
        Tensor::UINT8 | Tensor::INT8 => Some(8),
        Tensor::UINT16 | Tensor::INT16 => Some(16),
        Tensor::INT32 => Some(32),
        _ => None,
    }
}

/// The whole numbers of a tensor, as f32. None where they are of another kind.
///
/// # Errors
/// In words, what is wrong with it.
pub fn whole_numbers(tensor: &Tensor) -> Result<Option<Vec<f32>>, String> {
    if whole_bits(tensor.data_type).is_none() {
        return Ok(None);
    }
    let values = raw(tensor)?.as_ref().and_then(numbers);
    Ok(values.map(|values| values.into_iter().map(|value| value as f32).collect()))
}

/// Numbers, one after another in their own form.
pub struct Raw {
    pub dims: Vec<usize>,
    pub kind: i32,
    pub bytes: Vec<u8>,
}

impl Raw {
    pub fn tensor(self, name: &str) -> Tensor {
        Tensor {
            name: name.to_owned(),
            dims: self.dims.iter().map(|side| *side as i64).collect(),
            data_type: self.kind,
            raw_data: self.bytes,
            ..Default::default()
        }
    }

    pub fn of_floats(dims: Vec<usize>, values: Vec<f32>) -> Self {
        Raw { dims, kind: Tensor::FLOAT, bytes: values.into_iter().flat_map(f32::to_le_bytes).collect() }
    }
}

/// A tensor's numbers. None where they are of a kind that is not read.
#[inline(never)]
pub fn raw(tensor: &Tensor) -> Result<Option<Raw>, String> {
    fn packed<T, const N: usize>(values: &[T], bytes: fn(&T) -> [u8; N]) -> Vec<u8> {
        values.iter().flat_map(bytes).collect()
    }
    if onnx::length(tensor).is_none_or(|length| length as u64 > MAX_FOLDED) {
        return Err(format!("the tensor {} has shape {:?}, which is too large", tensor.name, tensor.dims));
    }
    let plain = &tensor.raw_data;
    let whole = &tensor.int32_data;
    let (size, unpacked): (usize, Vec<u8>) = match tensor.data_type {
        Tensor::FLOAT => (4, packed(&tensor.float_data, |v| v.to_le_bytes())),
        Tensor::DOUBLE => (8, packed(&tensor.double_data, |v| v.to_le_bytes())),
        Tensor::INT64 => (8, packed(&tensor.int64_data, |v| v.to_le_bytes())),
        Tensor::INT32 => (4, packed(whole, |v| v.to_le_bytes())),
        Tensor::FLOAT16 => (2, packed(whole, |v| (*v as u16).to_le_bytes())),
        Tensor::INT16 | Tensor::UINT16 => (2, packed(whole, |v| (*v as u16).to_le_bytes())),
        Tensor::INT8 | Tensor::UINT8 | Tensor::BOOL | Tensor::INT4 | Tensor::UINT4 | Tensor::UINT2 => {
            (1, packed(whole, |v| [*v as u8]))
        }
        _ => return Ok(None),
    };
    let mut bytes = if plain.is_empty() { unpacked } else { plain.clone() };
    let kind = match tensor.data_type {
        Tensor::INT4 => Tensor::INT8,
        Tensor::UINT4 | Tensor::UINT2 => Tensor::UINT8,
        kind => kind,
    };
    if kind != tensor.data_type {
        // Two or four to a byte, the lowest bits first; what is left of the last byte means nothing.
        let bits = if tensor.data_type == Tensor::UINT2 { 2 } else { 4 };
        let parts = bytes
            .iter()
            .flat_map(|byte| (0..8 / bits).map(move |at| byte >> (at * bits) & ((1 << bits) - 1)));
        let signed = |part: u8| if kind == Tensor::INT8 && part > 7 { part | 0xf0 } else { part };
        bytes = parts.map(signed).take(onnx::length(tensor).unwrap_or(0)).collect();
    }
    if onnx::length(tensor).and_then(|length| length.checked_mul(size)) != Some(bytes.len()) {
        return Err(format!(
            "the tensor {} should have shape {:?} but stores {} values",
            tensor.name,
            tensor.dims,
            bytes.len() / size
        ));
    }
    // Sides are not negative where there is a length.
    let dims = tensor.dims.iter().map(|side| *side as usize).collect();
    Ok(Some(Raw { dims, kind, bytes }))
}

/// The same as f64; none for kinds of which f64 does not hold every value.
#[inline(never)]
pub fn numbers(raw: &Raw) -> Option<Vec<f64>> {
    let bytes = &raw.bytes;
    Some(match raw.kind {
        Tensor::FLOAT => bytes.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        Tensor::DOUBLE => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        Tensor::FLOAT16 => {
            let value = |b: &[u8; 2]| f64::from(half::f16::from_bits(u16::from_le_bytes(*b)));
            bytes.as_chunks().0.iter().map(value).collect()
        }
        Tensor::INT32 => bytes.as_chunks().0.iter().map(|b| f64::from(i32::from_le_bytes(*b))).collect(),
        Tensor::INT16 => bytes.as_chunks().0.iter().map(|b| f64::from(i16::from_le_bytes(*b))).collect(),
        Tensor::UINT16 => bytes.as_chunks().0.iter().map(|b| f64::from(u16::from_le_bytes(*b))).collect(),
        Tensor::INT8 => bytes.iter().map(|b| f64::from(b.cast_signed())).collect(),
        Tensor::UINT8 | Tensor::BOOL => bytes.iter().map(|b| f64::from(*b)).collect(),
        _ => return None,
    })
}
