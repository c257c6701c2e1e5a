//! A job that completes itself in a transaction of its own. The worker knows that it has, or has to find out.

use std::sync::Arc;

use pgjobq_core::__private::{ClaimedJob, Decision, Ended, LeaseUse};
use pgjobq_core::JobError;

use crate::decide::End;
use crate::leases::Lease;
use crate::pause::Pause;
use crate::runtime::Runtime;
use crate::setup::chain;

/// What the end of an attempt means whose transaction is not known to have committed: if it has, nothing; else it has failed,
/// for what it wrote is lost.
pub(crate) fn unless_committed(end: End) -> End {
    match end {
        End::Returned(Ok(_)) => {
            End::Returned(Err(JobError::from("it completed in a transaction that was not committed")))
        }
        end => end,
    }
}

/// Finds out, by recording the decision by itself: where the transaction has committed the job is gone, and this changes
/// nothing, and the job has completed; or others have it. Gives the decision where it counts. It is not in one batch with others, because it waits for the transaction
/// should that be still open.
pub(crate) async fn find_out(
    runtime: &Arc<Runtime>,
    job: &ClaimedJob,
    lease: &Arc<Lease>,
    decision: Decision,
) -> Option<Decision> {
    let leases = [LeaseUse { key: lease.key, close: false }];
    let mut ended = [Ended { lease: 0, id: job.id, ticket: job.ticket, decision }];
    let shard = lease.key.lane.shard;
    let mut pause = Pause::new();
    while !runtime.stages.end.is_cancelled() {
        match runtime.store.finish(shard, lease.worker, &runtime.config.name, &leases, &ended).await {
            Ok(finished) => {
                let id = job.id.as_uuid();
                let counts = finished.stale.is_empty();
                if counts && matches!(ended[0].decision, Decision::Bury { .. }) {
                    runtime.alert(shard, vec![id]);
                } else if finished.waited && (!counts || !finished.cancelled.is_empty()) {
                    runtime.notifier.ended(&[id]);
                }
                return counts.then(|| std::mem::replace(&mut ended[0].decision, Decision::Settled));
            }
            Err(error) if error.is_transient() => tokio::time::sleep(pause.after_error()).await,
            Err(error) => {
                tracing::error!(job.id = %job.id, error = chain(&error), "how a job ended cannot be recorded; it runs again");
                break;
            }
        }
    }
    None
}
