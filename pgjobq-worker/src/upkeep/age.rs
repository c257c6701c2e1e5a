//! Raises jobs that have waited for long at their priority, in the queues of this worker that have ageing.
//!
//! It sends nothing unless one of them has.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The pause if no queue has ageing.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// The shortest pause.
const SHORTEST: Duration = Duration::from_millis(5);

/// Raises waiting jobs.
pub(crate) struct Ager(pub(crate) Arc<Runtime>);

impl Upkeep for Ager {
    const ACTIVITY: &'static str = "raising jobs that have waited for long";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let store = &self.0.store;
        let mut pause = IDLE;
        for queue in self.0.queues.iter().filter(|queue| queue.ages()) {
            for shard in store.shards() {
                if let Some(wait) = store.age_jobs(shard, queue.id()).await? {
                    pause = pause.min(jittered(wait).max(SHORTEST));
                }
            }
        }
        Ok(pause)
    }

    async fn woken(&mut self) {
        self.0.events.age.notified().await;
    }
}
