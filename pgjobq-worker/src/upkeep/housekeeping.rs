//! Housekeeping: makes and drops partitions, empties deleted queues, and deletes rows that nothing refers to any more. Every worker
//! does this for all. No step depends on another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{Partitions, Shard, chain};
use uuid::Uuid;

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(60);
const PARTITIONS_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// The number of times that dropping a partition is retried while another session uses it.
const DROP_RETRIES: u32 = 20;
/// The pause between these tries.
const DROP_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The number of failed attempts in each shard that one round checks for jobs that were deleted by hand.
const FAILURES_BATCH_SIZE: i32 = 1000;
/// The number of histories of starts in each shard that one round checks.
const STARTS_BATCH_SIZE: i32 = 5000;
/// The number of unique keys in each shard that one transaction deletes.
const UNIQUE_KEYS_BATCH_SIZE: i32 = 5000;
/// The reason for cancelling the jobs of a deleted queue.
const QUEUE_DELETED: &str = "the queue was deleted";
/// The number of ended jobs without a partition of their own that one transaction deletes.
const REST_BATCH_SIZE: i32 = 5000;

/// Keeps the tables tidy.
pub(crate) struct Housekeeper {
    runtime: Arc<Runtime>,
    partitions_due: Instant,
    /// The jobs up to which the failed attempts of each shard have been checked.
    checked_failures: Vec<(Shard, Uuid)>,
    /// The limits up to which the histories of each shard have been checked.
    checked_starts: Vec<(Shard, Vec<String>)>,
}

impl Housekeeper {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        let checked_failures = runtime.store.shards().into_iter().map(|shard| (shard, Uuid::nil())).collect();
        let checked_starts = runtime.store.shards().into_iter().map(|shard| (shard, Vec::new())).collect();
        Self { runtime, partitions_due: Instant::now(), checked_failures, checked_starts }
    }

    async fn tend_partitions(&mut self) {
        let runtime = &self.runtime;
        let made = runtime.client.try_to_make_partitions(runtime.registry.longest_kept()).await;
        let dropped = drop_partitions(runtime).await;
        runtime.problems.note_partitions(&made);
        if matches!((&made, &dropped), (Ok(Partitions::Made), Ok(true))) {
            self.partitions_due = Instant::now() + jittered(PARTITIONS_INTERVAL);
        }
        log("making partitions", made.map(drop));
        log("dropping partitions", dropped.map(drop));
    }
}

impl Upkeep for Housekeeper {
    const ACTIVITY: &'static str = "housekeeping";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let runtime = &self.runtime;
        log("emptying deleted queues", empty_deleted_queues(runtime).await);
        log("forgetting old hints and unique keys", tidy_hints(runtime).await);
        let tidied = tidy_failures(runtime, &mut self.checked_failures).await;
        log("forgetting failures of deleted jobs", tidied);
        let tidied = tidy_starts(runtime, &mut self.checked_starts).await;
        log("forgetting starts that no rate counts", tidied);
        log("deleting ended jobs without a partition", tidy_rest(runtime).await);
        if Instant::now() >= self.partitions_due {
            log("looking for jobs in no queue", warn_of_strays(runtime).await);
            self.tend_partitions().await;
        }
        Ok(jittered(HOUSEKEEPING_INTERVAL))
    }
}

/// Logs the failure of one step, which is tried again in the next round.
fn log(step: &str, outcome: Result<(), DatabaseError>) {
    match outcome {
        Err(error) if error.is_transient() => {
            tracing::debug!(error = chain(&error), "{step} failed; trying again")
        }
        Err(error) => tracing::warn!(error = chain(&error), "{step} failed; trying again in a minute"),
        Ok(()) => {}
    }
}

/// Cancels the waiting jobs of deleted queues. A queue that fails does not delay the others.
async fn empty_deleted_queues(runtime: &Runtime) -> Result<(), DatabaseError> {
    let (used, over) = runtime.store.deleted_queues().await?;
    let mut outcome = Ok(());
    for queue in used {
        outcome = outcome.and(runtime.client.purge(queue, QUEUE_DELETED).await.map(drop));
    }
    for queue in over {
        // The purge also ends scheduled jobs.
        let emptied = runtime.client.purge(queue, QUEUE_DELETED).await;
        let forgotten = if emptied.is_ok() { runtime.store.forget_queue(queue).await } else { Ok(()) };
        outcome = outcome.and(emptied.map(drop)).and(forgotten);
    }
    outcome
}

/// Deletes hints that are out of date, and unique keys whose time is over.
async fn tidy_hints(runtime: &Runtime) -> Result<(), DatabaseError> {
    while runtime.store.tidy_hints(UNIQUE_KEYS_BATCH_SIZE).await? {}
    Ok(())
}

/// Checks some failed attempts of each shard, and continues there in the next round.
async fn tidy_failures(runtime: &Runtime, places: &mut [(Shard, Uuid)]) -> Result<(), DatabaseError> {
    for (shard, after) in places {
        *after = runtime.store.tidy_failures(*shard, *after, FAILURES_BATCH_SIZE).await?.unwrap_or_default();
    }
    Ok(())
}

/// Checks some histories of starts of each shard, and continues there in the next round.
async fn tidy_starts(runtime: &Runtime, places: &mut [(Shard, Vec<String>)]) -> Result<(), DatabaseError> {
    for (shard, after) in places {
        *after = runtime.store.tidy_starts(*shard, after, STARTS_BATCH_SIZE).await?;
    }
    Ok(())
}

/// Warns of jobs in queues that do not exist.
async fn warn_of_strays(runtime: &Runtime) -> Result<(), DatabaseError> {
    let queues = runtime.store.stray_queues().await?;
    if !queues.is_empty() {
        tracing::warn!(
            ?queues,
            "jobs wait in queues that do not exist, so that nobody runs them: give them the `queue_id` of one that does, or delete \
             them"
        );
    }
    Ok(())
}

/// Deletes ended jobs that have no partition of their own when their retention ends.
async fn tidy_rest(runtime: &Runtime) -> Result<(), DatabaseError> {
    loop {
        let (deleted, remain) = runtime.store.tidy_rest(REST_BATCH_SIZE).await?;
        if deleted < REST_BATCH_SIZE {
            if remain {
                tracing::warn!(
                    "ended jobs are in the table `finished_rest`, because the partitions of their days were missing; they are \
                     deleted row by row when their retention ends"
                );
            }
            return Ok(());
        }
    }
}

/// Drops the partitions of days whose retention is over. Returns false if some remain that cannot be dropped now.
async fn drop_partitions(runtime: &Runtime) -> Result<bool, DatabaseError> {
    let mut tries = 0;
    loop {
        match runtime.store.drop_partition().await {
            Ok(Some(true)) => tracing::info!("dropped a day of ended jobs that are no longer kept"),
            Ok(Some(false)) => return Ok(true),
            Ok(None) => return Ok(false),
            Err(error) if (error.is_transient() || is_in_use(&error)) && tries < DROP_RETRIES => {
                tries += 1;
                tokio::time::sleep(jittered(DROP_RETRY_PAUSE)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Returns whether a partition could not be dropped because a transaction still uses it.
fn is_in_use(error: &DatabaseError) -> bool {
    error.code().as_deref() == Some("55006")
}
