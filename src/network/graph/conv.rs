//! A convolution's shape: read from the file in one place, and impossible to get wrong from there on.

use crate::network::onnx::{self, Attribute, Node};

/// Longest side of a kernel, stride, dilation or padding.
const MAX_SIDE: usize = 256;
const MAX_GROUPS: usize = 1 << 16;

/// How a window moves over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns from one output to the next.
    pub strides: [usize; 2],
    /// Rows and columns from one tap to the next.
    pub dilations: [usize; 2],
    /// Around the image.
    pub pads: Pads,
}

/// Zeros around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pads {
    /// Above, left, below and right.
    Explicit([usize; 4]),
    /// As many as it takes for one output for each stride of the input. An odd one lies before the image or after it.
    Same {
        /// `SAME_LOWER`.
        odd_before: bool,
    },
}

impl Window {
    /// One output for each place where the whole kernel lies on the image.
    pub const VALID: Window = Window { strides: [1; 2], dilations: [1; 2], pads: Pads::Explicit([0; 4]) };

    /// Of a Conv, ConvTranspose or pool.
    ///
    /// # Errors
    /// In words, which attribute is not as ONNX has it.
    pub fn read(node: &Node) -> Result<Self, String> {
        let (strides, dilations) = (sides(node, "strides", 1)?, sides(node, "dilations", 1)?);
        let explicit = sides::<4>(node, "pads", 0)?;
        let pads = match attribute(node, "auto_pad", Attribute::STRING)?.map(|a| &a.s[..]) {
            None | Some(b"NOTSET") => Pads::Explicit(explicit),
            Some(_) if explicit != [0; 4] => return Err("its padding is stated twice".into()),
            Some(b"VALID") => Pads::Explicit([0; 4]),
            Some(b"SAME_UPPER") => Pads::Same { odd_before: false },
            Some(b"SAME_LOWER") => Pads::Same { odd_before: true },
            Some(other) => {
                return Err(format!("its attribute auto_pad is {:?}", String::from_utf8_lossy(other)));
            }
        };
        Ok(Window { strides, dilations, pads })
    }

    /// Rows or columns of the image that a kernel of so many spans.
    pub fn reach(&self, axis: usize, kernel: usize) -> usize {
        (kernel - 1) * self.dilations[axis] + 1
    }

    /// Zeros above, left, below and right of an image of this height and width.
    pub fn padding(&self, size: [usize; 2], kernel: [usize; 2]) -> [usize; 4] {
        let odd_before = match self.pads {
            Pads::Explicit(pads) => return pads,
            Pads::Same { odd_before } => odd_before,
        };
        let [vertical, horizontal] = [0, 1].map(|axis| {
            let (side, stride) = (size[axis], self.strides[axis]);
            let span = (side.div_ceil(stride).max(1) - 1) * stride + self.reach(axis, kernel[axis]);
            let sum = span.saturating_sub(side);
            let less = sum / 2;
            if odd_before { [sum - less, less] } else { [less, sum - less] }
        });
        [vertical[0], horizontal[0], vertical[1], horizontal[1]]
    }

    /// Height and width of what comes out. None where the kernel does not fit.
    pub fn output(&self, size: [usize; 2], kernel: [usize; 2]) -> Option<[usize; 2]> {
        let pads = self.padding(size, kernel);
        let side = |axis: usize| {
            let room = (size[axis] + pads[axis] + pads[axis + 2]).checked_sub(self.reach(axis, kernel[axis]));
            Some(room? / self.strides[axis] + 1)
        };
        Some([side(0)?, side(1)?])
    }
}

/// A convolution without its numbers. Every number of channels and every side is above 0, and `groups` divides inputs and
/// outputs: there is no other way to make one than [`Conv::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    inputs: usize,
    outputs: usize,
    kernel: [usize; 2],
    groups: usize,
    window: Window,
}

