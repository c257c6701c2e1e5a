//! How a worker does, for a readiness probe.

use std::time::Duration;

use crate::runtime::Runtime;

/// How a worker does, from [`RunningWorker::health`](crate::RunningWorker::health).
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
    /// How long ago the database last answered a heartbeat; `None` before the first one.
    pub last_heartbeat: Option<Duration>,
    /// Whether that is so recent that the worker still has what it holds.
    pub connected: bool,
    /// Whether the worker takes jobs: not while it shuts down, nor when no heartbeat was answered for half a lease.
    pub accepting_jobs: bool,
    /// How many jobs run.
    pub running: usize,
    /// How many may run at a time.
    pub slots: usize,
    /// What is wrong with the database that the worker cannot mend, in words; mostly nothing.
    pub problems: Vec<String>,
    /// How many ended attempts have not been recorded.
    pub unrecorded: usize,
    /// Whether results are recorded: not so after the database refused some several times in a row. Their jobs stay with this
    /// worker, which keeps trying, and says why in its log.
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
            slots: runtime.queues.iter().map(|queue| queue.limit).sum(),
            problems: runtime.problems.list(),
            unrecorded: runtime.recorders.count(),
            recording: runtime.recorders.are_well(),
        }
    }

    /// Whether the worker reaches the database, takes jobs, and records how they end. It may well be busy.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.connected && self.accepting_jobs && self.recording
    }
}
