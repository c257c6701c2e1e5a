//! The tasks that run beside the jobs until the worker ends: heartbeats, and the upkeep that each worker does for all. There is
//! no leader: each step is a compare-and-set in the database, safe at any time and from any number of workers.

use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::chain;

use crate::pause::Pause;

/// The number of failures in a row from which on some are warnings.
const MANY_FAILURES: u32 = 8;

pub(crate) mod act;
pub(crate) mod admit;
pub(crate) mod age;
mod attendance;
pub(crate) mod drift;
mod due;
pub(crate) mod expire;
pub(crate) mod fire;
pub(crate) mod follow_ups;
pub(crate) mod gauges;
pub(crate) mod heartbeat;
pub(crate) mod housekeeping;
mod judge;
pub(crate) mod known_problems;
mod lasting;
pub(crate) mod own_liveness;
pub(crate) mod promote;
pub(crate) mod rates;
pub(crate) mod reap;
pub(crate) mod settle;
mod suspension;

/// A task that does the same again and again until the worker ends.
pub(crate) trait Upkeep {
    /// The activity, for the log: "reaping".
    const ACTIVITY: &'static str;

    /// Does it once. Returns the pause before the next round.
    fn round(&mut self) -> impl Future<Output = Result<Duration, DatabaseError>> + Send;

    /// Waits for an event that ends the pause early.
    fn woken(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// The pause before the first round.
    fn first_pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// Runs a task round by round, with growing pauses after errors. The caller ends it by dropping the future.
pub(crate) async fn every<T: Upkeep>(mut task: T) {
    let (mut errors, mut failures) = (Pause::new(), 0);
    let mut pause = task.first_pause();
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = task.woken() => {}
        }
        pause = match task.round().await {
            Ok(pause) => {
                errors.reset();
                failures = 0;
                pause
            }
            Err(error) => {
                failures += 1;
                report(T::ACTIVITY, &error, failures);
                errors.after_error()
            }
        };
    }
}

/// Logs a failure. Heartbeats report an outage of the database; but a person must mend what it refuses again and again.
fn report(activity: &str, error: &DatabaseError, failures: u32) {
    let error_text = chain(error);
    if error.is_refusal() && failures >= MANY_FAILURES && failures.is_power_of_two() {
        tracing::warn!(error = error_text, failures, "{activity} fails again and again");
    } else {
        tracing::debug!(error = error_text, "{activity} failed; trying again");
    }
}
