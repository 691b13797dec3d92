//! A node with what it is given.

use super::{Fact, Kind, MAX_AXES};
use crate::network::graph::Conv;
use crate::network::onnx::{Attribute, Node, Tensor};

/// A node and what is known of its inputs.
pub struct Call<'a> {
    pub node: &'a Node,
    /// The convolution that it is.
    pub conv: Option<Conv>,
    /// Version of the operators.
    pub opset: i64,
    /// None where an optional input is left out.
    pub inputs: Vec<Option<&'a Fact>>,
}

/// The shape of what two tensors give value by value.
pub fn broadcast(a: &[u64], b: &[u64]) -> Option<Vec<u64>> {
    let rank = a.len().max(b.len());
    let side = |dims: &[u64], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |axis| dims[axis]);
    let sides = (0..rank).map(|axis| match (side(a, axis), side(b, axis)) {
        (1, side) | (side, 1) => Some(side),
        (a, b) => (a == b).then_some(a),
    });
    sides.collect()
}

/// Values along one axis that are computed from others, where all are [exact](Fact::exact).
fn known<const N: usize>(
    facts: [&Fact; N],
    dims: &[u64],
    compute: impl Fn([f64; N]) -> f64,
) -> Option<Vec<f64>> {
    let count = match dims {
        [] => 1,
        [side] => usize::try_from(*side).ok()?,
        _ => return None,
    };
    if facts.iter().any(|fact| !fact.exact()) {
        return None;
    }
    let value = |fact: &Fact, at: usize| {
        let values = fact.values.as_deref().unwrap_or_default();
        values.get(if values.len() == 1 { 0 } else { at }).copied().unwrap_or(f64::NAN)
    };
    Some((0..count).map(|at| compute(facts.map(|fact| value(fact, at)))).collect())
}

impl<'a> Call<'a> {
    /// Refuses fewer or more inputs.
    pub fn arity(&self, least: usize, most: usize) -> Result<(), String> {
        let count = self.inputs.len();
        if (least..=most).contains(&count) { Ok(()) } else { Err(format!("it has {count} inputs")) }
    }

