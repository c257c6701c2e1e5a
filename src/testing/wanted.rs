//! The options of an assertion: what a job must have, beside its arguments.

use std::fmt;
use std::time::{Duration, SystemTime};

use pgjobq_core::__private::serde_json::Value;
use pgjobq_core::testing::LiveJob;

use crate::Priority;

/// The largest difference between a time as it was expected and as the database has it.
const TOLERANCE: Duration = Duration::from_secs(1);

/// One thing that a job must have, beside its arguments.
pub(super) enum Wanted {
    Attribute(String, Value),
    Queue(String),
    Priority(Priority),
    Key(String),
    Delay(Duration),
    RunAt(SystemTime),
}

impl Wanted {
    pub(super) fn is_of(&self, job: &LiveJob) -> bool {
        let near = |one: SystemTime, other: SystemTime| {
            let apart = one.duration_since(other).unwrap_or_else(|error| error.duration());
            apart <= TOLERANCE
        };
        match self {
            Self::Attribute(name, value) => job.attributes.get(name) == Some(value),
            Self::Queue(queue) => job.queue == *queue,
            Self::Priority(priority) => job.priority == *priority as i16,
            Self::Key(key) => job.key.as_ref() == Some(key),
            Self::Delay(delay) => job.run_at.is_some_and(|run_at| near(run_at, job.created_at + *delay)),
            Self::RunAt(time) => job.run_at.is_some_and(|run_at| near(run_at, *time)),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name, value) => write!(out, "attribute({name:?}) == {value}"),
            Self::Queue(queue) => write!(out, "queue = {queue:?}"),
            Self::Priority(priority) => write!(out, "priority = {priority:?}"),
            Self::Key(key) => write!(out, "key = {key:?}"),
            Self::Delay(delay) => write!(out, "delay = {delay:?}"),
            Self::RunAt(time) => {
                let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                write!(out, "run_at = {} s after 1970", since.as_secs())
            }
        }
    }
}
