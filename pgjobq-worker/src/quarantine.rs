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
}

impl Default for Quarantine {
    fn default() -> Self {
        Self(Mutex::new(Jobs { running: 0, claiming: false, alone: false, limit: FIRST }))
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
        if jobs.alone || jobs.claiming { 0 } else { jobs.limit.saturating_sub(jobs.running) }
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
