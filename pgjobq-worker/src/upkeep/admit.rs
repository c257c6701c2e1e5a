//! Admits jobs that wait for permits. Every worker does this for all: after it has recorded the ends of jobs with permits, when it is
//! notified, and, while any job waits, by a *sweep* of all limits, which finds what a lost notification or a dead process has left.
//!
//! It sends nothing unless jobs wait for permits, or had some.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{Admitted, Limit, LimitCursor, Shard, Signal};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::Upkeep;
use crate::admissions::Admissions;
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
/// The time over which workers spread their looks after a notification.
const NOTIFIED_SPREAD: Duration = Duration::from_millis(10);
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

    /// Admits what it can under the limits, and of the jobs, that were noted. If the database refuses a batch, it admits under each
    /// limit by itself, so that one which fails delays no other; the next sweep tries that one again. After any other error they
    /// are noted again.
    async fn admit_noted(&self) -> Result<(), DatabaseError> {
        let Runtime { admissions, store, .. } = &*self.runtime;
        while let Some((shard, limits)) = admissions.take_limits() {
            match self.admit(shard, limits.clone()).await {
                Err(DatabaseError::Refused(_)) if limits.len() > 1 => {
                    self.admit_one_by_one(shard, limits).await?;
                }
                answer => refused(answer, admissions)?,
            }
        }
        while let Some(jobs) = admissions.take_jobs() {
            let admitted = store.admit_jobs(&jobs).await;
            if admitted.as_ref().map_or_else(is_passing, |admitted| admitted.more) {
                admissions.put_jobs_back(&jobs);
            }
            refused(admitted.map(|admitted| self.woken_by(&admitted)), admissions)?;
        }
        Ok(())
    }

    /// Admits under each of these limits by itself. After an error that passes, those that are left are noted again.
    async fn admit_one_by_one(&self, shard: Shard, limits: Vec<Limit>) -> Result<(), DatabaseError> {
        let admissions = &self.runtime.admissions;
        let mut limits = limits.into_iter();
        while let Some(limit) = limits.next() {
            let admitted = refused(self.admit(shard, vec![limit]).await, admissions);
            if admitted.is_err() {
                admissions.put_limits_back(shard, limits);
                return admitted;
            }
        }
        Ok(())
    }

    /// Admits what it can under these limits. They are noted again if there is more to do, or the database was not reached.
    async fn admit(&self, shard: Shard, limits: Vec<Limit>) -> Result<(), DatabaseError> {
        let Runtime { admissions, store, .. } = &*self.runtime;
        let admitted = store.admit(shard, &limits, ADMIT_BATCH_SIZE).await;
        if admitted.as_ref().map_or_else(is_passing, |admitted| admitted.more) {
            admissions.put_limits_back(shard, limits);
        }
        self.woken_by(&admitted?);
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

    /// Looks at all limits under which jobs wait, without a pause, and admits what it can.
    #[cfg(feature = "testing")]
    pub(crate) async fn sweep_all(&mut self) -> Result<(), DatabaseError> {
        let is_in_the_middle = |sweep: &Sweep| sweep.shard > 0 || sweep.after.is_some();
        let mut next = Some(Sweep::default());
        while let Some(sweep) = next {
            self.sweep(sweep).await?;
            next = self.sweep.take().filter(is_in_the_middle);
        }
        Ok(())
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

/// Notes all jobs of which this worker was notified by now, so that a stream of notifications fills no buffer.
fn note_all(signals: &mut broadcast::Receiver<Signal>, admissions: &Admissions) {
    loop {
        match signals.try_recv() {
            Ok(Signal::Limited(jobs)) if !jobs.is_empty() => admissions.put_jobs_back(&jobs),
            Ok(Signal::Limited(_) | Signal::Anything) | Err(TryRecvError::Lagged(_)) => {
                admissions.sweep_later();
            }
            Ok(_) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

/// Returns whether the same may succeed soon. What the database refuses is left to the next sweep.
fn is_passing(error: &DatabaseError) -> bool {
    !matches!(error, DatabaseError::Refused(_))
}

/// Leaves what the database refuses to the next sweep, and returns all other errors.
fn refused(answer: Result<(), DatabaseError>, admissions: &Admissions) -> Result<(), DatabaseError> {
    match answer {
        Err(DatabaseError::Refused(error)) => {
            tracing::debug!(%error, "an admission failed; the next sweep tries again");
            admissions.sweep_later();
            Ok(())
        }
        answer => answer,
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
                Ok(Signal::Limited(jobs)) if !jobs.is_empty() => {
                    admissions.put_jobs_back(&jobs);
                    // All workers hear of it. The first one to look lets the jobs in, and the others find nothing.
                    tokio::select! {
                        () = admissions.noted() => {}
                        () = tokio::time::sleep(NOTIFIED_SPREAD.mul_f64(fastrand::f64())) => {}
                    }
                    return note_all(&mut self.signals, admissions);
                }
                Ok(Signal::Limited(_) | Signal::Anything) | Err(RecvError::Lagged(_)) => {
                    return admissions.sweep();
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return admissions.noted().await,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn all_notifications_that_came_are_noted_at_once() {
        let (sender, admissions) = (broadcast::Sender::new(64), Admissions::default());
        let mut signals = sender.subscribe();
        let jobs: Vec<Uuid> = (0..50).map(Uuid::from_u128).collect();
        for job in &jobs {
            sender.send(Signal::Limited([*job].into())).unwrap();
        }
        note_all(&mut signals, &admissions);
        assert_eq!(admissions.take_jobs().unwrap(), jobs);
        assert!(!admissions.take_sweep());
        jobs.iter().chain(&jobs).for_each(|job| _ = sender.send(Signal::Limited([*job].into())).unwrap());
        note_all(&mut signals, &admissions);
        assert!(admissions.take_sweep(), "some were lost");
    }
}
