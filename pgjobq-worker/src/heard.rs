//! Whether this worker has been heard by the database without a break, and so may judge the silence of others.
//!
//! After an outage every worker has been silent for as long. The first one to get through must not take the jobs of all the
//! others, who are about to.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Since when every heartbeat of this worker has been answered, and when the last one was.
#[derive(Debug)]
pub(crate) struct Heard(Mutex<(Since, Option<Instant>)>);

#[derive(Clone, Copy, Debug)]
enum Since {
    /// The start, or the first one answered after one that was missed.
    Then(Instant),
    /// The last one was missed.
    Never,
}

impl Heard {
    /// Of a worker that starts now. There may just have been an outage.
    pub(crate) fn new() -> Self {
        Self(Mutex::new((Since::Then(Instant::now()), None)))
    }

    pub(crate) fn answered(&self) {
        let mut heard = self.lock();
        heard.1 = Some(Instant::now());
        if let Since::Never = heard.0 {
            heard.0 = Since::Then(Instant::now());
        }
    }

    pub(crate) fn missed(&self) {
        self.lock().0 = Since::Never;
    }

    /// Whether it has been heard for this long.
    pub(crate) fn may_judge(&self, lease: Duration) -> bool {
        match self.lock().0 {
            Since::Then(at) => at.elapsed() >= lease,
            Since::Never => false,
        }
    }

    /// How long ago a heartbeat was last answered.
    pub(crate) fn last(&self) -> Option<Duration> {
        self.lock().1.map(|at| at.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, (Since, Option<Instant>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_was_not_heard_judges_nobody_for_a_lease() {
        let heard = Heard::new();
        heard.answered();
        assert!(!heard.may_judge(Duration::from_secs(30)), "it has just started");
        assert!(heard.may_judge(Duration::ZERO));
        heard.missed();
        assert!(!heard.may_judge(Duration::ZERO));
        heard.answered();
        assert!(!heard.may_judge(Duration::from_secs(30)));
        assert!(heard.may_judge(Duration::ZERO));
    }
}
