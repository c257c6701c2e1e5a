//! Enqueuing many jobs, with a handle for each.

use crate::enqueue::bulk::insert_all;
use crate::enqueue::row::Row;
use crate::{EnqueueAllError, JobHandle, NewJob, Target};

/// Enqueues many jobs that return the same, in statements of at most a thousand, and returns a handle for each, in their order. Each
/// handle says if its job is [new](JobHandle::outcome).
///
/// If nobody needs the handles, [`enqueue_all`](crate::enqueue_all) needs less memory.
///
/// # Errors
///
/// The first error of a job, a queue or the connection, and the number of jobs that were enqueued before it.
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
) -> impl Future<Output = Result<Vec<JobHandle<T>>, EnqueueAllError>> + Send
where
    I: IntoIterator<Item = NewJob<T>, IntoIter: Send>,
    T: 'static,
{
    let committed = to.commits_each();
    let rows = jobs.into_iter().map(|job| job.row);
    async move {
        let mut handles = Vec::new();
        let done = |row: &Row| handles.push(JobHandle::enqueued(row, row.outcome.get(), committed));
        insert_all(to, rows, done).await?;
        Ok(handles)
    }
}
