//! Nodes that make rows and columns of others: Resize, Pad, Slice and pools.

use super::{Known, Reader, onnx};
use crate::network::graph::{Pads, Window, pool_kernel};
use crate::network::native::graph::{Operation, WindowPool};
use crate::network::native::numbers::{Number, Source};
use crate::network::native::resample::{
    Axis, Border, Coordinates, Interpolation, Kernel, Rounding, Size, place,
};
use crate::network::onnx::Node;

impl Reader {
    fn text<'n>(node: &'n Node, name: &str, otherwise: &'n str) -> &'n str {
        let stated =
            onnx::attribute(node, name).map(|attribute| std::str::from_utf8(&attribute.s).unwrap_or(""));
        stated.unwrap_or(otherwise)
    }

    fn resample(&mut self, node: &Node, [rows, columns]: [Axis; 2]) -> Result<(), String> {
        let input = self.value(node.input.first().map_or("", String::as_str))?;
        self.push(node, Operation::Resample { rows, columns }, vec![input], vec![]);
        Ok(())
    }

    /// Resize, and Upsample as it was called before.
    pub fn resize(&mut self, node: &Node) -> Result<(), String> {
        let of_set_10 = node.op_type == "Upsample" || node.input.len() == 2;
        let coordinates = if of_set_10 { "asymmetric" } else { "half_pixel" };
        let coordinates = match Self::text(node, "coordinate_transformation_mode", coordinates) {
            "half_pixel" => Coordinates::HalfPixel,
            "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
            "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            "align_corners" => Coordinates::AlignCorners,
            "asymmetric" => Coordinates::Asymmetric,
            "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNn,
            other => return Err(format!("Resize with {other}")),
        };
        let rounding = if of_set_10 { "floor" } else { "round_prefer_floor" };
        let kernel = match Self::text(node, "mode", "nearest") {
            "nearest" => Kernel::Nearest(match Self::text(node, "nearest_mode", rounding) {
                "round_prefer_floor" => Rounding::HalfDown,
                "round_prefer_ceil" => Rounding::HalfUp,
                "floor" => Rounding::Floor,
                "ceil" => Rounding::Ceil,
                other => return Err(format!("Resize with {other}")),
            }),
            "linear" => Kernel::Linear,
            "cubic" => {
                let float = |attribute: &onnx::Attribute| attribute.f();
                Kernel::Cubic(onnx::attribute(node, "cubic_coeff_a").map_or(-0.75, float))
            }
            other => return Err(format!("Resize with {other}")),
        };
        let flag = |name: &str| onnx::int_attribute(node, name).unwrap_or(0) != 0;
        let policy = Self::text(node, "keep_aspect_ratio_policy", "stretch");
        if flag("antialias") || flag("exclude_outside") || policy != "stretch" {
            return Err("Resize with smoothing, with exclude_outside or by a policy".into());
        }
        let interpolation = Interpolation { kernel, coordinates };
        let axes = onnx::attribute(node, "axes").map_or(vec![0, 1, 2, 3], |attribute| attribute.ints.clone());
        let axes = distinct(&axes).ok_or("Resize along axes that are not there")?;
        let stated = onnx::attribute(node, "scales").map(|attribute| attribute.floats.clone());
        let scales = node.input.get(if of_set_10 { 1 } else { 2 }).and_then(|name| self.tensors.get(name));
        let scales = stated.or(match scales {
            Some(Known::Constant { values, .. }) if !values.is_empty() => Some(values.clone()),
            _ => None,
        });
        let sides: Vec<Size> = match (scales, if of_set_10 { None } else { self.sizes(node, "", 3) }) {
            (Some(scales), None) => scales.into_iter().map(Size::Times).collect(),
            (None, Some(sizes)) => sizes.into_iter().map(Size::To).collect(),
            _ => return Err("Resize to a computed size".into()),
        };
        let channels = self.value(&node.input[0]).map(|value| self.extents[value].channels)?;
        let side = |axis: i64| {
            let at = axes.iter().position(|of| *of == axis)?;
            sides.get(at).copied()
        };
        let keeps = |axis: i64, length: usize| match side(axis) {
            None | Some(Size::Times(1.0)) => true,
            Some(Size::To(number)) => self.numbers.constant(number) == i64::try_from(length).ok(),
            Some(Size::Times(_)) => false,
        };
        if sides.len() != axes.len() || !keeps(0, 1) || !keeps(1, channels) {
            return Err("Resize of channels".into());
        }
        let [rows, columns] = [2, 3].map(|axis| side(axis).unwrap_or(Size::Times(1.0)));
        let repeats = interpolation
            == Interpolation {
                kernel: Kernel::Nearest(Rounding::Floor),
                coordinates: Coordinates::Asymmetric,
            };
        if let (Size::Times(y), Size::Times(x)) = (rows, columns) {
            if !(y > 0.0 && x > 0.0) || of_set_10 && y.min(x) < 1.0 {
                return Err("Resize to fewer pixels".into());
            }
            // Of which rows can go through the end of a network one by one.
            if repeats && y == x && y.fract() == 0.0 && (1.0..=16.0).contains(&y) {
                let input = self.value(&node.input[0])?;
                self.push(node, Operation::Repeat(y as usize), vec![input], vec![]);
                return Ok(());
            }
        }
        self.resample(node, [rows, columns].map(|size| Axis::Resized { size, interpolation }))
    }

