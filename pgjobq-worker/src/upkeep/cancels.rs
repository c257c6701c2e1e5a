//! Acts on requests to cancel jobs: ends waiting jobs, and asks attempts that run here to stop. Every worker looks at all requests,
//! when it is notified of one, and about as often as it sends heartbeats.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::Signal;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The largest number of requests in one transaction, which locks the lanes of their jobs.
const CANCEL_BATCH_SIZE: i32 = 500;

/// Acts on requests to cancel jobs.
pub(crate) struct Canceller {
    runtime: Arc<Runtime>,
    signals: broadcast::Receiver<Signal>,
}

impl Canceller {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        let signals = runtime.client.signals();
        Self { runtime, signals }
    }
}

impl Upkeep for Canceller {
    const ACTIVITY: &'static str = "acting on requests to cancel";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        let runtime = &self.runtime;
        for shard in runtime.store.shards_with_cancels().await? {
            let mut after = None;
            loop {
                let acted = runtime.store.act_on_cancels(shard, after, CANCEL_BATCH_SIZE).await?;
                runtime.notifier.ended(&acted.cancelled);
                for job in acted.running {
                    runtime.cancel(job.into());
                }
                after = acted.scanned_to;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(jittered(runtime.config.heartbeat))
    }

    async fn woken(&mut self) {
        loop {
            match self.signals.recv().await {
                Ok(Signal::Cancel | Signal::Anything) | Err(RecvError::Lagged(_)) => break,
                Ok(_) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
        self.signals = self.signals.resubscribe(); // The next round acts on every request that was notified by now.
    }
}
