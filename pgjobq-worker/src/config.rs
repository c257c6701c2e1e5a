//! The settings of a worker.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::EndedJob;

/// The limits of one queue: for [`WorkerBuilder::queue`](crate::WorkerBuilder::queue), which also takes a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// The largest number of its jobs that run at a time in this worker.
    pub local: usize,
}

impl QueueLimits {
    /// At most `limit` jobs at a time in this worker.
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

type Alert = dyn Fn(EndedJob) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The application's function that is called for each dead job.
#[derive(Clone)]
pub(crate) struct OnDead(Arc<Alert>);

impl OnDead {
    pub(crate) fn new<F>(alert: impl Fn(EndedJob) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |job| Box::pin(alert(job))))
    }

    pub(crate) fn call(&self, job: EndedJob) -> impl Future<Output = ()> + Send + use<> {
        (self.0)(job)
    }
}

impl fmt::Debug for OnDead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OnDead")
    }
}

/// The settings of a worker, checked by `build()`.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The worker's name in the table of workers, and in recorded errors.
    pub(crate) name: String,
    /// The longest time between two looks at an idle queue, if no notification comes.
    pub(crate) poll_interval: Duration,
    /// The time between two heartbeats.
    pub(crate) heartbeat: Duration,
    /// The silence after which other workers take this worker's jobs.
    pub(crate) lease: Duration,
    /// The timeout of a claim. The heartbeat returns leases older than this that the process does not know.
    pub(crate) claim_timeout: Duration,
    /// The time that jobs have to end after a shutdown has begun.
    pub(crate) grace: Duration,
    /// The number of connections, besides the one for heartbeats.
    pub(crate) connections: u32,
    /// The largest size of a kept result, in bytes of JSON.
    pub(crate) max_result: usize,
    /// Called for each job that has died in this worker.
    pub(crate) on_dead: Option<OnDead>,
}

impl Config {
    const DEFAULT_MAX_RESULT: usize = 16 << 20;
    const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(5);
    /// The default if notifications are off.
    const DEFAULT_POLL_INTERVAL_UNNOTIFIED: Duration = Duration::from_secs(1);

    pub(crate) fn new(notifications: bool) -> Self {
        Self {
            name: format!("{}:{}", host(), std::process::id()),
            poll_interval: if notifications {
                Self::DEFAULT_POLL_INTERVAL
            } else {
                Self::DEFAULT_POLL_INTERVAL_UNNOTIFIED
            },
            heartbeat: Duration::from_secs(5),
            lease: Duration::from_secs(30),
            claim_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(25),
            connections: 4,
            max_result: Self::DEFAULT_MAX_RESULT,
            on_dead: None,
        }
    }
}

/// Returns the host's name, for people who read the table of workers.
fn host() -> String {
    let named = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    named
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "worker".into(), |name| name.trim().into())
}
