//! Dead jobs that died alike.

use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::client::Client;
use crate::db::time::time;
use crate::{DatabaseError, JobId};

/// Dead jobs of one kind and queue that died alike: from [`Client::dead_groups`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadGroup {
    /// Their queue; `None` if that was deleted long ago.
    pub queue: Option<String>,
    /// Their kind.
    pub kind: String,
    /// The first line of their last error, with `#` in place of each id and number. `None` if no error is recorded.
    pub error: Option<String>,
    /// The number of them.
    pub jobs: u64,
    /// The time at which the first of them died, by the database's clock.
    pub first_at: SystemTime,
    /// The time at which the last of them died.
    pub last_at: SystemTime,
    /// The last of them.
    pub last: JobId,
    /// True if all dead jobs were counted. Otherwise there are more than ten thousand of them in a shard, and the number is that
    /// among the last ten thousand.
    pub exact: bool,
}

impl Client {
    /// Returns the dead jobs in groups that died alike, the largest first, at most `limit`.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::DatabaseError> {
    /// for group in client.dead_groups(20).await? {
    ///     println!("{} × {}: {}", group.jobs, group.kind, group.error.unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn dead_groups(&self, limit: u32) -> Result<Vec<DeadGroup>, DatabaseError> {
        let shared = self.shared();
        let most = i32::try_from(limit).unwrap_or(i32::MAX);
        let rows = shared.read(&shared.sql.dead_groups, &[&most]).await?;
        rows.iter().map(DeadGroup::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

impl DeadGroup {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            queue: row.try_get("queue")?,
            kind: row.try_get("kind")?,
            error: row.try_get("error")?,
            jobs: row.try_get::<i64, _>("jobs")?.unsigned_abs(),
            first_at: time(row.try_get("first_at")?),
            last_at: time(row.try_get("last_at")?),
            last: row.try_get::<Uuid, _>("last")?.into(),
            exact: row.try_get("exact")?,
        })
    }
}
