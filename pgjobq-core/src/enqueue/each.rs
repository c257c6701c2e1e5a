//! Enqueuing many jobs, with a handle for each.

use std::fmt;

use crate::client::Client;
use crate::enqueue::bulk::insert_all;
use crate::enqueue::row::Row;
use crate::{EnqueueAllError, JobHandle, NewJob, Target};

/// The error of enqueuing many jobs with a handle for each: from [`enqueue_each`].
#[non_exhaustive]
pub struct EnqueueEachError<T> {
    /// The handles of the jobs before it: of all jobs before the position [`unsent_from`](EnqueueAllError::unsent_from), but for those
    /// at [`positions`](EnqueueAllError::positions), in their order. Through a client these jobs stay enqueued.
    pub handles: Vec<JobHandle<T>>,
    /// The error.
    pub error: EnqueueAllError,
}

impl<T> fmt::Display for EnqueueEachError<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, out)
    }
}

impl<T> fmt::Debug for EnqueueEachError<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, out)
    }
}

impl<T> std::error::Error for EnqueueEachError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

impl<T> From<EnqueueEachError<T>> for EnqueueAllError {
    fn from(error: EnqueueEachError<T>) -> Self {
        error.error
    }
}

/// Enqueues many jobs that return the same, in statements of at most a thousand, and returns a handle for each, in their order. Each
/// handle says if its job is [new](JobHandle::outcome).
///
/// If nobody needs the handles, [`enqueue_all`](crate::enqueue_all) needs less memory.
///
/// # Errors
///
/// The first error of a job, a queue or the connection, and the handles of the jobs that were enqueued before it.
///
/// # Examples
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod thumbnail { pub fn job(_: i64, _: u32) -> pgjobq_core::NewJob<String> { unimplemented!() } }
/// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::enqueue_each;
///
/// for handle in enqueue_each(&client, [320, 640].map(|width| thumbnail::job(7, width))).await? {
///     println!("{:?}", handle.wait(&client).await?);
/// }
/// # Ok(())
/// # }
/// ```
// Not an `async fn`: see `enqueue_all`.
pub fn enqueue_each<T, I>(
    to: impl Target,
    jobs: I,
) -> impl Future<Output = Result<Vec<JobHandle<T>>, EnqueueEachError<T>>> + Send
where
    I: IntoIterator<Item = NewJob<T>, IntoIter: Send>,
    T: 'static,
{
    let committed = to.commits_each();
    let rows = jobs.into_iter().map(|job| job.row);
    async move {
        let mut handles = Vec::new();
        let done = |row: &Row| handles.push(JobHandle::enqueued(row, row.outcome.get(), committed));
        match insert_all(to, rows, done).await {
            Ok(_) => Ok(handles),
            Err(error) => Err(EnqueueEachError { handles, error }),
        }
    }
}

impl Client {
    /// Enqueues many jobs, and returns a handle for each: see [`enqueue_each`], of which this is the short form.
    ///
    /// # Errors
    ///
    /// The first error, and the handles of the jobs that were enqueued before it.
    pub fn enqueue_each<T, I>(
        &self,
        jobs: I,
    ) -> impl Future<Output = Result<Vec<JobHandle<T>>, EnqueueEachError<T>>> + Send
    where
        I: IntoIterator<Item = NewJob<T>, IntoIter: Send>,
        T: 'static,
    {
        enqueue_each(self, jobs)
    }
}
