//! The arguments of the jobs that are enqueued.

use pgjobq_core::__private::StoredArgs;
use pgjobq_core::testing::live_jobs;

use super::function::{Function, Unread};
use super::queue::TestQueue;
use crate::JobError;

/// Returns the arguments of the live jobs of a kind, in the order of their enqueue.
///
/// # Panics
///
/// If they cannot be read.
pub async fn enqueued<A>(
    queue: &TestQueue,
    kind: &'static str,
    decode: fn(&StoredArgs<'_>) -> Result<A, JobError>,
) -> Vec<A> {
    let function = Function::of(kind);
    let kinds = function.kinds();
    let live = queue.standing_still(async |client| live_jobs(client).await).await;
    let live = live.unwrap_or_else(|error| panic!("{error}"));
    let live = live.unwrap_or_else(|error| panic!("the jobs cannot be read: {error}"));
    let own = live.iter().filter(|job| kinds.contains(&&*job.kind));
    let read = own.map(|job| {
        let (id, kind) = (job.id, &job.kind);
        function.read(job, decode).unwrap_or_else(|unread| match unread {
            Unread::Incomplete => {
                panic!("the arguments of the job {id} (`{kind}`) are not known yet: it waits for outputs of other steps")
            }
            Unread::Undecodable(problem) => {
                panic!("this program cannot decode the arguments of the job {id} (`{kind}`): {problem}")
            }
        })
    });
    read.collect()
}
