//! Nodes written as one formula a line: `y = Op(a, b) attribute=1`, `y = 0.5`, `y = [1, 2]` or `y = integer 3`.

use crate::network::onnx::{Attribute, Node};

/// The nodes of formulas. They are our own; a test sees to it that each line is one.
pub fn nodes(formulas: &str) -> Vec<Node> {
    formulas.lines().filter_map(|line| node(line.trim())).collect()
}

fn node(line: &str) -> Option<Node> {
    let (outputs, formula) = line.split_once(" = ")?;
    let list = |text: &str| text.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let constant = |attribute| (String::from("Constant"), Vec::new(), vec![attribute]);
    let (op_type, input, attribute) = if let Some(numbers) = formula.strip_prefix('[') {
        let numbers = numbers.trim_end_matches(']').split(", ").filter_map(|number| number.parse().ok());
        constant(Attribute::of_integers("value_ints", numbers.collect()))
    } else if let Some(number) = formula.strip_prefix("integer ") {
        constant(Attribute::of_integer("value_int", number.parse().ok()?))
    } else if let Some((op, rest)) = formula.split_once('(') {
        let (inputs, attributes) = rest.split_once(')')?;
        let attribute = |text: &str| {
            let (name, value) = text.split_once('=')?;
            Some(Attribute::of_integer(name, value.parse().ok()?))
        };
        (op.to_owned(), list(inputs), attributes.split_whitespace().filter_map(attribute).collect())
    } else {
        constant(Attribute::of_float("value_float", formula.parse().ok()?))
    };
    let output: Vec<String> = list(outputs);
    Some(Node { name: output.first()?.clone(), op_type, input, output, attribute, ..Node::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_read() {
        let nodes = nodes(
            "\n  a, b = Split(x) axis=0 num_outputs=2\n c = -1.5\nd = [1, -2]\ne = integer 7\nf = Add(a, b)",
        );
        let words = |node: &Node| format!("{:?} {} {:?}", node.output, node.op_type, node.input);
        assert_eq!(words(&nodes[0]), r#"["a", "b"] Split ["x"]"#);
        assert_eq!(
            nodes[0].attribute,
            [Attribute::of_integer("axis", 0), Attribute::of_integer("num_outputs", 2)]
        );
        assert_eq!(nodes[1].attribute[0].f, Some(-1.5));
        assert_eq!(nodes[2].attribute[0].ints, [1, -2]);
        assert_eq!(
            (nodes[3].attribute[0].i, words(&nodes[4])),
            (Some(7), r#"["f"] Add ["a", "b"]"#.to_owned())
        );
        assert_eq!(nodes.len(), 5);
    }
}
