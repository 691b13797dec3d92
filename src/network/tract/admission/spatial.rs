//! Operators on images, `[images, channels, rows, columns]`.

use super::call::Call;
use super::{Fact, Kind};
use crate::network::graph::{Pads, Window, groups, pool_kernel};
use crate::network::limits::MAX_RESIZED;

/// Longest side of a kernel, and of a border that is added by itself.
const MAX_SIDE: i64 = 256;
/// Times that an image may be enlarged by one node, along a side.
const MAX_SCALE: i64 = 16;

fn image(dims: [u64; 4], like: &Fact) -> Result<Fact, String> {
    if like.kind != Kind::Float {
        return Err("it takes f32 only".into());
    }
    Ok(Fact { dims: dims.to_vec(), kind: Kind::Float, values: None, constant: like.constant })
}

fn size(rows: u64, columns: u64) -> Result<[usize; 2], String> {
    let side = |side: u64| usize::try_from(side).map_err(|_| format!("an image with a side of {side}"));
    Ok([side(rows)?, side(columns)?])
}

fn output(window: &Window, size: [usize; 2], kernel: [usize; 2]) -> Result<[u64; 2], String> {
    let sides = window.output(size, kernel).map(|size| size.map(|side| side as u64));
    sides.ok_or_else(|| {
        let [down, across] = [0, 1].map(|axis| window.reach(axis, kernel[axis]));
        format!("a window of {down} x {across} on {} x {} pixels", size[0], size[1])
    })
}

pub fn convolution(call: &Call<'_>) -> Result<Fact, String> {
    let [images, channels, rows, columns] = call.image(0)?;
    let conv = call.conv.ok_or("its kernels are computed")?;
    if conv.inputs() as u64 != channels {
        return Err(format!(
            "kernels for {} channels in {} groups on {channels} channels",
            conv.inputs(),
            conv.groups()
        ));
    }
    let [rows, columns] = output(conv.window(), size(rows, columns)?, conv.kernel())?;
    image([images, conv.outputs() as u64, rows, columns], call.input(0)?)
}

pub fn transposed_convolution(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(2, 3)?;
    let ([images, channels, rows, columns], [inputs, outputs, height, width]) =
        (call.image(0)?, call.image(1)?);
    let groups = groups(call.node)? as u64;
    if inputs != channels || !channels.is_multiple_of(groups) {
        return Err(format!("kernels for {inputs} channels in {groups} groups on {channels} channels"));
    }
    if call.has("output_shape") {
        return Err("it states the shape of its output".into());
    }
    if let Some(stated) = call.ints("kernel_shape")?
        && stated != [height as i64, width as i64]
    {
        return Err(format!("its kernels have {height} x {width} weights, not {stated:?} as stated"));
    }
    if [height, width].iter().any(|side| !(1..=MAX_SIDE as u64).contains(side)) {
        return Err(format!("its kernels have {height} x {width} weights"));
    }
    if (1..3).filter_map(|at| call.optional(at)).any(|weights| weights.kind != Kind::Float) {
        return Err("its weights are not f32".into());
    }
    let outputs = outputs * groups;
    if let Some(bias) = call.optional(2).filter(|bias| bias.dims != [outputs]) {
        return Err(format!("a bias of shape {:?} for {outputs} channels", bias.dims));
    }
    let (window, kernel) = (Window::read(call.node)?, size(height, width)?);
    let extra: [u64; 2] = call.ints_within("output_padding", Some(0), [0, MAX_SCALE])?;
    let Pads::Explicit(pads) = window.pads else { return Err("its borders are not stated".into()) };
    let side = |axis: usize, side: u64| {
        let stride = window.strides[axis] as u64;
        if stride > MAX_SCALE as u64 || extra[axis] >= stride.max(window.dilations[axis] as u64) {
            return Err(format!("a stride of {stride} and {} more", extra[axis]));
        }
        let whole = (side - 1) * stride + window.reach(axis, kernel[axis]) as u64 + extra[axis];
        whole
            .checked_sub((pads[axis] + pads[axis + 2]) as u64)
            .ok_or_else(|| "it takes away more than it makes".to_owned())
    };
    image([images, outputs, side(0, rows)?, side(1, columns)?], call.input(0)?)
}

pub fn pool(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 1)?;
    let [images, channels, rows, columns] = call.image(0)?;
    let (kernel, window) = (pool_kernel(call.node)?, Window::read(call.node)?);
    if let Pads::Explicit(pads) = window.pads
        && (0..4).any(|side| pads[side] >= window.reach(side % 2, kernel[side % 2]))
    {
        return Err(format!("a border of {pads:?} around a window of {kernel:?}"));
    }
    let size = size(rows, columns)?;
    let mut sides = output(&window, size, kernel)?;
    if call.int_within("ceil_mode", 0, [0, 1])? == 1 {
        let pads = window.padding(size, kernel);
        for axis in 0..2 {
            let room = size[axis] + pads[axis] + pads[axis + 2] - window.reach(axis, kernel[axis]);
            sides[axis] += u64::from(!room.is_multiple_of(window.strides[axis]));
        }
    }
    image([images, channels, sides[0], sides[1]], call.input(0)?)
}

