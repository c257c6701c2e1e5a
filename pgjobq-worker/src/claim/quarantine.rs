//! Limits the quarantined jobs that run in this worker: jobs that were running when their worker died.
//!
//! One of them may have killed the worker, and most are innocent. Several run at a time, more with each that ends without harm.
//! The database gives a job that crashed twice only to a worker in which no other quarantined job runs. So a guilty job takes
//! another quarantined job along at most once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The number of quarantined jobs that run at a time before one has ended here.
const FIRST_LIMIT: usize = 8;
/// The largest number that run at a time. If one of them is guilty, the others run alone from then on, one after the other.
const MOST: usize = 32;
/// The number of claims in a row that may pass over a job that must run alone.
const MOST_PASSES: u32 = 16;

/// The quarantined jobs that run in this worker.
#[derive(Debug)]
pub(crate) struct Quarantine {
    jobs: Mutex<Jobs>,
    /// Notified when a place becomes free.
    freed: Arc<Notify>,
}

#[derive(Debug)]
struct Jobs {
    /// The number of jobs that run, or that a claim in flight may bring.
    running: usize,
    is_claiming: bool,
    /// True if the job that runs must run alone.
    is_alone: bool,
    limit: usize,
    /// The number of claims in a row that passed over a job that must run alone.
    passes: u32,
}

/// The right to claim quarantined jobs. A claim that fails drops it.
#[derive(Debug)]
pub(crate) struct Admission {
    quarantine: Arc<Quarantine>,
    wanted: usize,
}

/// The place of one quarantined job. It becomes free when the end of the attempt is recorded: until then the death of this
/// process is still a crash of that job, and no job that must run alone may begin.
#[derive(Debug)]
pub(crate) struct QuarantinePlace(Arc<Quarantine>);

impl Quarantine {
    pub(crate) fn new(freed: Arc<Notify>) -> Self {
        let jobs = Jobs { running: 0, is_claiming: false, is_alone: false, limit: FIRST_LIMIT, passes: 0 };
        Self { jobs: Mutex::new(jobs), freed }
    }

    /// Returns the number of jobs that may begin now.
    pub(crate) fn count_free(&self) -> usize {
        let jobs = self.lock();
        let waits = jobs.is_alone || jobs.is_claiming || (jobs.passes >= MOST_PASSES && jobs.running > 0);
        if waits { 0 } else { jobs.limit.saturating_sub(jobs.running) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().running == 0
    }

    /// Returns whether others were claimed often enough before a job that must run alone. No other job begins until it runs.
    pub(crate) fn lone_goes_first(&self) -> bool {
        self.lock().passes >= MOST_PASSES
    }

    /// Notes whether a claim has passed over a job that must run alone.
    pub(crate) fn passed(&self, passed: bool) {
        let mut jobs = self.lock();
        jobs.passes = if passed { jobs.passes.saturating_add(1) } else { 0 };
    }

    /// Admits `wanted` jobs, which a claim is about to ask for.
    pub(crate) fn admit(self: &Arc<Self>, wanted: usize) -> Admission {
        let mut jobs = self.lock();
        jobs.running += wanted;
        jobs.is_claiming = true;
        Admission { quarantine: Arc::clone(self), wanted }
    }

    fn claimed(&self, wanted: usize, got: usize, alone: bool) {
        let mut jobs = self.lock();
        jobs.running = jobs.running.saturating_sub(wanted - got);
        jobs.is_claiming = false;
        jobs.is_alone = jobs.is_alone || (alone && got > 0);
        if jobs.running == 0 {
            jobs.limit = FIRST_LIMIT; // None waits or runs: the next quarantined jobs come from another crash.
        }
    }

    fn ended(&self) {
        let mut jobs = self.lock();
        jobs.running = jobs.running.saturating_sub(1);
        jobs.is_alone = false;
        jobs.limit = (jobs.limit + 1).min(MOST);
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    /// Returns the places of the `got` jobs that the claim brought. `alone` says that the one job must run alone.
    pub(crate) fn claimed(mut self, got: usize, alone: bool) -> Vec<QuarantinePlace> {
        self.quarantine.claimed(std::mem::take(&mut self.wanted), got, alone);
        (0..got).map(|_| QuarantinePlace(Arc::clone(&self.quarantine))).collect()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.wanted > 0 {
            self.quarantine.claimed(self.wanted, 0, false);
        }
    }
}

impl Drop for QuarantinePlace {
    fn drop(&mut self) {
        self.0.ended();
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quarantine() -> Arc<Quarantine> {
        Arc::new(Quarantine::new(Arc::default()))
    }

    #[test]
    fn lone_job_gets_its_turn_after_some_passes() {
        let quarantine = quarantine();
        let first = quarantine.admit(1).claimed(1, false);
        for _ in 0..MOST_PASSES {
            assert!(!quarantine.lone_goes_first() && quarantine.count_free() > 0);
            let places = quarantine.admit(2).claimed(1, false);
            quarantine.passed(true);
            drop(places);
        }
        assert_eq!(quarantine.count_free(), 0, "the running job must end first");
        drop(first);
        assert!(quarantine.lone_goes_first() && quarantine.count_free() > 0);
        let _lone = quarantine.admit(1).claimed(1, true);
        quarantine.passed(false);
        assert!(!quarantine.lone_goes_first());
    }

    #[test]
    fn quarantine_admits_more_as_jobs_end_without_harm() {
        let quarantine = quarantine();
        assert_eq!(quarantine.count_free(), FIRST_LIMIT);
        let places = quarantine.admit(FIRST_LIMIT).claimed(FIRST_LIMIT, false);
        assert_eq!(quarantine.count_free(), 0);
        drop(places);
        assert_eq!(quarantine.count_free(), 2 * FIRST_LIMIT);
        let lone = quarantine.admit(2).claimed(1, true);
        assert_eq!(quarantine.count_free(), 0, "it runs alone");
        drop(lone);
        quarantine.admit(1).claimed(0, false);
        assert_eq!(quarantine.count_free(), FIRST_LIMIT, "the next jobs come from another crash");
    }

    #[test]
    fn failed_claim_frees_its_places() {
        let quarantine = quarantine();
        drop(quarantine.admit(FIRST_LIMIT));
        assert!(quarantine.is_empty() && quarantine.count_free() == FIRST_LIMIT);
    }
}
