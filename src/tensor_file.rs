//! Files of named arrays: safetensors, compressed as gzip, with one JSON header under the name of the format. What is read
//! may come from anybody: sizes are known, and bounded, before anything is allocated.

use crate::quant::{PointSets, UniversalSet, WordSets};
use crate::{Error, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use safetensors::tensor::{Dtype, Metadata, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io::{Read, Write};

/// Most bytes of names and shapes. Calibrations of the paper's own RDN have 100 kB of them.
const MAX_HEADER: u64 = 4 << 20;
/// Most bytes of arrays. The paper's own RDN, optimized for five widths, has 120 MB.
pub const MAX_DATA: usize = 192 << 20;
/// How hard to compress, of 9. Measured: files that are made to be downloaded get 4 % smaller by the utmost effort, which in a
/// tab takes as long as optimizing a network does.
const EFFORT: u32 = if cfg!(target_arch = "wasm32") { 4 } else { 9 };

/// A kind of file.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The name under which the header is stored.
    pub name: &'static str,
    /// What is wrong with a file of this kind.
    pub error: fn(String) -> Error,
}

impl Format {
    fn fail(&self, message: impl std::fmt::Display) -> Error {
        (self.error)(message.to_string())
    }
}

/// Arrays by name, to be written.
#[derive(Default)]
pub struct TensorWriter {
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

impl TensorWriter {
    /// Adds numbers.
    pub fn put_f32(&mut self, name: String, shape: &[usize], values: impl IntoIterator<Item = f32>) {
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        self.arrays.insert(name, Array { dtype: Dtype::F32, shape: shape.to_vec(), bytes });
    }

    /// Adds bytes.
    pub fn put_u8(&mut self, name: String, shape: &[usize], bytes: Vec<u8>) {
        self.arrays.insert(name, Array { dtype: Dtype::U8, shape: shape.to_vec(), bytes });
    }

    /// Adds points: a bit for each value of the universal set, the first in the lowest bit, in a row for each subset.
    pub fn put_points(&mut self, name: String, points: &PointSets) {
        let row = points.universal().values().len().div_ceil(8);
        let mut bits = vec![0u8; row * points.len()];
        for (subset, indices) in points.subsets().iter().enumerate() {
            for index in indices {
                bits[subset * row + usize::from(*index / 8)] |= 1 << (index % 8);
            }
        }
        self.put_u8(name, &[points.len(), row], bits);
    }

    /// Writes the file. The same content gives the same bytes.
    ///
    /// # Errors
    /// The format's, where an array cannot be written.
    pub fn save(&self, format: &Format, header: &impl Serialize) -> Result<Vec<u8>> {
        let fail = |error: &dyn std::fmt::Display| format.fail(error);
        let bytes: usize = self.arrays.values().map(|array| array.bytes.len()).sum();
        if bytes > MAX_DATA {
            return Err(format.fail(too_much(bytes)));
        }
        let views = self.arrays.iter().map(|(name, array)| Ok((name, array.view()?)));
        let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>().map_err(|e| fail(&e))?;
        // A single entry: the order of several would change from run to run.
        let header = serde_json::to_string(header).map_err(|e| fail(&e))?;
        let metadata = std::iter::once((format.name.to_owned(), header)).collect();
        let plain = safetensors::serialize(views, Some(metadata)).map_err(|e| fail(&e))?;
        let mut file = GzEncoder::new(Vec::new(), Compression::new(EFFORT));
        file.write_all(&plain).and_then(|()| file.finish()).map_err(|e| fail(&e))
    }
}

/// A file that was read.
pub struct TensorReader {
    format: Format,
    metadata: Metadata,
    data: Vec<u8>,
}

impl TensorReader {
    /// Reads a file of this format.
    ///
    /// # Errors
    /// The format's, which says what is wrong with it.
    pub fn load<H: DeserializeOwned>(format: Format, bytes: &[u8]) -> Result<(Self, H)> {
        let damaged = || format.fail("the file is damaged or of another kind");
        let mut stream = GzDecoder::new(bytes);
        let mut length = [0; 8];
        stream.read_exact(&mut length).map_err(|_| damaged())?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER {
            return Err(damaged());
        }
        let mut header = vec![0; length as usize];
        stream.read_exact(&mut header).map_err(|_| damaged())?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|_| damaged())?;
        let own = metadata.metadata().as_ref().and_then(|entries| entries.get(format.name));
        let own =
            own.ok_or_else(|| format.fail("it is of another kind, or of another version of this program"))?;
        let own = serde_json::from_str(own)
            .map_err(|e| format.fail(format!("its settings are not understood: {e}")))?;
        if metadata.data_len() > MAX_DATA {
            return Err(format.fail(too_much(metadata.data_len())));
        }
        let mut data = vec![0; metadata.data_len()];
        stream.read_exact(&mut data).map_err(|_| damaged())?;
        // The end brings the checksum, and nothing else.
        if !matches!(stream.read(&mut [0]), Ok(0)) {
            return Err(damaged());
        }
        Ok((TensorReader { format, metadata, data }, own))
    }

    /// The names of all arrays, in order.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.metadata.offset_keys();
        names.sort_unstable();
        names
    }

    fn get(&self, name: &str, dtype: Dtype) -> Result<(&[usize], &[u8])> {
        let info = self.metadata.info(name).filter(|info| info.dtype == dtype);
        let found = info.and_then(|info| {
            let (from, to) = info.data_offsets;
            Some((info.shape.as_slice(), self.data.get(from..to)?))
        });
        found.ok_or_else(|| self.format.fail(format!("{name} is missing or damaged")))
    }

    /// Numbers, all finite.
    pub fn f32(&self, name: &str) -> Result<Vec<f32>> {
        let (_, bytes) = self.get(name, Dtype::F32)?;
        let (quads, _) = bytes.as_chunks::<4>();
        let values: Vec<f32> = quads.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if values.iter().all(|v| v.is_finite()) {
            Ok(values)
        } else {
            Err(self.format.fail(format!("{name} is not finite")))
        }
    }

    /// Bytes.
    pub fn u8(&self, name: &str) -> Result<&[u8]> {
        Ok(self.get(name, Dtype::U8)?.1)
    }

    /// Points: `subsets` of them, with at most `most` points each.
    pub fn points(&self, name: &str, word_sets: WordSets, subsets: usize, most: usize) -> Result<PointSets> {
        let (shape, bytes) = self.get(name, Dtype::U8)?;
        let values = UniversalSet::of(word_sets).values().len();
        let row = values.div_ceil(8);
        if shape != [subsets, row] {
            return Err(self.format.fail(format!("{name} does not fit the network or the universal set")));
        }
        let indices = |bits: &[u8]| -> Vec<u16> {
            let set = |(byte, bits): (u16, &u8)| ones(*bits).map(move |bit| 8 * byte + bit);
            (0..).zip(bits).flat_map(set).filter(|index| usize::from(*index) < values).collect()
        };
        let subsets: Vec<Vec<u16>> = bytes.chunks_exact(row).map(indices).collect();
        if subsets.iter().any(|subset| subset.len() > most) {
            return Err(self.format.fail(format!("{name} has more than {most} points")));
        }
        PointSets::new(word_sets, subsets)
    }
}

