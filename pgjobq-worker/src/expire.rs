//! Ends jobs that were not started in time, each at its time. Every worker does, for all.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::StoreError;
use uuid::Uuid;

use crate::pause::{Pause, jittered};
use crate::runtime::Runtime;
use crate::setup::chain;

/// How many jobs one transaction ends. It holds the lanes of those jobs.
const BATCH: i32 = 500;
/// Before every time that matters: the year 1, in microseconds before 1970.
const START: (i64, Uuid) = (-62_135_596_800_000_000, Uuid::nil());

/// Ends jobs that were not started in time, until the worker ends.
pub(crate) async fn expire_for_ever(runtime: Arc<Runtime>) {
    let mut pause = Pause::new();
    loop {
        let wait = match expire(&runtime).await {
            Ok(next_due) => {
                pause.reset();
                let idle = jittered(runtime.config.poll_interval);
                next_due.map_or(idle, |due| due.max(Duration::from_millis(10)).min(idle))
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "expiring failed; trying again");
                pause.after_error()
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Ends what is due, and says in how long the next job expires.
async fn expire(runtime: &Runtime) -> Result<Option<Duration>, StoreError> {
    let mut soonest: Option<Duration> = None;
    for shard in runtime.store.shards() {
        let mut after = Some(START);
        while let Some(from) = after {
            let expired = runtime.store.expire(shard, from, BATCH).await?;
            runtime.notifier.ended(&expired.jobs);
            soonest = [soonest, expired.next_due].into_iter().flatten().min();
            after = expired.reach;
        }
    }
    Ok(soonest)
}
