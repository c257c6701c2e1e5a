//! Does the batches of actions on all jobs that match a filter, one at a time, so that an action goes on if the program that asked
//! for it is gone. Every worker does this for all, and so does a client that waits for its action.
//!
//! It sends nothing unless there is an action: the look for follow-ups finds it.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::Acted;

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The pause without an action.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// The shortest pause if the batch that is due is in other hands.
const BUSY: Duration = Duration::from_millis(200);
/// The number of times in a row that others were faster, after which it waits for the next look for follow-ups: so a large fleet
/// does not ask for one batch all together.
const PATIENCE: u32 = 2;

/// Does actions on many jobs.
pub(crate) struct Actor {
    runtime: Arc<Runtime>,
    /// The number of times in a row that others were faster.
    late: u32,
}

impl Actor {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime, late: 0 }
    }
}

/// Returns the pause after a try, and counts how many times in a row others were faster.
fn pause(late: &mut u32, acted: &Acted) -> Duration {
    *late = if acted.acted { 0 } else { *late + 1 };
    match acted.wait {
        Some(wait) if acted.acted => wait,
        Some(wait) if *late < PATIENCE => wait.max(jittered(BUSY)),
        _ => {
            *late = 0;
            IDLE
        }
    }
}

impl Upkeep for Actor {
    const ACTIVITY: &'static str = "acting on many jobs";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let acted = self.runtime.store.act().await?;
        self.runtime.acted(&acted);
        if let Some(problem) = &acted.problem {
            tracing::warn!(problem, "a batch of an action on many jobs failed; a smaller one is tried later");
        }
        Ok(pause(&mut self.late, &acted))
    }

    async fn woken(&mut self) {
        self.runtime.events.act.notified().await;
    }

    fn first_pause(&self) -> Duration {
        IDLE
    }
}

impl Runtime {
    /// Passes on what a batch has changed: jobs that may start now, that have ended, or that must stop.
    fn acted(&self, acted: &Acted) {
        self.work_may_start(&acted.queues);
        self.ended_jobs(&acted.cancelled);
        for job in &acted.running {
            self.cancel((*job).into());
        }
        if !acted.running.is_empty() {
            self.notifier.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_is_long_after_others_were_faster_twice() {
        let acted = |acted| Acted { acted, wait: Some(Duration::ZERO), ..Acted::default() };
        let mut late = 0;
        let pauses = [true, false, true, false, false, false].map(|done| pause(&mut late, &acted(done)));
        assert_eq!((pauses[0], pauses[2], pauses[4]), (Duration::ZERO, Duration::ZERO, IDLE));
        assert!([1, 3, 5].into_iter().all(|short| pauses[short] < Duration::from_secs(1)), "{pauses:?}");
    }
}
