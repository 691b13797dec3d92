//! What a graph computes from constants alone on the way to a kernel, computed before anything else looks at the graph: there
//! are no Constant nodes afterwards, and a kernel behind Identity, Cast, Reshape, Transpose, Unsqueeze, DequantizeLinear or
//! arithmetic is a stored tensor as any other.

use super::numbers::{MAX_FOLDED, Raw, numbers, raw, whole_bits};
use crate::network::onnx::{self, Attribute, Graph, Node, Tensor};
use crate::{Error, Result};
use std::collections::HashMap;

/// Bits of the whole numbers that tensors were stored in, by name.
pub type StoredBits = HashMap<String, u8>;

/// Replaces nodes by the tensors that they make of constants. Tells which of these were quantized in the file.
///
/// # Errors
/// [`Error::Network`] for a Constant that holds no numbers, and for nodes that do not fit what they are given.
pub fn fold(graph: &mut Graph, opset: i64) -> Result<StoredBits> {
    let stored = std::mem::take(&mut graph.initializer);
    let mut known: HashMap<String, Tensor> = stored.into_iter().map(|t| (t.name.clone(), t)).collect();
    graph.input.retain(|input| !known.contains_key(&input.name));
    let (mut nodes, mut values) = (Vec::with_capacity(graph.node.len()), 0u64);
    let mut stored = StoredBits::new();
    for node in std::mem::take(&mut graph.node) {
        let made = Folding { node: &node, known: &known, opset }.tensor();
        let made = made.map_err(|what| {
            let name = onnx::node_name(&node);
            Error::Network(format!("its node {name} ({}, operator set {opset}): {what}", node.op_type))
        })?;
        let Some(tensor) = made else {
            nodes.push(node);
            continue;
        };
        values += onnx::length(&tensor).unwrap_or(0) as u64;
        if values > MAX_FOLDED {
            return Err(Error::Network("it computes too much from constants alone".into()));
        }
        if let Some(from) = node.input.first()
            && let Some(bits) = match node.op_type.as_str() {
                "DequantizeLinear" => known.get(from).and_then(|tensor| whole_bits(tensor.data_type)),
                // As many points are told apart by so many bits.
                "GatherElements" => known.get(from).and_then(|points| points.dims.get(1)).map(|points| {
                    (points.max(&1) - 1).checked_ilog2().map_or(1, |highest| highest as u8 + 1)
                }),
                "Cast" => known.get(from).and_then(|codes| code_bits(codes.data_type, &tensor)),
                "Add" | "Mul" => stored.get(from).copied(),
                "Identity" | "Reshape" | "Transpose" | "Squeeze" | "Unsqueeze" => stored.get(from).copied(),
                _ => None,
            }
        {
            stored.insert(tensor.name.clone(), bits);
        }
        known.insert(tensor.name.clone(), tensor);
    }
    graph.node = nodes;
    let mut names: Vec<String> = known.keys().cloned().collect();
    // The same file gives the same graph.
    names.sort_unstable();
    graph.initializer = names.iter().filter_map(|name| known.remove(name)).collect();
    Ok(stored)
}

/// Bits of narrow codes that were cast: of those without a sign, as many as the greatest has.
fn code_bits(kind: i32, cast: &Tensor) -> Option<u8> {
    let bits = whole_bits(kind).filter(|bits| *bits <= 8)?;
    if [Tensor::INT4, Tensor::INT8].contains(&kind) {
        return Some(bits);
    }
    let most = onnx::floats(cast)?.into_iter().fold(1.0, f32::max);
    Some(most.log2() as u8 + 1)
}

/// A shape, and values of it.
type Shaped<T> = (Vec<usize>, Vec<T>);

/// A node that may read constants alone.
struct Folding<'f> {
    node: &'f Node,
    known: &'f HashMap<String, Tensor>,
    opset: i64,
}

