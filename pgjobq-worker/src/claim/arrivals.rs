//! The queues in which new work is said to be. Hints, from notifications and from this worker's own upkeep.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The queues in which new work is said to be, until the claim loop takes note.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<Arrived>);

/// Where new work is said to be.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    anywhere: bool,
    queues: BTreeSet<i32>,
}

impl Arrivals {
    /// There is new work in these queues.
    pub(crate) fn note(&self, queues: &[i32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).queues.extend(queues);
    }

    /// There may be new work anywhere.
    pub(crate) fn note_anywhere(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).anywhere = true;
    }

    /// What was said since the last time.
    pub(crate) fn take(&self) -> Arrived {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Arrived {
    pub(crate) fn is_empty(&self) -> bool {
        !self.anywhere && self.queues.is_empty()
    }

    /// Whether there is said to be new work in this queue.
    pub(crate) fn is_in(&self, queue: i32) -> bool {
        self.anywhere || self.queues.contains(&queue)
    }
}
