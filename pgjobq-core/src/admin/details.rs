//! One job in full.

use std::collections::BTreeMap;
use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::admin::job::Job;
use crate::admin::jobs::list::{attributes_of, priority_of};
use crate::db::literal::Literal;
use crate::db::time::time;
use crate::wait::failure::FailedAttempt;
use crate::wait::lookup::errors;
use crate::wait::status::Status;
use crate::{AttributeValue, DatabaseError, HandleError, JobId, Priority, WorkflowId};

/// The most bytes of arguments, and of a result, that are returned.
const MOST_BYTES: i32 = 8 << 20;
/// Stands for arguments that the database does not print.
pub(super) const LEFT_OUT: &str = "\"[left out: more than 8 MiB]\"";

/// One job in full: from [`Job::details`]. Times are by the database's clock.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JobDetails {
    /// Its status.
    pub status: Status,
    /// Its priority.
    pub priority: Priority,
    /// Its key.
    pub key: Option<String>,
    /// Its attributes by name; empty if it has none.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Its arguments, as JSON text, in which PostgreSQL keeps every digit of a number. Arguments that the job function's `redact` names
    /// are `"[redacted]"`. A string replaces arguments of more than 8 MiB.
    pub args: String,
    /// The value that its function returned, as JSON text. `None` if it has not completed, returned nothing, or the
    /// text is longer than 8 MiB.
    pub output: Option<String>,
    /// The attempts that failed or crashed, oldest first: the first ten and the last hundred.
    pub errors: Vec<FailedAttempt>,
    /// The number of tries that follow its first failure.
    pub retries: u32,
    /// The number of crashes that it survives.
    pub max_crashes: u32,
    /// The time of its first enqueue, if it was requeued since, or a step was retried: then [`Status::created_at`] is the time of the
    /// last requeue. `None` if it was not.
    pub first_enqueued_at: Option<SystemTime>,
    /// The time until which it must have started.
    pub expires_at: Option<SystemTime>,
    /// The start of the attempt that runs.
    pub running_since: Option<SystemTime>,
    /// The name of the worker that runs it.
    pub worker: Option<String>,
    /// The W3C trace context of its enqueue.
    pub traceparent: Option<String>,
    /// The job whose function has enqueued it.
    pub enqueued_by: Option<JobId>,
    /// The workflow of which it is a step, and the number of the step.
    pub step_of: Option<(WorkflowId, u32)>,
    /// The schedule that has enqueued it.
    pub schedule: Option<String>,
}

impl Job<'_> {
    /// Returns the job in full, or `None` if there is no such job, or none any more. It takes one statement, whose parts belong to one moment.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client, id: pgjobq::JobId) -> Result<(), pgjobq::HandleError> {
    /// if let Some(job) = client.job(id).details().await? {
    ///     println!("{} is {}: {}", job.status.kind, job.status.state, job.args);
    ///     for failed in job.errors {
    ///         println!("attempt {} failed: {}", failed.attempt, failed.message);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`HandleError::Database`], if the database cannot be reached or refuses.
    pub async fn details(&self) -> Result<Option<JobDetails>, HandleError> {
        let shared = self.client.shared();
        let shard = self.id.shard(shared.about().await?.shards);
        let values: [&dyn Literal; 3] = [&shard, &self.id.as_uuid(), &MOST_BYTES];
        let row = shared.read(&shared.sql.job_details, &values).await?.pop();
        let read = row.map(|row| JobDetails::read(self.id, &row)).transpose();
        Ok(read.map_err(DatabaseError::Refused)?)
    }
}

impl JobDetails {
    fn read(id: JobId, row: &PgRow) -> Result<Self, sqlx::Error> {
        let count = |name| row.try_get::<i16, _>(name).map(|count| u32::from(count.unsigned_abs()));
        let maybe = |name| row.try_get::<Option<i64>, _>(name).map(|micros| micros.map(time));
        let attributes = row.try_get::<Option<&str>, _>("attributes")?.map(attributes_of).transpose();
        let workflow = row.try_get::<Option<Uuid>, _>("workflow")?;
        let step = row.try_get::<Option<i32>, _>("step")?;
        Ok(Self {
            status: Status::read(id, row)?,
            priority: priority_of(row.try_get("priority")?),
            key: row.try_get("key")?,
            attributes: attributes.map_err(|error| sqlx::Error::Decode(error.into()))?.unwrap_or_default(),
            args: row.try_get::<Option<_>, _>("args")?.unwrap_or_else(|| LEFT_OUT.to_owned()),
            output: row.try_get("output")?,
            errors: errors(row.try_get("errors")?),
            retries: count("retries")?,
            max_crashes: count("max_crashes")?,
            first_enqueued_at: maybe("enqueued_at")?,
            expires_at: maybe("expires_at")?,
            running_since: maybe("claimed_at")?,
            worker: row.try_get("worker")?,
            traceparent: row.try_get("traceparent")?,
            enqueued_by: row.try_get::<Option<Uuid>, _>("parent")?.map(JobId::from),
            step_of: workflow.zip(step).map(|(id, step)| (WorkflowId::from(id), step.unsigned_abs())),
            schedule: row.try_get("schedule")?,
        })
    }
}
