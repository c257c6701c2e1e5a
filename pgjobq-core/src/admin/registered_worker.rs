//! The registered workers.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::DatabaseError;
use crate::client::Client;
use crate::db::time::{duration, time};

/// A worker that is registered in the database: from [`Client::workers`]. Times are by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredWorker {
    /// The id of the worker, drawn at random when it starts.
    pub id: i64,
    /// The name that its program gave it.
    pub name: String,
    /// The time of its start.
    pub started_at: SystemTime,
    /// The number of heartbeats that it has sent.
    pub heartbeats: u64,
    /// The time of its last heartbeat.
    pub seen_at: SystemTime,
    /// The time since its last heartbeat.
    pub silent_for: Duration,
    /// The time for which it may be silent. After it, other workers take its jobs.
    pub lease: Duration,
    /// The queues that it serves, with the number of its slots in each.
    pub queues: Vec<(String, u32)>,
    /// The kinds that its program knows, aliases included.
    pub kinds: BTreeSet<String>,
    /// The filter that its jobs match, as text; `None` if it accepts all.
    pub accepts: Option<String>,
    /// The number of jobs that it has claimed and not reported yet.
    pub running: u64,
    /// The number of leases that it holds.
    pub leases: u64,
}

impl RegisteredWorker {
    /// Returns whether it has been silent for longer than its lease.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.silent_for > self.lease
    }

    /// The number of its slots in all queues.
    #[must_use]
    pub fn slots(&self) -> u64 {
        self.queues.iter().map(|(_, slots)| u64::from(*slots)).sum()
    }
}

impl Client {
    /// Returns the registered workers of all processes, by name.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::DatabaseError> {
    /// for worker in client.workers().await? {
    ///     println!("{}: {} of {} slots", worker.name, worker.running, worker.slots());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn workers(&self) -> Result<Vec<RegisteredWorker>, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.workers, &[]).await?;
        rows.iter().map(RegisteredWorker::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

impl RegisteredWorker {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
        let queues: Vec<String> = row.try_get("queues")?;
        let slots: Vec<i32> = row.try_get("slots")?;
        let slots = slots.into_iter().map(i32::unsigned_abs).chain(std::iter::repeat(0));
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            started_at: time(row.try_get("started_at")?),
            heartbeats: count("beats")?,
            seen_at: time(row.try_get("seen_at")?),
            silent_for: duration(row.try_get("silent")?),
            lease: duration(row.try_get("lease")?),
            queues: queues.into_iter().zip(slots).collect(),
            kinds: row.try_get::<Vec<String>, _>("kinds")?.into_iter().collect(),
            accepts: row.try_get("filter")?,
            running: count("running")?,
            leases: count("leases")?,
        })
    }
}