impl Folding<'_> {
    /// What it makes. None where it reads something else than constants, or is another operator; in words, what is wrong.
    fn tensor(&self) -> Result<Option<Tensor>, String> {
        let Node { op_type, output, .. } = self.node;
        let [name] = &output[..] else { return Ok(None) };
        let made = match op_type.as_str() {
            "Constant" => Some(self.constant()?),
            "Identity" => self.raw(0)?,
            "Cast" => self.cast()?,
            "Reshape" => self.reshape()?,
            "Transpose" => self.transpose()?,
            "Unsqueeze" | "Squeeze" => self.squeeze()?,
            "DequantizeLinear" => self.dequantized()?,
            "Add" | "Sub" | "Mul" | "Div" => self.arithmetic()?,
            "Sqrt" => self.each(f32::sqrt)?,
            "GatherND" => self.gathered()?,
            "GatherElements" => self.looked_up()?,
            "Round" => self.each(f32::round_ties_even)?,
            "Clip" => match (self.floats(1)?, self.floats(2)?) {
                (Some((_, low)), Some((_, high))) if low.len() == 1 && high.len() == 1 => {
                    self.each(|value| value.max(low[0]).min(high[0]))?
                }
                _ => None,
            },
            _ => None,
        };
        Ok(made.map(|made| made.tensor(name)))
    }

    fn each(&self, change: impl Fn(f32) -> f32) -> Result<Option<Raw>, String> {
        let input = self.floats(0)?;
        Ok(input.map(|(dims, values)| Raw::of_floats(dims, values.into_iter().map(change).collect())))
    }

    fn input(&self, at: usize) -> Option<&Tensor> {
        self.known.get(self.node.input.get(at)?)
    }

    fn raw(&self, at: usize) -> Result<Option<Raw>, String> {
        self.input(at).map_or(Ok(None), raw)
    }

    #[inline(never)]
    fn floats(&self, at: usize) -> Result<Option<Shaped<f32>>, String> {
        let Some(raw) = self.raw(at)? else { return Ok(None) };
        Ok((raw.kind == Tensor::FLOAT).then(|| {
            let values = raw.bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            (raw.dims, values)
        }))
    }

    #[inline(never)]
    fn numbers(&self, at: usize) -> Result<Option<Shaped<f64>>, String> {
        Ok(self
            .raw(at)?
            .and_then(|raw| Some((numbers(&raw)?, raw.dims)))
            .map(|(values, dims)| (dims, values)))
    }

    /// A list of whole numbers: an attribute, or an input from this version of the operators on. None where it is computed.
    #[inline(never)]
    fn list(&self, name: &str, input: usize, since: i64) -> Result<Option<Vec<i64>>, String> {
        if self.opset < since {
            return Ok(onnx::attribute(self.node, name).map(|attribute| attribute.ints.clone()));
        }
        let Some(raw) = self.raw(input)? else { return Ok(None) };
        Ok((raw.kind == Tensor::INT64)
            .then(|| raw.bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()))
    }

    fn constant(&self) -> Result<Raw, String> {
        let of_whole = |dims: Vec<usize>, values: &[i64]| {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            Raw { dims, kind: Tensor::INT64, bytes }
        };
        let Some(attribute) = self.node.attribute.first() else { return Err("it holds no numbers".into()) };
        Ok(match (attribute.name.as_str(), &attribute.t) {
            ("value", Some(tensor)) => {
                raw(tensor)?.ok_or_else(|| format!("it holds numbers of the type {}", tensor.data_type))?
            }
            ("value_float", _) => Raw::of_floats(vec![], vec![attribute.f()]),
            ("value_floats", _) => Raw::of_floats(vec![attribute.floats.len()], attribute.floats.clone()),
            ("value_int", _) => of_whole(vec![], &[attribute.i()]),
            ("value_ints", _) => of_whole(vec![attribute.ints.len()], &attribute.ints),
            _ => return Err("it holds no numbers".into()),
        })
    }

    fn cast(&self) -> Result<Option<Raw>, String> {
        const FLOAT: i64 = Tensor::FLOAT as i64;
        const INT32: i64 = Tensor::INT32 as i64;
        let Some((dims, values)) = self.numbers(0)? else { return Ok(None) };
        Ok(match onnx::int_attribute(self.node, "to") {
            Some(FLOAT) => Some(Raw::of_floats(dims, values.into_iter().map(|value| value as f32).collect())),
            Some(INT32) => {
                let bytes = values.into_iter().flat_map(|value| (value as i32).to_le_bytes()).collect();
                Some(Raw { dims, kind: Tensor::INT32, bytes })
            }
            _ => None,
        })
    }

    /// Points by their codes, row by row.
    fn looked_up(&self) -> Result<Option<Raw>, String> {
        let (Some((points, values)), Some(codes)) = (self.floats(0)?, self.raw(1)?) else { return Ok(None) };
        let (&[rows, each], &[count, size]) = (&points[..], &codes.dims[..]) else { return Ok(None) };
        if codes.kind != Tensor::INT32 || onnx::int_attribute(self.node, "axis") != Some(1) || rows != count {
            return Ok(None);
        }
        let codes = codes.bytes.as_chunks().0.iter().map(|code| i32::from_le_bytes(*code)).enumerate();
        let point = |(at, code): (usize, i32)| {
            let code = usize::try_from(code).ok().filter(|code| *code < each);
            code.map(|code| values[at / size * each + code])
                .ok_or_else(|| format!("code {at} names none of {each} points"))
        };
        let found = codes.map(point).collect::<Result<_, _>>()?;
        Ok(Some(Raw::of_floats(vec![rows, size], found)))
    }

    fn reshape(&self) -> Result<Option<Raw>, String> {
        let all = onnx::int_attribute(self.node, "allowzero").unwrap_or(0);
        let (Some(raw), Some(wanted)) = (self.raw(0)?, self.list("shape", 1, 5)?) else { return Ok(None) };
        let fails = || format!("{:?} does not go into {wanted:?}", raw.dims);
        let side = |(at, side): (usize, &i64)| match *side {
            -1 => Some(1),
            0 if all == 0 => raw.dims.get(at).copied(),
            side => usize::try_from(side).ok(),
        };
        let mut dims: Vec<usize> =
            wanted.iter().enumerate().map(side).collect::<Option<_>>().ok_or_else(fails)?;
        let (count, known) = (count(&raw.dims), count(&dims).filter(|known| *known > 0));
        let (count, known) = count.zip(known).ok_or_else(fails)?;
        let mut open = wanted.iter().enumerate().filter(|(_, side)| **side == -1);
        match (open.next(), open.next()) {
            (Some((at, _)), None) if count.is_multiple_of(known) => dims[at] = count / known,
            (None, None) if known == count => {}
            _ => return Err(fails()),
        }
        Ok(Some(Raw { dims, ..raw }))
    }

    fn transpose(&self) -> Result<Option<Raw>, String> {
        let Some(raw) = self.raw(0)? else { return Ok(None) };
        let rank = raw.dims.len();
        let stated = onnx::attribute(self.node, "perm");
        let order: Vec<usize> = match stated {
            Some(Attribute { ints, .. }) => {
                let axis = |axis: &i64| usize::try_from(*axis).ok().filter(|axis| *axis < rank);
                ints.iter().map(axis).collect::<Option<_>>().unwrap_or_default()
            }
            None => (0..rank).rev().collect(),
        };
        if order.len() != rank || (0..rank).any(|axis| !order.contains(&axis)) {
            return Err(format!("the order {:?} for {rank} axes", stated.map(|perm| &perm.ints)));
        }
        let Some(all) = count(&raw.dims).filter(|all| *all > 0) else { return Ok(Some(raw)) };
        let size = raw.bytes.len() / all;
        // How far apart neighbours along an axis of the result are in the input.
        let distance = |axis: &usize| raw.dims[axis + 1..].iter().product::<usize>();
        let distances: Vec<usize> = order.iter().map(distance).collect();
        let dims: Vec<usize> = order.iter().map(|axis| raw.dims[*axis]).collect();
        let mut bytes = Vec::with_capacity(raw.bytes.len());
        for at in 0..all {
            let (mut rest, mut from) = (at, 0);
            for (side, distance) in dims.iter().zip(&distances).rev() {
                from += rest % side * distance;
                rest /= side;
            }
            bytes.extend_from_slice(&raw.bytes[from * size..][..size]);
        }
        Ok(Some(Raw { dims, bytes, ..raw }))
    }

    fn squeeze(&self) -> Result<Option<Raw>, String> {
        let axes = self.list("axes", 1, 13)?;
        let insert = self.node.op_type == "Unsqueeze";
        let (Some(mut raw), Some(axes)) = (self.raw(0)?, axes) else { return Ok(None) };
        let rank = raw.dims.len() + if insert { axes.len() } else { 0 };
        let axis = |axis: &i64| {
            let at = if *axis < 0 { axis.checked_add(rank as i64)? } else { *axis };
            usize::try_from(at).ok().filter(|at| *at < rank)
        };
        let fails = || format!("the axes {axes:?} of {rank}");
        let mut places: Vec<usize> = axes.iter().map(axis).collect::<Option<_>>().ok_or_else(fails)?;
        places.sort_unstable();
        if rank > 8 || places.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(fails());
        }
        if insert {
            places.into_iter().for_each(|at| raw.dims.insert(at, 1));
        } else if places.iter().all(|at| raw.dims[*at] == 1) {
            for at in places.into_iter().rev() {
                raw.dims.remove(at);
            }
        } else {
            return Err(fails());
        }
        Ok(Some(raw))
    }

    /// Parts of a tensor that are told by the indices of its first axes, as tables of relative positions are read.
    fn gathered(&self) -> Result<Option<Raw>, String> {
        let (Some(raw), Some(at)) = (self.raw(0)?, self.raw(1)?) else { return Ok(None) };
        let Some((depth, places)) = at.dims.split_last() else { return Ok(None) };
        let batches = onnx::int_attribute(self.node, "batch_dims").unwrap_or(0) != 0;
        if batches || at.kind != Tensor::INT64 || !(1..=raw.dims.len()).contains(depth) {
            return Ok(None);
        }
        let (axes, rest) = raw.dims.split_at(*depth);
        let dims = [places, rest].concat();
        let size = raw.bytes.len() / count(&raw.dims).filter(|all| *all > 0).ok_or("it reads nothing")?;
        let part = count(rest).unwrap_or(0) * size;
        if count(&dims).is_none_or(|all| all as u64 > MAX_FOLDED) {
            return Err(format!("it would make a tensor of shape {dims:?}"));
        }
        let indices: Vec<i64> =
            at.bytes.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
        let mut bytes = Vec::with_capacity(places.iter().product::<usize>() * part);
        for list in indices.chunks_exact(*depth) {
            let from = list.iter().zip(axes).try_fold(0, |from, (index, side)| {
                let index = if *index < 0 { index + *side as i64 } else { *index };
                usize::try_from(index).ok().filter(|index| index < side).map(|index| from * side + index)
            });
            let from = from.ok_or_else(|| format!("the indices {list:?} for {:?}", raw.dims))?;
            bytes.extend_from_slice(&raw.bytes[from * part..][..part]);
        }
        Ok(Some(Raw { dims, bytes, ..raw }))
    }

    /// `(x - zero point) * scale`, for all values alike or along an axis.
    fn dequantized(&self) -> Result<Option<Raw>, String> {
        let (Some((dims, values)), Some((scale_dims, scales))) = (self.numbers(0)?, self.floats(1)?) else {
            return Ok(None);
        };
        let zero_points = match self.node.input.get(2).filter(|name| !name.is_empty()) {
            None => vec![0.0; scales.len()],
            Some(_) => match self.numbers(2)? {
                Some((_, zero_points)) => zero_points,
                None => return Ok(None),
            },
        };
        if onnx::int_attribute(self.node, "block_size").unwrap_or(0) != 0 {
            return Ok(None);
        }
        let stated = onnx::int_attribute(self.node, "axis").unwrap_or(1);
        let from_start = if stated < 0 { stated + dims.len() as i64 } else { stated };
        let axis = usize::try_from(from_start).ok().filter(|axis| *axis < dims.len());
        // How many values in a row have one scale, and how many scales there are.
        let (run, sides) = match (scales.len(), axis) {
            (1, _) => (values.len().max(1), 1),
            (count, Some(axis)) if dims[axis] == count => (dims[axis + 1..].iter().product::<usize>(), count),
            _ => return Err(format!("scales of shape {scale_dims:?} for {dims:?}")),
        };
        if zero_points.len() != scales.len() || run == 0 {
            return Err(format!("{} zero points for {} scales", zero_points.len(), scales.len()));
        }
        let value = |(at, value): (usize, f64)| {
            let of = at / run % sides;
            (value - zero_points[of]) as f32 * scales[of]
        };
        Ok(Some(Raw::of_floats(dims, values.into_iter().enumerate().map(value).collect())))
    }

    /// On f32, value by value; repeated along sides of 1.
    fn arithmetic(&self) -> Result<Option<Raw>, String> {
        let (Some((a_dims, a)), Some((b_dims, b))) = (self.floats(0)?, self.floats(1)?) else {
            return Ok(None);
        };
        let rank = a_dims.len().max(b_dims.len());
        let side =
            |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |axis| dims[axis]);
        let dims = (0..rank).map(|axis| match (side(&a_dims, axis), side(&b_dims, axis)) {
            (1, side) | (side, 1) => Some(side),
            (a, b) => (a == b).then_some(a),
        });
        let dims: Option<Vec<usize>> = dims.collect();
        let dims = dims.ok_or_else(|| format!("shapes {a_dims:?} and {b_dims:?} do not fit"))?;
        let all = count(&dims).filter(|all| *all as u64 <= MAX_FOLDED);
        let all = all.ok_or_else(|| format!("it would make a tensor of shape {dims:?}"))?;
        let place = |own: &[usize], at: usize| {
            let (mut rest, mut from, mut distance) = (at, 0, 1);
            for axis in (0..rank).rev() {
                let (index, side) = (rest % dims[axis], side(own, axis));
                rest /= dims[axis];
                from += if side == 1 { 0 } else { index * distance };
                distance *= side;
            }
            from
        };
        let compute = |at: usize| {
            let (x, y) = (a[place(&a_dims, at)], b[place(&b_dims, at)]);
            match self.node.op_type.as_str() {
                "Add" => x + y,
                "Sub" => x - y,
                "Mul" => x * y,
                _ => x / y,
            }
        };
        let values: Vec<f32> = (0..all).map(compute).collect();
        Ok(Some(Raw::of_floats(dims, values)))
    }
}

fn count(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |count, side| count.checked_mul(*side))
}
