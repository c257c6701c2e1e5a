//! How many quarantined jobs run in this worker: jobs that were running when their worker died.
//!
//! One of them may be guilty, and most are innocent. Several run at a time, more with each that ends without harm. The database
//! gives a job that crashed twice only to a worker in which no other quarantined job runs, so that the guilty one takes another
//! quarantined job along once at most.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::runtime::Runtime;

/// How many quarantined jobs run at a time before one has ended here.
const FIRST: usize = 8;
/// How many run at a time at most. If one of them is guilty, the others run alone from then on, one after the other.
const MOST: usize = 32;
/// How many claims in a row may leave a job that must run alone, because others run or go before it.
const PATIENCE: u32 = 16;

/// The quarantined jobs that run in this worker.
#[derive(Debug)]
pub(crate) struct Quarantine(Mutex<Jobs>);

#[derive(Debug)]
struct Jobs {
    /// How many run, or are claimed just now.
    running: usize,
    claiming: bool,
    /// Whether the one that runs must run alone.
    alone: bool,
    limit: usize,
    /// How many claims in a row have left a job that must run alone.
    passes: u32,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self(Mutex::new(Jobs { running: 0, claiming: false, alone: false, limit: FIRST, passes: 0 }))
    }
}

/// The place of one quarantined job. It is free when the end of the attempt is recorded: until then the death of this process
/// still counts as a crash of that job, and no job that must run alone may begin.
#[derive(Debug)]
pub(crate) struct QuarantinePlace(Arc<Runtime>);

impl QuarantinePlace {
    /// A place that the claim has taken.
    pub(crate) fn new(runtime: &Arc<Runtime>) -> Self {
        Self(Arc::clone(runtime))
    }
}

impl Drop for QuarantinePlace {
    fn drop(&mut self) {
        self.0.quarantine.ended();
        self.0.events.claim.notify_one();
    }
}

impl Quarantine {
    /// How many more may run.
    pub(crate) fn free(&self) -> usize {
        let jobs = self.lock();
        let waits = jobs.alone || jobs.claiming || (jobs.passes >= PATIENCE && jobs.running > 0);
        if waits { 0 } else { jobs.limit.saturating_sub(jobs.running) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().running == 0
    }

    /// A claim of `wanted` jobs got these many, and whether the one must run alone.
    pub(crate) fn had(&self, wanted: usize, got: usize, alone: bool) {
        let mut jobs = self.lock();
        jobs.running = jobs.running.saturating_sub(wanted - got);
        jobs.claiming = false;
        jobs.alone = jobs.alone || (alone && got > 0);
        if jobs.running == 0 {
            jobs.limit = FIRST; // None waits or runs: the next crowd is a new one.
        }
    }

    /// Whether it is the turn of a job that must run alone: others were claimed before it often enough. None begins any more
    /// until it runs.
    pub(crate) fn lone_goes_first(&self) -> bool {
        self.lock().passes >= PATIENCE
    }

    /// A claim has left a job that must run alone, or taken one.
    pub(crate) fn passed(&self, passed: bool) {
        let mut jobs = self.lock();
        jobs.passes = if passed { jobs.passes.saturating_add(1) } else { 0 };
    }

    /// So many may begin: their claim is sent.
    pub(crate) fn begin(&self, count: usize) {
        let mut jobs = self.lock();
        jobs.running += count;
        jobs.claiming = true;
    }

    /// One has ended and is recorded, and this process lives.
    pub(crate) fn ended(&self) {
        let mut jobs = self.lock();
        jobs.running = jobs.running.saturating_sub(1);
        jobs.alone = false;
        jobs.limit = (jobs.limit + 1).min(MOST);
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_that_must_run_alone_gets_its_turn_after_a_while() {
        let quarantine = Quarantine::default();
        quarantine.begin(1);
        quarantine.had(1, 1, false);
        for _ in 0..PATIENCE {
            assert!(!quarantine.lone_goes_first() && quarantine.free() > 0);
            quarantine.begin(2);
            quarantine.had(2, 1, false);
            quarantine.passed(true);
            quarantine.ended();
        }
        assert_eq!(quarantine.free(), 0, "the one that runs comes to its end");
        quarantine.ended();
        assert!(quarantine.lone_goes_first() && quarantine.free() > 0);
        quarantine.begin(1);
        quarantine.had(1, 1, true);
        quarantine.passed(false);
        assert!(!quarantine.lone_goes_first());
    }

    #[test]
    fn quarantine_admits_more_as_jobs_end_without_harm() {
        let quarantine = Quarantine::default();
        assert_eq!(quarantine.free(), FIRST);
        quarantine.begin(FIRST);
        quarantine.had(FIRST, FIRST, false);
        assert_eq!(quarantine.free(), 0);
        for _ in 0..FIRST {
            quarantine.ended();
        }
        assert_eq!(quarantine.free(), 2 * FIRST);
        quarantine.begin(2);
        quarantine.had(2, 1, true);
        assert_eq!(quarantine.free(), 0, "it runs alone");
        quarantine.ended();
        quarantine.begin(1);
        quarantine.had(1, 0, false);
        assert_eq!(quarantine.free(), FIRST, "the next crowd is a new one");
    }
}
