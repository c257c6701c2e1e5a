//! Admits jobs that wait for permits. Every worker does this for all: after it has recorded the ends of jobs with permits, when it is
//! notified, and, while any job waits, by a *sweep* of all limits, which finds what a lost notification or a dead process has left.
//!
//! It sends nothing unless jobs wait for permits, or had some.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{Admitted, LimitCursor, Signal};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The largest number of jobs of one limit in one transaction.
const ADMIT_BATCH_SIZE: i32 = 500;
/// The largest number of limits that one statement of a sweep looks at.
const SWEEP_BATCH_SIZE: i32 = 100;
/// The least time between two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Sweeps take at most one part in this many of a worker's time.
const SWEEP_SHARE: u32 = 20;
/// The pause while no job waits. The look for follow-ups finds what was missed.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// Admits jobs that wait for permits.
pub(crate) struct Admitter {
    runtime: Arc<Runtime>,
    signals: broadcast::Receiver<Signal>,
    sweep: Option<Sweep>,
    next_sweep: Instant,
}

/// A walk through all limits under which jobs wait.
#[derive(Default)]
struct Sweep {
    /// The place of the shard.
    shard: usize,
    after: Option<LimitCursor>,
    /// True if it has seen a job that waits.
    waiting: bool,
    took: Duration,
}

impl Admitter {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        let signals = runtime.client.signals();
        Self { runtime, signals, sweep: None, next_sweep: Instant::now() }
    }

    /// Admits what it can under the limits, and of the jobs, that were noted. After an error they are noted again.
    async fn admit_noted(&self) -> Result<(), DatabaseError> {
        let Runtime { admissions, store, .. } = &*self.runtime;
        while let Some((shard, limits)) = admissions.take_limits() {
            let admitted = store.admit(shard, &limits, ADMIT_BATCH_SIZE).await;
            if admitted.as_ref().map_or(true, |admitted| admitted.more) {
                admissions.put_limits_back(shard, limits);
            }
            self.woken_by(&admitted?);
        }
        while let Some(jobs) = admissions.take_jobs() {
            let admitted = store.admit_jobs(&jobs).await;
            if admitted.as_ref().map_or(true, |admitted| admitted.more) {
                admissions.put_jobs_back(&jobs);
            }
            self.woken_by(&admitted?);
        }
        Ok(())
    }

    /// Wakes workers for the jobs that may start now, and notifies those who wait for jobs that have ended.
    fn woken_by(&self, admitted: &Admitted) {
        self.runtime.ended_jobs(&admitted.ended);
        if !admitted.queues.is_empty() {
            self.runtime.work_arrived(&admitted.queues);
        }
        if admitted.awaits {
            self.runtime.events.awaited.notify_one();
        }
    }

    /// Looks at the next limits, and admits what it can.
    async fn sweep(&mut self, mut sweep: Sweep) -> Result<(), DatabaseError> {
        let began = Instant::now();
        let shards = self.runtime.store.shards();
        let found =
            self.runtime.store.find_admissible(shards[sweep.shard], sweep.after.as_ref(), SWEEP_BATCH_SIZE);
        let found = found.await?;
        self.runtime.admissions.freed(shards[sweep.shard], found.limits);
        self.admit_noted().await?;
        sweep.waiting |= found.waiting;
        sweep.after = found.next;
        let took = began.elapsed();
        sweep.took += took;
        self.next_sweep = Instant::now() + took * SWEEP_SHARE;
        if sweep.after.is_none() {
            sweep.shard += 1;
        }
        if sweep.shard < shards.len() {
            self.sweep = Some(sweep);
        } else {
            self.next_sweep = self.next_sweep.max(Instant::now() + jittered(SWEEP_INTERVAL));
            self.sweep = sweep.waiting.then(Sweep::default);
        }
        Ok(())
    }
}

impl Upkeep for Admitter {
    const ACTIVITY: &'static str = "admitting";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        self.admit_noted().await?;
        if self.runtime.admissions.take_sweep() && self.sweep.is_none() {
            self.sweep = Some(Sweep::default());
        }
        if Instant::now() >= self.next_sweep
            && let Some(sweep) = self.sweep.take()
        {
            let started = self.sweep(sweep).await;
            if started.is_err() {
                self.sweep = Some(Sweep::default());
            }
            started?;
        }
        let until_sweep = || self.next_sweep.saturating_duration_since(Instant::now());
        Ok(self.sweep.as_ref().map_or(IDLE, |_| until_sweep()))
    }

    async fn woken(&mut self) {
        let admissions = &self.runtime.admissions;
        loop {
            let signal = tokio::select! {
                () = admissions.noted() => return,
                signal = self.signals.recv() => signal,
            };
            match signal {
                Ok(Signal::Limited(jobs)) if !jobs.is_empty() => return admissions.waiting(&jobs),
                Ok(Signal::Limited(_) | Signal::Anything) | Err(RecvError::Lagged(_)) => {
                    return admissions.sweep();
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return admissions.noted().await,
            }
        }
    }
}
