//! Reaps: gives up silent workers, and makes the jobs of workers that are gone claimable again. Every worker does this for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use pgjobq_core::observe::Event;

use super::Upkeep;
use super::judge::{Judge, Verdict};
use crate::pause::jittered;
use crate::runtime::Runtime;

/// Gives up silent workers and reaps their leases.
pub(crate) struct Reaper {
    runtime: Arc<Runtime>,
    judge: Judge,
    /// The number of this worker's own heartbeats that were not answered, at the last round.
    missed: u64,
}

impl Reaper {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime, judge: Judge::default(), missed: 0 }
    }

    /// Gives up the workers that the judge finds silent. Returns the time until it must look again.
    async fn give_up_silent(&mut self) -> Result<Option<Duration>, DatabaseError> {
        let store = &self.runtime.store;
        let asked = Instant::now();
        let mut workers = store.list_workers().await?;
        let answered = Instant::now();
        workers.retain(|worker| worker.id != self.runtime.worker());
        let Verdict { mut silent, look_again } = self.judge.look(&workers, asked, answered);
        silent.sort_unstable_by_key(|worker| worker.shard);
        for of_shard in silent.chunk_by(|one, other| one.shard == other.shard) {
            let shard = of_shard[0].shard;
            let workers: Vec<_> = of_shard.iter().map(|worker| (worker.id, worker.beats)).collect();
            if store.give_up_workers(shard, &workers).await? > 0 {
                tracing::warn!(shard = shard.0, workers = ?workers, "gave up workers that were silent for longer than their lease");
            }
        }
        Ok(look_again)
    }

    /// Reaps every lease of workers that are gone. One lease in each transaction keeps transactions short. A lease that is skipped,
    /// because another session has locked a job of it, is tried again in the next round. Returns whether none was skipped.
    pub(crate) async fn reap(&self) -> Result<bool, DatabaseError> {
        let (runtime, shards, mut skipped) = (&self.runtime, self.runtime.store.shards(), Vec::new());
        while let Some(reaped) = runtime.store.reap(&shards, &skipped).await? {
            tracing::warn!(
                shard = reaped.shard.0,
                requeued = reaped.requeued,
                buried = reaped.buried.len(),
                cancelled = reaped.cancelled.len(),
                "took back a lease of a worker that is gone"
            );
            runtime.client.observers().emit_one(|| {
                let queue = runtime.find_queue(reaped.queue).map(|queue| Arc::clone(&queue.name));
                let requeued = reaped.requeued.unsigned_abs().into();
                let (buried, cancelled) = (reaped.buried.len(), reaped.cancelled.len());
                Event::crash_recovered(queue, requeued, buried, cancelled)
            });
            skipped.extend(reaped.kept);
            runtime.work_returned(&[reaped.queue]);
            runtime.ended_jobs(&reaped.cancelled);
            if !reaped.buried.is_empty() {
                runtime.events.follow_up.notify_one();
            }
            runtime.observe_ended(&reaped.buried);
            runtime.alert(reaped.shard, reaped.buried);
        }
        Ok(skipped.is_empty())
    }
}

impl Upkeep for Reaper {
    const ACTIVITY: &'static str = "reaping";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let missed = self.runtime.liveness.count_missed();
        if missed != std::mem::replace(&mut self.missed, missed) {
            self.judge.start_anew();
        }
        let judged = self.give_up_silent().await;
        self.reap().await?; // Also if the judge could not look: other workers may have given some up.
        let regular = jittered(self.runtime.config.heartbeat);
        Ok(judged?.map_or(regular, |again| again.min(regular)))
    }
}
