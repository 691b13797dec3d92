//! Files of named arrays: safetensors, compressed as gzip, with one JSON header under the name of the format.

use crate::{Error, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};

/// Of a file when decompressed. The paper's own RDN with everything in it needs some 40 MB.
const MAX_BYTES: u64 = 512 << 20;

/// Arrays by name.
#[derive(Default)]
pub struct TensorFile {
    arrays: BTreeMap<String, Array>,
}

struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    fn view(&self) -> Result<TensorView<'_>, safetensors::SafeTensorError> {
        TensorView::new(self.dtype, self.shape.clone(), &self.bytes)
    }
}

fn fail(message: impl std::fmt::Display) -> Error {
    Error::Calibration(message.to_string())
}

impl TensorFile {
    /// Adds numbers.
    pub fn put_f32(&mut self, name: String, shape: &[usize], values: impl IntoIterator<Item = f32>) {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.arrays.insert(name, Array { dtype: Dtype::F32, shape: shape.to_vec(), bytes });
    }

    /// Adds bytes.
    pub fn put_u8(&mut self, name: String, shape: &[usize], bytes: Vec<u8>) {
        self.arrays.insert(name, Array { dtype: Dtype::U8, shape: shape.to_vec(), bytes });
    }

    /// Adds subsets of `values` things: a bit for each, the first in the lowest bit, in a row for each subset.
    pub fn put_subsets(&mut self, name: String, subsets: &[Vec<u16>], values: usize) {
        let row = values.div_ceil(8);
        let mut bits = vec![0u8; row * subsets.len()];
        for (subset, indices) in subsets.iter().enumerate() {
            for index in indices {
                bits[subset * row + usize::from(*index / 8)] |= 1 << (index % 8);
            }
        }
        self.put_u8(name, &[subsets.len(), row], bits);
    }

    /// The names of all arrays, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    fn get(&self, name: &str, dtype: Dtype) -> Result<&Array> {
        let array = self.arrays.get(name).filter(|array| array.dtype == dtype);
        array.ok_or_else(|| fail(format!("{name} is missing or damaged")))
    }

    /// Numbers, all finite.
    pub fn f32(&self, name: &str) -> Result<Vec<f32>> {
        let bytes = &self.get(name, Dtype::F32)?.bytes;
        let values: Vec<f32> =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if values.iter().all(|v| v.is_finite()) {
            Ok(values)
        } else {
            Err(fail(format!("{name} is not finite")))
        }
    }

    /// Bytes.
    pub fn u8(&self, name: &str) -> Result<&[u8]> {
        Ok(&self.get(name, Dtype::U8)?.bytes)
    }

    /// Subsets of `values` things, ascending.
    pub fn subsets(&self, name: &str, values: usize) -> Result<Vec<Vec<u16>>> {
        let Array { shape, bytes, .. } = self.get(name, Dtype::U8)?;
        let row = values.div_ceil(8);
        if !matches!(shape.as_slice(), [_, own] if *own == row) {
            return Err(fail(format!("{name} has another size than the universal set")));
        }
        let indices = |bits: &[u8]| {
            (0..values as u16).filter(|i| bits[usize::from(i / 8)] >> (i % 8) & 1 == 1).collect()
        };
        Ok(bytes.chunks_exact(row).map(indices).collect())
    }

    /// Writes the file. The same content gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Calibration`] where an array cannot be written.
    pub fn save(&self, format: &str, header: &impl Serialize) -> Result<Vec<u8>> {
        let views = self.arrays.iter().map(|(name, array)| Ok((name, array.view()?)));
        let views: Vec<_> = views.collect::<Result<_, safetensors::SafeTensorError>>().map_err(fail)?;
        // A single entry: the order of several would change from run to run.
        let metadata = HashMap::from([(format.to_owned(), serde_json::to_string(header).map_err(fail)?)]);
        let plain = safetensors::serialize(views, Some(metadata)).map_err(fail)?;
        let mut file = GzEncoder::new(Vec::new(), Compression::best());
        file.write_all(&plain).and_then(|()| file.finish()).map_err(fail)
    }

    /// Reads a file of this format.
    ///
    /// # Errors
    /// [`Error::Calibration`] says what is wrong with it.
    pub fn load<H: DeserializeOwned>(format: &str, bytes: &[u8]) -> Result<(Self, H)> {
        let other = || fail("the file is damaged or of another kind");
        let mut plain = Vec::new();
        GzDecoder::new(bytes).take(MAX_BYTES).read_to_end(&mut plain).map_err(|_| other())?;
        let (_, metadata) = SafeTensors::read_metadata(&plain).map_err(|_| other())?;
        let tensors = SafeTensors::deserialize(&plain).map_err(|_| other())?;
        let header = metadata.metadata().as_ref().and_then(|entries| entries.get(format));
        let header =
            header.ok_or_else(|| fail("it is of another kind, or of another version of this program"))?;
        let header = serde_json::from_str(header).map_err(|_| fail("its settings are not understood"))?;
        let array = |(name, tensor): (String, TensorView<'_>)| {
            let (dtype, shape) = (tensor.dtype(), tensor.shape().to_vec());
            (name, Array { dtype, shape, bytes: tensor.data().to_vec() })
        };
        Ok((TensorFile { arrays: tensors.tensors().into_iter().map(array).collect() }, header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn what_was_put_in_comes_out() {
        let mut file = TensorFile::default();
        file.put_f32("a".into(), &[2], [1.5, -2.0]);
        file.put_subsets("b".into(), &[vec![0, 7, 8, 376], vec![]], 377);
        file.put_f32("nan".into(), &[1], [f32::NAN]);
        let bytes = file.save("test-1", &7).unwrap();
        assert_eq!(bytes, file.save("test-1", &7).unwrap());
        let (back, header) = TensorFile::load::<u8>("test-1", &bytes).unwrap();
        assert_eq!(header, 7);
        assert_eq!(back.f32("a").unwrap(), [1.5, -2.0]);
        assert_eq!(back.subsets("b", 377).unwrap(), [vec![0, 7, 8, 376], vec![]]);
        for result in
            [back.f32("nan").err(), back.f32("b").err(), back.subsets("b", 8).err(), back.f32("c").err()]
        {
            assert!(matches!(result, Some(Error::Calibration(_))));
        }
        assert!(TensorFile::load::<u8>("test-2", &bytes).is_err());
        assert!(TensorFile::load::<u8>("test-1", &bytes[..bytes.len() - 9]).is_err());
    }
}
