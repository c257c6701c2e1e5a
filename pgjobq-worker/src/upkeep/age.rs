//! Raises jobs that have waited for long at their priority, in the queues of this worker that have ageing.
//!
//! It sends nothing unless one of them has.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::chain;

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
        let Runtime { store, queues, config, .. } = &*self.0;
        let mut pause = IDLE;
        for queue in queues.iter().filter(|queue| queue.ages()) {
            for shard in store.shards() {
                let wait = match store.age_jobs(shard, queue.id()).await {
                    Ok(Some(wait)) => wait.max(SHORTEST),
                    // Its ageing was turned off, and may be on again before this worker looks at its settings.
                    Ok(None) => config.heartbeat,
                    Err(error) => {
                        let (queue, activity) = (&*queue.name, Self::ACTIVITY);
                        tracing::debug!(queue, error = chain(&error), "{activity} failed; trying again");
                        config.heartbeat
                    }
                };
                pause = pause.min(jittered(wait));
            }
        }
        Ok(pause)
    }

    async fn woken(&mut self) {
        self.0.events.age.notified().await;
    }
}
