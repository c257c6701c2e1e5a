//! The pause of the claim loop while the database cannot be reached, or refuses whatever this worker asks.

use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;

use crate::claim::requests::Failed;
use crate::pause::Pause;

/// How soon after an error it is tried again if somebody else in the process got through.
const SOON: Duration = Duration::from_millis(100);

/// The pause after an error that is no single lane's: of everything that the claim loop asks, or of one kind of request.
#[derive(Debug)]
pub(crate) struct Outage {
    until: Option<Instant>,
    began: Instant,
    pause: Pause,
}

impl Default for Outage {
    fn default() -> Self {
        Self { until: None, began: Instant::now(), pause: Pause::new() }
    }
}

impl Outage {
    /// Whether this error would meet every lane.
    pub(crate) fn is_meant_by(failed: &Failed) -> bool {
        match failed {
            Failed::TimedOut => false,
            Failed::Database(error) => !matches!(error, DatabaseError::Refused(_)),
        }
    }

    pub(crate) fn failed(&mut self) {
        self.began = Instant::now();
        self.until = Some(self.began + self.pause.after_error());
    }

    /// The database has answered this loop.
    pub(crate) fn answered(&mut self) {
        self.until = None;
        self.pause.reset();
    }

    /// The database has answered somebody else: it may well answer us.
    pub(crate) fn somebody_got_through(&mut self) {
        self.until = self.until.map(|until| until.min(self.began + SOON));
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_elsewhere_ends_the_pause_but_never_spins() {
        let mut outage = Outage::default();
        for _ in 0..20 {
            outage.failed();
        }
        let now = Instant::now();
        assert!(!outage.is_over(now + Duration::from_secs(1)));
        outage.somebody_got_through();
        assert!(!outage.is_over(now) && outage.is_over(now + SOON));
        outage.answered();
        assert!(outage.is_over(now));
    }
}
