//! The tick for which a job was enqueued.

use std::time::SystemTime;

/// The tick for which a job was enqueued: from [`JobContext::tick`](crate::JobContext::tick).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tick {
    /// The name of the schedule.
    pub schedule: String,
    /// The time of the tick, without jitter. A job that catches up on a missed tick has the time of that one.
    pub at: SystemTime,
}
