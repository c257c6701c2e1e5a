//! One job of a batch.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use crate::batch::settling::{ItemEnd, Settler};
use crate::{JobContext, JobError, JobId};

/// One job of a [`Batch`](crate::Batch): its argument, its context, and the ways to end it.
///
/// It derefs to the argument. An item that is dropped without an end ends as the call does: completed after `Ok`, failed
/// after an error or a panic. An end is recorded at once, while the call goes on.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use std::time::Duration;
/// use pgjobq::{Batch, BatchResult};
///
/// async fn import(batch: Batch<String>) -> BatchResult {
///     for line in batch {
///         match line.split_once('=') {
///             Some((_, "later")) => line.snooze(Duration::from_secs(60)), // Nothing has failed.
///             Some((_, value)) => println!("{}: {value}", line.id()),     // Completes when the call returns.
///             None => line.fail(pgjobq::JobError::fatal("a line has a `=`")),
///         }
///     }
///     Ok(())
/// }
/// ```
pub struct BatchItem<T> {
    args: T,
    context: JobContext,
    settler: Settler,
}

impl<T> BatchItem<T> {
    pub(crate) fn new(args: T, context: JobContext, settler: Settler) -> Self {
        Self { args, context, settler }
    }

    /// The stored argument of the job.
    #[must_use]
    pub fn args(&self) -> &T {
        &self.args
    }

    /// Returns the argument. The job ends as the call does.
    #[must_use]
    pub fn into_args(self) -> T {
        self.args
    }

    /// The context of the job's attempt: its attempt number, why it should stop, its progress, and a way to enqueue its children.
    #[must_use]
    pub fn context(&self) -> &JobContext {
        &self.context
    }

    /// The job's id, which is the same in every attempt.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.context.id()
    }

    /// The number of the job's attempt: 1 for the first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.context.attempt()
    }

    /// Completes the job.
    pub fn complete(self) {
        self.settle(Ok::<_, JobError>(()));
    }

    /// Ends the attempt with an error, after which the job is retried or dead, as after an error of any job function. A
    /// [`JobError`] decides what it means.
    pub fn fail(self, error: impl Into<JobError>) {
        self.settle(Err(error));
    }

    /// Fails the attempt, and lets the job run again after this delay, instead of its backoff. It uses up a retry.
    pub fn retry_in(self, delay: Duration, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        self.fail(JobError::retry_in(delay).because(reason));
    }

    /// Lets the job run again after this delay. Nothing has failed, and no retry is used up.
    pub fn snooze(self, delay: Duration) {
        self.settle(Err(JobError::snooze(delay)));
    }

    /// Cancels the job, because it is no longer needed.
    pub fn cancel(self) {
        self.settle(Err(JobError::cancel()));
    }

    /// Ends the job with the result of its work: it completes, or fails with the error.
    pub fn settle<E: Into<JobError>>(self, result: Result<(), E>) {
        self.settler.settle(ItemEnd::Returned(result.map_err(Into::into)));
    }

    pub(crate) fn settler(&self) -> Settler {
        self.settler.clone()
    }
}

impl<T> Deref for BatchItem<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.args
    }
}

/// Prints the job's id and kind, and no argument, which may be a secret.
impl<T> fmt::Debug for BatchItem<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = &self.context;
        let mut shown = out.debug_struct("BatchItem");
        shown.field("id", &context.id()).field("kind", &context.kind()).finish_non_exhaustive()
    }
}