impl Conv {
    /// Of kernels of the shape `[outputs, inputs / groups, height, width]`.
    ///
    /// # Errors
    /// In words, what does not fit.
    pub fn new(
        [outputs, inputs_per_group, height, width]: [usize; 4],
        groups: usize,
        window: Window,
    ) -> Result<Self, String> {
        let kernel = [height, width];
        if kernel.iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            return Err(format!("its kernels have {height} x {width} weights"));
        }
        if !(1..=MAX_GROUPS).contains(&groups) {
            return Err(format!("it has {groups} groups"));
        }
        let inputs = inputs_per_group.checked_mul(groups).filter(|inputs| *inputs > 0);
        let Some(inputs) = inputs.filter(|_| outputs > 0 && outputs.is_multiple_of(groups)) else {
            return Err(format!("{outputs} kernels for {inputs_per_group} channels each in {groups} groups"));
        };
        let within = |least: usize, list: &[usize]| list.iter().all(|v| (least..=MAX_SIDE).contains(v));
        let padded = match window.pads {
            Pads::Explicit(pads) => within(0, &pads),
            Pads::Same { .. } => true,
        };
        if !padded || !within(1, &window.strides) || !within(1, &window.dilations) {
            return Err(format!("its window is {window:?}"));
        }
        // Where the stride is 1, it does not depend on the image how many zeros there are.
        let pads = match window.strides {
            [1, 1] => Pads::Explicit(window.padding([MAX_SIDE; 2], kernel)),
            _ => window.pads,
        };
        Ok(Conv { inputs, outputs, kernel, groups, window: Window { pads, ..window } })
    }

    /// Of a Conv node with kernels of this shape.
    ///
    /// # Errors
    /// As [`Conv::new`], and for attributes that are not as ONNX has them.
    pub fn read(node: &Node, kernels: [usize; 4]) -> Result<Self, String> {
        let [.., height, width] = kernels;
        let stated = attribute(node, "kernel_shape", Attribute::INTS)?;
        if let Some(Attribute { ints, .. }) = stated
            && *ints != [height as i64, width as i64]
        {
            return Err(format!("its kernels have {height} x {width} weights, not {ints:?} as stated"));
        }
        Conv::new(kernels, groups(node)?, Window::read(node)?)
    }

    /// Input channels.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output channels, which is the number of kernels.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Kernel height and width.
    pub fn kernel(&self) -> [usize; 2] {
        self.kernel
    }

    /// Groups of channels that do not see each other.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// How the kernel moves.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// Number of weights, without the bias; also multiply-accumulates for one output position.
    pub fn weights(&self) -> usize {
        self.outputs * self.kernel_size()
    }

    /// Number of weights of one kernel.
    pub fn kernel_size(&self) -> usize {
        self.inputs / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// Whether every output position is a weighted sum of the inputs around that very position: one group, stride 1, no
    /// dilation, zero padding that keeps the size.
    pub fn is_same(&self) -> bool {
        let [top, left] = self.kernel.map(|side| side / 2);
        let window = Window { pads: Pads::Explicit([top, left, top, left]), ..Window::VALID };
        self.groups == 1 && self.kernel.iter().all(|side| side % 2 == 1) && self.window == window
    }

    /// Whether every output is a weighted sum of the inputs around one position, at whatever positions: one group, an odd kernel,
    /// stride 1, no dilation.
    pub fn is_dense(&self) -> bool {
        let window = Window { pads: self.window.pads, ..Window::VALID };
        self.groups == 1 && self.kernel.iter().all(|side| side % 2 == 1) && self.window == window
    }

    /// Height and width of the output for an input of this height and width. None where the kernel does not fit.
    pub fn output(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        self.window.output(size, self.kernel)
    }

    /// Zeros above, left, below and right of an input of this height and width.
    pub fn padding(&self, size: [usize; 2]) -> [usize; 4] {
        self.window.padding(size, self.kernel)
    }
}

