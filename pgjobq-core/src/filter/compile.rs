//! Compiles a filter to a jsonpath, which travels to the database as a bound parameter of a claim, and as a
//! literal of hexadecimal digits of every other statement. So no text in a filter is read as SQL.
//!
//! The attributes are the document, and the job's own columns are variables. Each test is `exists(value ? (condition))`, which is true or
//! false for every value: where a comparison in jsonpath is unknown, a filter expression `?` takes nothing. So `!` is the exact
//! opposite, and the whole path is never unknown.

use std::fmt::Write as _;

use super::column::Column;
use super::error::{FilterError, FilterProblem};
use super::expression::Filter;
use super::like::{self, Pattern};
use super::narrow::Narrow;
use super::tree::{Comparison, Node, Operation, Subject, Test};
use crate::AttributeValue;

/// The largest size of a compiled filter, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// A filter as the database takes it.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // Not public API: the fields are named for what they hold.
pub struct Compiled {
    /// A jsonpath, for `pgjobq.matches`.
    pub path: String,
    /// True if it tests columns, so that `pgjobq.matches` needs `pgjobq.filter_columns` of the job. Otherwise `'{}'` will do.
    pub needs_columns: bool,
    /// True if these columns include the queue of the job.
    pub needs_queue: bool,
    /// True if these columns include its state.
    pub needs_state: bool,
    /// True if these columns include its errors.
    pub needs_errors: bool,
    /// Conditions that every matching job fulfils, for the choice of an index.
    pub narrow: Narrow,
}

impl Filter {
    /// Compiles the filter.
    ///
    /// # Errors
    ///
    /// A name or a value that no job can have, and a filter that exceeds a limit.
    #[doc(hidden)]
    pub fn compile(&self) -> Result<Compiled, FilterError> {
        self.check()?;
        let mut path = String::new();
        write_node(&mut path, &self.root);
        if path.len() > MAX_BYTES {
            return Err(FilterProblem::TooLong(path.len()).into());
        }
        let columns = self.root.columns();
        Ok(Compiled {
            path,
            needs_columns: !columns.is_empty(),
            needs_queue: columns.contains(&Column::Queue),
            needs_state: columns.contains(&Column::State),
            needs_errors: columns.contains(&Column::Error),
            narrow: Narrow::of(&self.root),
        })
    }
}

fn write_node(path: &mut String, node: &Node) {
    match node {
        Node::All => path.push_str("1 == 1"),
        Node::Test(test) => write_test(path, test),
        Node::And(nodes) => write_joined(path, nodes, " && "),
        Node::Or(nodes) => write_joined(path, nodes, " || "),
        Node::Not(node) => {
            path.push_str("!(");
            write_node(path, node);
            path.push(')');
        }
    }
}

fn write_joined(path: &mut String, nodes: &[Node], sign: &str) {
    path.push('(');
    for (at, node) in nodes.iter().enumerate() {
        if at > 0 {
            path.push_str(sign);
        }
        write_node(path, node);
    }
    path.push(')');
}

fn write_test(path: &mut String, test: &Test) {
    path.push_str("exists(");
    match &test.subject {
        Subject::Attribute(name) => path.extend(["$.", &quoted(name)]),
        Subject::Column(Column::Error) => path.push_str("$errors[*].message"),
        Subject::Column(column) => path.extend(["$", column.name()]),
    }
    if let Some(condition) = condition(&test.operation) {
        path.extend([" ? (", &condition, ")"]);
    }
    path.push(')');
}

/// Returns the condition on the value `@`; `None` if it only has to be there.
fn condition(operation: &Operation) -> Option<String> {
    Some(match operation {
        Operation::Exists => return None,
        Operation::IsNull => "@ == null".to_owned(),
        Operation::Compare(comparison, value) => {
            let value = literal(value);
            match comparison {
                Comparison::Equal => format!("@ == {value}"),
                // In jsonpath `null != 42` is true.
                Comparison::NotEqual => format!("@ < {value} || @ > {value}"),
                ordered => format!("@ {} {value}", ordered.sign()),
            }
        }
        Operation::In(values) if values.is_empty() => "1 == 0".to_owned(),
        Operation::In(values) => {
            let equal = values.iter().map(|value| format!("@ == {}", literal(value)));
            equal.collect::<Vec<_>>().join(" || ")
        }
        Operation::Like(pattern) => match Pattern::new(pattern).ok()?.test() {
            like::Test::Equals(text) => format!("@ == {}", quoted(&text)),
            like::Test::StartsWith(text) => format!("@ starts with {}", quoted(&text)),
            like::Test::Matches(regex) => format!("@ like_regex {} flag \"s\"", quoted(&regex)),
        },
        Operation::Contains(part) => format!("@ like_regex {} flag \"q\"", quoted(part)),
    })
}

