//! Reports of a trouble that may come often.

use std::time::{Duration, Instant};

/// The shortest time between two reports of the same trouble.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Counts a trouble, and reports it at once, and then at most once a minute.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    reported: Option<Instant>,
    count: u64,
}

impl Throttle {
    /// Counts `more`. Returns the count since the last report, if it is time for one.
    pub(super) fn count(&mut self, more: u64) -> Option<u64> {
        self.count += more;
        let is_due = self.reported.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
        is_due.then(|| {
            self.reported = Some(Instant::now());
            std::mem::take(&mut self.count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_trouble_is_reported_at_once_and_the_next_is_not() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.count(2), Some(2));
        assert_eq!(throttle.count(3), None);
        throttle.reported = throttle.reported.and_then(|at| at.checked_sub(REPORT_INTERVAL));
        assert_eq!(throttle.count(1), Some(4));
    }
}
