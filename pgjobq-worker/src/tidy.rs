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

/// Tidies up until the worker ends.
pub(crate) async fn tidy_for_ever(runtime: Arc<Runtime>) {
    let mut partitions_due = Instant::now();
    loop {
        if let Err(error) = tidy(&runtime).await {
            tracing::debug!(error = chain(&error), "tidying up failed; trying again");
        }
        if Instant::now() >= partitions_due {
            match look_after_partitions(&runtime).await {
                Ok(()) => partitions_due = Instant::now() + jittered(PARTITIONS_EVERY),
                Err(error) => tracing::debug!(error = chain(&error), "partitions wait; trying again"),
            }
        }
        tokio::time::sleep(jittered(TIDY_EVERY)).await;
    }
}

async fn tidy(runtime: &Runtime) -> Result<(), StoreError> {
    runtime.read_keeps().await?;
    for queue in runtime.store.deleted_queues().await? {
        runtime.client.purge(queue, "the queue was deleted").await?;
    }
    runtime.store.tidy_progress().await
}

async fn look_after_partitions(runtime: &Runtime) -> Result<(), StoreError> {
    runtime.client.make_partitions(runtime.registry.longest_kept()).await?;
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
