//! Looks for what follows from what others did, and does it: ends waiting jobs that were requested to be cancelled, and asks attempts
//! that run here to stop; settles unique jobs that have met another one; hands parents that have ended, and workflows in which
//! something is due, to the settler; and wakes the actor for actions on many jobs.
//!
//! Every worker looks at all shards in one statement, when it is notified, when it has ended jobs itself, and about as often as it
//! sends heartbeats.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{QueueId, SCHEDULED, Shard, Signal};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The largest number of requests in one transaction, which locks the lanes of their jobs.
const CANCEL_BATCH_SIZE: i32 = 500;
/// The largest number of unique jobs in one transaction, which locks the lanes of those that hold their keys.
const UNIQUE_BATCH_SIZE: i32 = 500;
/// The largest number of looks at them in a row. The next round looks again.
const MOST_UNIQUE_ROUNDS: u32 = 5;

/// Acts on what follows from what others did.
pub(crate) struct Follower {
    runtime: Arc<Runtime>,
    signals: broadcast::Receiver<Signal>,
}

impl Follower {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        let signals = runtime.client.signals();
        Self { runtime, signals }
    }

    /// Acts on the requests to cancel of a shard.
    async fn act_on_cancels(&self, shard: Shard) -> Result<(), DatabaseError> {
        let runtime = &self.runtime;
        let mut after = None;
        loop {
            let acted = runtime.store.act_on_cancels(shard, after, CANCEL_BATCH_SIZE).await?;
            runtime.ended_jobs(&acted.cancelled);
            for job in acted.running {
                runtime.cancel(job.into());
            }
            after = acted.scanned_to;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Settles the unique jobs of a shard that have met another one with their key.
    async fn settle_unique(&self, shard: Shard) -> Result<(), DatabaseError> {
        for _ in 0..MOST_UNIQUE_ROUNDS {
            let (mut after, mut again) = (None, false);
            loop {
                let settled = self.runtime.store.settle_unique(shard, after, UNIQUE_BATCH_SIZE).await?;
                self.runtime.work_may_start(&settled.queues);
                again |= settled.again;
                after = settled.scanned_to;
                if after.is_none() {
                    break;
                }
            }
            if !again {
                break;
            }
        }
        Ok(())
    }
}

impl Upkeep for Follower {
    const ACTIVITY: &'static str = "following up";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        for found in self.runtime.store.follow_ups().await? {
            if found.actions {
                self.runtime.events.act.notify_one();
            }
            if found.limited {
                self.runtime.admissions.sweep();
            }
            if found.unsettled {
                self.runtime.unsettled.note(found.shard);
            }
            if found.cancels {
                self.act_on_cancels(found.shard).await?;
            }
            if found.unique {
                self.settle_unique(found.shard).await?;
            }
        }
        Ok(jittered(self.runtime.config.heartbeat))
    }

    async fn woken(&mut self) {
        loop {
            let signal = tokio::select! {
                () = self.runtime.events.follow_up.notified() => break,
                signal = self.signals.recv() => signal,
            };
            match signal {
                Ok(Signal::Cancel | Signal::Edges | Signal::Unique | Signal::Anything)
                | Err(RecvError::Lagged(_)) => break,
                Ok(_) => {}
                Err(RecvError::Closed) => return self.runtime.events.follow_up.notified().await,
            }
        }
        self.signals = self.signals.resubscribe(); // The next round acts on everything that was notified by now.
    }
}

impl Runtime {
    /// Wakes workers for jobs of these queues that may start, and the promoter if [`SCHEDULED`] is among them.
    pub(crate) fn work_may_start(&self, queues: &[QueueId]) {
        if queues.contains(&SCHEDULED) {
            self.events.promote.notify_one();
        }
        if !queues.is_empty() {
            self.work_arrived(queues);
        }
    }

    /// Notifies those who wait for these jobs, which have ended, and wakes the look for children of theirs.
    pub(crate) fn ended_jobs(&self, jobs: &[uuid::Uuid]) {
        if !jobs.is_empty() {
            self.notify_ended(jobs);
            self.observe_ended(jobs);
            self.events.follow_up.notify_one();
        }
    }
}
