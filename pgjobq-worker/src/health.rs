//! The health of a worker, for a readiness probe.

use std::time::Duration;

use crate::runtime::Runtime;

/// The health of a worker, from [`RunningWorker::health`](crate::RunningWorker::health).
///
/// ```no_run
/// # mod pgjobq { pub use pgjobq_worker::RunningWorker; }
/// # fn example(worker: &pgjobq::RunningWorker) -> u16 {
/// let health = worker.health();
/// if health.is_ready() { 200 } else { 503 }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The time since the last heartbeat that the database has answered was sent; `None` before the first one.
    pub last_heartbeat: Option<Duration>,
    /// True if that is less than a lease, so that the worker still holds its jobs.
    pub connected: bool,
    /// True if the worker claims jobs. It does not while it shuts down, nor after half a lease without an answered heartbeat.
    pub accepting_jobs: bool,
    /// The number of jobs that run.
    pub running: usize,
    /// The number of jobs that may run at a time.
    pub slots: usize,
    /// The problems of the database that the worker cannot mend, in words; mostly none.
    pub problems: Vec<String>,
    /// The number of ended attempts that have not been recorded.
    pub unrecorded: usize,
    /// False after the database has refused results several times in a row. Their jobs stay with this worker, which keeps trying
    /// and logs the errors.
    pub recording: bool,
}

impl Health {
    pub(crate) fn of(runtime: &Runtime) -> Self {
        let last_heartbeat = runtime.liveness.last();
        Self {
            last_heartbeat,
            connected: last_heartbeat.is_some_and(|ago| ago < runtime.config.lease),
            accepting_jobs: !runtime.stages.drain.is_cancelled()
                && runtime.liveness.may_claim(runtime.config.lease),
            running: runtime.in_flight.count(),
            slots: runtime.queues.iter().map(|queue| queue.limit()).sum(),
            problems: [runtime.problems.list(), runtime.in_flight.overdue()].concat(),
            unrecorded: runtime.recorders.count(),
            recording: runtime.recorders.are_well(),
        }
    }

    /// Returns whether the worker reaches the database, claims jobs, and records their results. A busy worker is ready, too.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.connected && self.accepting_jobs && self.recording
    }
}
