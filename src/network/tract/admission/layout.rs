//! Operators that take tensors apart, put them together and turn them around.

use super::call::{Call, broadcast};
use super::{Fact, Kind, MAX_AXES, MAX_FOLLOWED};

pub fn concat(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 4096)?;
    let first = call.input(0)?;
    if !call.has("axis") {
        return Err("its attribute axis is missing".into());
    }
    let axis = call.axis(call.int("axis", 0)?, first.rank())?;
    let mut result = Fact { values: Some(Vec::new()), ..first.clone() };
    result.dims[axis] = 0;
    for at in 0..call.inputs.len() {
        let Fact { dims, kind, values, constant } = call.input(at)?;
        let fits =
            dims.len() == first.rank() && (0..dims.len()).all(|i| i == axis || dims[i] == first.dims[i]);
        if !fits || *kind != first.kind {
            return Err(format!("shapes {:?} and {dims:?} do not fit", first.dims));
        }
        result.dims[axis] = result.dims[axis].checked_add(dims[axis]).ok_or("it is too long")?;
        result.constant &= constant;
        result.values = result.values.zip(values.as_ref()).map(|(mut all, values)| {
            all.extend(values);
            all
        });
    }
    if first.rank() > 1 {
        result.values = None;
    }
    Ok(result)
}

pub fn split(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.arity(1, 2)?;
    let (input, outputs) = (call.input(0)?, call.node.output.len() as u64);
    let axis = call.axis(call.int("axis", 0)?, input.rank())?;
    let side = input.dims[axis];
    let parts = match call.list("split", 1, 13)? {
        Some(parts) => parts,
        None if outputs > 0 && side.is_multiple_of(outputs) => {
            vec![(side / outputs) as i64; outputs as usize]
        }
        None => return Err(format!("{side} in {outputs} equal parts")),
    };
    let fits = parts.len() as u64 == outputs && parts.iter().all(|part| *part > 0 && *part as u64 <= side);
    if !fits || parts.iter().map(|part| *part as u64).sum::<u64>() != side {
        return Err(format!("{side} in {outputs} parts of {parts:?}"));
    }
    let part = |length: &i64| {
        let mut dims = input.dims.clone();
        dims[axis] = *length as u64;
        Fact { dims, values: None, ..input.clone() }
    };
    Ok(parts.iter().map(part).collect())
}

pub fn slice(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 5)?;
    let input = call.input(0)?;
    let missing = || "it does not say from where to where".to_owned();
    let (starts, ends) =
        (call.list("starts", 1, 10)?.ok_or_else(missing)?, call.list("ends", 2, 10)?.ok_or_else(missing)?);
    let axes = call.list("axes", 3, 10)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = if call.opset < 10 { None } else { call.whole(4)? }.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("its lists differ in length".into());
    }
    let axes = call.axes(&axes, input.rank())?;
    let mut result = Fact { values: None, ..input.clone() };
    let (mut first, mut step_of) = (vec![0; input.rank()], vec![1; input.rank()]);
    for (i, axis) in axes.into_iter().enumerate() {
        let (side, step) = (input.dims[axis] as i64, steps[i]);
        let place = |at: i64| if at < 0 { at.saturating_add(side) } else { at };
        let (from, to) = if step > 0 {
            (place(starts[i]).clamp(0, side), place(ends[i]).clamp(0, side))
        } else {
            (place(starts[i]).clamp(0, side - 1), place(ends[i]).clamp(-1, side - 1))
        };
        let length = match step {
            0 => return Err("a step of 0".into()),
            1.. => (to - from).max(0) as u64,
            _ => (from - to).max(0) as u64,
        };
        let count = length.div_ceil(step.unsigned_abs());
        result.dims[axis] = count;
        (first[axis], step_of[axis]) = (from, step);
    }
    let place = |index: &[u64], axis: usize| (first[axis] + index[axis] as i64 * step_of[axis]) as u64;
    result.values = picked(input, &result.dims, place);
    Ok(result)
}

