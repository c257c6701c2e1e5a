//! Does the batches of actions on all jobs that match a filter, one at a time, so that an action goes on if the program that asked
//! for it is gone. Every worker does this for all, and so does a client that waits for its action.
//!
//! It sends nothing unless there is an action: the look for follow-ups finds it.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{Acted, SCHEDULED};

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The pause without an action.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// The shortest pause if the batch that is due is in other hands.
const BUSY: Duration = Duration::from_millis(200);

/// Does actions on many jobs.
pub(crate) struct Actor(pub(crate) Arc<Runtime>);

impl Upkeep for Actor {
    const ACTIVITY: &'static str = "acting on many jobs";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let acted = self.0.store.act().await?;
        self.0.acted(&acted);
        Ok(match acted.wait {
            Some(wait) if acted.acted => wait,
            Some(wait) => wait.max(jittered(BUSY)),
            None => IDLE,
        })
    }

    async fn woken(&mut self) {
        self.0.events.act.notified().await;
    }

    fn first_pause(&self) -> Duration {
        IDLE
    }
}

impl Runtime {
    /// Passes on what a batch has changed: jobs that may start now, that have ended, or that must stop.
    fn acted(&self, acted: &Acted) {
        if acted.queues.contains(&SCHEDULED) {
            self.events.promote.notify_one();
        }
        if !acted.queues.is_empty() {
            self.work_arrived(&acted.queues);
        }
        self.ended_jobs(&acted.cancelled);
        for job in &acted.running {
            self.cancel((*job).into());
        }
        if !acted.running.is_empty() {
            self.notifier.cancel();
        }
    }
}
