//! Evaluates a filter in memory: the definition of what the compiled one has to answer.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::column::Column;
use super::expression::Filter;
use super::like::Pattern;
use super::tree::{Comparison, Node, Operation, Subject, Test};
use crate::{AttributeValue, JobId, JobState, Priority};

/// A job, as far as a filter looks at it.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // Not public API: the fields are named for what they hold.
pub struct Candidate {
    pub attributes: BTreeMap<String, AttributeValue>,
    pub kind: String,
    pub queue: String,
    pub key: Option<String>,
    pub id: JobId,
    pub state: JobState,
    pub priority: Priority,
    /// In microseconds since 1970.
    pub created_at: i64,
    pub attempts: i32,
    /// The messages of its failed attempts.
    pub errors: Vec<String>,
}

impl Candidate {
    /// Returns whether a filter matches the job.
    #[must_use]
    pub fn is_matched_by(&self, filter: &Filter) -> bool {
        self.fulfils(&filter.root)
    }

    fn fulfils(&self, node: &Node) -> bool {
        match node {
            Node::All => true,
            Node::Test(test) => self.passes(test),
            Node::And(nodes) => nodes.iter().all(|node| self.fulfils(node)),
            Node::Or(nodes) => nodes.iter().any(|node| self.fulfils(node)),
            Node::Not(node) => !self.fulfils(node),
        }
    }

    fn passes(&self, test: &Test) -> bool {
        if let Operation::Contains(part) = &test.operation {
            return self.errors.iter().any(|error| error.contains(part));
        }
        let own;
        let value = match &test.subject {
            Subject::Attribute(name) => match self.attributes.get(name) {
                Some(value) => value,
                None => return false,
            },
            Subject::Column(column) => {
                own = self.column(*column);
                &own
            }
        };
        match &test.operation {
            Operation::Compare(comparison, other) => {
                compare(value, other).is_some_and(|order| match comparison {
                    Comparison::Equal => order.is_eq(),
                    Comparison::NotEqual => order.is_ne(),
                    Comparison::Less => order.is_lt(),
                    Comparison::AtMost => order.is_le(),
                    Comparison::Greater => order.is_gt(),
                    Comparison::AtLeast => order.is_ge(),
                })
            }
            Operation::In(values) => {
                values.iter().any(|other| compare(value, other).is_some_and(Ordering::is_eq))
            }
            Operation::Like(pattern) => match (value, Pattern::new(pattern)) {
                (AttributeValue::Text(text), Ok(pattern)) => pattern.matches(text),
                _ => false,
            },
            Operation::IsNull => *value == AttributeValue::Null,
            Operation::Exists => true,
            Operation::Contains(_) => false,
        }
    }

    fn column(&self, column: Column) -> AttributeValue {
        match column {
            Column::Kind => self.kind.as_str().into(),
            Column::Queue => self.queue.as_str().into(),
            Column::Key => self.key.as_deref().into(),
            Column::Id => self.id.to_string().into(),
            Column::State => self.state.as_str().into(),
            Column::Priority => (self.priority as i16).into(),
            Column::CreatedAt => self.created_at.into(),
            Column::Attempts => self.attempts.into(),
            Column::Error => AttributeValue::Null,
        }
    }
}

/// Compares two values of one type; `None` for others, and for nulls.
fn compare(one: &AttributeValue, other: &AttributeValue) -> Option<Ordering> {
    use AttributeValue::{Bool, Float, Integer, Text};
    match (one, other) {
        (Bool(one), Bool(other)) => Some(one.cmp(other)),
        (Text(one), Text(other)) => Some(one.cmp(other)),
        (Integer(one), Integer(other)) => Some(one.cmp(other)),
        (Float(one), Float(other)) => one.partial_cmp(other),
        (Integer(one), Float(other)) => Some(compare_exactly(*one, *other)),
        (Float(one), Integer(other)) => Some(compare_exactly(*other, *one).reverse()),
        _ => None,
    }
}

/// Compares an integer with a finite float, of which the database has the shortest decimal number that is read as this float.
fn compare_exactly(integer: i128, float: f64) -> Ordering {
    if integer == 0 || float == 0.0 || (integer < 0) != (float < 0.0) {
        return integer.signum().cmp(&if float == 0.0 { 0 } else { float.signum() as i128 });
    }
    let printed = format!("{:e}", float.abs());
    let (digits, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
    let whole: u128 = digits.replace('.', "").parse().unwrap_or(0);
    let places = digits.split_once('.').map_or(0, |(_, places)| places.len() as i32);
    let exponent = exponent.parse::<i32>().unwrap_or(0) - places;
    let power = 10_u128.checked_pow(exponent.unsigned_abs());
    let size = integer.unsigned_abs();
    let order = match power {
        Some(power) if exponent >= 0 => {
            whole.checked_mul(power).map_or(Ordering::Less, |whole| size.cmp(&whole))
        }
        Some(power) => size.cmp(&(whole / power)).then(0.cmp(&(whole % power))),
        None if exponent >= 0 => Ordering::Less,
        None => Ordering::Greater,
    };
    if integer < 0 { order.reverse() } else { order }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_are_compared_exactly() {
        for (integer, float, expected) in [
            (9_007_199_254_740_993, 9_007_199_254_740_992.0, Ordering::Greater),
            (9_007_199_254_740_992, 9_007_199_254_740_992.0, Ordering::Equal),
            (-9_007_199_254_740_993, -9_007_199_254_740_992.0, Ordering::Less),
            (1, 1.0000000000000002, Ordering::Less),
            (2, 1.9999999999999998, Ordering::Greater),
            (0, -0.0, Ordering::Equal),
            (0, 5e-324, Ordering::Less),
            (1, 5e-324, Ordering::Greater),
            (-1, -5e-324, Ordering::Less),
            (i128::MAX, 1e300, Ordering::Less),
            (i128::MIN, -1e300, Ordering::Greater),
            (100_000_000_000_000_000_000_000, 1e23, Ordering::Equal),
            (-5, 3.0, Ordering::Less),
        ] {
            assert_eq!(compare_exactly(integer, float), expected, "{integer} and {float:?}");
        }
    }
}
