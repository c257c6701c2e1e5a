//! Enqueuing one job.

use crate::client::Client;
use crate::enqueue::batch::Batch;
use crate::enqueue::new_job::NewRow;
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
    /// Mistakes in the job, an unknown queue, [`EnqueueError::TimedOut`], and what the database refuses. A duplicate is no
    /// error: the handle reports it.
    pub async fn enqueue(self, mut to: impl Target) -> Result<JobHandle<T>, EnqueueError> {
        let (id, kind, unkept) = (self.row.id, self.row.kind, self.row.unkept);
        let mut batch = Batch::default();
        batch.push(of_parent(self.row, &to), to.max_args())?;
        let answer = to.send(&mut batch).await?;
        Ok(JobHandle::enqueued(id, kind, answer.new == 1, answer.committed, unkept))
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

/// The row, with what it has from the job in which it is enqueued.
pub(super) fn of_parent(mut row: NewRow, to: &impl Target) -> NewRow {
    if let Some((parent, traceparent)) = to.parent() {
        row.meta.inherit(parent, traceparent);
    }
    row
}
