//! The heartbeats of this worker that the database has answered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The last heartbeat of this worker that the database has answered, and the number of those that it has not.
#[derive(Debug, Default)]
pub(crate) struct OwnLiveness(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    missed: u64,
}

impl OwnLiveness {
    /// Notes that the database has answered a heartbeat that was sent at `sent`, or the registration.
    pub(crate) fn answered(&self, sent: Instant) {
        self.lock().last = Some(sent);
    }

    /// Notes that a heartbeat was not answered.
    pub(crate) fn missed(&self) {
        self.lock().missed += 1;
    }

    /// Returns the number of heartbeats that were not answered.
    pub(crate) fn count_missed(&self) -> u64 {
        self.lock().missed
    }

    /// Returns how long ago the last answered heartbeat was sent.
    pub(crate) fn last(&self) -> Option<Duration> {
        self.lock().last.map(|at| at.elapsed())
    }

    /// Returns whether a heartbeat was answered within the last half of a lease, so that jobs may be claimed. A worker that is
    /// about to lose its leases would lose those jobs, too.
    pub(crate) fn may_claim(&self, lease: Duration) -> bool {
        self.last().is_some_and(|ago| ago < lease / 2)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