pub fn global_pool(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 1)?;
    let [images, channels, ..] = call.image(0)?;
    image([images, channels, 1, 1], call.input(0)?)
}

pub fn batch_normalization(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(5, 5)?;
    let dims = call.image(0)?;
    if call.int("training_mode", 0)? != 0 {
        return Err("it is left in training".into());
    }
    for at in 1..5 {
        let list = call.input(at)?;
        if list.dims != [dims[1]] || !list.constant || list.kind != Kind::Float {
            return Err(format!(
                "its input {at} has the shape {:?}, not a constant for each of {} channels",
                list.dims, dims[1]
            ));
        }
    }
    image(dims, call.input(0)?)
}

/// Every channel of every image by its own mean and deviation.
pub fn instance_normalization(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(3, 3)?;
    let dims = call.image(0)?;
    for at in 1..3 {
        let list = call.input(at)?;
        if list.dims != [dims[1]] || list.kind != Kind::Float {
            return Err(format!("its input {at} has the shape {:?} for {} channels", list.dims, dims[1]));
        }
    }
    image(dims, call.input(0)?)
}

/// Channels to pixels, or pixels to channels.
pub fn blocks(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 1)?;
    let [images, channels, rows, columns] = call.image(0)?;
    call.word("mode", &["DCR", "CRD"])?;
    let side = call.int_within("blocksize", 0, [1, MAX_SCALE])?;
    let fits = |length: u64, by: u64| {
        if length.is_multiple_of(by) { Ok(length / by) } else { Err(format!("{length} in blocks of {by}")) }
    };
    let dims = if call.node.op_type == "DepthToSpace" {
        [images, fits(channels, side * side)?, rows * side, columns * side]
    } else {
        [images, channels * side * side, fits(rows, side)?, fits(columns, side)?]
    };
    image(dims, call.input(0)?)
}

pub fn resize(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 4)?;
    let dims = call.image(0)?;
    call.word("mode", &["nearest", "linear", "cubic"])?;
    call.word(
        "coordinate_transformation_mode",
        &["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"],
    )?;
    call.word("nearest_mode", &["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])?;
    call.word("keep_aspect_ratio_policy", &["stretch"])?;
    if call.has("axes") {
        return Err("it states its axes".into());
    }
    let upsample = call.node.op_type == "Upsample";
    let scales = match (upsample, call.opset) {
        (true, ..9) => call.floats("scales")?,
        (true, _) | (false, ..11) => call.values(1)?.map(<[f64]>::to_vec),
        _ => call.values(2)?.map(<[f64]>::to_vec),
    };
    let sizes = if upsample || call.opset < 11 { None } else { call.whole(3)? };
    let sides: Vec<f64> = match (scales.filter(|list| !list.is_empty()), sides_of(sizes)) {
        (Some(scales), None) if scales.len() == 4 => {
            dims.iter().zip(scales).map(|(side, scale)| (*side as f64 * scale).floor()).collect()
        }
        (None, Some(sizes)) if sizes.len() == 4 => sizes,
        _ => return Err("neither four scales nor four sizes".into()),
    };
    let sides: Vec<u64> = sides.iter().map(|side| *side as u64).collect();
    let grows = |axis: usize| (1..=MAX_RESIZED).contains(&sides[axis]);
    if sides[..2] != dims[..2] || !grows(2) || !grows(3) {
        return Err(format!("it makes {sides:?} of {dims:?}"));
    }
    image([sides[0], sides[1], sides[2], sides[3]], call.input(0)?)
}

fn sides_of(sizes: Option<Vec<i64>>) -> Option<Vec<f64>> {
    sizes.filter(|list| !list.is_empty()).map(|list| list.iter().map(|side| *side as f64).collect())
}

pub fn pad(call: &Call<'_>) -> Result<Fact, String> {
    call.arity(1, 3)?;
    let (dims, old) = (call.image(0)?, call.opset < 11);
    let mode = call.word("mode", &["constant", "reflect", "edge"])?;
    let pads = if old { call.ints("pads")?.map(<[i64]>::to_vec) } else { call.whole(1)? };
    let pads = pads.filter(|pads| pads.len() == 8 && pads.iter().all(|pad| (0..=MAX_SIDE).contains(pad)));
    let pads = pads.ok_or("its borders are not eight numbers of 0 to 256")?;
    if call.optional(2).is_some_and(|value| value.count() != Some(1)) {
        return Err("it fills the border with more than one number".into());
    }
    let mut sides = dims;
    for axis in 0..4 {
        let [before, after] = [pads[axis] as u64, pads[axis + 4] as u64];
        if mode == Some("reflect") && before.max(after) >= dims[axis] {
            return Err(format!("it mirrors {} pixels of {}", before.max(after), dims[axis]));
        }
        sides[axis] += before + after;
    }
    image(sides, call.input(0)?)
}
