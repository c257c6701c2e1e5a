//! Actions on all jobs that match a filter: one batch at a time.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::DatabaseError;
use crate::db::ids::QueueId;
use crate::db::time::duration;
use crate::store::access::Store;

/// The result of one batch of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acted {
    /// False if none was due, or another session does its batch.
    pub acted: bool,
    /// The time until the next batch; `None` if there is none.
    pub wait: Option<Duration>,
    /// The queues of jobs that may start now; `SCHEDULED` among them means that one has a new time.
    pub queues: Vec<QueueId>,
    /// The jobs that have ended.
    pub cancelled: Vec<Uuid>,
    /// The running jobs, whose workers have to stop them.
    pub running: Vec<Uuid>,
    /// The error of the batch, if it failed. It was undone, and is tried again later.
    pub problem: Option<String>,
}

impl Acted {
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            acted: row.try_get("acted")?,
            wait: row.try_get::<Option<i64>, _>("wait")?.map(duration),
            queues: row.try_get::<Option<_>, _>("queues")?.unwrap_or_default(),
            cancelled: row.try_get::<Option<_>, _>("cancelled")?.unwrap_or_default(),
            running: row.try_get::<Option<_>, _>("running")?.unwrap_or_default(),
            problem: row.try_get("problem")?,
        })
    }
}

impl Store {
    /// Does the next batch of the action that is due first.
    pub async fn act(&self) -> Result<Acted, DatabaseError> {
        let row = self.row(sqlx::query(self.sql.act.clone()).bind(None::<i64>)).await?;
        Acted::read(&row).map_err(DatabaseError::Refused)
    }
}
