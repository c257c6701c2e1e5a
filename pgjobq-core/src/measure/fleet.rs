//! The state of the whole fleet, measured once for all processes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// The state of the whole fleet: from [`Client::fleet_state`](crate::Client::fleet_state).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct FleetState {
    /// The time since it was measured.
    #[serde(skip)]
    pub age: Duration,
    /// True if this call has measured it, and false if it was measured before.
    #[serde(skip)]
    pub is_new: bool,
    /// The queues, by name.
    pub queues: Vec<QueueState>,
    /// False if some queues were not measured now: there are more than two hundred, whose rest is left out; or to count them took
    /// longer than a second, and then they have the numbers of the last time, and their turn comes first the next time.
    pub complete: bool,
    /// Live workers.
    pub workers: u64,
    /// The health of the database.
    #[serde(flatten)]
    pub database: DatabaseState,
}

/// The state of a queue in a [`FleetState`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct QueueState {
    /// The name of the queue.
    pub queue: String,
    /// Jobs that wait for a worker.
    pub ready: u64,
    /// Jobs that are running.
    pub running: u64,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Jobs that wait for their parents.
    pub blocked: u64,
    /// Jobs that wait for a permit.
    pub limited: u64,
    /// Dead jobs that are kept, among the last ten thousand that died in each shard.
    pub dead: u64,
    /// True if all of these numbers are exact. From ten thousand jobs on they are the database's estimate, and of the dead ones only
    /// those among the last ten thousand count.
    pub exact: bool,
    /// The time for which the oldest due job has waited. For a job that was scheduled or retried it is too long by at most the time
    /// between two measurements; for one that is older than two hundred of these, by more.
    #[serde(deserialize_with = "seconds")]
    pub oldest: Option<Duration>,
    /// Live workers that serve it.
    pub workers: u64,
    /// The slots of these workers.
    pub slots: u64,
    /// Jobs among the first twenty of each priority and shard that no live worker takes, by kind.
    pub unserved: BTreeMap<String, u64>,
}

/// The health of the database in a [`FleetState`], as far as the role may see the sessions of others.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct DatabaseState {
    /// The number of transactions that vacuum cannot look behind, because a session, a prepared transaction or a replication slot holds
    /// it back.
    pub xmin_age: Option<u64>,
    /// The age of the oldest transaction.
    #[serde(rename = "transaction", deserialize_with = "seconds")]
    pub oldest_transaction: Option<Duration>,
    /// Dead rows in our tables, as PostgreSQL estimates them.
    pub dead_rows: u64,
}

impl QueueState {
    /// Returns the numbers of jobs by state.
    pub(crate) fn jobs(&self) -> [(&'static str, u64); 6] {
        [
            ("ready", self.ready),
            ("running", self.running),
            ("scheduled", self.scheduled),
            ("blocked", self.blocked),
            ("limited", self.limited),
            ("dead", self.dead),
        ]
    }
}

/// Reads a time in seconds. One below zero is from before the clock was set.
fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let seconds = Option::<f64>::deserialize(from)?;
    Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()))
}
