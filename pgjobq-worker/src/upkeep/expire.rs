//! Expires jobs that were not started in time, each at its time. Every worker does this for all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use uuid::Uuid;

use super::Upkeep;
use super::due::Due;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The largest number of jobs in one transaction, which locks the lanes of those jobs.
const EXPIRE_BATCH_SIZE: i32 = 500;
/// The shortest pause between two rounds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Ends jobs that were not started in time.
pub(crate) struct Expirer {
    runtime: Arc<Runtime>,
    due: Due,
}

impl Expirer {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        let due = Due::new(runtime.store.shards(), Instant::now());
        Self { runtime, due }
    }

    /// Expires the jobs that are due: one look at all shards, and statements only for those that have any. Returns when the next
    /// job expires.
    async fn expire(&mut self) -> Result<Option<Instant>, DatabaseError> {
        let store = &self.runtime.store;
        let mut round = self.due.round(Instant::now());
        let found = store.find_expiring(&round.places).await?;
        let mut soonest = found.next_due.map(|due| Instant::now() + due);
        for (shard, from) in round.with_work(&found) {
            let mut after = Some((*from, Uuid::nil()));
            while let Some(place) = after {
                let expired = store.expire(*shard, place, EXPIRE_BATCH_SIZE).await?;
                self.runtime.ended_jobs(&expired.jobs);
                let next = expired.next_due.map(|due| Instant::now() + due);
                soonest = [soonest, next].into_iter().flatten().min();
                after = expired.scanned_to;
                *from = expired.looked;
            }
        }
        self.due.looked(round, Instant::now());
        Ok(soonest)
    }
}

impl Upkeep for Expirer {
    const ACTIVITY: &'static str = "expiring";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let next_due = self.expire().await?;
        let poll = jittered(self.runtime.config.poll_interval);
        let until_due = next_due.map(|due| due.saturating_duration_since(Instant::now()).max(SHORTEST_PAUSE));
        Ok(until_due.map_or(poll, |due| due.min(poll)))
    }
}
