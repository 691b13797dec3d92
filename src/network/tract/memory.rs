//! How much memory a run of a plan takes.

use tract_onnx::prelude::*;

/// The most bytes of values that are alive at the same time: each from the node that makes it to the last that reads it.
/// Constants do not count, they belong to the plan.
pub fn peak_bytes(model: &TypedModel) -> TractResult<u64> {
    let order = model.eval_order()?;
    let outputs = model.output_outlets()?;
    let mut step = vec![0; model.nodes().len()];
    order.iter().enumerate().for_each(|(at, node)| step[*node] = at);
    // By node, what its outputs take and when they are last read.
    let (mut bytes, mut last) = (vec![0u64; step.len()], step.clone());
    for id in &order {
        let node = model.node(*id);
        if node.op_is::<tract_onnx::tract_core::ops::konst::Const>() {
            continue;
        }
        for (slot, output) in node.outputs.iter().enumerate() {
            bytes[*id] += match output.fact.shape.as_concrete() {
                // What is not made of plain values holds on to what it was made from.
                _ if output.fact.exotic_fact.is_some() => node.inputs.iter().map(|i| bytes[i.node]).sum(),
                Some(shape) => {
                    shape.iter().map(|side| *side as u64).product::<u64>()
                        * output.fact.datum_type.size_of() as u64
                }
                None => 0,
            };
            let read = output.successors.iter().map(|successor| step[successor.node]).max();
            let kept = outputs.contains(&OutletId::new(*id, slot)).then_some(order.len());
            last[*id] = last[*id].max(read.unwrap_or(0)).max(kept.unwrap_or(0));
        }
    }
    let alive = |at: usize| -> u64 {
        order.iter().filter(|id| step[**id] <= at && at <= last[**id]).map(|id| bytes[*id]).sum()
    };
    Ok((0..order.len()).map(alive).max().unwrap_or(0))
}
