//! The state of a queue.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::DatabaseError;
use crate::admin::queue::Queue;

/// The state of a queue at one moment: from [`Queue::stats`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Jobs that wait for a worker.
    pub ready: u64,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Jobs that wait for their parents.
    pub blocked: u64,
    /// Jobs that wait for a permit of a limit over the whole fleet, or for the next start under its rate.
    pub limited: u64,
    /// Jobs that are running.
    pub running: u64,
    /// True if these numbers are exact. From ten thousand on they are the database's estimate, because counting ten
    /// million rows takes too long.
    pub exact: bool,
    /// The age of the oldest job that may start.
    pub oldest: Option<Duration>,
    /// The number of attempts that completed in the last five minutes.
    pub completed_per_minute: f64,
    /// The number of attempts that failed in the last five minutes.
    pub failed_per_minute: f64,
    /// The running workers that serve the queue. If it is 0, no worker runs its jobs.
    pub workers: u64,
    /// Jobs among the first twenty of each priority and shard that no running worker accepts. If it is above 0,
    /// [`Client::explain`](crate::Client::explain) says why.
    pub unaccepted: u64,
}

const MINUTES: f64 = 5.0;

impl Queue<'_> {
    /// Returns the state of the queue, or `None` if there is no such queue. It takes a few milliseconds, however many
    /// jobs wait.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn stats(&self) -> Result<Option<QueueStats>, DatabaseError> {
        let Some(id) = self.client.queue_id(&self.name).await? else { return Ok(None) };
        let shared = self.client.shared();
        let shards = self.client.about().await?.all_shards();
        let rows = shared.read(&shared.sql.queue_stats, &[&&shards[..], &id, &self.name.as_str()]).await?;
        let mut stats = QueueStats { exact: true, ..QueueStats::default() };
        rows.iter().try_for_each(|row| stats.add(row)).map_err(DatabaseError::Refused)?;
        Ok(Some(stats))
    }
}

impl QueueStats {
    /// Adds the numbers of one shard.
    fn add(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let count = |name| row.try_get::<i64, _>(name).map(|count| count.max(0).unsigned_abs());
        self.ready += count("ready")?;
        self.scheduled += count("scheduled")?;
        self.blocked += count("blocked")?;
        self.limited += count("limited")?;
        self.running += count("running")?;
        self.exact &= row.try_get::<bool, _>("exact")?;
        self.completed_per_minute += count("completed")? as f64 / MINUTES;
        self.failed_per_minute += count("failed")? as f64 / MINUTES;
        self.unaccepted += count("unaccepted")?;
        self.workers = count("workers")?; // Of all shards.
        let now: i64 = row.try_get("now")?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        let age = oldest.map(|since| Duration::from_micros((now - since).max(0).unsigned_abs()));
        self.oldest = self.oldest.max(age);
        Ok(())
    }
}
