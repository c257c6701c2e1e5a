//! Enqueuing from inside a job.

use crate::attempt::context::JobContext;
use crate::enqueue::target::FromJob;
use crate::{EnqueueError, JobHandle, NewJob};

impl JobContext {
    /// Enqueues a job with this one as its parent, and with its trace context. The new job is enqueued at once,
    /// however this one ends; in a transactional job, `child.enqueue(&mut *tx)` commits or vanishes with the rest.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// # mod thumbnail { pub fn job(_: i64) -> pgjobq_core::NewJob<()> { unimplemented!() } }
    /// use pgjobq::{JobContext, JobError};
    ///
    /// async fn import(ctx: JobContext, images: Vec<i64>) -> Result<(), JobError> {
    ///     for image in images {
    ///         ctx.enqueue(thumbnail::job(image)).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`NewJob::enqueue`]; and [`EnqueueError::NoClient`] in a test, whose context has no client.
    pub async fn enqueue<T>(&self, job: NewJob<T>) -> Result<JobHandle<T>, EnqueueError> {
        let client = self.attempt.client().ok_or(EnqueueError::NoClient)?;
        job.enqueue(FromJob { client, job: self.id(), trace: self.trace() }).await
    }
}
