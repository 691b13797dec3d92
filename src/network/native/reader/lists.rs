//! Lists of whole numbers on their way through a graph: stored, or computed from the sizes of images.

use super::{Reader, onnx};
use crate::network::native::numbers::{Arithmetic, Number, Source};
use crate::network::native::resample::place;
use crate::network::onnx::{Node, Tensor};

/// Longest list that is looked at.
const MOST: usize = 64;

/// A tensor of whole numbers.
#[derive(Clone)]
pub struct List {
    dims: Vec<usize>,
    pub values: Vec<Number>,
}

impl List {
    fn flat(values: Vec<Number>) -> Self {
        List { dims: vec![values.len()], values }
    }
}

impl Reader {
    /// Keeps a stored list, if it is short enough to be one of sizes.
    pub fn keep_list(&mut self, tensor: &Tensor) {
        let Some(values) = onnx::whole(tensor).filter(|values| values.len() <= MOST) else { return };
        let dims = tensor.dims.iter().map(|side| *side as usize).collect();
        let values = values.into_iter().map(|value| self.numbers.add(Source::Constant(value))).collect();
        self.lists.insert(tensor.name.clone(), List { dims, values });
    }

    /// Whole numbers, if each is the same for all sizes.
    fn constants(&self, name: &str) -> Option<Vec<i64>> {
        let list = self.lists.get(name)?;
        list.values.iter().map(|number| self.numbers.constant(*number)).collect()
    }

    /// Whole numbers that are the same for all sizes: an attribute, or an input.
    pub fn whole(&self, node: &Node, name: &str, at: usize) -> Option<Vec<i64>> {
        match onnx::attribute(node, name) {
            Some(attribute) => Some(attribute.ints.clone()),
            None => self.constants(node.input.get(at)?),
        }
    }

    /// Whole numbers: an attribute, or an input.
    pub fn sizes(&mut self, node: &Node, name: &str, at: usize) -> Option<Vec<Number>> {
        match onnx::attribute(node, name) {
            Some(attribute) if attribute.ints.len() <= MOST => {
                Some(attribute.ints.iter().map(|value| self.numbers.add(Source::Constant(*value))).collect())
            }
            Some(_) => None,
            None => self.lists.get(node.input.get(at)?).map(|list| list.values.clone()),
        }
    }

    /// Computes a list, where the node makes one. False where it does not.
    pub fn computes_list(&mut self, node: &Node) -> bool {
        let made = match &node.output[..] {
            [name] if !name.is_empty() => self.computed(node).filter(|list| list.values.len() <= MOST),
            _ => None,
        };
        let known = made.is_some();
        if let Some(list) = made {
            self.lists.insert(node.output[0].clone(), list);
        }
        known
    }

