//! How the jobs ended that a test has run.

use std::fmt;

use crate::JobId;

/// How the attempts ended that [`TestQueue::drain`](super::TestQueue::drain) has run, in their order; also the jobs that ended
/// without an attempt meanwhile. `Display` prints a line for each.
///
/// ```no_run
/// # use pgjobq::prelude::*;
/// # use pgjobq::testing::TestQueue;
/// # #[job]
/// # async fn send_welcome(user: String) {}
/// # async fn example(pg: TestQueue) -> std::result::Result<(), pgjobq::Error> {
/// let drained = pg.drain().await?;
/// assert_eq!(drained.of(send_welcome::KIND).completed(), 2, "{drained}");
/// assert_eq!(drained.errors(), ["mailbox full"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "look whether the jobs completed: `drained.completed()`"]
pub struct Drained {
    ends: Vec<Ran>,
}

/// The end of one attempt, or of a job without an attempt: from [`Drained::ends`] and
/// [`TestQueue::run_one`](super::TestQueue::run_one).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ran {
    /// The job.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// The number of the attempt: 1 is the first. For a job that ended without an attempt, that of the last one, or 0.
    pub attempt: u32,
    /// The end.
    pub end: End,
    /// The error, if the attempt failed.
    pub error: Option<String>,
    /// True if an attempt ended. False if the job ended without one: it expired, or was cancelled before it ran.
    pub is_attempt: bool,
}

/// The end of an attempt, or of a job without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// The job is done.
    Completed,
    /// The attempt failed, and the job is tried again after its backoff.
    Retried,
    /// The job asked to be run again later.
    Snoozed,
    /// The attempt was stopped, and the job runs again.
    Released,
    /// The job is dead.
    Dead,
    /// The job is cancelled.
    Cancelled,
    /// The job was not started in time.
    Expired,
    /// The worker crashed, or lost its lease: nothing of the attempt is recorded.
    Lost,
}

impl Drained {
    pub(super) fn new(ends: Vec<Ran>) -> Self {
        Self { ends }
    }

    /// The ends of attempts, and of jobs that ended without one, in their order.
    #[must_use]
    pub fn ends(&self) -> &[Ran] {
        &self.ends
    }

    /// Iterates over the attempts, in the order in which they ended.
    pub fn attempts(&self) -> impl DoubleEndedIterator<Item = &Ran> {
        self.ends.iter().filter(|ran| ran.is_attempt)
    }

    /// Returns those of one kind.
    pub fn of(&self, kind: &str) -> Self {
        Self { ends: self.ends.iter().filter(|ran| ran.kind == kind).cloned().collect() }
    }

    /// Returns whether nothing ran and nothing ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The number of [ends](Self::ends): of attempts, and of jobs that ended without one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The number of attempts that ended so, and of jobs that ended so without one.
    #[must_use]
    pub fn count(&self, end: End) -> usize {
        self.ends.iter().filter(|ran| ran.end == end).count()
    }

    /// The number of jobs that are done.
    #[must_use]
    pub fn completed(&self) -> usize {
        self.count(End::Completed)
    }

    /// The number of attempts that failed, and whose jobs are tried again.
    #[must_use]
    pub fn retried(&self) -> usize {
        self.count(End::Retried)
    }

    /// The number of jobs that are dead.
    #[must_use]
    pub fn dead(&self) -> usize {
        self.count(End::Dead)
    }

    /// The number of attempts whose worker crashed or lost its lease.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.count(End::Lost)
    }

    /// The errors of the attempts that failed, in their order.
    #[must_use]
    pub fn errors(&self) -> Vec<&str> {
        self.ends.iter().filter_map(|ran| ran.error.as_deref()).collect()
    }
}

impl End {
    /// The name, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::Snoozed => "snoozed",
            Self::Released => "released",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} (attempt {})", self.kind, self.end, self.attempt)?;
        match &self.error {
            Some(error) => write!(out, ": {error}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Drained {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return out.write_str("nothing ran");
        }
        let lines: Vec<_> = self.ends.iter().map(ToString::to_string).collect();
        out.write_str(&lines.join("\n"))
    }
}
