//! What every worker does now and then, for all: partitions made ahead and dropped behind, deleted queues emptied, and what
//! is no longer true forgotten.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::StoreError;

use crate::pause::jittered;
use crate::runtime::Runtime;
use crate::setup::chain;

const TIDY_EVERY: Duration = Duration::from_secs(60);
const PARTITIONS_EVERY: Duration = Duration::from_secs(60 * 60);
/// How often a partition is tried that somebody uses, each time for an instant.
const DROP_TRIES: u32 = 20;
/// How many ended jobs without a partition of their own are deleted in one transaction.
const REST_BATCH: i32 = 5000;

/// Tidies up until the worker ends.
pub(crate) async fn tidy_for_ever(runtime: Arc<Runtime>) {
    let mut partitions_due = Instant::now();
    loop {
        log("reading how long jobs are kept", runtime.read_keeps().await);
        log("emptying deleted queues", empty_deleted_queues(&runtime).await);
        log("forgetting progress", runtime.store.tidy_progress().await);
        log("deleting ended jobs without a partition", tidy_rest(&runtime).await);
        if Instant::now() >= partitions_due {
            let made = runtime.client.try_to_make_partitions(runtime.registry.longest_kept()).await;
            let dropped = drop_partitions(&runtime).await;
            if made.is_ok() && dropped.is_ok() {
                partitions_due = Instant::now() + jittered(PARTITIONS_EVERY);
            }
            log("making partitions", made);
            log("dropping partitions", dropped);
        }
        tokio::time::sleep(jittered(TIDY_EVERY)).await;
    }
}

/// Logs that one step failed. The others do not depend on it, and it is tried again in a minute.
fn log(step: &str, outcome: Result<(), StoreError>) {
    match outcome {
        Err(error) if error.is_transient() => {
            tracing::debug!(error = chain(&error), "{step} failed; trying again")
        }
        Err(error) => tracing::warn!(error = chain(&error), "{step} failed; trying again in a minute"),
        Ok(()) => {}
    }
}

async fn empty_deleted_queues(runtime: &Runtime) -> Result<(), StoreError> {
    for queue in runtime.store.deleted_queues().await? {
        runtime.client.purge(queue, "the queue was deleted").await?;
    }
    Ok(())
}

async fn tidy_rest(runtime: &Runtime) -> Result<(), StoreError> {
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

async fn drop_partitions(runtime: &Runtime) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        match runtime.store.drop_partition().await {
            Ok(true) => tracing::info!("dropped a day of ended jobs that are no longer kept"),
            Ok(false) => return Ok(()),
            Err(error) if error.is_transient() && tries < DROP_TRIES => {
                tries += 1;
                tokio::time::sleep(jittered(Duration::from_secs(1))).await;
            }
            Err(error) => return Err(error),
        }
    }
}
