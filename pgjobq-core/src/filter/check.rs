//! Checks the tests of a filter: of names and values that no job can have.

use super::column::Column;
use super::error::FilterProblem;
use super::like::Pattern;
use super::tree::{Operation, Subject, Test};
use crate::AttributeValue;
use crate::enqueue::attributes::check_name;

/// Returns the mistake in a test, if there is one.
pub(super) fn test(test: &Test) -> Result<(), FilterProblem> {
    match &test.subject {
        Subject::Attribute(name) => {
            check_name(name).map_err(|_| FilterProblem::Name(name.clone()))?;
            if matches!(test.operation, Operation::Contains(_)) {
                return refuse(&test.subject, "contains", INSTEAD_OF_CONTAINS);
            }
        }
        Subject::Column(column) => check_operator(*column, test)?,
    }
    let value = |value| check_value(&test.subject, value);
    match &test.operation {
        Operation::Compare(_, compared) => value(compared),
        Operation::In(values) => values.iter().try_for_each(value),
        Operation::Like(pattern) => {
            value(&AttributeValue::Text(pattern.clone()))?;
            Pattern::new(pattern).map(|_| ())
        }
        Operation::Contains(part) => {
            if part.contains('\0') {
                return Err(FilterProblem::Nul(name_of(&test.subject)));
            }
            super::like::check_length(part)
        }
        Operation::IsNull | Operation::Exists => Ok(()),
    }
}

/// Returns the operators that a subject has, for an error.
pub(super) fn operators(subject: &Subject) -> &'static str {
    match subject {
        Subject::Attribute(_) => "one of = != < <= > >= in like is exists",
        Subject::Column(Column::Error) => "`contains`",
        Subject::Column(Column::Key) => "one of = != < <= > >= in like is",
        Subject::Column(Column::Kind | Column::Queue) => "one of = != < <= > >= in like",
        Subject::Column(Column::Id | Column::State) => "one of = != in",
        Subject::Column(Column::Priority | Column::CreatedAt | Column::Attempts) => {
            "one of = != < <= > >= in"
        }
    }
}

/// Returns true if PostgreSQL compiles a regular expression for the operation. A pattern that is a beginning or a whole text is none.
pub(super) fn is_pattern(operation: &Operation) -> bool {
    match operation {
        Operation::Contains(_) => true,
        Operation::Like(pattern) => {
            Pattern::new(pattern).is_ok_and(|pattern| matches!(pattern.test(), super::like::Test::Matches(_)))
        }
        _ => false,
    }
}

const INSTEAD_OF_CONTAINS: &str = "write `like '%…%'`";

fn refuse(subject: &Subject, operator: &'static str, instead: &'static str) -> Result<(), FilterProblem> {
    Err(FilterProblem::Operator { name: name_of(subject), operator, instead })
}

fn check_operator(column: Column, Test { subject, operation }: &Test) -> Result<(), FilterProblem> {
    let refused = |operator, instead| refuse(subject, operator, instead);
    match operation {
        Operation::Contains(_) if column == Column::Error => Ok(()),
        Operation::Contains(_) => refused("contains", INSTEAD_OF_CONTAINS),
        _ if column == Column::Error => refused(word(operation), "write `error contains '…'`"),
        Operation::Compare(comparison, _) if comparison.orders() && !column.is_ordered() => {
            refused(comparison.sign(), "it has no order: write `=`, `!=` or `in`")
        }
        Operation::Like(_) if !column.is_free_text() => {
            refused("like", "it is not any text: write `=` or `in`")
        }
        Operation::IsNull if column != Column::Key => refused("is null", "every job has one"),
        Operation::Exists if column == Column::Key => refused("exists", "write `not key is null`"),
        Operation::Exists => refused("exists", "every job has one"),
        Operation::Compare(..) | Operation::In(_) | Operation::Like(_) | Operation::IsNull => Ok(()),
    }
}

fn word(operation: &Operation) -> &'static str {
    match operation {
        Operation::Compare(comparison, _) => comparison.sign(),
        Operation::In(_) => "in",
        Operation::Like(_) => "like",
        Operation::IsNull => "is null",
        Operation::Exists => "exists",
        Operation::Contains(_) => "contains",
    }
}

fn check_value(subject: &Subject, value: &AttributeValue) -> Result<(), FilterProblem> {
    let name = || name_of(subject);
    match value {
        AttributeValue::Null => return Err(FilterProblem::Null(name())),
        AttributeValue::Float(value) if !value.is_finite() => {
            return Err(FilterProblem::NotFinite { name: name(), value: *value });
        }
        AttributeValue::Text(text) if text.contains('\0') => return Err(FilterProblem::Nul(name())),
        _ => {}
    }
    match subject {
        Subject::Column(column) if !column.has(value) => Err(column.mismatch(value)),
        _ => Ok(()),
    }
}

/// The name of what is tested, as the text form has it.
fn name_of(subject: &Subject) -> String {
    super::text::subject(subject)
}