fn too_much(bytes: usize) -> String {
    format!("it holds {} MB, more than {}", bytes >> 20, MAX_DATA >> 20)
}

/// The places of the bits that are set, from the lowest on.
fn ones(mut bits: u8) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as u16)?;
        bits &= bits - 1;
        Some(lowest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    const FORMAT: Format = Format { name: "test-1", error: Error::Calibration };

    fn compressed(plain: &[u8]) -> Vec<u8> {
        let mut file = GzEncoder::new(Vec::new(), Compression::fast());
        file.write_all(plain).unwrap();
        file.finish().unwrap()
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_was_put_in_comes_out() {
        let four = WordSets::REFERENCE;
        let points = PointSets::new(four, vec![vec![0, 7, 8, 376], vec![]]).unwrap();
        let mut file = TensorWriter::default();
        file.put_f32("a".into(), &[2], [1.5, -2.0]);
        file.put_points("b".into(), &points);
        file.put_f32("nan".into(), &[1], [f32::NAN]);
        let bytes = file.save(&FORMAT, &7).unwrap();
        assert_eq!(bytes, file.save(&FORMAT, &7).unwrap());
        let (back, header) = TensorReader::load::<u8>(FORMAT, &bytes).unwrap();
        assert_eq!((header, back.names()), (7, ["a", "b", "nan"].map(String::from).to_vec()));
        assert_eq!(back.f32("a").unwrap(), [1.5, -2.0]);
        assert_eq!(back.points("b", four, 2, 4).unwrap(), points);
        let wrong = [
            back.f32("nan").err(),
            back.f32("b").err(),
            back.f32("c").err(),
            back.points("b", WordSets::new(2).unwrap(), 2, 4).err(),
            back.points("b", four, 3, 4).err(),
            back.points("b", four, 2, 3).err(),
        ];
        assert!(wrong.iter().all(|error| matches!(error, Some(Error::Calibration(_)))), "{wrong:?}");
        assert!(TensorReader::load::<u8>(Format { name: "test-2", ..FORMAT }, &bytes).is_err());
        assert!(TensorReader::load::<u8>(FORMAT, &bytes[..bytes.len() - 9]).is_err());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn every_cut_and_every_flipped_byte_is_survived() {
        let mut file = TensorWriter::default();
        file.put_f32("a".into(), &[3], [1.0, 2.0, 3.0]);
        let bytes = file.save(&FORMAT, &7).unwrap();
        for end in 0..bytes.len() {
            assert!(TensorReader::load::<u8>(FORMAT, &bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x55;
            let _ = TensorReader::load::<u8>(FORMAT, &flipped).map(|(file, _)| file.f32("a"));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_announces_too_much_is_refused_before_it_is_read() {
        let header = |data: u64| {
            let text = format!(
                "{{\"__metadata__\":{{\"test-1\":\"7\"}},\"a\":{{\"dtype\":\"U8\",\"shape\":[{data}],\"data_offsets\":[0,{data}]}}}}"
            );
            [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
        };
        let load = |plain: &[u8]| TensorReader::load::<u8>(FORMAT, &compressed(plain)).map(|_| ());
        let error = load(&header(1 << 28)).unwrap_err().to_string();
        assert!(error.contains("more than 192"), "{error}");
        assert!(load(&u64::MAX.to_le_bytes()).is_err());
        assert!(load(&[header(4), vec![0; 5]].concat()).is_err(), "more than was announced");
        assert!(load(&[header(4), vec![0; 4]].concat()).is_ok());
    }
}
