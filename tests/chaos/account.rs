//! The harness's own record, outside of the database: attempted and acknowledged enqueues.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pgjobq::JobId;
use uuid::Uuid;

use crate::flows::Flow;

/// The end that a job must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    Completed,
    /// By crashes, one more than its `max_crashes`.
    Dead,
    /// A cancel was acknowledged.
    Cancelled,
    /// A cancel was requested. It may have come too late.
    CompletedOrCancelled,
    CompletedOrExpired,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) ends: Ends,
    /// True if it was enqueued together with a row in `orders`.
    pub(crate) in_transaction: bool,
}

/// All attempted enqueues, with their results.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) attempted: AtomicI64,
    pub(crate) acknowledged: AtomicI64,
    /// Jobs without limits that wait or run, as last seen.
    pub(crate) live: AtomicI64,
    books: Mutex<Books>,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) acknowledged: HashMap<Uuid, Expected>,
    /// Jobs whose enqueue returned an error, or never returned.
    pub(crate) unknown: Vec<Uuid>,
    pub(crate) rolled_back: Vec<Uuid>,
    /// Jobs that were live with the unique key of another one, which therefore was not enqueued.
    pub(crate) holders: Vec<Uuid>,
    /// Of jobs that others may take the place of, each with the one that has; itself if none has.
    pub(crate) chosen: Vec<(Uuid, Uuid)>,
    /// All workflows that may have been enqueued.
    pub(crate) flows: HashMap<Uuid, Flow>,
    pub(crate) flows_acknowledged: Vec<Uuid>,
    pub(crate) flows_rolled_back: Vec<Uuid>,
    last_acknowledged: Option<Instant>,
}

impl Account {
    pub(crate) fn attempt(&self, jobs: i64) {
        self.attempted.fetch_add(jobs, Ordering::SeqCst);
    }

    pub(crate) fn acknowledge(&self, jobs: &[JobId], expected: Expected) {
        self.acknowledged.fetch_add(jobs.len() as i64, Ordering::SeqCst);
        self.books().acknowledged.extend(jobs.iter().map(|id| (id.as_uuid(), expected)));
    }

    pub(crate) fn acknowledge_flow(&self, workflow: Uuid, steps: i64) {
        self.acknowledged.fetch_add(steps, Ordering::SeqCst);
        self.books().flows_acknowledged.push(workflow);
    }

    pub(crate) fn flow(&self, workflow: Uuid) -> Option<Flow> {
        self.books().flows.get(&workflow).cloned()
    }

    pub(crate) fn note_unknown(&self, jobs: &[JobId]) {
        self.books().unknown.extend(jobs.iter().map(|id| id.as_uuid()));
    }

    pub(crate) fn note_rolled_back(&self, jobs: &[JobId]) {
        self.books().rolled_back.extend(jobs.iter().map(|id| id.as_uuid()));
    }

    /// Records that an enqueue that began at this moment was acknowledged.
    pub(crate) fn note_answer(&self, begun: Instant) {
        let mut books = self.books();
        books.last_acknowledged = books.last_acknowledged.max(Some(begun));
    }

    /// Returns whether a producer's enqueue that began after this moment was acknowledged.
    pub(crate) fn acknowledged_since(&self, instant: Instant) -> bool {
        self.books().last_acknowledged.is_some_and(|begun| begun > instant)
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
