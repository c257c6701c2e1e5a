//! The conditions that every job which a filter matches fulfils, for the choice of an index.

use std::collections::BTreeSet;

use super::column::Column;
use super::tree::{Comparison, Node, Operation, Subject, Test};
use crate::{AttributeValue, JobId, JobState};

/// Conditions that every matching job fulfils; `None` where there is none. Jobs that fulfil all of them need not match.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)] // Not public API: the fields are named for what they hold.
pub struct Narrow {
    /// The states that a matching job may have.
    pub states: Option<Vec<JobState>>,
    pub ids: Option<Vec<JobId>>,
    pub kinds: Option<Vec<String>>,
    pub queues: Option<Vec<String>>,
    /// Attributes, each with the value that every matching job has there, in the order of the filter.
    pub equals: Vec<(String, AttributeValue)>,
}

impl Narrow {
    pub(super) fn of(node: &Node) -> Self {
        Self {
            states: values(node, Column::State).map(parsed),
            ids: values(node, Column::Id).map(parsed),
            kinds: values(node, Column::Kind).map(parsed),
            queues: values(node, Column::Queue).map(parsed),
            equals: equals(node),
        }
    }
}

fn parsed<T: std::str::FromStr>(texts: BTreeSet<&str>) -> Vec<T> {
    texts.into_iter().filter_map(|text| text.parse().ok()).collect()
}

/// Returns the values that a column of a matching job may have; `None` if it may have any.
fn values(node: &Node, column: Column) -> Option<BTreeSet<&str>> {
    match node {
        Node::Test(Test { subject: Subject::Column(tested), operation }) if *tested == column => {
            match operation {
                Operation::Compare(Comparison::Equal, value) => Some(texts(std::slice::from_ref(value))),
                Operation::In(values) => Some(texts(values)),
                _ => None,
            }
        }
        Node::And(nodes) => {
            let narrowed = nodes.iter().filter_map(|node| values(node, column));
            narrowed.reduce(|some, others| &some & &others)
        }
        Node::Or(nodes) => {
            let narrowed = nodes.iter().map(|node| values(node, column));
            narrowed.reduce(|some, others| Some(&some? | &others?)).flatten()
        }
        Node::All | Node::Test(_) | Node::Not(_) => None,
    }
}

fn texts(values: &[AttributeValue]) -> BTreeSet<&str> {
    let texts = values.iter().filter_map(|value| match value {
        AttributeValue::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// Returns the attributes that equal one value in every matching job, with that value.
fn equals(node: &Node) -> Vec<(String, AttributeValue)> {
    match node {
        Node::Test(Test {
            subject: Subject::Attribute(name),
            operation: Operation::Compare(Comparison::Equal, value),
        }) => vec![(name.clone(), value.clone())],
        Node::And(nodes) => nodes.iter().flat_map(equals).collect(),
        Node::All | Node::Test(_) | Node::Or(_) | Node::Not(_) => Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::filter;

    #[test]
    fn alternatives_join_and_conjunctions_intersect() {
        let narrow = |text: &str| text.parse::<filter::Filter>().unwrap().compile().unwrap().narrow;
        let found = narrow(
            "tenant = 42 and (state = 'dead' or state = 'held') and state in ('held', 'ready') and a = 1",
        );
        assert_eq!(found.states, Some(vec![JobState::Held]));
        assert_eq!(found.equals, [("tenant".to_owned(), 42.into()), ("a".to_owned(), 1.into())]);
        let found =
            narrow("(state = 'dead' or state = 'expired') and (queue = 'a' or x = 1) and not kind = 'a'");
        assert_eq!(found.states, Some(vec![JobState::Dead, JobState::Expired]));
        assert_eq!((found.ids, found.equals), (None, Vec::new()));
        assert_eq!((found.kinds, found.queues), (None, None));
        let found = narrow("kind in ('b', 'a') and (queue = 'mail' or queue = 'post') and not queue = 'x'");
        assert_eq!(found.kinds, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(found.queues, Some(vec!["mail".to_owned(), "post".to_owned()]));
        assert_eq!(narrow("x = 1 or y = 1").equals, []);
        assert_eq!(narrow("state = 'dead' and state = 'held'").states, Some(Vec::new()), "nothing matches");
    }
}
