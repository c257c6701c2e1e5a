//! Promotes scheduled jobs: puts each in line when it comes due. With the same look it finds the limits whose rates may have room
//! again, and has them admit. Every worker does this for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use pgjobq_core::observe::Event;

use super::Upkeep;
use super::due::Due;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The largest number of jobs in one transaction.
const PROMOTE_BATCH_SIZE: i32 = 1000;
/// The largest number of limits to take at a time.
const AWAITED_BATCH_SIZE: i32 = 200;
/// The pause while other sessions lock the limits to admit under.
const LOCKED_PAUSE: Duration = Duration::from_millis(5);
/// The shortest pause between two rounds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// Puts scheduled jobs in line when they come due.
pub(crate) struct Promoter {
    runtime: Arc<Runtime>,
    due: Due,
    /// True if a job was scheduled whose transaction may have committed late, so that only a sweep finds it.
    owes_sweep: bool,
}

impl Promoter {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        let due = Due::new(runtime.store.shards(), Instant::now());
        Self { runtime, due, owes_sweep: false }
    }

    /// Promotes the jobs that are due: one look at all shards, and statements only for those that have any. Returns when the next
    /// job comes due, and whether this was a sweep.
    async fn promote(&mut self) -> Result<(Option<Instant>, bool), DatabaseError> {
        let store = &self.runtime.store;
        let mut round = self.due.round(Instant::now());
        let found = store.find_due(&round.places).await?;
        let mut soonest = found.next_due.map(|due| Instant::now() + due);
        for (shard, from) in round.with_work(&found) {
            loop {
                let promoted = store.promote(*shard, *from, PROMOTE_BATCH_SIZE).await?;
                *from = promoted.scanned_to;
                if promoted.count > 0 {
                    let jobs = promoted.count.unsigned_abs().into();
                    self.runtime.client.observers().emit_one(|| Event::promoted(jobs));
                }
                self.runtime.admissions.waiting(&promoted.limited);
                if !promoted.queues.is_empty() {
                    self.runtime.work_arrived(&promoted.queues);
                }
                if promoted.count < PROMOTE_BATCH_SIZE {
                    let next = promoted.next_due.map(|due| Instant::now() + due);
                    soonest = [soonest, next].into_iter().flatten().min();
                    break;
                }
            }
        }
        for shard in found.awaited {
            let awaited = store.take_awaited(shard, AWAITED_BATCH_SIZE).await?;
            if awaited.more {
                // If it took none, others have locked all of them: with a claim, or an admission.
                let pause = if awaited.limits.is_empty() { LOCKED_PAUSE } else { Duration::ZERO };
                soonest = [soonest, Some(Instant::now() + pause)].into_iter().flatten().min();
            }
            self.runtime.admissions.freed(shard, awaited.limits);
        }
        let sweeps = round.sweeps;
        self.due.looked(round, Instant::now());
        Ok((soonest, sweeps))
    }
}

impl Upkeep for Promoter {
    const ACTIVITY: &'static str = "promoting";

    /// Wakes exactly when the next job is due. Otherwise adds jitter, so that workers do not poll in lockstep.
    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let (next_due, swept) = self.promote().await?;
        self.owes_sweep &= !swept;
        let now = Instant::now();
        let poll = jittered(self.runtime.config.poll_interval);
        let poll = if self.owes_sweep { self.due.until_sweep(now).min(poll) } else { poll };
        let until_due = next_due.map(|due| due.saturating_duration_since(now).max(SHORTEST_PAUSE));
        Ok(until_due.map_or(poll, |due| due.min(poll)))
    }

    async fn woken(&mut self) {
        tokio::select! {
            () = self.runtime.events.promote.notified() => self.owes_sweep = true,
            () = self.runtime.events.awaited.notified() => {}
        }
    }
}
