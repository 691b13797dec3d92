//! Einsum of two tensors as a product of matrices, which is what it is in attention.

use crate::network::onnx::{self, Attribute, Graph, Node};

/// The orders of axes between which an equation is a product of stacks of matrices: of both tensors before it, and of what comes
/// out behind it. None where it is something else.
fn orders(equation: &str) -> Option<[Vec<usize>; 3]> {
    let equation: String = equation.chars().filter(|letter| !letter.is_whitespace()).collect();
    let (inputs, output) = equation.split_once("->")?;
    let (left, right) = inputs.split_once(',')?;
    let [left, right, output] = [left, right, output].map(|term| term.chars().collect::<Vec<char>>());
    let plain = |term: &[char]| {
        let once = |letter: &char| term.iter().filter(|other| *other == letter).count() == 1;
        term.iter().all(|letter| letter.is_ascii_alphabetic() && once(letter))
    };
    if ![&left, &right, &output].into_iter().all(|term| plain(term)) {
        return None;
    }
    let of = |in_left: bool, in_right: bool, in_output: bool| -> Vec<char> {
        let all = output.iter().chain(left.iter().filter(|letter| !output.contains(letter)));
        let all = all.chain(right.iter().filter(|letter| !output.contains(letter) && !left.contains(letter)));
        let is = |letter: &&char| {
            [left.contains(letter), right.contains(letter), output.contains(letter)]
                == [in_left, in_right, in_output]
        };
        all.filter(is).copied().collect()
    };
    let stack = of(true, true, true);
    let (rows, sums, columns) = (of(true, false, true), of(true, true, false), of(false, true, true));
    let known = stack.len() + rows.len() + sums.len() + columns.len();
    let all = left.len() + columns.len();
    if [rows.len(), sums.len(), columns.len()] != [1; 3] || known != all || output.len() != stack.len() + 2 {
        return None;
    }
    let place = |term: &[char], order: &[&[char]]| -> Option<Vec<usize>> {
        order.concat().iter().map(|letter| term.iter().position(|other| other == letter)).collect()
    };
    Some([
        place(&left, &[&stack, &rows, &sums])?,
        place(&right, &[&stack, &sums, &columns])?,
        place(&[&stack[..], &rows, &columns].concat(), &[&output])?,
    ])
}

/// Puts transpositions and MatMul in the place of Einsum where that is the same.
pub fn to_matrix_products(graph: &mut Graph) {
    let mut nodes = Vec::with_capacity(graph.node.len());
    for node in std::mem::take(&mut graph.node) {
        let equation =
            onnx::attribute(&node, "equation").and_then(|equation| str::from_utf8(&equation.s).ok());
        let orders = equation.filter(|_| node.op_type == "Einsum").and_then(orders);
        let (Some([left, right, behind]), [a, b], [output]) = (orders, &node.input[..], &node.output[..])
        else {
            nodes.push(node);
            continue;
        };
        let mut transposed = |order: &[usize], from: &str, to: String| {
            if order.is_sorted() {
                return from.to_owned();
            }
            let perm = Attribute::of_integers("perm", order.iter().map(|axis| *axis as i64).collect());
            nodes.push(Node::of("Transpose", String::new(), &[from], &to).with(perm));
            to
        };
        let left = transposed(&left, a, format!("{output}/left"));
        let right = transposed(&right, b, format!("{output}/right"));
        let product = if behind.is_sorted() { output.clone() } else { format!("{output}/product") };
        nodes.push(Node::of("MatMul", node.name.clone(), &[&left, &right], &product));
        if !behind.is_sorted() {
            let perm = Attribute::of_integers("perm", behind.iter().map(|axis| *axis as i64).collect());
            nodes.push(Node::of("Transpose", String::new(), &[&product], output).with(perm));
        }
    }
    graph.node = nodes;
}

#[cfg(test)]
mod tests {
    use super::orders;

    #[test]
    fn equations_of_attention_are_products() {
        let eq = |equation: &str, wanted: Option<[&[usize]; 3]>| {
            assert_eq!(orders(equation), wanted.map(|orders| orders.map(<[usize]>::to_vec)), "{equation}");
        };
        eq("ij,jk->ik", Some([&[0, 1], &[0, 1], &[0, 1]]));
        eq("b h i d, b h j d -> b h i j", Some([&[0, 1, 2, 3], &[0, 1, 3, 2], &[0, 1, 2, 3]]));
        eq("bihd,bjhd->bijh", Some([&[0, 2, 1, 3], &[0, 2, 3, 1], &[0, 2, 3, 1]]));
        eq("kj,ik->ij", Some([&[1, 0], &[1, 0], &[1, 0]]));
        for other in
            ["ij,jk", "ii,ij->ij", "ij,kl->ik", "ij,j->i", "...ij,...jk->...ik", "ijk,k->ij", "ij,jk->ijl"]
        {
            eq(other, None);
        }
    }
}