    pub fn pad(&mut self, node: &Node) -> Result<(), String> {
        let border = match Self::text(node, "mode", "constant") {
            "constant" => Border::Zeros,
            "edge" => Border::Edge,
            "reflect" => Border::Mirrored,
            other => return Err(format!("Pad with {other}")),
        };
        let value = match node.input.get(2).filter(|name| !name.is_empty()) {
            None => onnx::attribute(node, "value").map_or(0.0, |attribute| attribute.f()),
            Some(name) => match self.list(name)?.as_deref() {
                Some([value]) => *value,
                _ => f32::NAN,
            },
        };
        if border == Border::Zeros && value != 0.0 || node.input.get(3).is_some_and(|axes| !axes.is_empty()) {
            return Err("Pad with other than zeros, or along stated axes".into());
        }
        let pads = self.sizes(node, "pads", 1).and_then(|pads| <[Number; 8]>::try_from(pads).ok());
        let pads = pads.ok_or("Pad of other than an image")?;
        if [0, 1, 4, 5].iter().any(|at| self.numbers.constant(pads[*at]) != Some(0)) {
            return Err("Pad of channels".into());
        }
        self.resample(
            node,
            [2, 3].map(|axis| Axis::Bordered { before: pads[axis], after: pads[axis + 4], border }),
        )
    }

    pub fn slice(&mut self, node: &Node) -> Result<(), String> {
        let input = self.value(&node.input[0])?;
        let lists = (self.sizes(node, "starts", 1), self.sizes(node, "ends", 2));
        let (Some(starts), Some(ends)) = lists else { return Err("Slice of computed places".into()) };
        let is_named = |at: usize| node.input.get(at).is_some_and(|name| !name.is_empty());
        let axes = match is_named(3) || onnx::attribute(node, "axes").is_some() {
            true => self.whole(node, "axes", 3).ok_or("Slice along computed axes")?,
            false => (0..starts.len() as i64).collect(),
        };
        let axes = distinct(&axes).ok_or("Slice along axes that are not there")?;
        let steps = match is_named(4) {
            true => self.whole(node, "", 4).ok_or("Slice in computed steps")?,
            false => vec![1; axes.len()],
        };
        let alike = [starts.len(), ends.len(), steps.len()].iter().all(|length| *length == axes.len());
        if !alike || steps.iter().any(|step| *step != 1) {
            return Err("Slice of other than what lies together".into());
        }
        let along = |axis: i64| axes.iter().position(|of| *of == axis).map(|at| [starts[at], ends[at]]);
        let channels = self.extents[input].channels as i64;
        // Only what is known for all sizes is cut from images and channels.
        let known = |axis: i64, length: i64| {
            let Some(ends) = along(axis) else { return Some([0, length]) };
            let place = |number: &Number| Some(place(self.numbers.constant(*number)?, length));
            Some([place(&ends[0])?, place(&ends[1])?])
        };
        let (images, part) = (known(0, 1), known(1, channels));
        let [start, end] =
            part.filter(|[start, end]| start < end && images == Some([0, 1])).ok_or("Slice of no channel")?;
        let part = Operation::Part { first: start as usize, channels: (end - start) as usize };
        let sides = [2, 3].map(along);
        if sides == [None; 2] {
            self.push(node, part, vec![input], vec![]);
            return Ok(());
        }
        if [start, end] != [0, channels] {
            return Err("Slice of channels and pixels at once".into());
        }
        let whole = [0, i64::MAX].map(|number| self.numbers.add(Source::Constant(number)));
        self.resample(
            node,
            sides.map(|side| side.unwrap_or(whole)).map(|[start, end]| Axis::Cut { start, end }),
        )
    }

    pub fn window_pool(&mut self, node: &Node) -> Result<(), String> {
        let (window, kernel) = (Window::read(node)?, pool_kernel(node)?);
        let flag = |name: &str| onnx::int_attribute(node, name).unwrap_or(0) != 0;
        let greatest = node.op_type == "MaxPool";
        let (ceil, counts_pads) = (flag("ceil_mode"), flag("count_include_pad"));
        let padded = window.pads != Pads::Explicit([0; 4]);
        let empty = match window.pads {
            Pads::Explicit(pads) => (0..4).any(|side| pads[side] >= kernel[side % 2]),
            Pads::Same { .. } => false,
        };
        if empty || padded && window.dilations != [1; 2] || counts_pads && ceil {
            return Err("a pool with a border of this kind".into());
        }
        let input = self.value(&node.input[0])?;
        let pool = WindowPool { window, kernel, greatest, ceil, counts_pads };
        self.push(node, Operation::WindowPool(pool), vec![input], vec![]);
        Ok(())
    }
}

/// Axes of an image, from 0 on, if each is one, and none is there twice.
fn distinct(axes: &[i64]) -> Option<Vec<i64>> {
    let within = axes.iter().all(|axis| (-4..4).contains(axis));
    let axes: Vec<i64> = axes.iter().map(|axis| axis.rem_euclid(4)).collect();
    let once = (0..axes.len()).all(|at| !axes[..at].contains(&axes[at]));
    (within && once).then_some(axes)
}