    fn computed(&mut self, node: &Node) -> Option<List> {
        let input = |at: usize| node.input.get(at).map(String::as_str).unwrap_or_default();
        let int = |name: &str, otherwise: i64| onnx::int_attribute(node, name).unwrap_or(otherwise);
        match node.op_type.as_str() {
            "Shape" if self.lists.contains_key(input(0)) => {
                let dims = self.lists[input(0)].dims.clone();
                let sides = dims.into_iter().map(|side| self.numbers.add(Source::Constant(side as i64)));
                Some(List::flat(sides.collect()))
            }
            "Shape" => {
                let value = self.value(input(0)).ok()?;
                let channels = i64::try_from(self.extents[value].channels).ok()?;
                let sides = [
                    Source::Constant(1),
                    Source::Constant(channels),
                    Source::Side(value, 0),
                    Source::Side(value, 1),
                ];
                let [start, end] = [int("start", 0), int("end", 4)].map(|at| place(at, 4) as usize);
                let wanted = sides.get(start..end)?;
                Some(List::flat(wanted.iter().map(|side| self.numbers.add(*side)).collect()))
            }
            "Identity" => self.lists.get(input(0)).cloned(),
            // What was made of sizes stays what it is; there is no fraction to cut off.
            "Cast" if [Tensor::INT64, Tensor::INT32].map(i64::from).contains(&int("to", 0)) => {
                self.lists.get(input(0)).cloned()
            }
            "Gather" if int("axis", 0) == 0 => {
                let (list, at) = (self.lists.get(input(0))?, self.lists.get(input(1))?);
                let places = self.constants(input(1))?;
                let length = list.values.len() as i64;
                let [_] = list.dims[..] else { return None };
                let value = |at: &i64| {
                    let at = if *at < 0 { at.checked_add(length)? } else { *at };
                    list.values.get(usize::try_from(at).ok()?).copied()
                };
                Some(List { dims: at.dims.clone(), values: places.iter().map(value).collect::<Option<_>>()? })
            }
            "Slice" => {
                let list = self.lists.get(input(0))?.clone();
                let [start] = self.whole(node, "starts", 1)?[..] else { return None };
                let [end] = self.whole(node, "ends", 2)?[..] else { return None };
                let step = match input(4) {
                    "" => 1,
                    name => *self.constants(name)?.first()?,
                };
                let axis = match input(3).is_empty() && onnx::attribute(node, "axes").is_none() {
                    true => 0,
                    false => *self.whole(node, "axes", 3)?.first()?,
                };
                sliced(&list, axis, [start, end, step])
            }
            "Concat" if int("axis", 0) == 0 => {
                let lists: Option<Vec<&List>> = node.input.iter().map(|name| self.lists.get(name)).collect();
                let lists = lists?;
                let is_flat = lists.iter().all(|list| list.dims.len() == 1);
                is_flat.then(|| List::flat(lists.iter().flat_map(|list| list.values.clone()).collect()))
            }
            // Between a number and a list of one: what is of more is no list of sizes.
            "Unsqueeze" | "Squeeze" => {
                let list = self.lists.get(input(0))?.clone();
                match (node.op_type.as_str(), &list.dims[..]) {
                    ("Unsqueeze", []) => Some(List::flat(list.values)),
                    ("Squeeze", [1]) => Some(List { dims: vec![], ..list }),
                    _ => None,
                }
            }
            "Reshape" => {
                let list = self.lists.get(input(0))?.clone();
                let wanted = self.constants(input(1))?;
                let count = list.values.len();
                let dims: Option<Vec<usize>> = match wanted[..] {
                    [-1] => Some(vec![count]),
                    [-1, side] => usize::try_from(side).ok().filter(|s| *s > 0).map(|s| vec![count / s, s]),
                    _ => wanted.iter().map(|side| usize::try_from(*side).ok()).collect(),
                };
                let dims = dims?;
                (dims.iter().try_fold(1usize, |all, side| all.checked_mul(*side))? == count)
                    .then_some(List { dims, ..list })
            }
            "Transpose" => {
                let list = self.lists.get(input(0))?;
                let [rows, columns] = list.dims[..] else { return None };
                let order = onnx::attribute(node, "perm").map_or(&[1, 0][..], |attribute| &attribute.ints);
                let turned = (0..columns).flat_map(|x| (0..rows).map(move |y| y * columns + x));
                (order == [1, 0]).then(|| List {
                    dims: vec![columns, rows],
                    values: turned.map(|at| list.values[at]).collect(),
                })
            }
            "ConstantOfShape" => {
                let [count] = self.constants(input(0))?[..] else { return None };
                let count = usize::try_from(count).ok().filter(|count| *count <= MOST)?;
                let value = match onnx::attribute(node, "value") {
                    Some(attribute) => *onnx::whole(attribute.t.as_ref()?)?.first()?,
                    // Else it is an f32.
                    None => return None,
                };
                let number = self.numbers.add(Source::Constant(value));
                Some(List::flat(vec![number; count]))
            }
            name => {
                let arithmetic = Arithmetic::named(name).filter(|_| int("fmod", 0) == 0)?;
                let [a, b] = &node.input[..] else { return None };
                let (a, b) = (self.lists.get(a)?.clone(), self.lists.get(b)?.clone());
                let count = a.values.len().max(b.values.len());
                let size = |list: &List| (list.values.len(), list.dims.len());
                let longer = if size(&a) >= size(&b) { &a } else { &b };
                let fits = |list: &List| list.values.len() == 1 || list.values.len() == count;
                if !fits(&a) || !fits(&b) || longer.values.len() != count || longer.dims.len() > 1 {
                    return None;
                }
                let at = |list: &List, at: usize| list.values[if list.values.len() == 1 { 0 } else { at }];
                let each = |i: usize| self.numbers.add(Source::Of(arithmetic, [at(&a, i), at(&b, i)]));
                Some(List { dims: longer.dims.clone(), values: (0..count).map(each).collect() })
            }
        }
    }
}

/// Rows of a list of rows, or entries of a list of entries, forwards or backwards.
fn sliced(list: &List, axis: i64, [start, end, step]: [i64; 3]) -> Option<List> {
    let (length, each) = match list.dims[..] {
        [length] => (length as i64, 1),
        [rows, columns] => (rows as i64, columns),
        _ => return None,
    };
    if axis.rem_euclid(list.dims.len() as i64) != 0 {
        return None;
    }
    if length == 0 {
        return Some(list.clone());
    }
    let from_start = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let places: Vec<i64> = match step {
        1 => (place(start, length)..place(end, length)).collect(),
        -1 => {
            let (first, beyond) =
                (from_start(start).clamp(0, length - 1), from_start(end).clamp(-1, length - 1));
            (beyond + 1..=first).rev().collect()
        }
        _ => return None,
    };
    let rows = places.iter().map(|at| &list.values[*at as usize * each..][..each]);
    let values: Vec<Number> = rows.flatten().copied().collect();
    let mut dims = list.dims.clone();
    dims[0] = places.len();
    Some(List { dims, values })
}
