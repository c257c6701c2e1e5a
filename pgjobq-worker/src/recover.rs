//! Returns the jobs of a claim whose answer was lost, at once: the worker knows the id of the lease.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::__private::Lane;

use crate::runtime::Runtime;
use crate::setup::chain;

/// How soon it is asked for again, at first: the server may still be about to carry out the claim.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long it is asked for during a shutdown: as long as a claim may wait for its lane, and a little more.
const DRAINING_FOR: Duration = Duration::from_secs(2);

/// Asks for the leases of a claim until they are found and returned, or the claim can no longer be on its way. Should they
/// appear later still, a heartbeat finds and returns them.
pub(crate) async fn return_claim(runtime: Arc<Runtime>, lane: Lane, worker: i64, lease: i64) {
    let (begun, mut pause) = (Instant::now(), AGAIN_AFTER);
    loop {
        match runtime.store.return_claim(lane, worker, lease).await {
            Ok(0) => {}
            Ok(jobs) => {
                tracing::info!(lease, jobs, "returned the jobs of a claim whose answer was lost");
                runtime.arrivals.note(&[lane.queue]);
                runtime.events.claim.notify_one();
                break;
            }
            Err(error) => {
                tracing::debug!(lease, error = chain(&error), "a lost claim was not returned; trying again");
            }
        }
        let draining = runtime.stages.drain.is_cancelled();
        let most = if draining { DRAINING_FOR } else { runtime.config.claim_timeout };
        if begun.elapsed() > most || runtime.stages.end.is_cancelled() {
            break;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    runtime.leases.end_claim(lease, &[]);
}
