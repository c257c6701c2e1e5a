//! How the worker's recorders do: its finishers, and the laggards.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use pgjobq_core::__private::to_ascii;
use pgjobq_core::DatabaseError;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::record::batch::Unrecorded;
use crate::record::finisher::{FINISHERS, Inbox};
use crate::runtime::Runtime;
use crate::setup::chain;

/// After so many failures in a row a recorder is in trouble.
const FAILURES_OF_TROUBLE: u32 = 3;
/// Of the failures after that, one in so many is logged as a warning.
const WARN_EVERY: u32 = 10;
/// How many bytes of results may wait before nothing more is claimed.
const MOST_BYTES: usize = 64 << 20;

/// The ways to the finishers and the laggards, and what waits there.
#[derive(Debug)]
pub(crate) struct Recorders {
    /// One for each finisher, and one for the laggards.
    inboxes: Vec<mpsc::UnboundedSender<Unrecorded>>,
    /// How often each has failed in a row.
    failures: [AtomicU32; FINISHERS + 1],
    /// Ended attempts that have not been recorded, and their bytes.
    count: AtomicUsize,
    bytes: AtomicUsize,
    /// The database's encoding lacks a character of the worker's name.
    name_is_escaped: AtomicBool,
}

impl Recorders {
    pub(crate) fn new() -> (Self, Vec<Inbox>) {
        let (senders, inboxes) = (0..=FINISHERS).map(|_| mpsc::unbounded_channel()).unzip();
        let recorders = Self {
            inboxes: senders,
            failures: Default::default(),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            name_is_escaped: AtomicBool::new(false),
        };
        (recorders, inboxes)
    }

    /// How many results wait.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether results are recorded, or were refused several times in a row.
    pub(crate) fn are_well(&self) -> bool {
        self.failures.iter().all(|failures| failures.load(Ordering::Relaxed) < FAILURES_OF_TROUBLE)
    }
}

impl Runtime {
    /// Hands a result to its lease's finisher.
    pub(crate) fn send(&self, result: Unrecorded) {
        self.awaits_recording(&result);
        let finisher = result.lease.key.id.unsigned_abs() as usize % FINISHERS;
        if self.recorders.inboxes[finisher].send(result).is_err() {
            tracing::debug!("a result came after the end; its job runs again");
        }
    }

    /// Hands a result to the laggards.
    pub(crate) fn lag(&self, result: Unrecorded) {
        if self.recorders.inboxes[FINISHERS].send(result).is_err() {
            tracing::debug!("a result was refused after the end; its job runs again");
        }
    }

    /// Counts a result that has to be recorded.
    pub(crate) fn awaits_recording(&self, result: &Unrecorded) {
        self.recorders.count.fetch_add(1, Ordering::AcqRel);
        self.recorders.bytes.fetch_add(result.bytes, Ordering::AcqRel);
    }

    /// Takes results off that have been recorded.
    pub(crate) fn recorded(&self, results: &[Unrecorded]) {
        self.recorders.count.fetch_sub(results.len(), Ordering::AcqRel);
        let bytes: usize = results.iter().map(|result| result.bytes).sum();
        self.recorders.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Whether so many results wait to be recorded that nothing more should be claimed: that bounds memory, and what would
    /// run again if this process died.
    pub(crate) fn is_behind(&self) -> bool {
        let most = self.queues.iter().map(|queue| queue.limit).sum::<usize>().max(1000);
        self.recorders.count() >= most || self.recorders.bytes.load(Ordering::Acquire) >= MOST_BYTES
    }

    pub(crate) fn recorder_succeeded(&self, place: usize) {
        if self.recorders.failures[place].swap(0, Ordering::Relaxed) > 0 && place < FINISHERS {
            self.events.recorded.notify_one();
        }
    }

    pub(crate) fn recorder_failed(&self, place: usize, error: &DatabaseError) {
        let failures = self.recorders.failures[place].fetch_add(1, Ordering::Relaxed) + 1;
        if failures == FAILURES_OF_TROUBLE || failures.is_multiple_of(WARN_EVERY) {
            tracing::warn!(
                error = chain(error),
                failures,
                results = self.recorders.count(),
                bytes = self.recorders.bytes.load(Ordering::Relaxed),
                "results cannot be recorded; their jobs stay leased, and each is tried again"
            );
        } else {
            tracing::debug!(error = chain(error), "results were not recorded; trying again");
        }
    }

    /// The worker's name as the database can store it.
    pub(crate) fn storable_name(&self) -> Cow<'_, str> {
        let name = self.config.name.as_str();
        match self.recorders.name_is_escaped.load(Ordering::Relaxed) {
            true => to_ascii(name).map_or(Cow::Borrowed(name), Cow::Owned),
            false => Cow::Borrowed(name),
        }
    }

    /// Escapes the worker's name from now on. False if that changes nothing.
    pub(crate) fn escape_name(&self) -> bool {
        !self.config.name.is_ascii() && !self.recorders.name_is_escaped.swap(true, Ordering::Relaxed)
    }

    /// Tells waiters that these jobs have ended, from whichever thread.
    pub(crate) fn tell_ended(&self, jobs: &[Uuid]) {
        let _home = self.home.get().map(tokio::runtime::Handle::enter);
        self.notifier.ended(jobs);
    }
}
