//! Ends jobs that were not started in time, each at its time. Every worker does, for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
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
                let until_due = next_due.map(|due| due.saturating_duration_since(Instant::now()));
                until_due.map_or(idle, |due| due.max(Duration::from_millis(10)).min(idle))
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "expiring failed; trying again");
                pause.after_error()
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Ends the jobs that are due: one look at all shards, and statements only for those that have any. Returns when the next job
/// expires.
async fn expire(runtime: &Runtime, due: &mut Due) -> Result<Option<Instant>, DatabaseError> {
    let mut round = due.round(Instant::now());
    let found = runtime.store.find_expiring(&round.places).await?;
    let mut soonest = found.next_due.map(|due| Instant::now() + due);
    for (shard, from) in round.with_work(&found) {
        let mut after = Some((*from, Uuid::nil()));
        while let Some(place) = after {
            let expired = runtime.store.expire(*shard, place, BATCH).await?;
            runtime.notifier.ended(&expired.jobs);
            let next = expired.next_due.map(|due| Instant::now() + due);
            soonest = [soonest, next].into_iter().flatten().min();
            after = expired.reach;
            *from = expired.looked;
        }
    }
    due.looked(round, Instant::now());
    Ok(soonest)
}
