//! Background jobs as plain async functions, stored in PostgreSQL.
#![forbid(unsafe_code)]

extern crate self as pgjobq; // so that #[job] works in our own doctests and unit tests

#[cfg(feature = "dev")]
pub use pgjobq_core::dev;
pub use pgjobq_core::{
    AnyJob, Backoff, CallError, Client, ClientBuilder, EnqueueAllError, EnqueueError, Enqueued, FailedAttempt, Failure,
    InvalidName, InvalidSchema, JobContext, JobError, JobHandle, JobId, JobReturn, JobState, MigrateError, NewJob, Outcome,
    Priority, Queue, State, Status, StoreError, Target, WaitError, Within, enqueue_all, schema_sql,
};
pub use pgjobq_worker::{BuildError, QueueLimits, RunningWorker, SetupProblem, Worker, WorkerBuilder, WorkerError};
#[doc = include_str!("job.md")]
pub use pgjobq_macros::job;
pub use sqlx;

/// What a job function returns: any error turns into [`JobError`] with `?`.
pub type Result<T, E = JobError> = std::result::Result<T, E>;

/// Everything that a program with jobs usually names.
pub mod prelude {
    pub use crate::{
        Backoff, Client, JobContext, JobError, JobHandle, JobId, NewJob, Outcome, Priority, Result, State, Worker, job,
    };
}

#[doc(hidden)] // Not public API: the output of #[job] names it.
pub mod __private {
    pub use pgjobq_core::__private::*;
}
