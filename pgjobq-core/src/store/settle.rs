//! Settling: the children of ended jobs learn how their parents ended, in bounded transactions of their own.

use sqlx::postgres::PgRow;
use sqlx::{Row, SqlStr};
use uuid::Uuid;

use crate::DatabaseError;
use crate::db::ids::{QueueId, Shard};
use crate::store::access::Store;

/// The changes for the children of ended jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The queues in which children became ready; `SCHEDULED` among them means that one waits for its time.
    pub queues: Vec<QueueId>,
    /// The workflows and the children that have ended.
    pub ended: Vec<Uuid>,
    /// True if more is left to settle in the shard.
    pub more: bool,
}

/// The result of one piece of work on workflows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    pub settled: Settled,
    /// True if there are new requests to cancel jobs.
    pub cancelling: bool,
    /// True if there are edges between jobs that are not in one workflow.
    pub has_edges: bool,
}

/// Something in a shard that follows from what others did, and waits for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowUps {
    pub shard: Shard,
    /// True if there are requests to cancel.
    pub cancels: bool,
    /// True if there are parents to settle, edges to confirm, or workflows in which something is due.
    pub unsettled: bool,
    /// True if there are actions on many jobs.
    pub actions: bool,
    /// True if jobs wait for permits.
    pub limited: bool,
    /// True if there are requests of unique jobs that have met another one.
    pub unique: bool,
}

impl Store {
    /// Returns the shards that have follow-ups: mostly none.
    pub async fn follow_ups(&self) -> Result<Vec<FollowUps>, DatabaseError> {
        let rows = self.rows(sqlx::query(self.sql.follow_ups.clone()).bind(self.shards())).await?;
        let read = |row: &PgRow| {
            Ok(FollowUps {
                shard: row.try_get("shard")?,
                cancels: row.try_get("cancels")?,
                unsettled: row.try_get("unsettled")?,
                actions: row.try_get("actions")?,
                limited: row.try_get("limited")?,
                unique: row.try_get("unique_requests")?,
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }

    /// Does the next piece of work on workflows, along at most `most` edges.
    pub async fn tend_workflows(&self, shard: Shard, most: i32) -> Result<Tended, DatabaseError> {
        let row = self.bounded(self.sql.tend_workflows.clone(), shard, most).await?;
        let read = || {
            Ok(Tended {
                settled: Settled::read(&row)?,
                cancelling: row.try_get::<Option<_>, _>("cancelling")?.unwrap_or_default(),
                has_edges: row.try_get("has_edges")?,
            })
        };
        read().map_err(DatabaseError::Refused)
    }

    /// Settles at most `most` edges of jobs that have ended.
    pub async fn settle_edges(&self, shard: Shard, most: i32) -> Result<Settled, DatabaseError> {
        let row = self.bounded(self.sql.settle_edges.clone(), shard, most).await?;
        Settled::read(&row).map_err(DatabaseError::Refused)
    }

    /// Confirms at most `most` new edges. Returns whether more are left.
    pub async fn confirm_edges(&self, shard: Shard, most: i32) -> Result<bool, DatabaseError> {
        let row = self.bounded(self.sql.confirm_edges.clone(), shard, most).await?;
        row.try_get("more").map_err(DatabaseError::Refused)
    }

    async fn bounded(&self, sql: SqlStr, shard: Shard, most: i32) -> Result<PgRow, DatabaseError> {
        self.row(sqlx::query(sql).bind(shard).bind(most)).await
    }
}

impl Settled {
    /// Reads the columns `queues`, `ended` and `more` of an answer.
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            queues: row.try_get::<Option<_>, _>("queues")?.unwrap_or_default(),
            ended: row.try_get::<Option<_>, _>("ended")?.unwrap_or_default(),
            more: row.try_get::<Option<_>, _>("more")?.unwrap_or_default(),
        })
    }
}
