//! The peers: one file each, which implements one trait, with its settings beside its code.
//!
//! Settings follow the peer's documentation, and are the best that were found by trying. Every peer has a pool of
//! [`CONNECTIONS`] connections with sqlx's defaults, unless its file says otherwise.

#[cfg(feature = "apalis")]
mod apalis;
#[cfg(feature = "awa")]
mod awa;
#[cfg(feature = "graphile_worker")]
mod graphile_worker;
mod limit;
#[cfg(feature = "observed")]
mod observed;
mod pgjobq;
#[cfg(feature = "pgmq")]
mod pgmq;
#[cfg(feature = "riverqueue")]
mod riverqueue;
#[cfg(feature = "sqlxmq")]
mod sqlxmq;

use anyhow::{Result, bail};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::job::Job;

/// The connections of each peer's pool.
pub(crate) const CONNECTIONS: u32 = 20;

/// A job queue that is measured.
#[async_trait]
pub(crate) trait Peer: Send + Sync {
    /// Creates the schema and the queues in an empty database.
    async fn set_up(&self) -> Result<()>;

    /// Enqueues one job, and returns when it is durable.
    async fn enqueue(&self, job: Job) -> Result<()>;

    /// Enqueues jobs by the peer's fastest way for many.
    async fn enqueue_many(&self, jobs: Vec<Job>) -> Result<()>;

    /// Enqueues one job, and waits for its result.
    async fn call(&self, _job: Job) -> Result<()> {
        bail!("no result can be waited for")
    }

    /// Starts a worker, which runs until it is stopped.
    async fn start(&self) -> Result<Box<dyn Running>>;

    /// Closes all connections.
    async fn close(&self);
}

/// A worker that runs.
#[async_trait]
pub(crate) trait Running: Send {
    /// Stops it, and returns when it has stopped.
    async fn stop(self: Box<Self>) -> Result<()>;
}

/// The options of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) url: String,
    /// The highest number of jobs that run at a time, for peers that have such a number.
    pub(crate) slots: usize,
    /// The number of queues, each of which has that many slots.
    pub(crate) queues: usize,
    /// Ended jobs are kept.
    pub(crate) kept: bool,
    /// The most live jobs of a queue.
    pub(crate) bound: Option<usize>,
    pub(crate) goal: Goal,
}

impl Setup {
    /// One queue whose jobs are not kept, for many jobs a second.
    pub(crate) fn slots(slots: usize) -> Self {
        Self { url: String::new(), slots, queues: 1, kept: false, bound: None, goal: Goal::Throughput }
    }

    /// The set-up for latency.
    pub(crate) fn quick() -> Self {
        Self { goal: Goal::Latency, ..Self::slots(100) }
    }
}

/// The goal for which a peer is tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Goal {
    /// Many jobs a second.
    Throughput,
    /// A short time from an enqueue to the start of its job.
    Latency,
}

/// A feature that not every peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// An ended job is kept, with what it returned if the peer has results.
    Kept,
    Queues,
    Priorities,
    Delay,
    Retries,
    /// A caller waits for the result of its job.
    Call,
    /// Jobs have keys, and a limit for each key.
    Keys,
    /// A queue holds at most a number of jobs.
    Bound,
    /// One call of a handler takes several jobs, each of which ends by itself.
    Batches,
}

/// A peer in the list of all.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The settings, as the table names them.
    pub(crate) settings: &'static str,
    pub(crate) can: &'static [Need],
    /// The most jobs of a backlog, so that a run takes seconds and not minutes.
    pub(crate) most_jobs: u64,
    /// A query that returns true while a job has not ended.
    pub(crate) unfinished: &'static str,
    pub(crate) open: fn(Setup) -> Opening,
}

/// A peer that is being connected.
pub(crate) type Opening = std::pin::Pin<Box<dyn Future<Output = Result<Box<dyn Peer>>> + Send>>;

/// The peers that are compiled in; pgjobq first, and the limit of the machine last.
pub(crate) const ALL: &[Entry] = &[
    pgjobq::ENTRY,
    #[cfg(feature = "observed")]
    observed::EVENTS,
    #[cfg(feature = "observed")]
    observed::OBSERVED,
    #[cfg(feature = "observed")]
    observed::LOGGED,
    #[cfg(feature = "observed")]
    observed::TRACED,
    #[cfg(feature = "pgmq")]
    pgmq::ENTRY,
    #[cfg(feature = "graphile_worker")]
    graphile_worker::ENTRY,
    #[cfg(feature = "riverqueue")]
    riverqueue::ENTRY,
    #[cfg(feature = "sqlxmq")]
    sqlxmq::ENTRY,
    #[cfg(feature = "apalis")]
    apalis::ENTRY,
    #[cfg(feature = "awa")]
    awa::ENTRY,
    limit::ENTRY,
];

/// The name of the peer that all others are compared with.
pub(crate) const OURS: &str = "pgjobq";
/// The name of the hand-written SQL that guarantees nothing.
pub(crate) const LIMIT: &str = "limit";

pub(crate) fn find(name: &str) -> Result<&'static Entry> {
    let found = ALL.iter().find(|entry| entry.name == name);
    let names = || ALL.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| {
        anyhow::anyhow!("no peer `{name}`; compiled in are {}: build with `--features peers`", names())
    })
}

/// Connects a pool with the settings that every peer gets.
pub(crate) async fn pool(url: &str) -> Result<sqlx::PgPool> {
    Ok(sqlx::postgres::PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?)
}
