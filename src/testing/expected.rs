//! The jobs that an assertion expects, and the comparison with those that are enqueued.

use std::fmt;
use std::time::{Duration, SystemTime};

use pgjobq_core::__private::{StoredArgs, serde_json};
use pgjobq_core::testing::{LiveJob, ended_jobs, live_jobs};

use super::close_miss::{Candidate, Count, Miss};
use super::function::Function;
use super::queue::TestQueue;
use super::wanted::Wanted;
use crate::{AttributeValue, JobError, Priority};

/// The jobs that an assertion expects.
pub struct Expected<'a, M> {
    function: Function,
    /// The names of its arguments.
    names: &'static [&'static str],
    /// The conditions on arguments, as they are written.
    conditions: &'a [&'static str],
    /// Says for each condition if it holds. It is not called if there is none.
    matches: M,
    options: Vec<Wanted>,
    count: Count,
}

impl<'a, M: Fn(&StoredArgs<'_>) -> Result<Vec<bool>, JobError>> Expected<'a, M> {
    /// Expects at least one job of this kind whose arguments fulfil the conditions.
    pub fn new(
        kind: &'static str,
        names: &'static [&'static str],
        conditions: &'a [&'static str],
        matches: M,
    ) -> Self {
        let (function, options) = (Function::of(kind), Vec::new());
        Self { function, names, conditions, matches, options, count: Count::AtLeast(1) }
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
        let kinds = self.function.kinds();
        let looked = queue.standing_still(async |client| {
            Ok::<_, crate::DatabaseError>((live_jobs(client).await?, ended_jobs(client, &kinds).await?))
        });
        let looked = looked.await.map_err(|error| error.to_string())?;
        let (live, ended) = looked.map_err(|error| format!("the jobs cannot be read: {error}"))?;
        let (same, others): (Vec<_>, Vec<_>) = live.iter().partition(|job| kinds.contains(&&*job.kind));
        let jobs: Vec<_> = same.into_iter().map(|job| self.compare(job)).collect();
        let found = jobs.iter().filter(|candidate| candidate.lacking.is_empty()).count();
        let is_right = match self.count {
            // One whose arguments cannot be read may be one too many.
            Count::Exactly(count) => {
                found == count && jobs.iter().all(|candidate| candidate.unclear.is_none())
            }
            Count::AtLeast(count) => found >= count,
        };
        if is_right {
            return Ok(());
        }
        let miss = Miss {
            wanted: self.to_string(),
            kind: self.function.kind,
            names: self.names,
            version: self.function.version(),
            jobs,
            others: &others,
            ended,
        };
        Err(miss.explain(self.count, found))
    }

    /// Compares a job of this kind with what is expected.
    fn compare<'j>(&self, job: &'j LiveJob) -> Candidate<'j> {
        let missing = self.options.iter().filter(|wanted| !wanted.is_of(job));
        let missing: Vec<_> = missing.map(ToString::to_string).collect();
        if self.conditions.is_empty() {
            return Candidate { job, lacking: missing, unclear: None };
        }
        match self.function.read(job, &self.matches) {
            Ok(holds) => {
                let failed = self.conditions.iter().zip(holds).filter(|(_, holds)| !holds);
                let failed = failed.map(|(condition, _)| (*condition).to_owned());
                Candidate { job, lacking: failed.chain(missing).collect(), unclear: None }
            }
            Err(unread) => {
                let (problem, is_meant_else) = (unread.to_string(), missing.is_empty());
                let unclear = is_meant_else.then_some(unread);
                Candidate { job, lacking: [vec![problem], missing].concat(), unclear }
            }
        }
    }
}

impl<M> fmt::Display for Expected<'_, M> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.conditions.iter().map(|condition| (*condition).to_owned());
        let all: Vec<_> = conditions.chain(self.options.iter().map(ToString::to_string)).collect();
        if all.is_empty() {
            return write!(out, "`{}`", self.function.kind);
        }
        write!(out, "`{}` with {}", self.function.kind, all.join(", "))
    }
}
