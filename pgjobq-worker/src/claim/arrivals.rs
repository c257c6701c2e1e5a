//! The queues in which new work has arrived, according to notifications and to this worker's own upkeep. Hints only.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgjobq_core::worker_api::QueueId;

/// The queues in which new work has arrived since the claim loop last asked.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<Arrived>);

/// The places of new work.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    anywhere: bool,
    queues: BTreeSet<QueueId>,
    /// The queues with jobs of which no other worker was notified.
    promised: BTreeSet<QueueId>,
}

impl Arrivals {
    /// Notes new work in these queues.
    pub(crate) fn note(&self, queues: &[QueueId]) {
        self.lock().queues.extend(queues);
    }

    /// Notes new work in this queue, of which no other worker was notified.
    pub(crate) fn note_promised(&self, queue: QueueId) {
        let mut arrived = self.lock();
        arrived.queues.insert(queue);
        arrived.promised.insert(queue);
    }

    /// Notes that there may be new work anywhere.
    pub(crate) fn note_anywhere(&self) {
        self.lock().anywhere = true;
    }

    /// Takes all that was noted.
    pub(crate) fn take(&self) -> Arrived {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrived {
    pub(crate) fn is_empty(&self) -> bool {
        !self.anywhere && self.queues.is_empty()
    }

    pub(crate) fn is_in(&self, queue: QueueId) -> bool {
        self.anywhere || self.names(queue)
    }

    /// Returns whether new work is known to be in this queue, and not only somewhere.
    pub(crate) fn names(&self, queue: QueueId) -> bool {
        self.queues.contains(&queue)
    }

    /// Returns whether no other worker was notified of the work in this queue.
    pub(crate) fn is_promised(&self, queue: QueueId) -> bool {
        self.promised.contains(&queue)
    }
}
