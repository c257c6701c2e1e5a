//! Hands back, at the end of the worker, the jobs of attempts that were told to stop, or dropped.

use std::sync::Arc;

use pgjobq_core::__private::{Ended, LeaseUse, Store};
use pgjobq_core::DatabaseError;

use crate::attempt::decide::stopped;
use crate::leases::{HeldJob, Lease};
use crate::record::batch::follow_up;
use crate::runtime::Runtime;
use crate::setup::chain;

/// Hands back jobs of a lease, and closes it if they are all that is left of it. One that must not run twice is dead.
///
/// If the database refuses that for all of them together, each is handed back alone, and the lease of those that it refuses
/// stays: another worker takes them back as crashed.
pub(crate) async fn hand_back(
    runtime: &Arc<Runtime>,
    store: &Store,
    lease: &Lease,
    jobs: &[HeldJob],
) -> Result<(), DatabaseError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let stop = |job: &HeldJob| {
        let decision = stopped(job.at_most_once);
        Ended { lease: 0, id: job.id, ticket: job.ticket, decision }
    };
    let mut ended: Vec<_> = jobs.iter().map(stop).collect();
    ended.sort_unstable_by_key(|end| end.id); // The order in which jobs are locked.
    let close = jobs.len() == lease.jobs.len();
    let Err(error) = send(runtime, store, lease, &ended, close).await else { return Ok(()) };
    if ended.len() == 1 || !error.is_refusal() {
        return Err(error);
    }
    tracing::debug!(error = chain(&error), "a lease was not handed back; trying each of its jobs");
    let mut refused = None;
    for end in ended.chunks(1) {
        if let Err(error) = send(runtime, store, lease, end, false).await {
            refused = Some(error);
        }
    }
    refused.map_or(Ok(()), Err)
}

async fn send(
    runtime: &Arc<Runtime>,
    store: &Store,
    lease: &Lease,
    ended: &[Ended],
    close: bool,
) -> Result<(), DatabaseError> {
    let leases = [LeaseUse { key: lease.key, close }];
    let shard = lease.key.lane.shard;
    let finished = store.finish(shard, lease.worker, &runtime.storable_name(), &leases, ended).await?;
    let counts = |end: &&Ended| !finished.stale.contains(&end.id);
    follow_up(runtime, shard, ended.iter().filter(counts), &finished);
    Ok(())
}
