//! Operations of a person on a workflow: retry the steps that failed, and let a held step run.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::client::Client;
use crate::db::ids::QueueId;
use crate::db::literal::Literal;
use crate::db::statement_timeout::on_server;
use crate::db::tries::Tries;
use crate::enqueue::full::Full;
use crate::jitter::jittered;
use crate::{DatabaseError, ResumeError, RetryError, Step, WorkflowHandle};

/// The time in which a retry waits for steps that are about to end.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
/// The pause between two tries.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

impl WorkflowHandle {
    /// Runs the steps again that did not complete. Steps that completed keep their outputs, and do not run again. Returns the number
    /// of steps that run again: 0 if all have completed, or there is no such workflow.
    ///
    /// A step that waited for a job outside of the workflow waits for it again, unless that job has completed or is no longer kept. If that
    /// job failed, requeue it first.
    ///
    /// It works as long as the workflow is kept, also if its jobs are not. It waits for steps that are about to end: for at most 20
    /// seconds, and within [`with_statement_timeout`](crate::with_statement_timeout) for at most as long as a statement takes.
    ///
    /// # Errors
    ///
    /// [`RetryError::Busy`], if a step is about to end in a transaction that is still open, or steps for the end of the workflow
    /// run; [`RetryError::QueueFull`], if a queue has no room for all of its steps; and [`RetryError::Database`].
    pub async fn retry_failed(&self, client: &Client) -> Result<u64, RetryError> {
        let (shared, shard) = (client.shared(), self.shard(client).await?);
        // The limit is looked at between two tries: a try that is dropped may go on in the database.
        let tries = Tries::within(RETRY_TIMEOUT.min(on_server()));
        loop {
            let row = shared.write(&shared.sql.retry_workflow, &[&shard, &self.id().as_uuid()]).await?;
            let is_busy: bool = row.try_get("is_busy").map_err(DatabaseError::Refused)?;
            client.notifications().cancel(); // Workers look at what is left to do.
            if !is_busy {
                let full: Option<&str> = row.try_get("full").map_err(DatabaseError::Refused)?;
                let full = Full::read(full)
                    .map_err(|error| DatabaseError::Refused(sqlx::Error::Decode(error.into())))?;
                if let Some(Full { queue, bound, .. }) = full.into_iter().next() {
                    return Err(RetryError::QueueFull { id: self.id(), queue, bound });
                }
                let retried: Option<i32> = row.try_get("retried").map_err(DatabaseError::Refused)?;
                wake(client, &row)?;
                return Ok(retried.unwrap_or(0).unsigned_abs().into());
            }
            if tries.left().is_zero() {
                return Err(RetryError::Busy { id: self.id() });
            }
            tokio::time::sleep(jittered(RETRY_PAUSE)).await;
        }
    }

    /// Lets a held step run although parents failed. Returns false if it is not held.
    ///
    /// A step that takes the output of a parent that failed cannot run without it: [retry](Self::retry_failed) that parent instead.
    ///
    /// # Errors
    ///
    /// [`ResumeError::CannotRun`], if the step takes an output that does not exist, and [`ResumeError::Database`].
    pub async fn resume<T>(&self, client: &Client, step: &Step<T>) -> Result<bool, ResumeError> {
        let (workflow, n) = step.at.place();
        if workflow.id != self.id() {
            return Ok(false);
        }
        self.resume_step(client, n).await
    }

    /// Lets a held step run, as [`resume`](Self::resume) does, by its number in the workflow. [`JobDetails::step_of`] has that number,
    /// and so has the JSON of [`graph`](Self::graph). Returns false if the step is not held, or does not exist.
    ///
    /// [`JobDetails::step_of`]: crate::JobDetails::step_of
    ///
    /// # Errors
    ///
    /// Those of [`resume`](Self::resume).
    pub async fn resume_step(&self, client: &Client, n: u32) -> Result<bool, ResumeError> {
        let Ok(n) = i32::try_from(n) else { return Ok(false) };
        let (shared, shard) = (client.shared(), self.shard(client).await?);
        let values: [&dyn Literal; 3] = [&shard, &self.id().as_uuid(), &n];
        let row = shared.write(&shared.sql.resume_step, &values).await.map_err(ResumeError::new)?;
        wake(client, &row)?;
        Ok(row.try_get("resumed").map_err(DatabaseError::Refused)?)
    }
}

/// Notifies workers of the queues in which steps have become ready.
fn wake(client: &Client, row: &PgRow) -> Result<(), DatabaseError> {
    let queues: Option<Vec<QueueId>> = row.try_get("queues").map_err(DatabaseError::Refused)?;
    client.notifications().wake(&queues.unwrap_or_default());
    Ok(())
}
