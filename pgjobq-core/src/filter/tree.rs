//! The parts of a filter.

use super::column::Column;
use crate::AttributeValue;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    All,
    Test(Test),
    /// At least two nodes, none of which is an `And`.
    And(Vec<Node>),
    /// At least two nodes, none of which is an `Or`.
    Or(Vec<Node>),
    /// Never another `Not`.
    Not(Box<Node>),
}

/// One test of a job. It is true or false.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test {
    pub(super) subject: Subject,
    pub(super) operation: Operation,
}

/// The value that is tested.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Subject {
    Attribute(String),
    Column(Column),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    Compare(Comparison, AttributeValue),
    In(Vec<AttributeValue>),
    Like(String),
    IsNull,
    Exists,
    /// One of the texts contains this one.
    Contains(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Comparison {
    pub(super) const ALL: [Self; 6] =
        [Self::Equal, Self::NotEqual, Self::Less, Self::AtMost, Self::Greater, Self::AtLeast];

    /// The sign for it in the text form.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Returns whether it needs an order of the values.
    pub(super) fn orders(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Test {
    /// The number of comparisons that it makes.
    pub(super) fn terms(&self) -> usize {
        match &self.operation {
            Operation::In(values) => values.len().max(1),
            _ => 1,
        }
    }
}

impl Node {
    /// Returns the columns that it tests.
    pub(super) fn columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        let Ok(()) = self.visit::<std::convert::Infallible>(&mut |test| {
            if let Subject::Column(column) = test.subject {
                columns.push(column);
            }
            Ok(())
        });
        columns
    }

    /// Calls `see` for each test.
    pub(super) fn visit<'n, E>(&'n self, see: &mut impl FnMut(&'n Test) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::All => Ok(()),
            Self::Test(test) => see(test),
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().try_for_each(|node| node.visit(see)),
            Self::Not(node) => node.visit(see),
        }
    }
}
