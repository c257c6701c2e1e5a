//! The errors of running jobs and of letting time pass.

use std::fmt;
use std::time::Duration;

use pgjobq_core::worker_api::{Registry, States};

use super::report::Drained;
use crate::{BuildError, DatabaseError};

/// The error of running the jobs that are due: from [`TestQueue::drain`](super::TestQueue::drain) and
/// [`TestQueue::run_one`](super::TestQueue::run_one).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DrainError {
    /// Jobs are due that cannot run in this test. All others have run.
    #[error(
        "jobs are due that cannot run: {}{}",
        jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        before(drained)
    )]
    Stuck {
        /// Their kinds.
        jobs: Vec<Stuck>,
        /// The attempts of the others.
        drained: Drained,
    },
    /// Jobs were still due, or running, at the time limit. Those that ran have crashed.
    #[error(
        "jobs were still due after {limit:?}, {}: if a job waits for another one, let both run with `pg.at_once(2)`; if the time \
         is too short, set another with `pg.time_limit(…)`{}",
        running_jobs(running),
        before(drained)
    )]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// The kinds of the jobs that ran.
        running: Vec<&'static str>,
        /// The attempts that had ended.
        drained: Drained,
    },
    /// A job function asks for it.
    #[error(transparent)]
    WithinJob(#[from] WithinJob),
    /// The worker could not be set up.
    #[error(transparent)]
    Worker(#[from] BuildError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// A job function has called its own test's [`TestQueue`](super::TestQueue), which would wait until that job has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a job function cannot run jobs, let time pass, or assert what is enqueued: this waits until no job runs; do it in the test, after \
     `pg.drain()`"
)]
#[non_exhaustive]
pub struct WithinJob;

/// A kind of jobs that are due and cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stuck {
    /// The kind.
    pub kind: String,
    /// The version of their arguments, if the job function of this program does not read it.
    pub unread_version: Option<String>,
    /// The types that the job function takes as `State<T>`, and that the test has not given. Empty if this program has no such job
    /// function.
    pub missing_states: Vec<&'static str>,
}

/// The error of letting time pass: from [`TestQueue::advance`](super::TestQueue::advance).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AdvanceError {
    /// Nothing passes.
    #[error("time passes only forwards: advance by more than zero")]
    Zero,
    /// It is longer than ten years.
    #[error("{0:?} is more than ten years, which no retention or schedule needs: advance by less")]
    TooLong(Duration),
    /// A job function asks for it.
    #[error(transparent)]
    WithinJob(#[from] WithinJob),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

pgjobq_core::debug_as_message!(DrainError, AdvanceError);

fn running_jobs(kinds: &[&'static str]) -> String {
    match kinds {
        [] => "and none ran".to_owned(),
        [kind] => format!("and `{kind}` ran"),
        kinds => format!("and `{}` ran", kinds.join("`, `")),
    }
}

/// Returns a line for each attempt that ended before the error.
fn before(drained: &Drained) -> String {
    if drained.is_empty() { String::new() } else { format!("\nbefore that:\n{drained}") }
}

impl DrainError {
    /// Adds the attempts that have ended before.
    pub(super) fn after(mut self, attempts: Drained) -> Self {
        match &mut self {
            Self::Stuck { drained, .. } | Self::TimedOut { drained, .. } => *drained = attempts,
            Self::WithinJob(_) | Self::Worker(_) | Self::Database(_) => {}
        }
        self
    }
}

impl Stuck {
    /// Explains why no job of this kind runs, which a claim names with its version: `thumbnail@2`.
    pub(super) fn new(versioned: &str, states: &States) -> Self {
        let (kind, version) = versioned.split_once('@').unwrap_or((versioned, "1"));
        let function = Registry::linked().0.get(kind);
        let takes = function.map_or(&[][..], |job| job.states);
        let missing_states = takes.iter().filter(|state| !states.has(**state)).map(|state| state.name());
        let is_read = function.is_none_or(|job| job.claimable().any(|name| name == versioned));
        Self {
            kind: kind.to_owned(),
            unread_version: (!is_read).then(|| version.to_owned()),
            missing_states: missing_states.collect(),
        }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, unread_version, missing_states } = self;
        if let Some(version) = unread_version {
            return write!(
                out,
                "the job function of kind `{kind}` does not read version {version} of its arguments"
            );
        }
        if missing_states.is_empty() {
            return write!(out, "this program has no job function of kind `{kind}`");
        }
        let states = missing_states.join(">` and `State<");
        write!(out, "`{kind}` takes `State<{states}>`, which the test gives it with `pg.state(…)`")
    }
}
