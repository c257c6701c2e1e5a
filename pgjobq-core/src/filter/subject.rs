//! The beginnings of filters: what can be tested.

use std::time::SystemTime;

use super::column::Column;
use super::expression::Filter;
use super::instant;
use super::tree::{Comparison, Operation, Subject, Test};
use crate::db::time::micros;
use crate::{AttributeValue, JobId, JobState, Priority};

/// An attribute, or another value of a job that can be compared: from [`attribute`] and [`attempts`].
#[derive(Clone, Debug)]
#[must_use = "compare it with a value"]
pub struct Operand(Subject);

/// The attribute of this name.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::filter::attribute;
///
/// let large = attribute("rows").gt(1_000_000).or(attribute("region").in_(["eu", "us"]));
/// assert_eq!(large.to_string(), "rows > 1000000 or region in ('eu', 'us')");
/// ```
pub fn attribute(name: impl Into<String>) -> Operand {
    Operand(Subject::Attribute(name.into()))
}

/// The number of attempts of the job that have ended.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// assert_eq!(pgjobq::filter::attempts().ge(3).to_string(), "attempts >= 3");
/// ```
pub fn attempts() -> Operand {
    Operand(Subject::Column(Column::Attempts))
}

impl Operand {
    /// It equals this value.
    pub fn eq(self, value: impl Into<AttributeValue>) -> Filter {
        self.compare(Comparison::Equal, value)
    }

    /// It is another value of the same type.
    pub fn ne(self, value: impl Into<AttributeValue>) -> Filter {
        self.compare(Comparison::NotEqual, value)
    }

    /// It is less than this value.
    pub fn lt(self, value: impl Into<AttributeValue>) -> Filter {
        self.compare(Comparison::Less, value)
    }

    /// It is at most this value.
    pub fn le(self, value: impl Into<AttributeValue>) -> Filter {
        self.compare(Comparison::AtMost, value)
    }

    /// It is greater than this value.
    pub fn gt(self, value: impl Into<AttributeValue>) -> Filter {
        self.compare(Comparison::Greater, value)
    }

    /// It is at least this value.
    pub fn ge(self, value: impl Into<AttributeValue>) -> Filter {
        self.compare(Comparison::AtLeast, value)
    }

    /// It is there, and null.
    pub fn is_null(self) -> Filter {
        self.test(Operation::IsNull)
    }

    /// It is there, null or not.
    pub fn exists(self) -> Filter {
        self.test(Operation::Exists)
    }

    /// It equals one of these values.
    pub fn in_<V: Into<AttributeValue>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        self.test(Operation::In(values.into_iter().map(Into::into).collect()))
    }

    /// It is a text like this pattern, in which `%` is any text and `_` any character. A backslash before one of them takes that
    /// meaning away.
    pub fn like(self, pattern: impl Into<String>) -> Filter {
        self.test(Operation::Like(pattern.into()))
    }

    fn compare(self, comparison: Comparison, value: impl Into<AttributeValue>) -> Filter {
        self.test(Operation::Compare(comparison, value.into()))
    }

    fn test(self, operation: Operation) -> Filter {
        Filter::test(Test { subject: self.0, operation })
    }
}

fn column(column: Column, comparison: Comparison, value: impl Into<AttributeValue>) -> Filter {
    Operand(Subject::Column(column)).compare(comparison, value)
}

fn one_of(column: Column, values: impl Iterator<Item = String>) -> Filter {
    Operand(Subject::Column(column)).in_(values)
}

/// Every job.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// assert_eq!(pgjobq::filter::all().to_string(), "all");
/// ```
pub fn all() -> Filter {
    Filter::all()
}

/// The jobs of this kind.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// assert_eq!(pgjobq::filter::kind("sync").to_string(), "kind = 'sync'");
/// ```
pub fn kind(kind: impl Into<String>) -> Filter {
    column(Column::Kind, Comparison::Equal, kind.into())
}

/// The jobs of one of these kinds.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// assert_eq!(pgjobq::filter::kinds(["sync", "export"]).to_string(), "kind in ('sync', 'export')");
/// ```
pub fn kinds(kinds: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    one_of(Column::Kind, kinds.into_iter().map(Into::into))
}

