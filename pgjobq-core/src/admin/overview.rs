//! The state of all queues, for people.

use std::time::{Duration, SystemTime};

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::DatabaseError;
use crate::client::Client;
use crate::db::time::time;

/// The minutes whose attempts are counted.
const MINUTES: f64 = 5.0;

/// The state of a queue at one moment: from [`Client::queues`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QueueOverview {
    /// The name of the queue.
    pub queue: String,
    /// Jobs that wait for a worker, the quarantined ones among them.
    pub ready: u64,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Jobs that wait for their parents.
    pub blocked: u64,
    /// Jobs that wait for a permit.
    pub limited: u64,
    /// Jobs that are running.
    pub running: u64,
    /// Jobs that were running when their worker died, waiting or running again.
    pub quarantined: u64,
    /// Dead jobs that are kept, among the last ten thousand that died in each shard.
    pub dead: u64,
    /// True if these numbers are exact. From ten thousand on they are the database's estimate.
    pub exact: bool,
    /// The creation of the oldest ready job.
    pub oldest_ready: Option<SystemTime>,
    /// The time since then, by the database's clock.
    pub oldest_waits_for: Option<Duration>,
    /// Jobs that completed, for each of the last five minutes.
    pub completed_per_minute: f64,
    /// Attempts that failed, for each of the last five minutes.
    pub failed_per_minute: f64,
    /// Live workers that serve it. If it is 0, no worker runs its jobs.
    pub workers: u64,
    /// Jobs among the first twenty of each priority and shard that no live worker takes: [`Client::explain`] says why.
    pub unaccepted: u64,
    /// Unique jobs that have met another one with their key, and are not enqueued yet.
    pub requested: u64,
    /// True if the queue itself is paused: see [`Client::pauses`].
    pub paused: bool,
    /// The highest number of its live jobs; `None` if it has no bound.
    pub bound: Option<u64>,
    /// The number of jobs that still fit below the bound.
    pub room: Option<u64>,
}

impl Client {
    /// Returns the state of all queues, in alphabetical order. It takes some milliseconds for each queue. Programs that ask all the
    /// time share the answer of [`fleet_state`](Self::fleet_state) instead.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::DatabaseError> {
    /// for queue in client.queues().await? {
    ///     println!("{}: {} ready, {} running, {} dead", queue.queue, queue.ready, queue.running, queue.dead);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn queues(&self) -> Result<Vec<QueueOverview>, DatabaseError> {
        self.about().await?;
        let shared = self.shared();
        let rows = shared.read(&shared.sql.queue_overview, &[]).await?;
        rows.iter().map(QueueOverview::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

impl QueueOverview {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let maybe = |name| row.try_get::<Option<i64>, _>(name);
        let count = |name| maybe(name).map(|count| count.unwrap_or(0).max(0).unsigned_abs());
        let (now, oldest) = (maybe("now")?.unwrap_or(0), maybe("oldest_ready")?);
        Ok(Self {
            queue: row.try_get("queue")?,
            ready: count("ready")?,
            scheduled: count("scheduled")?,
            blocked: count("blocked")?,
            limited: count("limited")?,
            running: count("running")?,
            quarantined: count("quarantined")?,
            dead: count("dead")?,
            exact: row.try_get("exact")?,
            oldest_ready: oldest.map(time),
            oldest_waits_for: oldest.map(|at| Duration::from_micros((now - at).max(0).unsigned_abs())),
            completed_per_minute: count("completed")? as f64 / MINUTES,
            failed_per_minute: count("failed")? as f64 / MINUTES,
            workers: count("workers")?,
            unaccepted: count("unaccepted")?,
            requested: count("requested")?,
            paused: row.try_get("paused")?,
            bound: maybe("bound")?.map(i64::unsigned_abs),
            room: maybe("room")?.map(|room| room.max(0).unsigned_abs()),
        })
    }
}
