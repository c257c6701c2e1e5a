//! What can be set on a worker.

use std::time::Duration;

use crate::record::alerts::OnDead;

/// How many jobs of one queue run at a time: for [`WorkerBuilder::queue`](crate::WorkerBuilder::queue), which also takes a
/// plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// At most so many in this worker.
    pub local: usize,
}

impl QueueLimits {
    /// At most so many at a time in this worker.
    #[must_use]
    pub const fn local(limit: usize) -> Self {
        Self { local: limit }
    }
}

impl From<usize> for QueueLimits {
    fn from(limit: usize) -> Self {
        Self::local(limit)
    }
}

/// A worker's settings, checked by `build()`.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// What it is called in the table of workers, and in recorded errors.
    pub(crate) name: String,
    /// How often an idle queue is looked at when no notification came. Never more seldom.
    pub(crate) poll_interval: Duration,
    /// How often the worker says that it lives.
    pub(crate) heartbeat: Duration,
    /// How long it may be silent before others take its jobs.
    pub(crate) lease: Duration,
    /// How long the answer of a claim may take. A lease of ours that nobody here knows is given back when it is older.
    pub(crate) claim_timeout: Duration,
    /// How long jobs may go on after a shutdown has begun.
    pub(crate) grace: Duration,
    /// How many connections it has, besides the one for heartbeats.
    pub(crate) connections: u32,
    /// How many bytes of JSON a result may have that is kept.
    pub(crate) max_result: usize,
    /// Told of each job that has died here.
    pub(crate) on_dead: Option<OnDead>,
}

impl Config {
    /// How large a result may be when nothing was set.
    pub(crate) const MAX_RESULT: usize = 16 << 20;
    /// The poll interval when nothing was set.
    pub(crate) const POLL: Duration = Duration::from_secs(5);
    /// The same when notifications are off.
    pub(crate) const POLL_UNNOTIFIED: Duration = Duration::from_secs(1);

    pub(crate) fn new(notifications: bool) -> Self {
        Self {
            name: format!("{}:{}", host(), std::process::id()),
            poll_interval: if notifications { Self::POLL } else { Self::POLL_UNNOTIFIED },
            heartbeat: Duration::from_secs(5),
            lease: Duration::from_secs(30),
            claim_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(25),
            connections: 4,
            max_result: Self::MAX_RESULT,
            on_dead: None,
        }
    }
}

/// The host's name, as far as the environment tells it: it is for people who read the table of workers.
fn host() -> String {
    let named = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    named
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "worker".into(), |name| name.trim().into())
}
