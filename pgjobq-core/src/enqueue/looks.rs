//! The looks of somebody who waits for room. They tell apart a full queue from a database that does not answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::enqueue::full::Full;
use crate::{DatabaseError, EnqueueError};

/// The time from which a look that has no answer yet counts as trouble.
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// The looks of somebody who waits for room.
#[derive(Debug, Default)]
pub(super) struct Looks {
    answered_at: Option<Instant>,
    /// The time since when a look is on its way.
    asked_at: Option<Instant>,
    /// The error of the last look.
    trouble: Option<Arc<DatabaseError>>,
}

impl Looks {
    pub(super) fn ask(&mut self) {
        self.asked_at = Some(Instant::now());
    }

    pub(super) fn answered(&mut self) {
        *self = Self { answered_at: Some(Instant::now()), ..Self::default() };
    }

    pub(super) fn failed(&mut self, error: DatabaseError) {
        (self.asked_at, self.trouble) = (None, Some(Arc::new(error)));
    }

    /// Returns the error of a wait that began then and is over: no room came, or no look was answered.
    pub(super) fn error(&self, full: &Full, began: Instant, limit: Duration) -> EnqueueError {
        let is_slow = self.asked_at.is_some_and(|at| at.elapsed() > SLOW_AFTER);
        if self.answered_at.is_none_or(|at| at < began) && (is_slow || self.trouble.is_some()) {
            return EnqueueError::TimedOut { limit, maybe_enqueued: false, last: self.trouble.clone() };
        }
        full.error()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WhenFull;
    use crate::db::ids::QueueId;

    #[test]
    fn unanswered_wait_does_not_claim_that_the_queue_is_full() {
        let full =
            Full { queue: "q".into(), id: QueueId(1), bound: 1, when_full: WhenFull::Wait, jobs: Vec::new() };
        let (mut looks, began) = (Looks::default(), Instant::now());
        let is_full = |looks: &Looks, began| {
            matches!(looks.error(&full, began, SLOW_AFTER), EnqueueError::QueueFull { .. })
        };
        assert!(is_full(&looks, began), "nobody has looked again");
        looks.ask();
        looks.failed(DatabaseError::PoolClosed);
        assert!(!is_full(&looks, began));
        looks.ask();
        looks.answered();
        assert!(is_full(&looks, began));
        looks.failed(DatabaseError::PoolClosed);
        assert!(is_full(&looks, began), "it was full when it was looked at last");
        assert!(!is_full(&looks, Instant::now()), "and since then nobody has seen it");
    }
}
