//! Unique jobs that have met another one with their key: what becomes of them after the commit of their enqueue.

use sqlx::Row;
use uuid::Uuid;

use crate::DatabaseError;
use crate::db::ids::{QueueId, Shard};
use crate::store::access::Store;

/// The result of settling some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettledUnique {
    /// The queues with jobs that may start now; `SCHEDULED` among them means that a job has a new time.
    pub queues: Vec<QueueId>,
    /// True if another look at the same jobs may settle more.
    pub again: bool,
    /// The job after which the next call continues; `None` at the end.
    pub scanned_to: Option<Uuid>,
}

impl Store {
    /// Settles the next unique jobs that have met another one, those after this id or the first ones.
    pub async fn settle_unique(
        &self,
        shard: Shard,
        after: Option<Uuid>,
        most: i32,
    ) -> Result<SettledUnique, DatabaseError> {
        let query = sqlx::query(self.sql.settle_unique.clone());
        let row = self.row(query.bind(shard).bind(after).bind(most)).await?;
        let read = || {
            Ok(SettledUnique {
                queues: row.try_get::<Option<_>, _>("queues")?.unwrap_or_default(),
                again: row.try_get("again")?,
                scanned_to: row.try_get("scanned_to")?,
            })
        };
        read().map_err(DatabaseError::Refused)
    }
}
