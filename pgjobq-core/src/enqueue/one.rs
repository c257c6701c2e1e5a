//! Enqueuing one job.

use std::sync::Arc;

use tracing::Instrument as _;

use crate::client::Client;
use crate::enqueue::new::New;
use crate::enqueue::new_row::NewRow;
use crate::enqueue::row::Row;
use crate::trace::producer;
use crate::{EnqueueError, JobHandle, NewJob, Target};

impl<T> NewJob<T> {
    /// Enqueues the job: `&client`, `&pool`, `&mut *connection`, or `&mut *transaction`, with which it commits or
    /// vanishes.
    ///
    /// The arguments of one job are at most 1 MiB, or the client's [`max_args`](crate::ClientBuilder::max_args). Through a
    /// client the call takes at most 30 seconds, or its [`enqueue_timeout`](crate::ClientBuilder::enqueue_timeout), in
    /// which it waits for a connection, for room in a [bounded](crate::SaveQueue::bounded) queue, and sends the job again if an
    /// answer was lost.
    ///
    /// # Errors
    ///
    /// Mistakes in the job, an unknown queue, [`EnqueueError::QueueFull`], [`EnqueueError::TimedOut`], and errors of the database. A duplicate is
    /// not an error: the handle reports it.
    pub async fn enqueue(self, to: impl Target) -> Result<JobHandle<T>, EnqueueError> {
        self.insert_into(to, |rows| New::Jobs(rows)).await
    }

    /// Enqueues the job, and does not wait for room if its queue is full: then it fails with [`EnqueueError::QueueFull`] at once, unless
    /// the queue [drops](crate::WhenFull) jobs. In a caller's transaction [`enqueue`](Self::enqueue) does the same.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # mod thumbnail { pub fn job(_: i64) -> pgjobq_core::NewJob<()> { unimplemented!() } }
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::EnqueueError> {
    /// use pgjobq::EnqueueError;
    ///
    /// match thumbnail::job(7).try_enqueue(&client).await {
    ///     Err(EnqueueError::QueueFull { bound, .. }) => println!("{bound} wait already: come back later"),
    ///     enqueued => _ = enqueued?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The same as those of [`enqueue`](Self::enqueue).
    pub async fn try_enqueue(self, to: impl Target) -> Result<JobHandle<T>, EnqueueError> {
        self.insert_into(to, |rows| New::AtOnce(rows)).await
    }

    async fn insert_into(
        mut self,
        mut to: impl Target,
        new: fn(&mut Vec<Arc<Row>>) -> New<'_>,
    ) -> Result<JobHandle<T>, EnqueueError> {
        let span = producer::of_one(&mut self.row);
        let inserted = async {
            let row = checked(self.row, &to)?;
            let inserted = to.insert(new(&mut vec![Arc::clone(&row)])).await?;
            Ok(JobHandle::enqueued(&row, row.outcome.get(), inserted.committed))
        };
        let inserted = inserted.instrument(span.clone()).await;
        producer::failed(&span, inserted.as_ref().err());
        inserted
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

    /// Enqueues one job, and does not wait for room: another way to write `job.try_enqueue(&client)`.
    ///
    /// # Errors
    ///
    /// The same as those of [`NewJob::try_enqueue`].
    pub async fn try_enqueue<T>(&self, job: NewJob<T>) -> Result<JobHandle<T>, EnqueueError> {
        job.try_enqueue(self).await
    }
}

/// Checks a job for this target. The job inherits the parent and the trace of the job that enqueues it.
pub(super) fn checked(mut job: NewRow, to: &impl Target) -> Result<Arc<Row>, EnqueueError> {
    if let Some((parent, trace)) = to.parent() {
        job.meta.inherit(parent, trace);
    }
    Row::check(job, to.max_args()).map(Arc::new)
}
