//! The steps that an attempt adds to its workflow, from their numbers to the statement that records its completion.

use std::sync::Arc;

use pgjobq_core::worker_api::{ClaimedJob, Decision, Grown, JobDescriptor, MOST_STEPS, Plan, chain};
use pgjobq_core::{FailureReason, JobContext};

use super::decide::{stopped, text};
use crate::leases::Lease;
use crate::pause::Pause;
use crate::runtime::Runtime;

/// Returns whether a job may add steps.
pub(super) fn may_grow(job: &ClaimedJob, handler: &JobDescriptor) -> bool {
    job.meta.workflow.is_some() && !handler.policy.transactional
}

/// Reserves numbers for the steps, and checks them. Returns another decision about the job if they cannot be added.
pub(super) async fn plan(
    runtime: &Arc<Runtime>,
    context: &JobContext,
    lease: &Lease,
    at_most_once: bool,
    grown: Grown,
) -> Result<Box<Plan>, Decision> {
    let count = grown.count();
    if count > MOST_STEPS {
        return Err(bury(&format!(
            "it adds {count} steps to its workflow, more than the limit of {MOST_STEPS}"
        )));
    }
    let reserved = tokio::select! {
        reserved = reserve(runtime, lease, &grown) => reserved,
        () = lease.stop.cancelled() => return Err(stopped(at_most_once)),
    };
    let first = reserved.ok_or_else(|| bury("it adds steps to a workflow that is not there"))?;
    grown.plan(context, first).map(Box::new).map_err(|error| bury(&chain(&error)))
}

/// Reserves numbers for the steps, until the database answers. Returns the first, and `None` if there is no such workflow.
async fn reserve(runtime: &Arc<Runtime>, lease: &Lease, grown: &Grown) -> Option<u32> {
    let (shard, mut pause) = (lease.key.lane.shard, Pause::new());
    loop {
        let reserved = runtime.store.reserve_steps(shard, grown.workflow().as_uuid(), grown.count() as i32);
        match reserved.await {
            Ok(first) => return first.map(i32::unsigned_abs),
            Err(error) => {
                tracing::debug!(
                    error = chain(&error),
                    "numbers for new steps were not reserved; trying again"
                );
            }
        }
        tokio::time::sleep(pause.after_error()).await;
    }
}

fn bury(message: &str) -> Decision {
    Decision::Bury { reason: FailureReason::Fatal, message: text(message) }
}
