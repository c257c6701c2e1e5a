//! Writes a filter in its text form, which [`parse`](super::parse) reads.

use std::fmt;

use super::column::{self, Column};
use super::expression::Filter;
use super::instant;
use super::tokens::is_plain_name;
use super::tree::{Node, Operation, Subject, Test};
use crate::AttributeValue;

impl fmt::Display for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exceeds_limits() {
            return write!(out, "(a filter of {} terms in {} levels)", self.terms, self.levels);
        }
        write_node(out, &self.root)
    }
}

fn write_node(out: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    match node {
        Node::All => out.write_str("all"),
        Node::Test(test) => write_test(out, test),
        Node::And(nodes) => write_joined(out, nodes, " and "),
        Node::Or(nodes) => write_joined(out, nodes, " or "),
        Node::Not(node) => {
            out.write_str("not ")?;
            write_part(out, node, matches!(**node, Node::And(_) | Node::Or(_)))
        }
    }
}

/// `and` binds more tightly than `or`.
fn write_joined(out: &mut fmt::Formatter<'_>, nodes: &[Node], word: &str) -> fmt::Result {
    for (at, node) in nodes.iter().enumerate() {
        if at > 0 {
            out.write_str(word)?;
        }
        write_part(out, node, matches!(node, Node::Or(_)))?;
    }
    Ok(())
}

fn write_part(out: &mut fmt::Formatter<'_>, node: &Node, in_parentheses: bool) -> fmt::Result {
    if !in_parentheses {
        return write_node(out, node);
    }
    out.write_str("(")?;
    write_node(out, node)?;
    out.write_str(")")
}

fn write_test(out: &mut fmt::Formatter<'_>, test: &Test) -> fmt::Result {
    let value = |value| value_of(&test.subject, value);
    out.write_str(&subject(&test.subject))?;
    match &test.operation {
        Operation::Compare(comparison, compared) => write!(out, " {} {}", comparison.sign(), value(compared)),
        Operation::In(values) => {
            write!(out, " in ({})", values.iter().map(value).collect::<Vec<_>>().join(", "))
        }
        Operation::Like(pattern) => write!(out, " like {}", quoted(pattern, '\'')),
        Operation::IsNull => out.write_str(" is null"),
        Operation::Exists => out.write_str(" exists"),
        Operation::Contains(part) => write!(out, " contains {}", quoted(part, '\'')),
    }
}

/// The name of what is tested.
pub(super) fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Attribute(name) if is_plain_name(name) => name.clone(),
        Subject::Attribute(name) => quoted(name, '"'),
        Subject::Column(column) => column.name().to_owned(),
    }
}

/// A value, as people write it for this column.
fn value_of(subject: &Subject, value: &AttributeValue) -> String {
    let named = match (subject, value) {
        (Subject::Column(Column::Priority), AttributeValue::Integer(number)) => {
            column::name_of_priority(*number).map(str::to_owned)
        }
        (Subject::Column(Column::CreatedAt), AttributeValue::Integer(micros)) => {
            i64::try_from(*micros).ok().map(instant::print)
        }
        _ => None,
    };
    named.map_or_else(|| literal(value), |named| quoted(&named, '\''))
}

pub(super) fn literal(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Null => "null".to_owned(),
        AttributeValue::Bool(value) => value.to_string(),
        AttributeValue::Integer(value) => value.to_string(),
        AttributeValue::Float(value) => format!("{value:?}"),
        AttributeValue::Text(value) => quoted(value, '\''),
    }
}

fn quoted(text: &str, quote: char) -> String {
    let inside = text.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{inside}{quote}")
}
