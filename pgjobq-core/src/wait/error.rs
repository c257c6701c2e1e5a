//! The errors of calls on a job's handle.

use crate::job::other_kind::OtherKind;
use crate::{DatabaseError, JobId, WorkflowId};

crate::debug_as_message!(WaitError, HandleError);

/// The error of a call on a [`Job`](crate::Job) or a [`JobHandle`](crate::JobHandle): of `status`, `progress`,
/// `cancel` and `requeue`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// The job is of another kind than the handle. Nothing was changed. It does not come from a [`Job`](crate::Job).
    #[error(transparent)]
    OtherKind(#[from] OtherKind),
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The error of waiting for a job: from [`JobHandle::wait`](crate::JobHandle::wait) and
/// [`JobHandle::wait_timeout`](crate::JobHandle::wait_timeout).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// There is no such job, live or finished: the transaction that enqueued it has not committed or was rolled back, it was never
    /// enqueued here, it was purged after it ended, or it ended so long ago that its row has been dropped.
    #[error("there is no job {id}{}", reasons(schema.as_deref()))]
    NotFound {
        /// The job.
        id: JobId,
        /// Another schema of the same database that has the job.
        schema: Option<String>,
    },
    /// The enqueue has dropped the job: its [outcome](crate::JobHandle::outcome) is
    /// [`EnqueueOutcome::Dropped`](crate::EnqueueOutcome::Dropped).
    #[error(
        "job {id} never existed: its enqueue dropped it, because there was no room for it; look at the `outcome()` of the handle before you wait"
    )]
    Dropped {
        /// The id that the job would have had.
        id: JobId,
    },
    /// The job completed, but its result does not fit the handle's type.
    #[error("job {id} completed, but its result does not fit the handle's type: {error}")]
    Result {
        /// The job.
        id: JobId,
        /// The cause.
        error: serde_json::Error,
    },
    /// The job is of another kind than the handle. The job goes on.
    #[error(transparent)]
    OtherKind(#[from] OtherKind),
    /// The time given to `wait_timeout` is over; the job goes on.
    #[error(
        "job {id} has not ended in the time given. It keeps its place and goes on: wait again with this handle, or with one that is made from its id{}",
        trouble.as_ref().map(|trouble| format!("; its end may have been missed: {trouble}")).unwrap_or_default()
    )]
    TimedOut {
        /// The job.
        id: JobId,
        /// The reason why its end may have been missed: the database did not answer.
        trouble: Option<std::sync::Arc<DatabaseError>>,
    },
    /// There is no such workflow: the transaction that enqueued it has not committed or was rolled back, it was never enqueued here, or it
    /// ended so long ago that it is no longer kept.
    #[error(
        "there is no workflow {id}: its transaction has not committed or was rolled back, it was never enqueued in the schema of this client, or it ended so long ago that it is no longer kept"
    )]
    NoWorkflow {
        /// The workflow.
        id: WorkflowId,
    },
    /// The time given to [`WorkflowHandle::wait_timeout`](crate::WorkflowHandle::wait_timeout) is over; the workflow goes on.
    #[error(
        "workflow {id} has not ended in the time given, and goes on: wait again{}",
        trouble.as_ref().map(|trouble| format!("; its end may have been missed: {trouble}")).unwrap_or_default()
    )]
    WorkflowTimedOut {
        /// The workflow.
        id: WorkflowId,
        /// The reason why its end may have been missed: the database did not answer.
        trouble: Option<std::sync::Arc<DatabaseError>>,
    },
    /// The step is of another workflow than the handle.
    #[error(
        "the step `{step}` is of the workflow `{other}`, and not of workflow {id}: use the handle of `{other}`"
    )]
    ForeignStep {
        /// The step's name.
        step: String,
        /// The name of its workflow.
        other: String,
        /// The workflow of the handle.
        id: WorkflowId,
    },
    /// The client was closed.
    #[error("the client was closed: wait before `client.close()`, or with another client")]
    Closed,
    /// The database refused a statement. (Transient errors, such as a restart, are waited for and not returned.)
    #[error(transparent)]
    Database(#[from] std::sync::Arc<DatabaseError>),
}

fn reasons(schema: Option<&str>) -> String {
    match schema {
        Some(schema) => format!(
            " in the schema of this client, but there is one in the schema `{schema}`: wait with a client of that one"
        ),
        None => ": its transaction has not committed or was rolled back, it was never enqueued, it was purged, or it ended so long \
                 ago that it is no longer kept"
            .to_owned(),
    }
}