/// The jobs of this queue.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// assert_eq!(pgjobq::filter::queue("mail").not().to_string(), "not queue = 'mail'");
/// ```
pub fn queue(queue: impl Into<String>) -> Filter {
    column(Column::Queue, Comparison::Equal, queue.into())
}

/// The jobs of one of these queues.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// assert_eq!(pgjobq::filter::queues(["mail", "sms"]).to_string(), "queue in ('mail', 'sms')");
/// ```
pub fn queues(queues: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    one_of(Column::Queue, queues.into_iter().map(Into::into))
}

/// The jobs with this key.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// assert_eq!(pgjobq::filter::key("tenant:42").to_string(), "key = 'tenant:42'");
/// ```
pub fn key(key: impl Into<String>) -> Filter {
    column(Column::Key, Comparison::Equal, key.into())
}

/// The jobs without a key.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// assert_eq!(pgjobq::filter::no_key().to_string(), "key is null");
/// ```
pub fn no_key() -> Filter {
    Operand(Subject::Column(Column::Key)).is_null()
}

/// The jobs in this state.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::{JobState, filter::state};
///
/// assert_eq!(state(JobState::Dead).to_string(), "state = 'dead'");
/// ```
pub fn state(state: JobState) -> Filter {
    column(Column::State, Comparison::Equal, state.as_str())
}

/// The jobs in one of these states.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::{JobState, filter::states};
///
/// let ended_badly = states([JobState::Dead, JobState::Expired]);
/// assert_eq!(ended_badly.to_string(), "state in ('dead', 'expired')");
/// ```
pub fn states(states: impl IntoIterator<Item = JobState>) -> Filter {
    one_of(Column::State, states.into_iter().map(|state| state.as_str().to_owned()))
}

/// The jobs of this priority.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::{Priority, filter::priority};
///
/// assert_eq!(priority(Priority::High).to_string(), "priority = 'high'");
/// ```
pub fn priority(priority: Priority) -> Filter {
    column(Column::Priority, Comparison::Equal, priority as i16)
}

/// The job with this id.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// let id: pgjobq::JobId = "01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d".parse()?;
/// assert_eq!(pgjobq::filter::id(id).to_string(), "id = '01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d'");
/// # Ok::<_, pgjobq::InvalidJobId>(())
/// ```
pub fn id(id: JobId) -> Filter {
    column(Column::Id, Comparison::Equal, id.to_string())
}

/// The jobs with one of these ids.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// let id: pgjobq::JobId = "01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d".parse()?;
/// assert_eq!(pgjobq::filter::ids([id]).to_string(), "id in ('01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d')");
/// # Ok::<_, pgjobq::InvalidJobId>(())
/// ```
pub fn ids(ids: impl IntoIterator<Item = JobId>) -> Filter {
    one_of(Column::Id, ids.into_iter().map(|id| id.to_string()))
}

/// The jobs that were enqueued before this time, by the database's clock.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use std::time::{Duration, SystemTime};
///
/// let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_500);
/// assert_eq!(pgjobq::filter::created_before(time).to_string(), "created_at < '2027-01-15T08:00:00.500000Z'");
/// ```
pub fn created_before(time: SystemTime) -> Filter {
    column(Column::CreatedAt, Comparison::Less, micros(time).min(instant::LATEST))
}

/// The jobs that were enqueued after this time, by the database's clock.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use std::time::{Duration, SystemTime};
///
/// let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// assert_eq!(pgjobq::filter::created_after(time).to_string(), "created_at > '2027-01-15T08:00:00Z'");
/// ```
pub fn created_after(time: SystemTime) -> Filter {
    column(Column::CreatedAt, Comparison::Greater, micros(time).min(instant::LATEST))
}

/// The jobs of which a failed attempt has this text in its message. Upper and lower case differ.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// assert_eq!(pgjobq::filter::error_contains("timeout").to_string(), "error contains 'timeout'");
/// ```
pub fn error_contains(part: impl Into<String>) -> Filter {
    Operand(Subject::Column(Column::Error)).test(Operation::Contains(part.into()))
}
