//! Channels that are repeated, as torch's exporters write `x.repeat_interleave(n, dim=1)`: a concatenation.

use super::channels::{channels_between, is_shape_of};
use super::makers::Makers;
use super::unread::forget_nodes;
use crate::network::onnx::{Attribute, Declared, Graph, Node};

/// Most channels that are made so.
const MOST: i64 = 256;

/// Puts Slice and Concat in the place of Unsqueeze, Tile or Expand, and Reshape that repeat each channel of the image, where that is done
/// once.
pub fn to_concatenations(graph: &mut Graph, opset: i64) {
    if opset < 13 || !graph.node.iter().any(|node| ["Tile", "Expand"].contains(&node.op_type.as_str())) {
        return;
    }
    let Some(image) = graph.input.first().map(|input| input.name.clone()) else { return };
    let declared = Declared::of([graph.input.first(), None]);
    let Some(channels) = declared.channels.map(|count| count as i64) else { return };
    let size = declared.size.map(|size| size.map(|side| side as i64));
    let makers = Makers::of(graph);
    let all: Vec<Option<i64>> = graph.node.iter().map(|node| makers.times(node, &image, size)).collect();
    // Whoever does it often makes a network too large.
    if all.iter().flatten().count() != 1 {
        return;
    }
    let mut nodes = Vec::with_capacity(graph.node.len());
    for (node, times) in std::mem::take(&mut graph.node).into_iter().zip(all) {
        let Some(times) = times.filter(|times| (1..=MOST / channels).contains(times)) else {
            nodes.push(node);
            continue;
        };
        let mut list = Vec::new();
        for channel in 0..channels {
            let slice =
                channels_between(&image, [channel, channel + 1], &node.output[0], &mut graph.initializer);
            list.extend((0..times).map(|_| slice.output[0].clone()));
            nodes.push(slice);
        }
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        let axis = Attribute::of_integer("axis", 1);
        nodes.push(Node::of("Concat", node.name.clone(), &list, &node.output[0]).with(axis));
    }
    graph.node = nodes;
    forget_nodes(graph, |_| true);
}

impl Makers<'_> {
    /// How often a node repeats each channel of the image, which may be of one size only.
    fn times(&self, node: &Node, image: &str, size: Option<[i64; 2]>) -> Option<i64> {
        let tile = self.maker(node, 0, "Tile").or_else(|| self.maker(node, 0, "Expand"))?;
        let apart = self
            .maker(tile, 0, "Unsqueeze")
            .filter(|apart| apart.input.first().is_some_and(|name| name == image))?;
        let ([2], [1, 1, times, 1, 1]) = (self.whole(apart, 1)?, self.whole(tile, 1)?) else { return None };
        let keeps = match self.whole(node, 1) {
            Some([1, -1, height, width]) => size == Some([height, width]),
            _ => self.keeps_sides(node, &tile.output[0]),
        };
        (keeps && node.op_type == "Reshape").then_some(times)
    }

    /// Whether a Reshape makes images, rows and columns of as many as a tensor of five axes has, whatever it makes of channels.
    fn keeps_sides(&self, reshape: &Node, tensor: &str) -> bool {
        let Some(sides) = self.maker(reshape, 1, "Concat") else { return false };
        let side = |at: usize, range: [i64; 2]| {
            let slice = self.maker(sides, at, "Slice").filter(|slice| self.range(slice, 0) == Some(range));
            let shape = slice.and_then(|slice| self.maker(slice, 0, "Shape"));
            shape.is_some_and(|shape| is_shape_of(shape, tensor))
        };
        sides.input.len() == 3 && side(0, [0, 1]) && self.whole(sides, 1) == Some([-1]) && side(2, [3, 5])
    }
}
