//! Settles parents that have ended: their children become ready, or are cancelled. A finish settles the steps that have few
//! children; this does the rest, and what a process that died has left.
//!
//! It sends nothing unless there is something to settle: a finish reports it, an attempt of this process has completed a step, or
//! the look for follow-ups has found something.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{Settled, Shard};

use super::Upkeep;
use crate::runtime::Runtime;

/// The largest number of children in one transaction.
const SETTLE_BATCH_SIZE: i32 = 1000;
/// The pause without anything to settle. The look for follow-ups finds what was missed.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// Settles parents that have ended.
pub(crate) struct Settler(pub(crate) Arc<Runtime>);

impl Settler {
    /// Settles one batch of steps, and one of edges. Returns whether more may be left.
    async fn settle(&self, shard: Shard) -> Result<bool, DatabaseError> {
        let store = &self.0.store;
        let tended = store.tend_workflows(shard, SETTLE_BATCH_SIZE).await?;
        self.0.settled(&tended.settled);
        if tended.cancelling {
            self.0.events.follow_up.notify_one();
        }
        if !tended.has_edges {
            return Ok(tended.settled.more);
        }
        let unconfirmed = store.confirm_edges(shard, SETTLE_BATCH_SIZE).await?;
        let edges = store.settle_edges(shard, SETTLE_BATCH_SIZE).await?;
        self.0.settled(&edges);
        self.0.observe_ended(&edges.ended);
        if !edges.ended.is_empty() {
            self.0.events.follow_up.notify_one(); // The children of a cancelled child may be on another shard.
        }
        Ok(tended.settled.more || unconfirmed || edges.more)
    }
}

impl Upkeep for Settler {
    const ACTIVITY: &'static str = "settling parents";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let unsettled = &self.0.unsettled;
        while let Some(shard) = unsettled.take() {
            match self.settle(shard).await {
                Ok(false) => {}
                Ok(true) => unsettled.put_back(shard),
                Err(error) => {
                    unsettled.put_back(shard);
                    return Err(error);
                }
            }
        }
        Ok(IDLE)
    }

    async fn woken(&mut self) {
        self.0.unsettled.noted().await;
    }

    fn first_pause(&self) -> Duration {
        IDLE
    }
}

impl Runtime {
    /// Wakes workers for children that became ready, and notifies those who wait for what has ended.
    pub(crate) fn settled(&self, settled: &Settled) {
        self.work_may_start(&settled.queues);
        self.notify_ended(&settled.ended);
    }
}
