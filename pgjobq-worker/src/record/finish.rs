//! The statement that records ended attempts, and its consequences. Everything that a worker records goes this way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{Decision, Finished, LeaseUse, Shard};
use uuid::Uuid;

use super::observe::observe_without_attempts;
use super::unrecorded::Unrecorded;
use crate::runtime::Runtime;

/// Records results of one shard and one worker id in one statement. Then notifies waiters and idle workers, calls `on_dead` and wakes
/// the promoter and the settler.
pub(super) async fn finish(
    runtime: &Arc<Runtime>,
    leases: &[LeaseUse],
    results: &[Unrecorded],
) -> Result<Finished, DatabaseError> {
    let Some(first) = results.first() else { return Ok(Finished::default()) };
    let hold = first.ended.hold;
    let shard = hold.lease.lane.shard;
    if results.iter().all(Unrecorded::is_settled) && !leases.iter().any(|lease| lease.close) {
        free_permits(runtime, shard, results);
        return Ok(Finished::default());
    }
    let (store, name) = (&runtime.store, runtime.name.storable());
    let finished = match (results, &first.growth) {
        ([one], Some(growth)) => store.finish_growing(hold.worker, &name, leases, &one.ended, growth).await?,
        _ => store.finish(hold.worker, &name, leases, results.iter().map(|result| &result.ended)).await?,
    };
    free_permits(runtime, shard, results);
    notify(runtime, shard, results, &finished);
    observe_without_attempts(runtime, results, &finished);
    runtime.settled(&finished.settled);
    if finished.settled.more {
        runtime.unsettled.note(shard);
    }
    Ok(finished)
}

/// Notes the limits under which these jobs had permits, for others to get them. A job that is in line again keeps its own. They are
/// noted together, because the task that admits begins at once.
fn free_permits(runtime: &Runtime, shard: Shard, results: &[Unrecorded]) {
    let gave_back =
        |result: &&Unrecorded| !matches!(result.ended.decision, Decision::Return | Decision::Release);
    let limits = results.iter().filter(gave_back).flat_map(|result| result.lease.limits_of(result.job()));
    runtime.admissions.freed(shard, limits.cloned());
}

fn notify(runtime: &Arc<Runtime>, shard: Shard, results: &[Unrecorded], finished: &Finished) {
    let is_stale = |result: &Unrecorded| finished.stale.contains(&result.job());
    let recorded = || results.iter().filter(|result| result.was_sent() || !is_stale(result));
    let soonest = recorded().filter_map(|result| again_in(&result.ended.decision)).min();
    if soonest.is_some_and(|soonest| soonest < runtime.config.poll_interval) {
        runtime.events.promote.notify_one();
    }
    let returned =
        recorded().filter(|result| matches!(result.ended.decision, Decision::Return | Decision::Release));
    let queues: BTreeSet<_> = returned.map(|result| result.ended.hold.lease.lane.queue).collect();
    runtime.work_returned(&Vec::from_iter(queues));
    let is_dead = |result: &&Unrecorded| matches!(result.ended.decision, Decision::Bury { .. });
    runtime.notifier.room(&finished.room);
    runtime.alert(shard, recorded().filter(is_dead).map(|result| result.job().as_uuid()).collect());
    if finished.waited {
        let terminal = recorded().filter(|result| result.ended.decision.is_terminal());
        // The row of a job in doubt is gone if its transaction committed.
        let settled = results.iter().filter(|result| result.in_doubt && is_stale(result));
        let ids = terminal.chain(settled).map(|result| result.job());
        let ended: Vec<Uuid> = ids.chain(finished.cancelled.iter().copied()).map(|id| id.as_uuid()).collect();
        runtime.notify_ended(&ended);
    }
}

/// Returns the delay after which the job runs again, if the decision sets one.
fn again_in(decision: &Decision) -> Option<Duration> {
    match decision {
        Decision::Retry { delay, .. } | Decision::Snooze { delay } => Some(*delay),
        _ => None,
    }
}
