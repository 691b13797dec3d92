//! Weights that lie in files beside the network's ("external data"), as exporters write them today.

use super::MAX_BYTES;
use super::proto::{Model, Tensor};
use crate::{Error, Result};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

/// Where the numbers of a tensor are that are in another file.
struct Place {
    file: String,
    offset: usize,
    /// Without, to the end.
    length: Option<usize>,
}

fn place(tensor: &Tensor) -> Result<Option<Place>> {
    if tensor.external_data.is_empty() {
        return Ok(None);
    }
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let wrong = |what: &str| Error::Network(format!("the tensor {} does not say {what}", tensor.name));
    let number = |key: &str| {
        let text =
            entry(key).map(|text| text.parse().map_err(|_| wrong(&format!("its {key} in the second file"))));
        text.transpose()
    };
    let file = entry("location").ok_or_else(|| wrong("in which file it is"))?.clone();
    Ok(Some(Place { file, offset: number("offset")?.unwrap_or(0), length: number("length")? }))
}

fn decode(bytes: &[u8]) -> Result<Model> {
    Model::decode(bytes).map_err(|_| Error::Network("the file is not an ONNX model, or is cut short".into()))
}

fn tensors(model: &mut Model) -> impl Iterator<Item = &mut Tensor> {
    let graph = model.graph.iter_mut();
    graph.flat_map(|graph| {
        let constants =
            graph.node.iter_mut().flat_map(|node| &mut node.attribute).filter_map(|a| a.t.as_mut());
        graph.initializer.iter_mut().chain(constants)
    })
}

/// The files that hold weights of a network, as it calls them: paths from the folder that it lies in.
///
/// # Errors
/// [`Error::Network`] for what is no ONNX file, and for paths that lead out of this folder.
pub fn second_files(bytes: &[u8]) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    for tensor in tensors(&mut decode(bytes)?) {
        if let Some(Place { file, .. }) = place(tensor)? {
            let leads_out = file.split(['/', '\\']).any(|part| part == "..")
                || file.starts_with(['/', '\\'])
                || file.contains(':');
            if leads_out || file.is_empty() {
                return Err(Error::Network(format!("its weights are in {file}, which is not beside it")));
            }
            names.insert(file);
        }
    }
    Ok(names.into_iter().collect())
}

/// The network with its weights in one file, from it and the contents of its [`second_files`].
///
/// # Errors
/// [`Error::Network`] for a file that is missing, or too short for what should be in it.
pub fn join(bytes: &[u8], files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut model = decode(bytes)?;
    let mut total = bytes.len();
    for tensor in tensors(&mut model) {
        let Some(Place { file, offset, length }) = place(tensor)? else { continue };
        let missing =
            || Error::Network(format!("its weights are in a second file, {file}: open both together"));
        let contents = files.get(&file).ok_or_else(missing)?;
        let rest = contents.get(offset..);
        let part = rest.and_then(|rest| rest.get(..length.unwrap_or(rest.len())));
        let short = || {
            Error::Network(format!(
                "{file} is too short for the tensor {}: is it of this network?",
                tensor.name
            ))
        };
        let part = part.ok_or_else(short)?;
        total += part.len();
        if total > MAX_BYTES {
            return Err(Error::Network(format!("its weights take more than {} MB", MAX_BYTES >> 20)));
        }
        tensor.raw_data = part.to_vec();
        tensor.external_data.clear();
        tensor.data_location = 0;
    }
    Ok(model.encode_to_vec())
}
