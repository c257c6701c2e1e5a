//! The ageing of a queue: waiting jobs move up one priority at a time.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The shortest and the longest time after which a job moves up. The schema has the same limits.
const TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);

/// Returns whether a queue can have this time; zero turns ageing off.
pub(super) fn is_possible(ageing: Duration) -> bool {
    ageing.is_zero() || TIMES.contains(&ageing)
}
