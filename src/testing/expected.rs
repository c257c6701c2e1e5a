//! The jobs that an assertion expects, and the comparison with those that are enqueued.

use std::fmt;
use std::time::{Duration, SystemTime};

use pgjobq_core::__private::serde_json::value::RawValue;
use pgjobq_core::__private::serde_json::{self, Value};
use pgjobq_core::testing::{LiveJob, ended_jobs, live_jobs};

use super::close_miss::{Count, Miss};
use super::queue::TestQueue;
use crate::{AttributeValue, JobError, Priority};

/// The largest difference between a time as it was expected and as the database has it.
const TOLERANCE: Duration = Duration::from_secs(1);

/// The jobs that an assertion expects.
pub struct Expected<'a, M> {
    kind: &'static str,
    /// The names of the job function's arguments.
    names: &'static [&'static str],
    /// The conditions on arguments, as they are written.
    conditions: &'a [&'static str],
    /// Says for each condition if it holds.
    matches: M,
    options: Vec<Wanted>,
    count: Count,
}

/// What a job must have, beside its arguments.
enum Wanted {
    Attribute(String, Value),
    Queue(String),
    Priority(Priority),
    Key(String),
    Delay(Duration),
    RunAt(SystemTime),
}

impl<'a, M: Fn(&RawValue) -> Result<Vec<bool>, JobError>> Expected<'a, M> {
    /// Expects at least one job of this kind whose arguments fulfil the conditions.
    pub fn new(
        kind: &'static str,
        names: &'static [&'static str],
        conditions: &'a [&'static str],
        matches: M,
    ) -> Self {
        Self { kind, names, conditions, matches, options: Vec::new(), count: Count::AtLeast(1) }
    }

    /// Expects exactly this many.
    #[must_use]
    pub fn count(mut self, count: usize) -> Self {
        self.count = Count::Exactly(count);
        self
    }

    /// Expects at least this many.
    #[must_use]
    pub fn at_least(mut self, count: usize) -> Self {
        self.count = Count::AtLeast(count);
        self
    }

    /// Expects an attribute with this value.
    #[must_use]
    pub fn attribute(self, name: &str, value: impl Into<AttributeValue>) -> Self {
        let value = serde_json::to_value(value.into()).unwrap_or_default();
        self.wants(Wanted::Attribute(name.to_owned(), value))
    }

    /// Expects this queue.
    #[must_use]
    pub fn queue(self, queue: impl Into<String>) -> Self {
        self.wants(Wanted::Queue(queue.into()))
    }

    /// Expects this priority.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        self.wants(Wanted::Priority(priority))
    }

    /// Expects this key.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        self.wants(Wanted::Key(key.into()))
    }

    /// Expects this time between the enqueue and the time at which it comes due.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        self.wants(Wanted::Delay(delay))
    }

    /// Expects this time at which it comes due.
    #[must_use]
    pub fn run_at(self, time: SystemTime) -> Self {
        self.wants(Wanted::RunAt(time))
    }

    fn wants(mut self, wanted: Wanted) -> Self {
        self.options.push(wanted);
        self
    }

    /// Compares the jobs that are enqueued. The error says what is enqueued instead.
    pub async fn check(&self, queue: &TestQueue) -> Result<(), String> {
        let looked = queue.standing_still(async |client| {
            Ok::<_, crate::DatabaseError>((live_jobs(client).await?, ended_jobs(client, self.kind).await?))
        });
        let looked = looked.await.map_err(|error| error.to_string())?;
        let (live, ended) = looked.map_err(|error| format!("the jobs cannot be read: {error}"))?;
        let (same, others): (Vec<_>, Vec<_>) = live.iter().partition(|job| job.kind == self.kind);
        let lacking: Vec<Vec<String>> = same.iter().map(|job| self.lacking(job)).collect();
        let found = lacking.iter().filter(|lacking| lacking.is_empty()).count();
        let is_right = match self.count {
            Count::Exactly(count) => found == count,
            Count::AtLeast(count) => found >= count,
        };
        if is_right {
            return Ok(());
        }
        let jobs = same.into_iter().zip(lacking).collect();
        let miss = Miss {
            wanted: self.to_string(),
            kind: self.kind,
            names: self.names,
            jobs,
            others: &others,
            ended,
        };
        Err(miss.explain(self.count, found))
    }

    /// Returns what a job of this kind lacks of what is expected.
    fn lacking(&self, job: &LiveJob) -> Vec<String> {
        let arguments = match (self.matches)(&job.args) {
            Ok(holds) => {
                let failed = self.conditions.iter().zip(holds).filter(|(_, holds)| !holds);
                failed.map(|(condition, _)| (*condition).to_owned()).collect()
            }
            Err(error) => vec![format!("arguments that this program can decode: {error}")],
        };
        let options = self.options.iter().filter(|wanted| !wanted.has(job)).map(ToString::to_string);
        arguments.into_iter().chain(options).collect()
    }
}

impl<M> fmt::Display for Expected<'_, M> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.conditions.iter().map(|condition| (*condition).to_owned());
        let all: Vec<_> = conditions.chain(self.options.iter().map(ToString::to_string)).collect();
        if all.is_empty() {
            return write!(out, "`{}`", self.kind);
        }
        write!(out, "`{}` with {}", self.kind, all.join(", "))
    }
}

impl Wanted {
    fn has(&self, job: &LiveJob) -> bool {
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