/// The values of a tensor of this shape, each from where it is in the input along every axis.
fn picked(input: &Fact, dims: &[u64], place: impl Fn(&[u64], usize) -> u64) -> Option<Vec<f64>> {
    let values = input.values.as_ref()?;
    let count = dims.iter().product::<u64>();
    let mut index = vec![0; dims.len()];
    let mut result = Vec::new();
    for at in 0..count {
        let mut rest = at;
        for axis in (0..dims.len()).rev() {
            (index[axis], rest) = (rest % dims[axis], rest / dims[axis]);
        }
        let flat = (0..input.rank()).fold(0, |flat, axis| flat * input.dims[axis] + place(&index, axis));
        result.push(*values.get(flat as usize)?);
    }
    Some(result)
}

/// One value all over; its shape is known.
pub fn constant_of_shape(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 1)?;
    let sides = call.whole(0)?.ok_or("its shape is missing")?;
    let dims: Option<Vec<u64>> = sides.iter().map(|side| u64::try_from(*side).ok()).collect();
    let dims = dims.ok_or_else(|| format!("the shape {sides:?}"))?;
    let value = match call.tensor("value")? {
        None => Fact { dims: vec![1], kind: Kind::Float, values: Some(vec![0.0]), constant: true },
        Some(tensor) => Fact::stored(tensor)?,
    };
    let known = value.values.as_ref().and_then(|values| values.first()).ok_or("it has no value")?;
    let result = Fact { dims, kind: value.kind, values: None, constant: true };
    let count = result.count().filter(|count| *count <= MAX_FOLLOWED);
    Ok(Fact { values: count.map(|count| vec![*known; count as usize]), ..result })
}

pub fn gather(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(2, 2)?;
    let (data, indices) = (call.input(0)?, call.input(1)?);
    let axis = call.axis(call.int("axis", 0)?, data.rank())?;
    let list = indices.values.as_ref().filter(|_| indices.kind == Kind::Integer);
    let list = list.ok_or("its indices are computed from the image")?;
    let side = data.dims[axis] as i64;
    let places = list.iter().map(|index| {
        let index = *index as i64;
        if (-side..side).contains(&index) {
            Ok(index.rem_euclid(side) as usize)
        } else {
            Err(format!("there is no index {index} among {side}"))
        }
    });
    let places: Vec<usize> = places.collect::<Result<_, _>>()?;
    let dims = [&data.dims[..axis], &indices.dims, &data.dims[axis + 1..]].concat();
    let known = data.values.as_ref().filter(|_| data.rank() == 1);
    let values = known.map(|values| places.iter().map(|at| values[*at]).collect());
    Ok(Fact { dims, values, kind: data.kind, constant: data.constant && indices.constant })
}

/// A shape is known, although the image is not.
pub fn shape(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 1)?;
    let dims = &call.input(0)?.dims;
    let place = |at: i64| {
        (if at < 0 { at.saturating_add(dims.len() as i64) } else { at }).clamp(0, dims.len() as i64) as usize
    };
    let (from, to) = (place(call.int("start", 0)?), place(call.int("end", i64::MAX)?));
    let values: Vec<f64> = dims.get(from..to).unwrap_or_default().iter().map(|side| *side as f64).collect();
    Ok(Fact { dims: vec![values.len() as u64], kind: Kind::Integer, values: Some(values), constant: true })
}

