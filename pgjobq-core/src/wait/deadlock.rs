//! Warns of a job that waits for another one which needs its slot.

use std::pin::pin;
use std::time::Duration;

use crate::JobId;
use crate::attempt::current::{Current, current};
use crate::client::Client;
use crate::wait::status::{JobState, Status};

/// The time after which a wait is checked.
const CHECK_AFTER: Duration = Duration::from_secs(2);

/// Waits for the end of a job. In a job function, it warns if that job waits in the caller's queue, and all slots of the queue are
/// taken in this worker.
pub(crate) async fn wait_and_warn<E>(client: &Client, job: JobId, end: impl Future<Output = E>) -> E {
    let Some(attempt) = current() else { return end.await };
    let mut end = pin!(end);
    tokio::select! {
        ended = &mut end => return ended,
        () = tokio::time::sleep(CHECK_AFTER) => {}
    }
    // The check waits for a connection. An end that arrives meanwhile wins.
    tokio::select! {
        biased;
        ended = &mut end => return ended,
        () = check(client, job, &attempt) => {}
    }
    end.await
}

async fn check(client: &Client, job: JobId, attempt: &Current) {
    if let Some(slots) = attempt.slots.all_taken()
        && let Some(awaited) = status(client, job).await
        && awaited.state == JobState::Ready
        && awaited.queue == *attempt.queue
    {
        warn(attempt, &awaited, slots);
    }
}

async fn status(client: &Client, job: JobId) -> Option<Status> {
    let shared = client.shared();
    let shard = job.shard(shared.about().await.ok()?.shards);
    let row = shared.read(&shared.sql.status, &[&shard, &job.as_uuid()]).await.ok()?.pop()?;
    Status::read(job, &row).ok()
}

fn warn(attempt: &Current, awaited: &Status, slots: usize) {
    tracing::warn!(
        "job {} (`{}`) waits for job {} (`{}`) of its own queue `{}`, and all {slots} slots of this worker are taken: give the \
         queue more slots, or put the awaited jobs into another queue",
        attempt.job,
        attempt.kind,
        awaited.id,
        awaited.kind,
        awaited.queue
    );
}
