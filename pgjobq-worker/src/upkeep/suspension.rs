//! Notices that this process, or its machine, was stopped for a while.

use std::time::{Duration, Instant, SystemTime};

/// How often the clocks are compared.
const COMPARE_EVERY: Duration = Duration::from_secs(1);
/// A delay that an ordinary busy machine does not cause.
const NOTICEABLE: Duration = Duration::from_secs(2);

/// Waits for this long, or until it notices that this process was suspended.
pub(crate) async fn rest(duration: Duration) {
    let end = Instant::now() + duration;
    loop {
        let (began, wall) = (Instant::now(), SystemTime::now());
        let step = end.saturating_duration_since(began).min(COMPARE_EVERY);
        tokio::time::sleep(step).await;
        let by_wall = SystemTime::now().duration_since(wall).unwrap_or_default();
        if let Some(missing) = missing(step, began.elapsed(), by_wall) {
            tracing::warn!(
                ?missing,
                "this process was suspended, or a clock was set: a heartbeat tells whether its leases are lost"
            );
            return;
        }
        if Instant::now() >= end {
            return;
        }
    }
}

/// The time in which this process did not run, if it is noticeable. The monotonic clock of a machine stops while the machine
/// sleeps, and goes on while only the process is stopped; the wall clock always goes on.
fn missing(slept: Duration, monotonic: Duration, wall: Duration) -> Option<Duration> {
    let missing = monotonic.max(wall).saturating_sub(slept);
    (missing > NOTICEABLE).then_some(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn stopped_process_and_sleeping_machine_are_noticed() {
        assert_eq!(missing(SECOND, SECOND, SECOND), None);
        assert_eq!(missing(SECOND, 2 * SECOND, 2 * SECOND), None);
        assert_eq!(missing(SECOND, 61 * SECOND, 61 * SECOND), Some(60 * SECOND));
        assert_eq!(missing(SECOND, SECOND, 61 * SECOND), Some(60 * SECOND));
    }

    #[test]
    fn clock_set_back_is_no_suspension() {
        assert_eq!(missing(SECOND, SECOND, Duration::ZERO), None);
    }
}
