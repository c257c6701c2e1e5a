//! Enqueuing one job.

use std::sync::Arc;

use crate::client::Client;
use crate::enqueue::new::New;
use crate::enqueue::new_row::NewRow;
use crate::enqueue::row::Row;
use crate::{EnqueueError, JobHandle, NewJob, Target};

impl<T> NewJob<T> {
    /// Enqueues the job: `&client`, `&pool`, `&mut *connection`, or `&mut *transaction`, with which it commits or
    /// vanishes.
    ///
    /// The arguments of one job are at most 1 MiB, or the client's [`max_args`](crate::ClientBuilder::max_args). Through a
    /// client the call takes at most 30 seconds, or its [`enqueue_timeout`](crate::ClientBuilder::enqueue_timeout), in
    /// which it waits for a connection, and sends the job again if an answer was lost.
    ///
    /// # Errors
    ///
    /// Mistakes in the job, an unknown queue, [`EnqueueError::TimedOut`], and errors of the database. A duplicate is
    /// not an error: the handle reports it.
    pub async fn enqueue(self, mut to: impl Target) -> Result<JobHandle<T>, EnqueueError> {
        let (kind, unkept) = (self.row.kind, self.row.unkept);
        let row = checked(self.row, &to)?;
        let inserted = to.insert(New::Jobs(&mut vec![Arc::clone(&row)])).await?;
        Ok(JobHandle::enqueued(row.id, kind, row.outcome.get(), inserted.committed, unkept))
    }
}

impl Client {
    /// Enqueues one job: another way to write `job.enqueue(&client)`.
    ///
    /// # Errors
    ///
    /// Those of [`NewJob::enqueue`].
    pub async fn enqueue<T>(&self, job: NewJob<T>) -> Result<JobHandle<T>, EnqueueError> {
        job.enqueue(self).await
    }
}

/// Checks a job for this target. The job inherits the parent and the trace of the job that enqueues it.
pub(super) fn checked(mut job: NewRow, to: &impl Target) -> Result<Arc<Row>, EnqueueError> {
    if let Some((parent, traceparent)) = to.parent() {
        job.meta.inherit(parent, traceparent);
    }
    Row::check(job, to.max_args()).map(Arc::new)
}
