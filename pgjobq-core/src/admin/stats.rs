//! How a queue stands.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::DatabaseError;
use crate::admin::queue::Queue;

/// How a queue stands, at one moment: from [`Queue::stats`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Jobs that wait for a worker.
    pub ready: u64,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Jobs that wait for their parents.
    pub blocked: u64,
    /// Jobs that a worker has.
    pub running: u64,
    /// Whether these numbers are exact. From ten thousand on, they are the database's estimate: counting ten million rows
    /// takes longer than anybody looks.
    pub exact: bool,
    /// How long ago the job was enqueued that has waited longest, of those that may start.
    pub oldest: Option<Duration>,
    /// How many attempts completed, over the last five minutes.
    pub completed_per_minute: f64,
    /// How many attempts failed, over the last five minutes.
    pub failed_per_minute: f64,
}

const MINUTES: f64 = 5.0;

impl Queue<'_> {
    /// How the queue stands, or `None` when there is no such queue. It costs some milliseconds, however many jobs wait.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or refuses.
    pub async fn stats(&self) -> Result<Option<QueueStats>, DatabaseError> {
        let Some(id) = self.client.queue_id(&self.name).await? else { return Ok(None) };
        let shared = self.client.shared();
        let shards = self.client.about().await?.all_shards();
        let rows = shared.read(&shared.sql.queue_stats, &[&&shards[..], &id.0]).await?;
        let mut stats = QueueStats { exact: true, ..QueueStats::default() };
        rows.iter().try_for_each(|row| stats.add(row)).map_err(DatabaseError::Refused)?;
        Ok(Some(stats))
    }
}

impl QueueStats {
    /// Adds those of one shard.
    fn add(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let count = |name| row.try_get::<i64, _>(name).map(|count| count.max(0).unsigned_abs());
        self.ready += count("ready")?;
        self.scheduled += count("scheduled")?;
        self.blocked += count("blocked")?;
        self.running += count("running")?;
        self.exact &= row.try_get::<bool, _>("exact")?;
        self.completed_per_minute += count("completed")? as f64 / MINUTES;
        self.failed_per_minute += count("failed")? as f64 / MINUTES;
        let now: i64 = row.try_get("now")?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        let age = oldest.map(|since| Duration::from_micros((now - since).max(0).unsigned_abs()));
        self.oldest = self.oldest.max(age);
        Ok(())
    }
}
