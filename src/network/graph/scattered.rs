//! Channels that are put in the place of others, as torch's exporters write `x[:, :k] = y`: a concatenation.

use super::channels::{channels_between, is_shape_of};
use super::makers::Makers;
use super::planes_first::undo_transpositions;
use super::unread::forget_nodes;
use crate::network::onnx::{self, Attribute, Graph, Node, Tensor};

/// The order of axes in which channels come before images.
const CHANNELS_FIRST: [i64; 4] = [1, 0, 2, 3];

/// Puts Slice and Concat in the place of ScatterND that replaces consecutive channels of a convolution's output.
pub fn to_concatenations(graph: &mut Graph, opset: i64) {
    if opset < 13 || !graph.node.iter().any(|node| node.op_type == "ScatterND") {
        return;
    }
    let makers = Makers::of(graph);
    let replaced: Vec<Option<Replaced>> = graph.node.iter().map(|node| makers.replaced(node)).collect();
    if replaced.iter().all(Option::is_none) {
        return;
    }
    let mut nodes = Vec::with_capacity(graph.node.len());
    for (node, replaced) in std::mem::take(&mut graph.node).into_iter().zip(replaced) {
        let Some(Replaced { data, updates, channels: [first, end], all, turned }) = replaced else {
            nodes.push(node);
            continue;
        };
        let output = &node.output[0];
        let mut list = Vec::new();
        for [from, to] in [[0, first], [first, end], [end, all]] {
            if from == first && to == end {
                list.push(updates.clone());
            } else if from < to {
                let slice = channels_between(&data, [from, to], output, &mut graph.initializer);
                list.push(slice.output[0].clone());
                nodes.push(slice);
            }
        }
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        let whole = if turned { format!("{output}/whole") } else { output.clone() };
        let axis = Attribute::of_integer("axis", 1);
        nodes.push(Node::of("Concat", node.name.clone(), &list, &whole).with(axis));
        if turned {
            let perm = Attribute::of_integers("perm", CHANNELS_FIRST.to_vec());
            nodes.push(Node::of("Transpose", String::new(), &[&whole], output).with(perm));
        }
    }
    graph.node = nodes;
    undo_transpositions(graph);
    // Indices were computed for nothing else.
    forget_nodes(graph, |_| true);
}

/// Channels that a node puts in the place of others.
struct Replaced {
    /// `[N, all, H, W]`, and what is put there, `[N, end - first, H, W]`.
    data: String,
    updates: String,
    /// The first that is replaced, and the one behind the last.
    channels: [i64; 2],
    all: i64,
    /// Whether the node itself has channels before images.
    turned: bool,
}

impl Makers<'_> {
    fn replaced(&self, node: &Node) -> Option<Replaced> {
        let adds = onnx::attribute(node, "reduction").is_some_and(|reduction| reduction.s != b"none");
        if node.op_type != "ScatterND" || adds || node.input.len() != 3 || node.output.len() != 1 {
            return None;
        }
        let found = self.stored_indices(node).or_else(|| self.computed_indices(node))?;
        (found.channels[1] <= found.all).then_some(found)
    }

    /// Of a tensor that was turned so that channels come first, with indices that are stored: torch.export's way.
    fn stored_indices(&self, node: &Node) -> Option<Replaced> {
        let turned = |at: usize| {
            let maker = self.maker(node, at, "Transpose")?;
            let first = onnx::attribute(maker, "perm").is_some_and(|perm| perm.ints == CHANNELS_FIRST);
            first.then_some(maker)
        };
        let channels = consecutive(self.stored(node, 1)?)?;
        let (data, updates) = (turned(0)?, turned(2)?);
        let all = self.channels(data, 0)?;
        let [data, updates] = [data.input.first()?.clone(), updates.input.first()?.clone()];
        Some(Replaced { data, updates, channels, all, turned: true })
    }

    /// With pairs of an image and a channel that are computed from the tensor's own shape, as TorchScript's exporter writes it, of what a
    /// convolution gives: that has all the channels, so that nothing is repeated to make more of them. What repeats the pairs need not
    /// be looked at, since nothing else fits what is put there.
    fn computed_indices(&self, node: &Node) -> Option<Replaced> {
        let data = &node.input[0];
        let all = self.channels(node, 0)?;
        let expanded = self.maker(self.maker(node, 2, "Reshape")?, 0, "Expand")?;
        let part = self.maker(self.maker(expanded, 1, "Shape")?, 0, "Slice")?;
        let channels = self.range(part, 1).filter(|_| part.input[0] == *data)?;
        let pairs = self.maker(node, 1, "Concat").filter(|pairs| pairs.input.len() == 2)?;
        let list = |at: usize| self.maker(self.maker(pairs, at, "Unsqueeze")?, 0, "Expand");
        let images = self.maker(self.maker(list(0)?, 0, "Reshape")?, 0, "Range")?;
        let own = self.maker(list(1)?, 0, "Slice")?;
        let counted = self.maker(own, 0, "Range")?;
        let fits = onnx::int_attribute(pairs, "axis") == Some(-1)
            && self.counts(images, data, 0)
            && self.counts(counted, data, 1)
            && self.range(own, 0) == Some(channels);
        let is_whole = self.channels(expanded, 0) == Some(channels[1] - channels[0]);
        let updates = expanded.input.first().filter(|_| fits && is_whole)?.clone();
        Some(Replaced { data: data.clone(), updates, channels, all, turned: false })
    }

    /// Whether a Range counts along an axis of a tensor.
    fn counts(&self, range: &Node, tensor: &str, axis: i64) -> bool {
        let limit = self.maker(range, 1, "Cast").and_then(|cast| self.maker(cast, 0, "Gather"));
        let of = limit.or_else(|| self.maker(range, 1, "Gather")).and_then(|gather| {
            (self.whole(gather, 1) == Some([axis])).then_some(())?;
            self.maker(gather, 0, "Shape")
        });
        let (start, step) = (self.whole(range, 0), self.whole(range, 2));
        start == Some([0]) && step == Some([1]) && of.is_some_and(|shape| is_shape_of(shape, tensor))
    }
}

/// The first of whole numbers `[count, 1]` that follow each other, and the one behind the last.
fn consecutive(tensor: &Tensor) -> Option<[i64; 2]> {
    let list = onnx::whole(tensor).filter(|_| matches!(tensor.dims[..], [_, 1]))?;
    let (first, last) = (*list.first()?, *list.last()?);
    let follow = list.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
    (follow && first >= 0).then_some([first, last.checked_add(1)?])
}
