//! The prefetched jobs of one queue: claimed before a slot was free for them.
//!
//! They wait here until a slot is free, but not for long. Then the worker returns them, as if they had never been claimed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use pgjobq_core::JobId;
use pgjobq_core::worker_api::{CLAIM_BYTES, ClaimedJob, Decision, JobDescriptor, PRIORITIES};

use super::pace::Pace;
use crate::leases::Lease;
use crate::record::unrecorded::Unrecorded;

/// A claimed job that has not begun.
#[derive(Debug)]
pub(crate) struct PrefetchedJob {
    pub(crate) job: ClaimedJob,
    pub(crate) lease: Arc<Lease>,
    /// Its kind, if one call of its job function takes several jobs.
    pub(crate) batch: Option<&'static JobDescriptor>,
    claimed_at: Instant,
}

/// The prefetched jobs of one queue.
#[derive(Debug)]
pub(crate) struct Prefetch {
    waiting: [VecDeque<PrefetchedJob>; PRIORITIES],
    count: usize,
    /// The size of their arguments.
    bytes: usize,
    /// The number of jobs that claims in flight may add.
    expected: usize,
    /// The number of jobs that it should hold.
    target: usize,
    pub(crate) pace: Pace,
}

impl PrefetchedJob {
    pub(crate) fn new(
        job: ClaimedJob,
        lease: Arc<Lease>,
        batch: Option<&'static JobDescriptor>,
        claimed_at: Instant,
    ) -> Self {
        Self { job, lease, batch, claimed_at }
    }

    /// Returns the job, as if it had never been claimed.
    pub(crate) fn returned(self) -> Unrecorded {
        Unrecorded::new(self.lease.hold(&self.job), self.lease, Decision::Return)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.job.args.as_ref().map_or(0, |args| args.get().len())
    }
}

impl Prefetch {
    pub(crate) fn new(now: Instant) -> Self {
        let waiting = Default::default();
        Self { waiting, count: 0, bytes: 0, expected: 0, target: 0, pace: Pace::new(now) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the number of jobs that a claim may add now. Claims add many at a time, so there is no room until half is gone.
    pub(crate) fn room(&mut self, slots: usize, now: Instant) -> usize {
        self.target = self.pace.jobs(slots, now);
        if self.has_room() { self.target - self.count - self.expected } else { 0 }
    }

    /// Returns whether a claim may add jobs, as far as is known without a look at the clock.
    pub(crate) fn has_room(&self) -> bool {
        self.target > 0 && self.count + self.expected <= self.target / 2 && self.bytes < CLAIM_BYTES as usize
    }

    /// Returns the number of jobs that claims in flight may add.
    pub(crate) fn expected(&self) -> usize {
        self.expected
    }

    /// Notes that a claim may add this many jobs, until [`no_longer_expect`](Self::no_longer_expect).
    pub(crate) fn expect(&mut self, jobs: usize) {
        self.expected += jobs;
    }

    pub(crate) fn no_longer_expect(&mut self, jobs: usize) {
        self.expected -= jobs;
    }

    pub(crate) fn push(&mut self, job: PrefetchedJob) {
        self.count += 1;
        self.bytes += job.bytes();
        let priority = usize::try_from(job.job.priority).unwrap_or(0).min(PRIORITIES - 1);
        self.waiting[priority].push_back(job);
    }

    /// Takes the next job: of the highest priority, and of those the one that came first.
    pub(crate) fn pop(&mut self) -> Option<PrefetchedJob> {
        let job = self.waiting.iter_mut().rev().find_map(VecDeque::pop_front)?;
        Some(self.taken(job))
    }

    /// Takes this job, if it waits here.
    pub(crate) fn remove(&mut self, id: JobId) -> Option<PrefetchedJob> {
        let of_priority = |waiting: &mut VecDeque<PrefetchedJob>| {
            let place = waiting.iter().position(|job| job.job.id == id)?;
            waiting.remove(place)
        };
        let job = self.waiting.iter_mut().find_map(of_priority)?;
        Some(self.taken(job))
    }

    /// Takes the jobs that this accepts, in their order, until it has accepted enough.
    pub(crate) fn take_if(&mut self, mut accepts: impl FnMut(&PrefetchedJob) -> bool) -> Vec<PrefetchedJob> {
        let mut taken = Vec::new();
        for waiting in self.waiting.iter_mut().rev() {
            let mut at = 0;
            while at < waiting.len() {
                match accepts(&waiting[at]).then(|| waiting.remove(at)).flatten() {
                    Some(job) => taken.push(job),
                    None => at += 1,
                }
            }
        }
        taken.into_iter().map(|job| self.taken(job)).collect()
    }

    /// Takes all jobs.
    pub(crate) fn take_all(&mut self) -> Vec<PrefetchedJob> {
        (self.count, self.bytes) = (0, 0);
        self.waiting.iter_mut().rev().flat_map(|waiting| waiting.drain(..)).collect()
    }

    /// Takes all jobs because one of them did not begin in time: those behind it would not either.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<PrefetchedJob> {
        self.pace.was_misjudged(now);
        self.take_all()
    }

    /// Returns when the job that waits for the longest time was claimed.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|waiting| Some(waiting.front()?.claimed_at)).min()
    }

    fn taken(&mut self, job: PrefetchedJob) -> PrefetchedJob {
        self.count -= 1;
        self.bytes -= job.bytes();
        job
    }
}
