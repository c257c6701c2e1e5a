//! The latest workflows, for people.

use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::client::Client;
use crate::db::literal::Literal;
use crate::db::time::time;
use crate::{DatabaseError, WorkflowId, WorkflowOutcome};

/// The largest number of workflows on one page.
const MAX_PAGE: u32 = 1000;

/// A workflow of a list: from [`Client::workflows`]. Times are by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedWorkflow {
    /// The workflow.
    pub id: WorkflowId,
    /// Its name.
    pub name: String,
    /// Its outcome; `None` while it runs.
    pub outcome: Option<WorkflowOutcome>,
    /// The number of steps that have not ended.
    pub live: u64,
    /// The number of steps that ended otherwise than completed.
    pub failed: u64,
    /// When it was enqueued.
    pub created_at: SystemTime,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
    /// When what is left of it is cancelled.
    pub deadline: Option<SystemTime>,
}

impl Client {
    /// Returns the next workflows that run or are kept, at most `limit` (and at most 1000), in the opposite order of their ids: the
    /// latest first, unless a program made ids of its own. `before` is the last one of the page before.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::DatabaseError> {
    /// let mut page = client.workflows(None, 50).await?;
    /// while let Some(last) = page.last() {
    ///     page = client.workflows(Some(last.id), 50).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn workflows(
        &self,
        before: Option<WorkflowId>,
        limit: u32,
    ) -> Result<Vec<ListedWorkflow>, DatabaseError> {
        let shards = self.about().await?.all_shards();
        let (shared, limit) = (self.shared(), limit.clamp(1, MAX_PAGE) as i32);
        let before: Option<Uuid> = before.map(WorkflowId::as_uuid);
        let values: [&dyn Literal; 3] = [&&shards[..], &before, &limit];
        let rows = shared.read(&shared.sql.workflows, &values).await?;
        rows.iter().map(ListedWorkflow::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

impl ListedWorkflow {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let maybe = |name| row.try_get::<Option<i64>, _>(name).map(|micros| micros.map(time));
        let count = |name| row.try_get::<i32, _>(name).map(|count| u64::from(count.unsigned_abs()));
        let outcome: Option<&str> = row.try_get("outcome")?;
        let outcome = outcome.map(str::parse).transpose();
        Ok(Self {
            id: WorkflowId::from(row.try_get::<Uuid, _>("id")?),
            name: row.try_get("name")?,
            outcome: outcome.map_err(|error: String| sqlx::Error::Decode(error.into()))?,
            live: count("live")?,
            failed: count("failed")?,
            created_at: time(row.try_get("created_at")?),
            ended_at: maybe("ended_at")?,
            deadline: maybe("deadline")?,
        })
    }
}
