//! The tasks that record results, finishers and laggards: the ways to them, and their failures.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::chain;
use tokio::sync::{Notify, mpsc};

use super::unrecorded::{Inbox, Unrecorded};

/// The number of finishers.
const FINISHERS: usize = 2;
/// The place of the laggards, after those of the finishers.
pub(crate) const LAGGARDS: usize = FINISHERS;

/// The number of failures in a row that make the worker unready.
const FAILURES_OF_TROUBLE: u32 = 3;
/// After that, every this many failures are logged as a warning.
const WARN_EVERY: u32 = 10;
/// The size of waiting results at which nothing more is claimed.
const MOST_WAITING_BYTES: usize = 64 << 20;
/// The number of waiting results at which nothing more is claimed, if the worker has fewer slots.
const LEAST_WAITING_LIMIT: usize = 1000;

/// The ways to the finishers and the laggards, and the results that wait there.
#[derive(Debug)]
pub(crate) struct Recorders {
    /// One for each finisher, and the last one for the laggards.
    inboxes: Vec<mpsc::UnboundedSender<Unrecorded>>,
    /// The failures of each in a row.
    failures: [AtomicU32; FINISHERS + 1],
    /// Notified when a finisher succeeds after failures.
    recovered: Notify,
    /// The number and the size of results that wait to be recorded.
    count: AtomicUsize,
    bytes: AtomicUsize,
}

impl Recorders {
    pub(crate) fn new() -> (Self, Vec<Inbox>) {
        let (inboxes, receivers) = (0..=FINISHERS).map(|_| mpsc::unbounded_channel()).unzip();
        let recorders = Self {
            inboxes,
            failures: Default::default(),
            recovered: Notify::new(),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        };
        (recorders, receivers)
    }

    /// Sends a result to the finisher of its lease.
    pub(crate) fn send(&self, result: Unrecorded) {
        self.expect(&result);
        let finisher = result.lease.key.id.0.unsigned_abs() as usize % FINISHERS;
        if self.inboxes[finisher].send(result).is_err() {
            tracing::debug!("a result came after the worker had ended; its job runs again");
        }
    }

    /// Sends a result that was refused alone to the laggards.
    pub(crate) fn send_to_laggards(&self, result: Unrecorded) {
        if self.inboxes[LAGGARDS].send(result).is_err() {
            tracing::debug!("a result was refused after the worker had ended; its job runs again");
        }
    }

    /// Counts a result that will be recorded.
    pub(crate) fn expect(&self, result: &Unrecorded) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(result.bytes, Ordering::AcqRel);
    }

    /// Subtracts results that have been recorded.
    pub(crate) fn recorded(&self, results: &[Unrecorded]) {
        self.count.fetch_sub(results.len(), Ordering::AcqRel);
        let bytes = results.iter().map(|result| result.bytes).sum();
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Returns the number of results that wait to be recorded.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Returns whether too many results wait for a worker with `slots` slots to claim more jobs.
    pub(crate) fn is_behind(&self, slots: usize) -> bool {
        self.count() >= slots.max(LEAST_WAITING_LIMIT)
            || self.bytes.load(Ordering::Acquire) >= MOST_WAITING_BYTES
    }

    /// Returns false if the database has refused results several times in a row.
    pub(crate) fn are_well(&self) -> bool {
        self.failures.iter().all(|failures| failures.load(Ordering::Relaxed) < FAILURES_OF_TROUBLE)
    }

    /// Waits until a finisher succeeds after failures.
    pub(crate) async fn recovered(&self) {
        self.recovered.notified().await;
    }

    pub(crate) fn succeeded(&self, place: usize) {
        if self.failures[place].swap(0, Ordering::Relaxed) > 0 && place != LAGGARDS {
            self.recovered.notify_one();
        }
    }

    pub(crate) fn failed(&self, place: usize, error: &DatabaseError) {
        let failures = self.failures[place].fetch_add(1, Ordering::Relaxed) + 1;
        if failures == FAILURES_OF_TROUBLE || failures.is_multiple_of(WARN_EVERY) {
            tracing::warn!(
                error = chain(error),
                failures,
                results = self.count(),
                bytes = self.bytes.load(Ordering::Relaxed),
                "results cannot be recorded; their jobs stay leased, and each is tried again"
            );
        } else {
            tracing::debug!(error = chain(error), "results were not recorded; trying again");
        }
    }
}