pub fn reshape(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(2, 2)?;
    let (input, wanted) = (call.input(0)?, call.whole(1)?.ok_or("its shape is missing")?);
    // Exporters write this everywhere; it matters only where a side is 0.
    if call.int("allowzero", 0)? != 0 && wanted.contains(&0) {
        return Err("it makes a side of 0".into());
    }
    let fails = || format!("{:?} does not go into {wanted:?}", input.dims);
    if wanted.len() > MAX_AXES || wanted.iter().filter(|side| **side == -1).count() > 1 {
        return Err(fails());
    }
    let side = |(at, side): (usize, &i64)| match *side {
        -1 => Some(1),
        0 => input.dims.get(at).copied(),
        side => u64::try_from(side).ok(),
    };
    let mut dims: Vec<u64> = wanted.iter().enumerate().map(side).collect::<Option<_>>().ok_or_else(fails)?;
    let known = dims.iter().try_fold(1u64, |count, side| count.checked_mul(*side)).ok_or_else(fails)?;
    let count = input.count().ok_or_else(fails)?;
    if let Some(open) = wanted.iter().position(|side| *side == -1) {
        dims[open] =
            if known > 0 && count.is_multiple_of(known) { count / known } else { return Err(fails()) };
    } else if known != count {
        return Err(fails());
    }
    Ok(Fact { dims, ..input.clone() })
}

pub fn flatten(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 1)?;
    let input = call.input(0)?;
    let at = match call.int("axis", 1)? {
        axis if axis == input.rank() as i64 => input.rank(),
        axis => call.axis(axis, input.rank())?,
    };
    let count = |dims: &[u64]| dims.iter().product();
    Ok(Fact { dims: vec![count(&input.dims[..at]), count(&input.dims[at..])], values: None, ..input.clone() })
}

/// Repeated along sides of 1.
pub fn expand(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(2, 2)?;
    let (input, wanted) = (call.input(0)?, call.whole(1)?.ok_or("its shape is missing")?);
    let sides: Option<Vec<u64>> = wanted.iter().map(|side| u64::try_from(*side).ok()).collect();
    let dims = sides.and_then(|sides| broadcast(&input.dims, &sides));
    let dims = dims.ok_or_else(|| format!("{:?} cannot be repeated to {wanted:?}", input.dims))?;
    let result = Fact { dims, values: None, ..input.clone() };
    let same = result.count() == input.count();
    Ok(Fact { values: input.values.clone().filter(|_| same), ..result })
}

/// Axes of one place, away or in.
pub fn squeeze(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 2)?;
    let input = call.input(0)?;
    let axes = call.list("axes", 1, 13)?;
    let mut dims = input.dims.clone();
    if call.node.op_type == "Unsqueeze" {
        let axes = axes.ok_or("its axes are missing")?;
        let mut axes = call.axes(&axes, input.rank() + axes.len())?;
        axes.sort_unstable();
        axes.iter().for_each(|axis| dims.insert(*axis, 1));
    } else {
        let all = || (0..dims.len()).filter(|axis| dims[*axis] == 1).map(|axis| axis as i64).collect();
        let mut axes = call.axes(&axes.unwrap_or_else(all), input.rank())?;
        axes.sort_unstable();
        if let Some(axis) = axes.iter().find(|axis| dims[**axis] != 1) {
            return Err(format!("axis {axis} of {:?} is not 1", input.dims));
        }
        axes.iter().for_each(|axis| dims[*axis] = 0);
        dims.retain(|side| *side > 0);
    }
    Ok(Fact { dims, ..input.clone() })
}

pub fn transpose(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 1)?;
    let input = call.input(0)?;
    let order = match call.ints("perm")? {
        Some(order) if order.len() == input.rank() => call.axes(order, input.rank())?,
        Some(order) => return Err(format!("the order {order:?} for {} axes", input.rank())),
        None => (0..input.rank()).rev().collect(),
    };
    let dims: Vec<u64> = order.iter().map(|axis| input.dims[*axis]).collect();
    let place =
        |index: &[u64], axis: usize| order.iter().position(|from| *from == axis).map_or(0, |at| index[at]);
    Ok(Fact { values: picked(input, &dims, place), dims, ..input.clone() })
}

