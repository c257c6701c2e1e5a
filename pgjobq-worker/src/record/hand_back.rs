//! Hands back, when the worker ends, the jobs of attempts that could not be stopped or whose results were refused.

use std::sync::Arc;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{LeaseUse, chain};

use super::finish::finish;
use super::unrecorded::Unrecorded;
use crate::attempt::decide::stopped;
use crate::leases::Lease;
use crate::runtime::Runtime;

/// Hands back every job of a lease that is left, and closes the lease. A job that must not run twice is dead.
///
/// If the database refuses all of them together, each is handed back alone. The lease of refused jobs stays, and another worker
/// reaps it as that of a crashed one.
pub(crate) async fn hand_back(runtime: &Arc<Runtime>, lease: &Arc<Lease>) -> Result<(), DatabaseError> {
    let mut results: Vec<_> = lease
        .jobs
        .iter()
        .map(|job| Unrecorded::new(lease.hold(*job), Arc::clone(lease), stopped(job.at_most_once)))
        .collect();
    results.sort_unstable_by_key(|result| result.job()); // The order in which jobs are locked.
    let closing = [LeaseUse { key: lease.key, close: true }];
    let Err(error) = finish(runtime, &closing, &results).await else { return Ok(()) };
    if results.len() == 1 || !error.is_refusal() {
        return Err(error);
    }
    tracing::debug!(error = chain(&error), "a lease was not handed back; trying each of its jobs");
    let kept = [LeaseUse { key: lease.key, close: false }];
    let mut refused = None;
    for result in results.chunks(1) {
        if let Err(error) = finish(runtime, &kept, result).await {
            refused = Some(error);
        }
    }
    refused.map_or(Ok(()), Err)
}
