//! Returns the jobs of a claim whose answer was lost, at once: the worker knows the id of the lease.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::__private::Lane;

use crate::pause::Pause;
use crate::runtime::Runtime;
use crate::setup::chain;

/// The longest pause before it is asked for again: the server may still be about to carry out the claim.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How long it is asked for during a shutdown: as long as a claim may wait for its lane, and a little more.
const DRAINING_FOR: Duration = Duration::from_secs(2);

/// Asks for the leases of a claim until they are found and returned, or the claim can no longer be on its way. Should they
/// appear later still, a heartbeat finds and returns them.
pub(crate) async fn return_claim(runtime: Arc<Runtime>, lane: Lane, worker: i64, lease: i64) {
    let drained = async {
        runtime.stages.drain.cancelled().await;
        tokio::time::sleep(DRAINING_FOR).await;
    };
    tokio::select! {
        () = drained => {}
        () = tokio::time::sleep(runtime.config.claim_timeout) => {}
        () = runtime.stages.end.cancelled() => {}
        () = ask_for_it(&runtime, lane, worker, lease) => {}
    }
    runtime.leases.end_claim(lease, &[]);
}

async fn ask_for_it(runtime: &Runtime, lane: Lane, worker: i64, lease: i64) {
    let mut pause = Pause::up_to(LONGEST_PAUSE);
    loop {
        match runtime.store.return_claim(lane, worker, lease).await {
            Ok(0) => {}
            Ok(jobs) => {
                tracing::info!(lease, jobs, "returned the jobs of a claim whose answer was lost");
                runtime.arrivals.note(&[lane.queue]);
                runtime.events.claim.notify_one();
                return;
            }
            Err(error) => {
                tracing::debug!(lease, error = chain(&error), "a lost claim was not returned; trying again");
            }
        }
        tokio::time::sleep(pause.after_error()).await;
    }
}
