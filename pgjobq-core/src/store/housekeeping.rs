//! Housekeeping: removes what no job needs any more.

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::DatabaseError;
use crate::db::ids::{QueueId, Shard};
use crate::store::access::Store;

impl Store {
    /// Returns the deleted queues in which jobs wait, and those of which nothing is left.
    pub async fn deleted_queues(&self) -> Result<(Vec<QueueId>, Vec<QueueId>), DatabaseError> {
        let row = self.row(sqlx::query(self.sql.deleted_queues.clone()).bind(self.shards())).await?;
        let read = || Ok((row.try_get("used")?, row.try_get("over")?));
        read().map_err(DatabaseError::Refused)
    }

    /// Removes the row of a deleted queue that is empty.
    pub async fn forget_queue(&self, queue: QueueId) -> Result<(), DatabaseError> {
        self.rows(sqlx::query(self.sql.forget_queue.clone()).bind(queue)).await.map(drop)
    }

    /// Returns the ids of queues in which jobs wait although no such queue exists.
    pub async fn stray_queues(&self) -> Result<Vec<QueueId>, DatabaseError> {
        let rows = self.rows(sqlx::query(self.sql.stray_queues.clone()).bind(self.shards())).await?;
        rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }

    /// Drops the oldest partition of `finished` whose day is over. Returns false if there is none, and `None` if it
    /// cannot be dropped now. A transient error means that another session is using it.
    pub async fn drop_partition(&self) -> Result<Option<bool>, DatabaseError> {
        let row = self.row(sqlx::query(self.sql.drop_partition.clone())).await?;
        row.try_get("dropped").map_err(DatabaseError::Refused)
    }

    /// Deletes ended jobs that have no partition of their own and whose retention is over. Returns their number, and
    /// whether others remain.
    pub async fn tidy_rest(&self, most: i32) -> Result<(i32, bool), DatabaseError> {
        let row = self.row(sqlx::query(self.sql.tidy_rest.clone()).bind(most)).await?;
        let read = || Ok((row.try_get("deleted")?, row.try_get("remain")?));
        read().map_err(DatabaseError::Refused)
    }

    /// Deletes outdated rows from the tables of hints, and in each shard at most `most` unique keys whose time is over. Returns
    /// whether more of these may be left.
    pub async fn tidy_hints(&self, most: i32) -> Result<bool, DatabaseError> {
        let rows = self.rows(sqlx::query(self.sql.tidy_hints.clone()).bind(self.shards()).bind(most)).await?;
        let more = |row: &PgRow| row.try_get::<bool, _>("more").map_err(DatabaseError::Refused);
        rows.iter().try_fold(false, |any, row| Ok(more(row)? || any))
    }

    /// Deletes failed attempts of jobs that are gone, among the next `most` after that job. Returns the last job that
    /// it has looked at, and `None` at the end.
    pub async fn tidy_failures(
        &self,
        shard: Shard,
        after: Uuid,
        most: i32,
    ) -> Result<Option<Uuid>, DatabaseError> {
        let query = sqlx::query(self.sql.tidy_failures.clone()).bind(shard).bind(after).bind(most);
        self.row(query).await?.try_get("scanned_to").map_err(DatabaseError::Refused)
    }

    /// Deletes histories in which no start counts any more, of the next `most` limits after that one (its scope, name and key).
    /// Returns the last limit that it has looked at, and nothing at the end.
    pub async fn tidy_starts(
        &self,
        shard: Shard,
        after: &[String],
        most: i32,
    ) -> Result<Vec<String>, DatabaseError> {
        let query = sqlx::query(self.sql.tidy_starts.clone()).bind(shard).bind(after).bind(most);
        self.row(query).await?.try_get("scanned_to").map_err(DatabaseError::Refused)
    }
}
