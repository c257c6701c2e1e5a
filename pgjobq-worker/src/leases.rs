//! The leases that this worker holds, as far as it knows.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgjobq_core::JobId;
use pgjobq_core::worker_api::{
    ClaimedJob, HeldLease, Hold, LeaseId, LeaseKey, Limit, RowAddress, Ticket, WorkerId,
};
use tokio_util::sync::CancellationToken;

/// A lease of this worker's, shared by the attempts that run under it.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) key: LeaseKey,
    /// The id of the worker that claimed it. A worker that was given up continues under a new id, and does not hold these leases.
    pub(crate) worker: WorkerId,
    /// The claimed jobs.
    pub(crate) jobs: Vec<HeldJob>,
    /// The limits of those jobs that have any.
    limits: HashMap<JobId, Vec<Limit>>,
    /// The number of jobs whose end is not recorded.
    outstanding: AtomicUsize,
    /// True while a statement in flight records the last jobs, and closes the lease.
    closing: AtomicBool,
    /// Cancelled when another worker may have the jobs.
    pub(crate) lost: CancellationToken,
    /// Cancelled when attempts should stop: after the loss, or when the grace of a shutdown is over.
    pub(crate) stop: CancellationToken,
}

/// A job under a lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldJob {
    pub(crate) id: JobId,
    pub(crate) ticket: Ticket,
    pub(crate) address: Option<RowAddress>,
    /// True if the job must not run twice: it survives no crash.
    pub(crate) at_most_once: bool,
}

impl From<&ClaimedJob> for HeldJob {
    fn from(job: &ClaimedJob) -> Self {
        Self { id: job.id, ticket: job.ticket, address: job.address, at_most_once: job.max_crashes == 0 }
    }
}

impl Lease {
    pub(crate) fn new(
        key: LeaseKey,
        worker: WorkerId,
        jobs: &mut [ClaimedJob],
        stop: CancellationToken,
    ) -> Self {
        let outstanding = AtomicUsize::new(jobs.len());
        let closing = AtomicBool::new(false);
        let has_limits = |job: &&mut ClaimedJob| !job.limits.is_empty();
        let take_limits = |job: &mut ClaimedJob| (job.id, std::mem::take(&mut job.limits));
        let limits = jobs.iter_mut().filter(has_limits).map(take_limits).collect();
        let jobs = jobs.iter().map(HeldJob::from).collect();
        Self { key, worker, jobs, limits, outstanding, closing, lost: CancellationToken::new(), stop }
    }

    /// Returns the limits of a job, under which it has permits.
    pub(crate) fn limits_of(&self, job: JobId) -> &[Limit] {
        self.limits.get(&job).map_or(&[], |limits| limits)
    }

    /// The right to write about a job of this lease.
    pub(crate) fn hold(&self, job: impl Into<HeldJob>) -> Hold {
        let HeldJob { id, ticket, address, .. } = job.into();
        Hold { lease: self.key, worker: self.worker, job: id, ticket, address }
    }

    /// Notes that a statement is about to record the end of `count` jobs. Returns whether these are the last, so that it closes the
    /// lease.
    pub(crate) fn begin_recording(&self, count: usize) -> bool {
        let last = self.outstanding.load(Ordering::Acquire) == count;
        if last {
            self.closing.store(true, Ordering::Release);
        }
        last
    }

    /// Notes that the statement failed.
    pub(crate) fn fail_recording(&self) {
        self.closing.store(false, Ordering::Release);
    }

    /// Notes that the end of `count` jobs is recorded. Returns whether none is left.
    pub(crate) fn recorded(&self, count: usize) -> bool {
        self.outstanding.fetch_sub(count, Ordering::AcqRel) == count
    }

    /// Returns whether this worker has closed the lease, or is about to.
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire) || self.outstanding.load(Ordering::Acquire) == 0
    }

    fn lose(&self) {
        self.lost.cancel(); // First: whoever is asked to stop finds the reason.
        self.stop.cancel();
    }
}

/// The leases of this worker.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Ids sent with claims whose answers have not come.
    claiming: HashSet<LeaseId>,
    live: HashMap<LeaseKey, Arc<Lease>>,
    /// Leases that were given up while the database did not answer. It may still have them.
    lost: HashMap<LeaseKey, Arc<Lease>>,
}

impl Leases {
    /// Makes a lease id, which is known before the claim is sent.
    pub(crate) fn begin_claim(&self) -> LeaseId {
        let id = LeaseId(fastrand::i64(1..));
        self.lock().claiming.insert(id);
        id
    }

    /// Registers the leases of a claim: its answer came, or cannot come any more.
    pub(crate) fn end_claim(&self, id: LeaseId, leases: &[Arc<Lease>]) {
        let mut known = self.lock();
        known.live.extend(leases.iter().map(|lease| (lease.key, Arc::clone(lease))));
        known.claiming.remove(&id);
    }

    /// Removes a closed lease.
    pub(crate) fn forget(&self, key: LeaseKey) {
        let mut known = self.lock();
        known.live.remove(&key);
        known.lost.remove(&key);
    }

    /// Returns the live leases.
    pub(crate) fn all(&self) -> Vec<Arc<Lease>> {
        self.lock().live.values().cloned().collect()
    }

    /// Returns every lease that may have unrecorded jobs, those that were given up included.
    pub(crate) fn begun(&self) -> Vec<Arc<Lease>> {
        let known = self.lock();
        known.live.values().chain(known.lost.values()).cloned().collect()
    }

    /// Gives up all leases, and asks their attempts to stop. If the database still has a lease, the results of its attempts are
    /// recorded nevertheless.
    pub(crate) fn lose_all(&self) {
        let known = &mut *self.lock();
        known.live.values().for_each(|lease| lease.lose());
        known.lost.extend(known.live.drain());
    }

    /// Compares the leases that were held before a heartbeat with those that the database has. Leases that it no longer has are
    /// lost. Returns those that this process does not know and that are older than any claim in flight, so that they can be
    /// returned.
    pub(crate) fn compare(
        &self,
        before: &[Arc<Lease>],
        held: &[HeldLease],
        claim_timeout: Duration,
    ) -> Vec<LeaseKey> {
        let in_database: HashSet<_> = held.iter().map(|lease| lease.key).collect();
        let mut known = self.lock();
        known.lost.retain(|key, _| in_database.contains(key));
        for lease in before {
            // A lease that was closed in the meantime is no longer live, or is closing.
            if !in_database.contains(&lease.key)
                && !lease.is_closing()
                && known.live.remove(&lease.key).is_some()
            {
                tracing::warn!(
                    lease = lease.key.id.0,
                    jobs = lease.jobs.len(),
                    "lost a lease: other workers may run its jobs"
                );
                lease.lose();
            }
        }
        let unknown = |lease: &&HeldLease| {
            !known.live.contains_key(&lease.key)
                && !known.lost.contains_key(&lease.key)
                && !known.claiming.contains(&lease.key.id)
                && lease.age > claim_timeout
        };
        held.iter().filter(unknown).map(|lease| lease.key).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
