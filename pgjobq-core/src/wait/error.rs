//! The errors of calls on a job's handle.

use crate::job::other_kind::OtherKind;
use crate::{DatabaseError, JobId};

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
    #[error(
        "there is no job {0}: its transaction has not committed or was rolled back, it was never enqueued, it was purged, or it ended so long ago that it is no longer kept"
    )]
    NotFound(JobId),
    /// The job completed, but its result does not fit the handle's type.
    #[error("job {id} completed, but its result does not fit the handle's type")]
    Result {
        /// The job.
        id: JobId,
        /// The cause.
        source: serde_json::Error,
    },
    /// The job is of another kind than the handle. The job goes on.
    #[error(transparent)]
    OtherKind(#[from] OtherKind),
    /// The time given to `wait_timeout` is over; the job goes on.
    #[error(
        "job {id} has not ended in the time given, and goes on: wait again, or look at `client.job(id).status()`"
    )]
    TimedOut {
        /// The job.
        id: JobId,
        /// The reason why its end may have been missed: the database did not answer.
        source: Option<std::sync::Arc<DatabaseError>>,
    },
    /// The client was closed.
    #[error("the client was closed: wait before `client.close()`, or with another client")]
    Closed,
    /// The database refused a statement. (Transient errors, such as a restart, are waited for and not returned.)
    #[error(transparent)]
    Database(#[from] std::sync::Arc<DatabaseError>),
}
