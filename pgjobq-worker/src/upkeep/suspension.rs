//! Detects that this process, or its machine, was suspended.

use std::time::{Duration, Instant, SystemTime};

/// The time between two comparisons of the clocks.
const COMPARE_INTERVAL: Duration = Duration::from_secs(1);
/// The shortest delay that counts as a suspension: longer than a busy machine causes.
const SHORTEST_SUSPENSION: Duration = Duration::from_secs(2);

/// Waits for this time, or until it detects a suspension of this process.
pub(crate) async fn rest(duration: Duration) {
    let end = Instant::now() + duration;
    loop {
        let (began, wall) = (Instant::now(), SystemTime::now());
        let step = end.saturating_duration_since(began).min(COMPARE_INTERVAL);
        tokio::time::sleep(step).await;
        let by_wall = SystemTime::now().duration_since(wall).unwrap_or_default();
        if let Some(missing) = missing(step, began.elapsed(), by_wall) {
            tracing::warn!(
                ?missing,
                "this process was suspended, or a clock was set: the next heartbeat shows whether its leases are lost"
            );
            return;
        }
        if Instant::now() >= end {
            return;
        }
    }
}

/// Returns the time in which this process did not run, if it was suspended. While the machine sleeps only the wall clock advances;
/// while only the process is stopped the monotonic clock does, too.
fn missing(slept: Duration, monotonic: Duration, wall: Duration) -> Option<Duration> {
    let missing = monotonic.max(wall).saturating_sub(slept);
    (missing > SHORTEST_SUSPENSION).then_some(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn stopped_process_and_sleeping_machine_are_detected() {
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
