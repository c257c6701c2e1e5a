//! Checks of the queues that a worker serves.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::db::ids::{QueueId, WorkerId};
use crate::db::time::duration;
use crate::store::access::Store;
use crate::{DatabaseError, JobId};

/// The state of a queue that a worker serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStanding {
    pub name: String,
    /// `None` if there is no such queue.
    pub id: Option<QueueId>,
    pub deleted: bool,
    /// The number of shards of the schema.
    pub shards: i16,
    /// True if its row or one of its lanes is missing.
    pub incomplete: bool,
    /// The number of tickets that have been drawn in this database.
    pub drawn: i64,
    /// An operator's limit for each worker.
    pub limit: Option<usize>,
    /// The retention of completed jobs, for kinds that set none; `None` if there is no such queue.
    pub keep: Option<Duration>,
    /// True if its waiting jobs move up with time.
    pub ages: bool,
    /// The number of times that operators have changed settings.
    pub changes: i64,
}

impl Store {
    /// Returns the state of these queues.
    pub async fn check_queues(&self, names: &[&str]) -> Result<Vec<QueueStanding>, DatabaseError> {
        let rows =
            self.rows(sqlx::query(self.sql.check_queues.clone()).bind(names).bind(self.shards())).await?;
        let read = |row: &PgRow| {
            Ok(QueueStanding {
                name: row.try_get("name")?,
                id: row.try_get("id")?,
                deleted: row.try_get("deleted")?,
                shards: row.try_get("shards")?,
                incomplete: row.try_get("incomplete")?,
                drawn: row.try_get("drawn")?,
                limit: row.try_get::<Option<i32>, _>("slots")?.and_then(|slots| usize::try_from(slots).ok()),
                keep: row.try_get::<Option<i64>, _>("keep")?.map(duration),
                ages: row.try_get("ages")?,
                changes: row.try_get("changes")?,
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }

    /// Records how many slots the worker has in each of its queues, after a limit was changed.
    pub async fn set_slots(&self, worker: WorkerId, slots: &[usize]) -> Result<(), DatabaseError> {
        let slots: Vec<i32> = slots.iter().map(|slots| i32::try_from(*slots).unwrap_or(i32::MAX)).collect();
        let query = sqlx::query(self.sql.set_slots.clone()).bind(self.shards()).bind(worker).bind(slots);
        self.rows(query).await.map(drop)
    }

    /// Lets the database read the worker's filter. Fails if it cannot: its encoding may lack a character.
    pub async fn check_filter(&self) -> Result<(), DatabaseError> {
        let Some(filter) = &self.filter else { return Ok(()) };
        self.row(sqlx::query(self.sql.check_filter.clone()).bind(&filter.path)).await.map(drop)
    }

    /// Returns the versioned kinds, with their queues, of jobs that have waited in these queues for a minute and that no live worker accepts;
    /// and the oldest job of each.
    pub async fn unaccepted(
        &self,
        queues: &[QueueId],
    ) -> Result<Vec<(QueueId, String, JobId)>, DatabaseError> {
        let query = sqlx::query(self.sql.unaccepted.clone()).bind(self.shards()).bind(queues);
        let read = |row: &PgRow| {
            Ok((row.try_get("queue")?, row.try_get("kind")?, row.try_get::<uuid::Uuid, _>("job")?.into()))
        };
        self.rows(query).await?.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }

    /// Adds the numbers of attempts that have completed and failed in each queue.
    pub async fn note_rates(&self, counts: &[(QueueId, i32, i32)]) -> Result<(), DatabaseError> {
        let column = |pick: fn(&(QueueId, i32, i32)) -> i32| counts.iter().map(pick).collect::<Vec<_>>();
        let query = sqlx::query(self.sql.note_rates.clone())
            .bind(0_i16)
            .bind(counts.iter().map(|count| count.0).collect::<Vec<_>>())
            .bind(column(|count| count.1))
            .bind(column(|count| count.2));
        self.rows(query).await.map(drop)
    }

    /// Advances the sequence of tickets if it was set back, over a connection of the worker.
    pub async fn repair_tickets(&self) -> Result<(), DatabaseError> {
        let row = self.row(sqlx::query(self.sql.repair_tickets.clone())).await?;
        crate::db::migrate::warn_of_repair(&row)
    }
}
