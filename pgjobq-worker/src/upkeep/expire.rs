//! Ends jobs that were not started in time, each at its time. Every worker does, for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::StoreError;
use uuid::Uuid;

use crate::pause::{Pause, jittered};
use crate::runtime::Runtime;
use crate::setup::chain;
use crate::upkeep::due::Due;

/// How many jobs one transaction ends. It holds the lanes of those jobs.
const BATCH: i32 = 500;

/// Ends jobs that were not started in time, until the worker ends.
pub(crate) async fn expire_for_ever(runtime: Arc<Runtime>) {
    let (mut pause, mut due) = (Pause::new(), Due::new(runtime.store.shards(), Instant::now()));
    loop {
        let wait = match expire(&runtime, &mut due).await {
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

/// Ends what is due. Returns in how long the next job expires.
async fn expire(runtime: &Runtime, due: &mut Due) -> Result<Option<Duration>, StoreError> {
    let mut soonest: Option<Duration> = None;
    let mut round = due.round(Instant::now());
    for (shard, from) in &mut round.places {
        let mut after = Some((*from, Uuid::nil()));
        while let Some(place) = after {
            let expired = runtime.store.expire(*shard, place, BATCH).await?;
            runtime.notifier.ended(&expired.jobs);
            soonest = [soonest, expired.next_due].into_iter().flatten().min();
            after = expired.reach;
            *from = expired.looked;
        }
    }
    due.looked(round, Instant::now());
    Ok(soonest)
}
