//! The columns of a job that a filter can test, and the values that each of them has.

use super::error::FilterProblem;
use super::instant;
use crate::{AttributeValue, JobId, JobState, Priority};

/// A property of the job itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Kind,
    Queue,
    Key,
    Id,
    State,
    Priority,
    CreatedAt,
    Attempts,
    Error,
}

impl Column {
    pub(super) const ALL: [Self; 9] = [
        Self::Kind,
        Self::Queue,
        Self::Key,
        Self::Id,
        Self::State,
        Self::Priority,
        Self::CreatedAt,
        Self::Attempts,
        Self::Error,
    ];

    /// The name of it in the text form, and of the jsonpath variable.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Queue => "queue",
            Self::Key => "key",
            Self::Id => "id",
            Self::State => "state",
            Self::Priority => "priority",
            Self::CreatedAt => "created_at",
            Self::Attempts => "attempts",
            Self::Error => "error",
        }
    }

    /// A description of the values that it is compared with.
    pub(super) fn wants(self) -> &'static str {
        match self {
            Self::Kind | Self::Queue | Self::Key => "a text",
            Self::Id => "the id of a job, like '01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d'",
            Self::State => {
                "'blocked', 'scheduled', 'held', 'limited', 'ready', 'running', 'completed', 'dead', 'cancelled' or 'expired'"
            }
            Self::Priority => "'low', 'normal', 'high' or 'critical'",
            Self::CreatedAt => "a time, like '2027-01-31T12:00:00Z'",
            Self::Attempts => "a number",
            Self::Error => "`contains` and a text",
        }
    }

    /// Returns whether its values have an order that means something.
    pub(super) fn is_ordered(self) -> bool {
        !matches!(self, Self::Id | Self::State | Self::Error)
    }

    /// Returns whether it differs between the jobs that a worker may claim.
    pub(super) fn tells_ready_jobs_apart(self) -> bool {
        !matches!(self, Self::State | Self::Error)
    }

    /// Returns whether it is any text, so that it can be like a pattern.
    pub(super) fn is_free_text(self) -> bool {
        matches!(self, Self::Kind | Self::Queue | Self::Key)
    }

    /// Turns a value of the text form into the one that the column has.
    pub(super) fn value(self, written: AttributeValue) -> Result<AttributeValue, FilterProblem> {
        use AttributeValue::{Float, Integer, Text};
        let value = match (self, &written) {
            (Self::Error, _) // No operator with a value is for it.
            | (Self::Kind | Self::Queue | Self::Key, Text(_))
            | (Self::Attempts, Integer(_) | Float(_)) => {
                return Ok(written);
            }
            (Self::Id, Text(text)) => text.parse().ok().map(|id: JobId| Text(id.to_string())),
            (Self::State, Text(text)) => text.parse().ok().map(|_: JobState| Text(text.clone())),
            (Self::Priority, Text(text)) => priority_named(text).map(|value| Integer(value as i128)),
            (Self::CreatedAt, Text(text)) => instant::parse(text).map(|micros| Integer(micros.into())),
            _ => None,
        };
        value.ok_or_else(|| self.mismatch(&written))
    }

    /// Returns whether a value of a filter is one that the column has.
    pub(super) fn has(self, value: &AttributeValue) -> bool {
        match self {
            Self::Kind | Self::Queue | Self::Key | Self::Id | Self::State => {
                matches!(value, AttributeValue::Text(_))
            }
            Self::Priority | Self::CreatedAt => matches!(value, AttributeValue::Integer(_)),
            Self::Attempts => matches!(value, AttributeValue::Integer(_) | AttributeValue::Float(_)),
            Self::Error => false,
        }
    }

    pub(super) fn mismatch(self, value: &AttributeValue) -> FilterProblem {
        let found = super::text::literal(value);
        FilterProblem::Mismatch { name: self.name(), wants: self.wants(), found }
    }
}

const PRIORITIES: [(&str, Priority); 4] = [
    ("low", Priority::Low),
    ("normal", Priority::Normal),
    ("high", Priority::High),
    ("critical", Priority::Critical),
];

/// The name of a priority, by its number.
pub(super) fn name_of_priority(number: i128) -> Option<&'static str> {
    usize::try_from(number).ok().and_then(|number| PRIORITIES.get(number)).map(|(name, _)| *name)
}

fn priority_named(name: &str) -> Option<Priority> {
    PRIORITIES.iter().find(|(other, _)| *other == name).map(|(_, priority)| *priority)
}
