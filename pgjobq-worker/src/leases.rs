//! What this worker holds, as far as it knows.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgjobq_core::__private::{HeldLease, LeaseKey};
use pgjobq_core::JobId;
use tokio_util::sync::CancellationToken;

/// A lease of this worker's, shared by the attempts that run under it.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) key: LeaseKey,
    /// Who claimed it. A worker that was given up goes on under a new id, and its old leases are not that one's.
    pub(crate) worker: i64,
    /// The jobs that were claimed.
    pub(crate) jobs: Vec<HeldJob>,
    /// How many of them have not been recorded as ended.
    outstanding: AtomicUsize,
    /// A statement is on its way that records the last ones, and closes it.
    closing: AtomicBool,
    /// Told when another worker may have the jobs.
    pub(crate) lost: CancellationToken,
    /// Told when attempts should stop: after the loss, or when a shutdown's grace is over.
    pub(crate) stop: CancellationToken,
}

/// A job under a lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldJob {
    pub(crate) id: JobId,
    pub(crate) ticket: i64,
    /// Whether it must not run twice: it has no crash budget.
    pub(crate) at_most_once: bool,
}

impl Lease {
    pub(crate) fn new(key: LeaseKey, worker: i64, jobs: Vec<HeldJob>, stop: CancellationToken) -> Self {
        let outstanding = AtomicUsize::new(jobs.len());
        let closing = AtomicBool::new(false);
        Self { key, worker, jobs, outstanding, closing, lost: CancellationToken::new(), stop }
    }

    /// A statement is about to record the end of so many jobs. True if none but these is left, so that it closes the lease.
    pub(crate) fn begin_recording(&self, count: usize) -> bool {
        let last = self.outstanding.load(Ordering::Acquire) == count;
        if last {
            self.closing.store(true, Ordering::Release);
        }
        last
    }

    /// The statement failed.
    pub(crate) fn fail_recording(&self) {
        self.closing.store(false, Ordering::Release);
    }

    /// The end of so many jobs is recorded. True if none is left.
    pub(crate) fn recorded(&self, count: usize) -> bool {
        self.outstanding.fetch_sub(count, Ordering::AcqRel) == count
    }

    /// Whether it is closed, or about to be, by this worker.
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire) || self.outstanding.load(Ordering::Acquire) == 0
    }

    fn lose(&self) {
        self.stop.cancel(); // First: who hears of the loss and looks at the other sees it cancelled.
        self.lost.cancel();
    }
}

/// The leases of this worker.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Made, and sent with a claim whose answer has not come.
    claiming: HashSet<i64>,
    live: HashMap<LeaseKey, Arc<Lease>>,
    /// Given up while the database did not answer, which may still have them.
    lost: HashMap<LeaseKey, Arc<Lease>>,
}

impl Leases {
    /// A new lease id, remembered before the claim is sent.
    pub(crate) fn begin_claim(&self) -> i64 {
        let id = fastrand::i64(1..);
        self.lock().claiming.insert(id);
        id
    }

    /// The claim's answer came, or will not come any more.
    pub(crate) fn end_claim(&self, id: i64, leases: &[Arc<Lease>]) {
        let mut known = self.lock();
        known.live.extend(leases.iter().map(|lease| (lease.key, Arc::clone(lease))));
        known.claiming.remove(&id);
    }

    /// The lease was closed.
    pub(crate) fn forget(&self, key: LeaseKey) {
        let mut known = self.lock();
        known.live.remove(&key);
        known.lost.remove(&key);
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Lease>> {
        self.lock().live.values().cloned().collect()
    }

    /// Every one whose jobs were started and whose end may not be recorded: also those that were given up.
    pub(crate) fn begun(&self) -> Vec<Arc<Lease>> {
        let known = self.lock();
        known.live.values().chain(known.lost.values()).cloned().collect()
    }

    /// Tells every attempt that its lease is lost. The database may still have it: then the ends of its attempts count.
    pub(crate) fn lose_all(&self) {
        let known = &mut *self.lock();
        known.live.values().for_each(|lease| lease.lose());
        known.lost.extend(known.live.drain());
    }

    /// Compares what was held before a heartbeat with what the database then said. What it no longer has is lost; what
    /// nobody here knows, and is older than any claim still on its way, is returned, to be given back.
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
            // One that was closed in the meantime is known no longer, or has nothing left to lose.
            if !in_database.contains(&lease.key)
                && !lease.is_closing()
                && known.live.remove(&lease.key).is_some()
            {
                tracing::warn!(
                    lease = lease.key.id,
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
