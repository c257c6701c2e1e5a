//! The time that a failed job waits before it is tried again.

use std::time::Duration;

use crate::jitter::spread;

/// The time that a failed job waits before it is tried again: a pure function of its number of failures.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use std::time::Duration;
/// use pgjobq::Backoff;
///
/// let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
/// assert_eq!(backoff.delay(1), Duration::from_secs(1));
/// assert_eq!(backoff.delay(4), Duration::from_secs(8));
/// assert_eq!(backoff.delay(400), Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    most: Duration,
}

impl Backoff {
    /// The default: doubles from one second up to six hours.
    pub const DEFAULT: Self = Self::exponential(Duration::from_secs(1), Duration::from_secs(6 * 60 * 60));

    /// `first` after the first failure, and twice as long after each further one, but never longer than `most`.
    #[must_use]
    pub const fn exponential(first: Duration, most: Duration) -> Self {
        Self { first, most }
    }

    /// The same `delay` after each failure.
    #[must_use]
    pub const fn constant(delay: Duration) -> Self {
        Self { first: delay, most: delay }
    }

    /// The delay after the given number of failures, before jitter.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        // Past 2^31 the product has long passed every possible cap, so that the exponent may stop there.
        let doubled = failures.saturating_sub(1).min(31);
        self.first.checked_mul(1 << doubled).unwrap_or(self.most).min(self.most)
    }

    /// Returns the delay with a jitter of at most 20 %. `chance` is a random number from 0 to 1; it is an argument so
    /// that this stays a pure function.
    #[must_use]
    pub fn jittered(&self, failures: u32, chance: f64) -> Duration {
        spread(self.delay(failures), chance)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}
