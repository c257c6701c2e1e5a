//! The errors of running jobs and of letting time pass.

use std::fmt;
use std::time::Duration;

use pgjobq_core::worker_api::{Registry, States};

use crate::{BuildError, DatabaseError};

/// The error of running the jobs that are due: from [`TestQueue::drain`](super::TestQueue::drain) and
/// [`TestQueue::run_one`](super::TestQueue::run_one).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DrainError {
    /// Jobs are due that cannot run in this test. All others have run.
    #[error("jobs are due that cannot run: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Stuck(Vec<Stuck>),
    /// Jobs were still due, or running, at the time limit. Those that ran have crashed.
    #[error(
        "jobs were still due after {limit:?}, {}: if a job waits for another one, let both run with `pg.at_once(2)`; if the time \
         is too short, set another with `pg.time_limit(…)`",
        running_jobs(running)
    )]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// The kinds of the jobs that ran.
        running: Vec<&'static str>,
    },
    /// The worker could not be set up.
    #[error(transparent)]
    Worker(#[from] BuildError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// A kind of jobs that are due and cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stuck {
    /// The kind.
    pub kind: String,
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

impl Stuck {
    pub(super) fn new(kind: String, states: &States) -> Self {
        let (registry, _) = Registry::linked();
        let takes = registry.get(&kind).map_or(&[][..], |job| job.states);
        let missing_states = takes.iter().filter(|state| !states.has(**state)).map(|state| state.name());
        Self { missing_states: missing_states.collect(), kind }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, missing_states } = self;
        if missing_states.is_empty() {
            return write!(out, "this program has no job function of kind `{kind}`");
        }
        let states = missing_states.join(">` and `State<");
        write!(out, "`{kind}` takes `State<{states}>`, which the test gives it with `pg.state(…)`")
    }
}
