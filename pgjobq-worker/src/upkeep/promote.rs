//! What every worker does for all: it takes back the jobs of silent workers, and puts due jobs in line.
//! There is no leader; each step is a compare-and-set, and safe at any time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;

use crate::pause::{Pause, jittered};
use crate::runtime::Runtime;
use crate::setup::chain;
use crate::upkeep::due::Due;
use crate::upkeep::judge::{Judge, Verdict};

/// How many due jobs one transaction puts in line.
const PROMOTE_BATCH: i32 = 1000;

/// Takes back the jobs of silent workers until the worker ends.
pub(crate) async fn reap_for_ever(runtime: Arc<Runtime>) {
    let (mut pause, mut judge, mut misses) = (Pause::new(), Judge::default(), 0);
    while !runtime.stages.end.is_cancelled() {
        let missed = runtime.liveness.misses();
        if missed != std::mem::replace(&mut misses, missed) {
            judge.start_anew();
        }
        let mut look_again = None;
        let judged = give_up_silent(&runtime, &mut judge).await.map(|again| look_again = again);
        let wait = match judged.and(reap(&runtime).await) {
            Ok(()) => {
                pause.reset();
                let regular = jittered(runtime.config.heartbeat);
                look_again.map_or(regular, |again| again.min(regular))
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "reaping failed; trying again");
                pause.after_error()
            }
        };
        if let Err(error) = runtime.note_rates().await {
            tracing::debug!(error = chain(&error), "the rates of ended attempts were not recorded");
        }
        sleep_or_end(&runtime, wait).await;
    }
}

/// Gives up the workers that the judge finds silent. Returns how soon it wants to look again.
async fn give_up_silent(runtime: &Runtime, judge: &mut Judge) -> Result<Option<Duration>, DatabaseError> {
    let asked = Instant::now();
    let mut workers = runtime.store.list_workers().await?;
    let answered = Instant::now();
    workers.retain(|worker| worker.id != runtime.worker());
    let Verdict { mut silent, look_again } = judge.look(&workers, asked, answered);
    silent.sort_unstable_by_key(|worker| worker.shard);
    for of_shard in silent.chunk_by(|one, other| one.shard == other.shard) {
        let shard = of_shard[0].shard;
        let workers: Vec<_> = of_shard.iter().map(|worker| (worker.id, worker.beats)).collect();
        if runtime.store.give_up_workers(shard, &workers).await? > 0 {
            tracing::warn!(shard, workers = ?workers, "gave up workers that were silent for longer than their lease");
        }
    }
    Ok(look_again)
}

/// Takes back every lease of a worker that is gone.
async fn reap(runtime: &Arc<Runtime>) -> Result<(), DatabaseError> {
    // One lease a transaction, so that none is long. One that had to be left has to wait for the next time.
    let (shards, mut left) = (runtime.store.shards(), Vec::new());
    while let Some(reaped) = runtime.store.reap(&shards, &left).await? {
        tracing::warn!(
            shard = reaped.shard,
            requeued = reaped.requeued,
            buried = reaped.buried.len(),
            cancelled = reaped.cancelled.len(),
            "took back a lease of a worker that is gone"
        );
        left.extend(reaped.kept);
        runtime.work_arrived(&[reaped.queue]);
        runtime.notifier.ended(&reaped.cancelled);
        runtime.alert(reaped.shard, reaped.buried);
    }
    Ok(())
}

/// Puts due jobs in line, each at its time, until the worker ends.
pub(crate) async fn promote_for_ever(runtime: Arc<Runtime>) {
    let (mut pause, mut due) = (Pause::new(), Due::new(runtime.store.shards(), Instant::now()));
    // Whether a job was scheduled that a sweep has to look for: its transaction may have committed late.
    let mut owes_sweep = false;
    while !runtime.stages.end.is_cancelled() {
        let wait = match promote(&runtime, &mut due).await {
            Ok((next_due, swept)) => {
                pause.reset();
                owes_sweep &= !swept;
                // To the millisecond, and not in step with other workers when there is nothing to be exact about.
                let idle = jittered(runtime.config.poll_interval);
                let idle = if owes_sweep { due.until_sweep(Instant::now()).min(idle) } else { idle };
                let until_due = next_due.map(|due| due.saturating_duration_since(Instant::now()));
                until_due.map_or(idle, |due| due.max(Duration::from_millis(1)).min(idle))
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "promoting failed; trying again");
                pause.after_error()
            }
        };
        tokio::select! {
            () = sleep_or_end(&runtime, wait) => {}
            () = runtime.events.promote.notified() => owes_sweep = true,
        }
    }
}

/// Promotes the jobs that are due: one look at all shards, and statements only for those that have any. Returns when the next
/// job comes due, and whether this was a sweep.
async fn promote(runtime: &Runtime, due: &mut Due) -> Result<(Option<Instant>, bool), DatabaseError> {
    let mut round = due.round(Instant::now());
    let found = runtime.store.find_due(&round.places).await?;
    let mut soonest = found.next_due.map(|due| Instant::now() + due);
    for (shard, from) in round.with_work(&found) {
        loop {
            let promoted = runtime.store.promote(*shard, *from, PROMOTE_BATCH).await?;
            *from = promoted.reach;
            if promoted.count > 0 {
                runtime.work_arrived(&promoted.queues);
            }
            if promoted.count < PROMOTE_BATCH {
                let next = promoted.next_due.map(|due| Instant::now() + due);
                soonest = [soonest, next].into_iter().flatten().min();
                break;
            }
        }
    }
    let swept = round.sweeps;
    due.looked(round, Instant::now());
    Ok((soonest, swept))
}

impl Runtime {
    /// There is new work in these queues: for this worker, or for others.
    fn work_arrived(&self, queues: &[i32]) {
        self.arrivals.note(queues);
        self.events.claim.notify_one();
        let others: Vec<i32> =
            queues.iter().copied().filter(|id| !self.queues.iter().any(|q| q.id() == *id)).collect();
        self.notifier.wake(&others);
    }
}

async fn sleep_or_end(runtime: &Runtime, wait: Duration) {
    tokio::select! {
        () = runtime.stages.end.cancelled() => {}
        () = tokio::time::sleep(wait) => {}
    }
}