    /// An input that must be there.
    pub fn input(&self, at: usize) -> Result<&'a Fact, String> {
        self.optional(at).ok_or_else(|| format!("its input {at} is missing"))
    }

    /// An input that may be left out.
    pub fn optional(&self, at: usize) -> Option<&'a Fact> {
        self.inputs.get(at).copied().flatten()
    }

    /// An input of four axes.
    pub fn image(&self, at: usize) -> Result<[u64; 4], String> {
        let dims = &self.input(at)?.dims;
        dims.as_slice()
            .try_into()
            .map_err(|_| format!("its input {at} has the shape {dims:?}, not four axes"))
    }

    fn attribute(&self, name: &str, kind: i32) -> Result<Option<&'a Attribute>, String> {
        let found = self.node.attribute.iter().find(|attribute| attribute.name == name);
        match found {
            Some(attribute) if attribute.r#type != kind => {
                Err(format!("its attribute {name} is of the wrong type"))
            }
            found => Ok(found),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.node.attribute.iter().any(|attribute| attribute.name == name)
    }

    pub fn int(&self, name: &str, otherwise: i64) -> Result<i64, String> {
        Ok(self.attribute(name, Attribute::INT)?.map_or(otherwise, |attribute| attribute.i()))
    }

    /// A whole number within bounds.
    pub fn int_within(&self, name: &str, otherwise: i64, [least, most]: [i64; 2]) -> Result<u64, String> {
        match self.int(name, otherwise)? {
            value if (least..=most).contains(&value) => Ok(value as u64),
            value => Err(format!("its attribute {name} is {value}, not {least} to {most}")),
        }
    }

    pub fn ints(&self, name: &str) -> Result<Option<&'a [i64]>, String> {
        Ok(self.attribute(name, Attribute::INTS)?.map(|attribute| &attribute.ints[..]))
    }

    /// So many whole numbers within bounds.
    pub fn ints_within<const N: usize>(
        &self,
        name: &str,
        otherwise: Option<i64>,
        [least, most]: [i64; 2],
    ) -> Result<[u64; N], String> {
        let list = match (self.ints(name)?, otherwise) {
            (Some(list), _) => list.to_vec(),
            (None, Some(value)) => vec![value; N],
            (None, None) => return Err(format!("its attribute {name} is missing")),
        };
        let array = <[i64; N]>::try_from(list.as_slice())
            .ok()
            .filter(|list| list.iter().all(|v| (least..=most).contains(v)));
        array
            .map(|list| list.map(|v| v as u64))
            .ok_or_else(|| format!("its attribute {name} is {list:?}, not {N} numbers of {least} to {most}"))
    }

    /// A word of a list, or nothing.
    pub fn word(&self, name: &str, known: &[&str]) -> Result<Option<&'a str>, String> {
        let Some(attribute) = self.attribute(name, Attribute::STRING)? else { return Ok(None) };
        let word = std::str::from_utf8(&attribute.s).ok().filter(|word| known.contains(word));
        word.map(Some).ok_or_else(|| {
            format!(
                "its attribute {name} is {:?}, not one of {known:?}",
                String::from_utf8_lossy(&attribute.s)
            )
        })
    }

    pub fn tensor(&self, name: &str) -> Result<Option<&'a Tensor>, String> {
        Ok(self.attribute(name, Attribute::TENSOR)?.and_then(|attribute| attribute.t.as_ref()))
    }

    pub fn floats(&self, name: &str) -> Result<Option<Vec<f64>>, String> {
        let attribute = self.attribute(name, Attribute::FLOATS)?;
        Ok(attribute.map(|attribute| attribute.floats.iter().map(|v| f64::from(*v)).collect()))
    }

    /// An axis, counted from the end where it is negative.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, String> {
        let from_start = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        let inside = from_start.and_then(|axis| usize::try_from(axis).ok()).filter(|axis| *axis < rank);
        inside.ok_or_else(|| format!("there is no axis {axis} among {rank}"))
    }

    /// Axes, none of them twice.
    pub fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, String> {
        if axes.len() > MAX_AXES {
            return Err(format!("it has {} axes", axes.len()));
        }
        let axes: Vec<usize> = axes.iter().map(|axis| self.axis(*axis, rank)).collect::<Result<_, _>>()?;
        let twice = axes.iter().enumerate().any(|(i, axis)| axes[..i].contains(axis));
        if twice { Err(format!("it has the axes {axes:?}, one of them twice")) } else { Ok(axes) }
    }

    /// The values of an input that tells what to do, which may not depend on the image's values.
    pub fn values(&self, at: usize) -> Result<Option<&'a [f64]>, String> {
        match self.optional(at) {
            None => Ok(None),
            Some(fact) if fact.rank() > 1 => {
                Err(format!("its input {at} has the shape {:?}, not one axis", fact.dims))
            }
            Some(fact) => fact
                .values
                .as_deref()
                .map(Some)
                .ok_or_else(|| format!("what its input {at} will be cannot be told from the file")),
        }
    }

    /// The same as whole numbers.
    pub fn whole(&self, at: usize) -> Result<Option<Vec<i64>>, String> {
        let integers = |values: &[f64]| values.iter().map(|v| *v as i64).collect();
        if self.optional(at).is_some_and(|fact| fact.kind != Kind::Integer) {
            return Err(format!("its input {at} is not of whole numbers"));
        }
        Ok(self.values(at)?.map(integers))
    }

    /// What a list is told by: an attribute up to this version of the operators, an input from then on, and never the other.
    pub fn list(&self, name: &str, input: usize, since: i64) -> Result<Option<Vec<i64>>, String> {
        match (self.opset < since, self.has(name), self.optional(input)) {
            (true, _, None) => Ok(self.ints(name)?.map(<[i64]>::to_vec)),
            (false, false, _) => self.whole(input),
            (old, ..) => {
                let [wrong, right] = if old { ["an input", "attribute"] } else { ["an attribute", "input"] };
                Err(format!("its {name} are {wrong}, where this operator set has an {right}"))
            }
        }
    }

    /// What two tensors give value by value.
    pub fn broadcast(&self, a: &Fact, b: &Fact) -> Result<Fact, String> {
        if a.kind != b.kind {
            return Err("its inputs are of different kinds of numbers".into());
        }
        let dims = broadcast(&a.dims, &b.dims)
            .ok_or_else(|| format!("shapes {:?} and {:?} do not fit", a.dims, b.dims))?;
        Ok(Fact { dims, kind: a.kind, values: None, constant: a.constant && b.constant })
    }

    /// The same with its values, where they are known.
    fn each(&self, a: &Fact, b: &Fact, compute: impl Fn(f64, f64) -> f64) -> Result<Fact, String> {
        let result = self.broadcast(a, b)?;
        let rounded = |value: f64| if a.kind == Kind::Float { f64::from(value as f32) } else { value };
        let values = known([a, b], &result.dims, |[x, y]| rounded(compute(x, y)));
        Ok(Fact { values, ..result })
    }

    pub fn arithmetic(&self) -> Result<Fact, String> {
        self.arity(2, 2)?;
        let (a, b) = (self.input(0)?, self.input(1)?);
        let op = self.node.op_type.as_str();
        if op == "Mod" && (a.kind != Kind::Integer || self.int("fmod", 0)? != 0) {
            return Err("it takes whole numbers only".into());
        }
        if matches!(op, "Div" | "Mod")
            && b.kind == Kind::Integer
            && !b.values.as_ref().is_some_and(|values| values.iter().all(|v| *v > 0.0))
        {
            return Err("it divides whole numbers by what may not be above 0".into());
        }
        if op == "Pow" {
            if a.kind != Kind::Float {
                return Err("it takes f32 only".into());
            }
            return self.broadcast(a, &Fact { kind: a.kind, ..b.clone() });
        }
        self.each(a, b, |x, y| match op {
            "Add" => x + y,
            "Sub" => x - y,
            "Mul" => x * y,
            "Mod" => x.rem_euclid(y),
            _ if a.kind == Kind::Integer => (x / y).trunc(),
            _ => x / y,
        })
    }

    /// Whether values are equal.
    pub fn comparison(&self) -> Result<Fact, String> {
        self.arity(2, 2)?;
        let result = self.each(self.input(0)?, self.input(1)?, |x, y| f64::from(u8::from(x == y)))?;
        Ok(Fact { kind: Kind::Boolean, ..result })
    }

    /// Values of one tensor where something is so, of another where not.
    pub fn choice(&self) -> Result<Fact, String> {
        self.arity(3, 3)?;
        let (so, a, b) = (self.input(0)?, self.input(1)?, self.input(2)?);
        if so.kind != Kind::Boolean || a.kind == Kind::Boolean {
            return Err("it chooses between numbers by what is so or not".into());
        }
        let like = Fact { kind: a.kind, ..so.clone() };
        let result = self.broadcast(&self.broadcast(&like, a)?, b)?;
        let values = known([so, a, b], &result.dims, |[so, yes, no]| if so == 0.0 { no } else { yes });
        Ok(Fact { values, ..result })
    }

    /// Of matrices.
    pub fn product(&self) -> Result<Fact, String> {
        self.arity(2, 2)?;
        let (a, b) = (self.input(0)?, self.input(1)?);
        let fails = || format!("shapes {:?} and {:?} do not fit", a.dims, b.dims);
        let ([before @ .., rows, inner], [others @ .., other, columns]) = (&a.dims[..], &b.dims[..]) else {
            return Err(fails());
        };
        let mut dims =
            broadcast(before, others).filter(|_| inner == other && a.kind == b.kind).ok_or_else(fails)?;
        dims.extend([rows, columns]);
        Ok(Fact { dims, kind: a.kind, values: None, constant: a.constant && b.constant })
    }

    /// A product of matrices and what is added to it.
    pub fn affine(&self) -> Result<Fact, String> {
        self.arity(2, 3)?;
        let sides = |at: usize, turned: &str| -> Result<[u64; 2], String> {
            let fact = self.input(at)?;
            match (self.int_within(turned, 0, [0, 1])?, &fact.dims[..], fact.kind) {
                (0, [rows, columns], Kind::Float) => Ok([*rows, *columns]),
                (_, [rows, columns], Kind::Float) => Ok([*columns, *rows]),
                (_, dims, _) => Err(format!("its input {at} has the shape {dims:?}, not a matrix of f32")),
            }
        };
        let ([rows, inner], [other, columns]) = (sides(0, "transA")?, sides(1, "transB")?);
        let dims = vec![rows, columns];
        let added = self.optional(2).is_none_or(|added| {
            added.kind == Kind::Float && broadcast(&added.dims, &dims).as_ref() == Some(&dims)
        });
        if inner != other || !added {
            return Err(format!("[{rows}, {inner}] times [{other}, {columns}] and what is added do not fit"));
        }
        Ok(Fact {
            dims,
            kind: Kind::Float,
            values: None,
            constant: self.inputs.iter().flatten().all(|i| i.constant),
        })
    }
}
