//! The shape of every value of a graph, for one image size, and that what is done to them fits.

use super::graph::{Expectation, Graph, Operation, Post, Shuffle, Step};
use super::numbers::Computed;
use super::place::Shape;
use crate::network::layers::Layer;
use crate::network::limits::most_values;

/// The shape of every value, and the numbers that are computed from them.
pub fn shapes(graph: &Graph, layers: &[Layer], image: Shape) -> Result<(Vec<Shape>, Vec<i64>), String> {
    let mut numbers = Computed::new(&graph.numbers);
    let mut shapes = vec![image; graph.values];
    let most = most_values(image.height as u64 * image.width as u64);
    for Step { operation, inputs, posts, output } in &graph.steps {
        let input = shapes[*inputs.first().ok_or("a step without input")?];
        let shape = match operation {
            Operation::Copy | Operation::Normalize { .. } => input,
            Operation::Part { first, channels } => {
                let within = first.checked_add(*channels).is_some_and(|end| end <= input.channels);
                within
                    .then_some(Shape { channels: *channels, ..input })
                    .ok_or("channels that are not there")?
            }
            Operation::Pool { .. } => Shape { height: 1, width: 1, ..input },
            Operation::ChannelMean => Shape { channels: 1, ..input },
            Operation::Repeat(times) => Shape {
                height: product(input.height, *times)?,
                width: product(input.width, *times)?,
                ..input
            },
            Operation::DepthToSpace(shuffle) => shuffled(input, shuffle.side)?,
            Operation::SpaceToDepth(Shuffle { side, .. }) => {
                let Shape { channels, height, width } = input;
                if !height.is_multiple_of(*side) || !width.is_multiple_of(*side) {
                    return Err(format!("{width} x {height} pixels in blocks of {side} x {side}"));
                }
                let channels = product(channels, side * side)?;
                Shape { channels, height: height / side, width: width / side }
            }
            Operation::Resample { rows, columns } => Shape {
                height: rows.length(input.height, &mut numbers, &shapes)?,
                width: columns.length(input.width, &mut numbers, &shapes)?,
                ..input
            },
            Operation::WindowPool(pool) => {
                let size = pool.output(input.size()).ok_or("a window that is larger than its input")?;
                Shape { height: size[0], width: size[1], ..input }
            }
            Operation::Concat => {
                let parts: Vec<Shape> = inputs.iter().map(|value| shapes[*value]).collect();
                if parts.iter().any(|part| (part.height, part.width) != (input.height, input.width)) {
                    return Err("Concat of images of several sizes".into());
                }
                let sum = parts.iter().try_fold(0usize, |sum, part| sum.checked_add(part.channels));
                Shape { channels: sum.ok_or("Concat of too much")?, ..input }
            }
            Operation::Convolution { layer, shuffle } => {
                let Layer { name, conv, .. } = &layers[*layer];
                let size = conv.output(input.size());
                let [height, width] = size.ok_or("a kernel that is larger than its input")?;
                if input.channels != conv.inputs() {
                    return Err(format!("{name} of {} channels", input.channels));
                }
                let shape = Shape { channels: conv.outputs(), height, width };
                shuffle.map_or(Ok(shape), |shuffle| shuffled(shape, shuffle.side))?
            }
        };
        let mut sides = [shape.channels, shape.height, shape.width].into_iter();
        let count = sides.try_fold(1u64, |count, side| count.checked_mul(side as u64));
        if !count.is_some_and(|count| (1..=most).contains(&count)) {
            let Shape { channels, height, width } = shape;
            return Err(format!("an image of {channels} channels of {width} x {height}"));
        }
        for post in posts {
            let fits = match post {
                Post::AddValue(v)
                | Post::SubtractValue(v)
                | Post::MultiplyValue(v)
                | Post::DivideValue(v) => {
                    let other = shapes[*v];
                    let repeats = |other: usize, own: usize| other == own || other == 1;
                    let pixels = other.size() == shape.size() || other.size() == [1, 1];
                    pixels && repeats(other.channels, shape.channels)
                }
                Post::Leaky(list) | Post::Add(list) | Post::Multiply(list) | Post::Divide(list) => {
                    list.len() == 1 || list.len() == shape.channels
                }
                Post::Relu | Post::Clip(..) | Post::Curve(_) | Post::Gate(_) => true,
            };
            if !fits {
                return Err("arithmetic of values of several shapes".into());
            }
        }
        shapes[*output] = shape;
    }
    for Expectation { value, axis, number } in &graph.expected {
        let (side, wanted) = (shapes[*value].size()[*axis], numbers.get(*number, &shapes)?);
        if i64::try_from(side) != Ok(wanted) {
            return Err(format!("a side of {side} where it says {wanted}"));
        }
    }
    Ok((shapes, numbers.into_values()))
}

fn product(side: usize, times: usize) -> Result<usize, String> {
    side.checked_mul(times).ok_or_else(|| format!("an image of {side} times {times} rows or columns"))
}

fn shuffled(shape: Shape, side: usize) -> Result<Shape, String> {
    let Shape { channels, height, width } = shape;
    if !channels.is_multiple_of(side * side) {
        return Err(format!("DepthToSpace of {channels} channels into blocks of {side} x {side}"));
    }
    Ok(Shape {
        channels: channels / (side * side),
        height: product(height, side)?,
        width: product(width, side)?,
    })
}