/// Writes a value as jsonpath has it. A float is written with the digits with which its attribute is stored.
fn literal(value: &AttributeValue) -> String {
    let mut text = String::new();
    let _ = match value {
        AttributeValue::Null => write!(text, "null"),
        AttributeValue::Bool(value) => write!(text, "{value}"),
        AttributeValue::Integer(value) => write!(text, "{value}"),
        AttributeValue::Float(value) => write!(text, "{value:?}"),
        AttributeValue::Text(value) => write!(text, "{}", quoted(value)),
    };
    text
}

/// Writes a text in quotes. jsonpath knows every escape of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::filter::*;

    fn path(filter: Filter) -> String {
        filter.compile().unwrap().path
    }

    #[test]
    fn test_is_an_exists_of_a_filter_expression() {
        assert_eq!(path(attribute("a\"b").eq(42)), r#"exists($."a\"b" ? (@ == 42))"#);
        assert_eq!(path(attribute("a").ne(-0.5)), r#"exists($."a" ? (@ < -0.5 || @ > -0.5))"#);
        assert_eq!(path(attribute("a").exists().not()), r#"!(exists($."a"))"#);
        assert_eq!(path(kind("sync").and(all())), r#"exists($kind ? (@ == "sync"))"#);
        assert_eq!(path(attribute("a").in_(["x", "y"])), r#"exists($."a" ? (@ == "x" || @ == "y"))"#);
    }

    #[test]
    fn filter_beyond_a_limit_is_refused() {
        let problem = |filter: Filter| filter.compile().unwrap_err().problem;
        let many = |terms: i64| (0..terms).map(|n| attribute("a").eq(n)).reduce(Filter::or).unwrap();
        assert!(many(1000).compile().is_ok());
        assert_eq!(problem(many(10_000)), FilterProblem::TooManyTerms(10_000));
        assert_eq!(problem(attribute("a").in_(0..2000)), FilterProblem::TooManyTerms(2000));
        let patterns = |count: i64| {
            let pattern = |n| attribute("a").like(format!("%{n}%"));
            (0..count).map(pattern).reduce(Filter::or).unwrap()
        };
        let beginnings = (0..100).map(|n| attribute("a").like(format!("{n}%")));
        assert!(beginnings.reduce(Filter::or).unwrap().compile().is_ok());
        assert!(patterns(30).compile().is_ok());
        assert_eq!(problem(patterns(31)), FilterProblem::TooManyPatterns(31));
        let deep = |levels: i64| {
            let step = |filter: Filter, n| filter.and(attribute("a").eq(n)).not();
            (0..levels).fold(attribute("a").exists(), step)
        };
        assert!(deep(31).compile().is_ok());
        assert_eq!(problem(deep(32)), FilterProblem::TooDeep(65));
        assert!(
            matches!(problem(deep(100_000)), FilterProblem::TooManyTerms(100_001)),
            "and nothing overflows"
        );
        let long = (0..100).map(|n| attribute("a").eq("x".repeat(700) + &n.to_string()));
        assert!(matches!(problem(long.reduce(Filter::or).unwrap()), FilterProblem::TooLong(70_000..)));
        assert_eq!(problem(attribute("a").like("x".repeat(1001))), FilterProblem::LongPattern(1001));
    }

    #[test]
    fn value_that_no_job_has_is_refused() {
        let message = |filter: Filter| filter.compile().unwrap_err().to_string();
        for (filter, says) in [
            (attribute("a").eq(f64::NAN), "`a` is compared with NaN"),
            (attribute("a").in_([1.0, f64::INFINITY]), "`a` is compared with inf"),
            (attribute("a").eq("\0"), "`a` is compared with a text that has a NUL character"),
            (attribute("a\0").exists(), r#"and this one is "a\0""#),
            (attribute("").exists(), "and this one is empty"),
            (attribute("a").ne(None::<i32>), "write `a is null`"),
            (attribute("a").like("a\\"), "ends with a backslash"),
            (attempts().gt("many"), "`attempts` is compared with 'many', and it is a number"),
            (attempts().like("1%"), "`attempts` cannot be tested by `like`"),
            (error_contains("\0"), "NUL"),
        ] {
            let error = message(filter);
            assert!(error.starts_with("the filter is wrong: ") && error.contains(says), "{error}");
        }
    }
}
