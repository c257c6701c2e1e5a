//! What every worker does for all: it takes back the jobs of silent workers, and puts due jobs in line.
//! There is no leader; each step is a compare-and-set, and safe at any time.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::StoreError;

use crate::pause::{Pause, jittered};
use crate::runtime::Runtime;
use crate::setup::chain;

/// How many due jobs one transaction puts in line.
const PROMOTE_BATCH: i32 = 1000;

/// Takes back the jobs of silent workers until the worker ends.
pub(crate) async fn reap_for_ever(runtime: Arc<Runtime>) {
    let mut pause = Pause::new();
    while !runtime.stages.end.is_cancelled() {
        let wait = match reap(&runtime).await {
            Ok(()) => {
                pause.reset();
                jittered(runtime.config.heartbeat)
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "reaping failed; trying again");
                pause.after_error()
            }
        };
        sleep_or_end(&runtime, wait).await;
    }
}

async fn reap(runtime: &Arc<Runtime>) -> Result<(), StoreError> {
    runtime.note_rates().await?;
    for shard in runtime.store.shards() {
        let may_judge = runtime.heard.may_judge(runtime.config.lease);
        if may_judge && runtime.store.give_up_workers(shard, runtime.config.lease).await? > 0 {
            tracing::warn!(shard, "gave up workers that were silent for too long");
        }
        // One lease a transaction, so that none is long. One that had to be left has to wait for the next time.
        let mut left = Vec::new();
        while let Some(reaped) = runtime.store.reap(shard, &left).await? {
            tracing::warn!(
                shard,
                requeued = reaped.requeued,
                buried = reaped.buried.len(),
                cancelled = reaped.cancelled.len(),
                "took back a lease of a worker that is gone"
            );
            left.extend(reaped.kept);
            runtime.work_arrived(&[reaped.queue]);
            runtime.notifier.ended(&reaped.cancelled);
            runtime.alert(shard, reaped.buried);
        }
    }
    Ok(())
}

/// Puts due jobs in line, each at its time, until the worker ends.
pub(crate) async fn promote_for_ever(runtime: Arc<Runtime>) {
    let mut pause = Pause::new();
    while !runtime.stages.end.is_cancelled() {
        let wait = match promote(&runtime).await {
            Ok(next_due) => {
                pause.reset();
                // To the millisecond, and not in step with other workers when there is nothing to be exact about.
                let idle = jittered(runtime.config.poll_interval);
                next_due.map_or(idle, |due| due.max(Duration::from_millis(1)).min(idle))
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "promoting failed; trying again");
                pause.after_error()
            }
        };
        tokio::select! {
            () = sleep_or_end(&runtime, wait) => {}
            () = runtime.events.promote.notified() => {}
        }
    }
}

/// Puts what is due in line, and says in how long the next job comes due.
async fn promote(runtime: &Runtime) -> Result<Option<Duration>, StoreError> {
    let mut soonest: Option<Duration> = None;
    for shard in runtime.store.shards() {
        loop {
            let promoted = runtime.store.promote(shard, PROMOTE_BATCH).await?;
            if promoted.count > 0 {
                runtime.work_arrived(&promoted.queues);
            }
            if promoted.count < PROMOTE_BATCH {
                soonest = [soonest, promoted.next_due].into_iter().flatten().min();
                break;
            }
        }
    }
    Ok(soonest)
}

impl Runtime {
    /// There is new work in these queues: for this worker, or for others.
    fn work_arrived(&self, queues: &[i32]) {
        self.arrivals.note(queues);
        self.events.claim.notify_one();
        let others: Vec<i32> =
            queues.iter().copied().filter(|id| !self.queues.iter().any(|q| q.id == *id)).collect();
        self.notifier.wake(&others);
    }
}

async fn sleep_or_end(runtime: &Runtime, wait: Duration) {
    tokio::select! {
        () = runtime.stages.end.cancelled() => {}
        () = tokio::time::sleep(wait) => {}
    }
}
