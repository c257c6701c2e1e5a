//! Jitter, so that processes which fail together do not retry together.

use std::time::Duration;

/// Returns a duration at most 20 % above or below `duration`.
#[must_use]
pub fn jittered(duration: Duration) -> Duration {
    spread(duration, fastrand::f64())
}

/// Spreads a duration by 20 %: `chance` is from 0 (shortest) to 1 (longest).
pub(crate) fn spread(duration: Duration, chance: f64) -> Duration {
    duration.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}