/// Parts that are told by the indices of the first axes.
pub fn gather_nd(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(2, 2)?;
    let (input, at) = (call.input(0)?, call.input(1)?);
    if call.int("batch_dims", 0)? != 0 || at.kind != Kind::Integer {
        return Err("it gathers image by image".into());
    }
    let values = at.values.as_ref().ok_or("its indices cannot be told from the file")?;
    let (depth, places) = at.dims.split_last().ok_or("it has no indices")?;
    let depth = usize::try_from(*depth).ok().filter(|depth| (1..=input.rank()).contains(depth));
    let depth = depth.ok_or_else(|| format!("indices of shape {:?} for {:?}", at.dims, input.dims))?;
    let (axes, rest) = input.dims.split_at(depth);
    let inside = |(index, side): (&f64, &u64)| (-(*side as f64)..*side as f64).contains(index);
    if !values.chunks_exact(depth).all(|list| list.iter().zip(axes).all(inside)) {
        return Err(format!("it reads outside of {:?}", input.dims));
    }
    let dims = [places, rest].concat();
    Ok(Fact { dims, kind: input.kind, values: None, constant: input.constant && at.constant })
}

/// By mean and deviation over the last axes.
pub fn layer_normalization(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(2, 3)?;
    let input = call.input(0)?;
    let axis = call.axis(call.int("axis", -1)?, input.rank())?;
    let fits = |fact: &Fact| {
        fact.kind == Kind::Float
            && broadcast(&input.dims[axis..], &fact.dims).as_deref() == Some(&input.dims[axis..])
    };
    if input.kind != Kind::Float || !call.inputs.iter().skip(1).flatten().all(|fact| fits(fact)) {
        return Err(format!("its scale and bias do not fit {:?} from axis {axis} on", input.dims));
    }
    Ok(Fact { values: None, ..input.clone() })
}

/// Whole numbers from one to another.
pub fn range(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(3, 3)?;
    let one = |at: usize| match call.whole(at)?.as_deref() {
        Some([value]) => Ok(*value),
        _ => Err(format!("its input {at} is not one number")),
    };
    let (from, to, step) = (one(0)?, one(1)?, one(2)?);
    let far = |value: i64| value.unsigned_abs() >= 1 << 31;
    if step == 0 || [from, to, step].into_iter().any(far) {
        return Err(format!("from {from} to {to} in steps of {step}"));
    }
    let way = if step > 0 { to - from } else { from - to };
    let count = (way.max(0) as u64).div_ceil(step.unsigned_abs());
    let values =
        (count <= MAX_FOLLOWED).then(|| (0..count).map(|at| (from + at as i64 * step) as f64).collect());
    Ok(Fact { dims: vec![count], kind: Kind::Integer, values, constant: true })
}

/// So many times along every axis.
pub fn tile(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(2, 2)?;
    let (input, times) = (call.input(0)?, call.whole(1)?.ok_or("how often is missing")?);
    let side = |(side, times): (&u64, &i64)| {
        side.checked_mul(u64::try_from(*times).ok().filter(|times| (1..=1 << 16).contains(times))?)
    };
    let dims: Option<Vec<u64>> = input.dims.iter().zip(&times).map(side).collect();
    let dims = dims
        .filter(|_| times.len() == input.rank())
        .ok_or_else(|| format!("{times:?} times {:?}", input.dims))?;
    Ok(Fact { dims, values: None, ..input.clone() })
}

pub fn reduce(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 2)?;
    let input = call.input(0)?;
    let since = if call.node.op_type == "ReduceSum" { 13 } else { 18 };
    let axes = call.list("axes", 1, since)?;
    if call.opset < since && axes.as_ref().is_some_and(Vec::is_empty) {
        return Err("its attribute axes is empty, which readers understand in two ways".into());
    }
    let axes = axes.filter(|axes| !axes.is_empty());
    if axes.is_none() && call.int("noop_with_empty_axes", 0)? != 0 {
        return Ok(Fact { values: None, ..input.clone() });
    }
    let axes = call.axes(&axes.unwrap_or_else(|| (0..input.rank() as i64).collect()), input.rank())?;
    let keep = call.int_within("keepdims", 1, [0, 1])? == 1;
    let side = |axis: usize| if axes.contains(&axis) { keep.then_some(1) } else { Some(input.dims[axis]) };
    Ok(Fact { dims: (0..input.rank()).filter_map(side).collect(), values: None, ..input.clone() })
}
