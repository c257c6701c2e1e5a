//! Returns the jobs of a claim whose answer was lost, at once: the worker knows the id of the lease.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::worker_api::{ClaimId, Returned, chain};

use crate::pause::Pause;
use crate::runtime::Runtime;

/// The longest pause between two tries: the server may still be about to execute the claim.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// The timeout while the worker drains: the time that it waits for claims in flight, and a little longer than a claim may wait
/// for its lane.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// Tries to return the leases of a claim until they are found, or until the claim can no longer be in flight. If they appear
/// later still, a heartbeat returns them.
pub(crate) async fn return_claim(runtime: Arc<Runtime>, claim: ClaimId) {
    let drained = async {
        runtime.stages.drain.cancelled().await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        () = drained => {}
        () = tokio::time::sleep(runtime.config.claim_timeout) => {}
        () = runtime.stages.end.cancelled() => {}
        () = return_when_found(&runtime, claim) => {}
    }
    runtime.leases.end_claim(claim.lease, &[]);
}

async fn return_when_found(runtime: &Runtime, claim: ClaimId) {
    let lease = claim.lease.0;
    let mut pause = Pause::up_to(LONGEST_PAUSE);
    loop {
        match runtime.store.return_claim(claim).await {
            Ok(Returned { jobs: 0, .. }) => {}
            Ok(Returned { jobs, cancelled }) => {
                tracing::info!(lease, jobs, "returned the jobs of a claim whose answer was lost");
                runtime.work_returned(&[claim.lane.queue]);
                runtime.ended_jobs(&cancelled);
                return;
            }
            Err(error) => {
                tracing::debug!(lease, error = chain(&error), "a lost claim was not returned; trying again");
            }
        }
        tokio::time::sleep(pause.after_error()).await;
    }
}
