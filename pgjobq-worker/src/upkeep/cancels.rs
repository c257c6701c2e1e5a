//! Acts on requests to cancel jobs: ends those that wait, and tells those that run here. Every worker looks at all requests,
//! when it is notified of one, and with each heartbeat.

use std::sync::Arc;

use pgjobq_core::__private::Signal;
use pgjobq_core::DatabaseError;
use tokio::sync::broadcast::error::RecvError;

use crate::pause::{Pause, jittered};
use crate::runtime::Runtime;
use crate::setup::chain;

/// How many requests one transaction acts on. Each holds the lanes of its jobs.
const BATCH: i32 = 500;

/// Acts on requests to cancel until the worker ends.
pub(crate) async fn cancel_for_ever(runtime: Arc<Runtime>) {
    let mut signals = runtime.client.signals();
    let mut pause = Pause::new();
    loop {
        let wait = match act(&runtime).await {
            Ok(()) => {
                pause.reset();
                jittered(runtime.config.heartbeat)
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), "acting on requests to cancel failed; trying again");
                pause.after_error()
            }
        };
        let asked = async {
            loop {
                match signals.recv().await {
                    Ok(Signal::Cancel | Signal::Anything) | Err(RecvError::Lagged(_)) => return,
                    Ok(_) => {}
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = asked => signals = signals.resubscribe(), // What was asked by now is all looked at together.
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn act(runtime: &Runtime) -> Result<(), DatabaseError> {
    for shard in runtime.store.shards_with_cancels().await? {
        let mut after = None;
        loop {
            let acted = runtime.store.act_on_cancels(shard, after, BATCH).await?;
            runtime.notifier.ended(&acted.cancelled);
            for job in acted.running {
                runtime.in_flight.cancel(job.into());
            }
            after = acted.reach;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(())
}
