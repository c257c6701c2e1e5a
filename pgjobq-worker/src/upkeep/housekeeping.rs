//! What every worker does now and then, for all: partitions made ahead and dropped behind, deleted queues emptied, and what
//! is no longer true forgotten. No step depends on another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use uuid::Uuid;

use crate::pause::jittered;
use crate::runtime::Runtime;
use crate::setup::chain;

const TIDY_EVERY: Duration = Duration::from_secs(60);
const PARTITIONS_EVERY: Duration = Duration::from_secs(60 * 60);
/// How often a partition is tried that somebody uses, each time for an instant.
const DROP_TRIES: u32 = 20;
/// How many failed attempts are looked at in each shard, to find those of jobs that a person deleted.
const FAILURES_BATCH: i32 = 1000;
/// Why the jobs of a deleted queue are cancelled.
const DELETED: &str = "the queue was deleted";
/// How many ended jobs without a partition of their own are deleted in one transaction.
const REST_BATCH: i32 = 5000;

/// Tidies up until the worker ends.
pub(crate) async fn tidy_for_ever(runtime: Arc<Runtime>) {
    let mut partitions_due = Instant::now();
    let mut failures: Vec<_> = runtime.store.shards().into_iter().map(|shard| (shard, Uuid::nil())).collect();
    loop {
        log("reading how long jobs are kept", runtime.read_keeps().await);
        log("emptying deleted queues", empty_deleted_queues(&runtime).await);
        log("forgetting old hints", runtime.store.tidy_hints().await);
        log("forgetting failures of deleted jobs", tidy_failures(&runtime, &mut failures).await);
        log("deleting ended jobs without a partition", tidy_rest(&runtime).await);
        if Instant::now() >= partitions_due {
            let made = runtime.client.try_to_make_partitions(runtime.registry.longest_kept()).await;
            let dropped = drop_partitions(&runtime).await;
            if matches!((&made, &dropped), (Ok(true), Ok(true))) {
                partitions_due = Instant::now() + jittered(PARTITIONS_EVERY);
            }
            log("looking for jobs in no queue", warn_of_strays(&runtime).await);
            log("making partitions", made.map(drop));
            log("dropping partitions", dropped.map(drop));
        }
        tokio::time::sleep(jittered(TIDY_EVERY)).await;
    }
}

/// Logs that one step failed. The others do not depend on it, and it is tried again in a minute.
fn log(step: &str, outcome: Result<(), DatabaseError>) {
    match outcome {
        Err(error) if error.is_transient() => {
            tracing::debug!(error = chain(&error), "{step} failed; trying again")
        }
        Err(error) => tracing::warn!(error = chain(&error), "{step} failed; trying again in a minute"),
        Ok(()) => {}
    }
}

/// Cancels what waits in deleted queues. One that fails does not hold up the others.
async fn empty_deleted_queues(runtime: &Runtime) -> Result<(), DatabaseError> {
    let (used, over) = runtime.store.deleted_queues().await?;
    let mut outcome = Ok(());
    for queue in used {
        outcome = outcome.and(runtime.client.purge(queue, DELETED).await.map(drop));
    }
    for queue in over {
        // The purge also finds what is scheduled there.
        let emptied = runtime.client.purge(queue, DELETED).await;
        let forgotten = if emptied.is_ok() { runtime.store.forget_queue(queue).await } else { Ok(()) };
        outcome = outcome.and(emptied.map(drop)).and(forgotten);
    }
    outcome
}

/// Looks at some failed attempts of each shard, and goes on from there the next time.
async fn tidy_failures(runtime: &Runtime, places: &mut [(i16, Uuid)]) -> Result<(), DatabaseError> {
    for (shard, after) in places {
        *after = runtime.store.tidy_failures(*shard, *after, FAILURES_BATCH).await?.unwrap_or_default();
    }
    Ok(())
}

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

async fn tidy_rest(runtime: &Runtime) -> Result<(), DatabaseError> {
    loop {
        let (deleted, remain) = runtime.store.tidy_rest(REST_BATCH).await?;
        if deleted < REST_BATCH {
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

/// Drops the days that are over. Returns false if others remain that cannot be dropped now.
async fn drop_partitions(runtime: &Runtime) -> Result<bool, DatabaseError> {
    let mut tries = 0;
    loop {
        match runtime.store.drop_partition().await {
            Ok(Some(true)) => tracing::info!("dropped a day of ended jobs that are no longer kept"),
            Ok(Some(false)) => return Ok(true),
            Ok(None) => return Ok(false),
            Err(error) if (error.is_transient() || is_in_use(&error)) && tries < DROP_TRIES => {
                tries += 1;
                tokio::time::sleep(jittered(Duration::from_secs(1))).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether a day could not be dropped because a transaction uses it, though it has been over for long.
fn is_in_use(error: &DatabaseError) -> bool {
    error.code().as_deref() == Some("55006")
}