/// The attribute `group` of a Conv or ConvTranspose.
pub fn groups(node: &Node) -> Result<usize, String> {
    let group = attribute(node, "group", Attribute::INT)?.map_or(1, |attribute| attribute.i());
    usize::try_from(group)
        .ok()
        .filter(|groups| (1..=MAX_GROUPS).contains(groups))
        .ok_or_else(|| format!("its attribute group is {group}, not 1 to {MAX_GROUPS}"))
}

/// The kernel of a pool.
pub fn pool_kernel(node: &Node) -> Result<[usize; 2], String> {
    attribute(node, "kernel_shape", Attribute::INTS)?.ok_or("its attribute kernel_shape is missing")?;
    sides(node, "kernel_shape", 1)
}

fn attribute<'n>(node: &'n Node, name: &str, kind: i32) -> Result<Option<&'n Attribute>, String> {
    match onnx::attribute(node, name) {
        Some(attribute) if attribute.r#type != kind => {
            Err(format!("its attribute {name} is of the wrong type"))
        }
        found => Ok(found),
    }
}

/// Numbers of `least` to [`MAX_SIDE`]; where they are not stated, all `least`.
fn sides<const N: usize>(node: &Node, name: &str, least: usize) -> Result<[usize; N], String> {
    let Some(Attribute { ints, .. }) = attribute(node, name, Attribute::INTS)? else {
        return Ok([least; N]);
    };
    let side = |value: &i64| usize::try_from(*value).ok().filter(|v| (least..=MAX_SIDE).contains(v));
    let sides: Option<Vec<usize>> = ints.iter().map(side).collect();
    sides
        .and_then(|sides| sides.try_into().ok())
        .ok_or_else(|| format!("its attribute {name} is {ints:?}, not {N} numbers of {least} to {MAX_SIDE}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn window(stride: usize, dilation: usize, pads: Pads) -> Window {
        Window { strides: [stride; 2], dilations: [dilation; 2], pads }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_does_not_divide_or_is_0_cannot_be_made() {
        let valid = Window::VALID;
        for (shape, groups) in [
            ([4, 1, 3, 3], 3),
            ([3, 3, 0, 0], 1),
            ([3, 0, 3, 3], 1),
            ([0, 3, 3, 3], 1),
            ([3, 3, 3, 257], 1),
            ([3, 3, 3, 3], 0),
            ([1 << 17, 1, 1, 1], 1 << 17),
        ] {
            assert!(Conv::new(shape, groups, valid).is_err(), "{shape:?} in {groups} groups");
        }
        for wrong in [window(0, 1, valid.pads), window(1, 0, valid.pads), window(257, 1, valid.pads)] {
            assert!(Conv::new([3, 3, 3, 3], 1, wrong).is_err(), "{wrong:?}");
        }
        let conv = Conv::new([6, 2, 3, 1], 3, valid).unwrap();
        assert_eq!((conv.inputs(), conv.weights(), conv.kernel_size()), (6, 36, 6));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn padding_that_keeps_the_size_is_as_onnx_has_it() {
        let same = |odd_before| Pads::Same { odd_before };
        for side in 1..20usize {
            for stride in 1..4 {
                for (kernel, dilation) in [(1, 1), (2, 1), (3, 1), (3, 2), (4, 1), (5, 1)] {
                    let lower = window(stride, dilation, same(true));
                    let upper = window(stride, dilation, same(false));
                    let wanted = Some([side.div_ceil(stride); 2]);
                    assert_eq!(lower.output([side; 2], [kernel; 2]), wanted);
                    assert_eq!(upper.output([side; 2], [kernel; 2]), wanted);
                    let [top, _, bottom, _] = upper.padding([side; 2], [kernel; 2]);
                    assert!(bottom == top || bottom == top + 1);
                    let [top, _, bottom, _] = lower.padding([side; 2], [kernel; 2]);
                    assert!(top == bottom || top == bottom + 1);
                }
            }
        }
        let conv = Conv::new([3, 3, 3, 3], 1, window(1, 1, same(false))).unwrap();
        assert!(conv.is_same(), "{conv:?}");
    }
}
