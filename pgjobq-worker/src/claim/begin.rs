//! Starts the attempts of claimed jobs, each in its slot.

use std::sync::Arc;

use pgjobq_core::__private::{ClaimedJob, Decision, Lane, LeaseKey, PRIORITIES, Places};

use crate::attempt::execution::{Execution, Slot};
use crate::claim::quarantine::QuarantinePlace;
use crate::leases::{HeldJob, Lease};
use crate::record::batch::Unrecorded;
use crate::runtime::{QueueSlots, Runtime};

/// A claim that was carried out, and the slots that were taken for its jobs.
pub(crate) struct Batch<'b> {
    pub(crate) lane: Lane,
    pub(crate) slots: &'b Arc<QueueSlots>,
    pub(crate) worker: i64,
    pub(crate) lease: i64,
    pub(crate) quarantined: bool,
    /// For its transactional jobs.
    pub(crate) places: Option<Places>,
}

/// Starts the claimed jobs, or returns them if the worker has begun to drain.
pub(crate) fn begin(runtime: &Arc<Runtime>, mut batch: Batch<'_>, jobs: Vec<ClaimedJob>) {
    let leases = hold(runtime, batch.lane, batch.worker, batch.lease, &jobs);
    let draining = runtime.stages.drain.is_cancelled();
    for job in jobs {
        let slot = Slot::new(runtime, batch.slots);
        let quarantined = batch.quarantined.then(|| QuarantinePlace::new(runtime));
        let Some(lease) = leases.iter().find(|lease| lease.key.priority == job.priority) else { continue };
        let lease = Arc::clone(lease);
        if draining {
            let result = Unrecorded::new(lease, job.id, job.ticket, Decision::Return);
            runtime.send(Unrecorded { quarantined, ..result });
            continue;
        }
        let transactional = runtime.kinds.transactional.contains(&job.kind.as_str());
        let place = batch.places.as_mut().filter(|_| transactional).and_then(Places::split_one);
        runtime.attempts.spawn(Execution::new(runtime, job, lease, slot, place, quarantined).run());
    }
}

/// Takes note of the leases that a claim has made: one for each priority of which it got jobs.
fn hold(runtime: &Runtime, lane: Lane, worker: i64, id: i64, jobs: &[ClaimedJob]) -> Vec<Arc<Lease>> {
    let mut leases = Vec::new();
    for priority in (0..PRIORITIES as i16).rev() {
        let of_it: Vec<_> = jobs.iter().filter(|job| job.priority == priority).map(held).collect();
        if let Some(hi) = of_it.iter().map(|job| job.ticket).max() {
            let key = LeaseKey { lane, priority, hi, id };
            let stop = runtime.stages.stop_attempts.child_token();
            leases.push(Arc::new(Lease::new(key, worker, of_it, stop)));
        }
    }
    runtime.leases.end_claim(id, &leases);
    leases
}

fn held(job: &ClaimedJob) -> HeldJob {
    HeldJob { id: job.id, ticket: job.ticket, at_most_once: job.crash_budget == 0 }
}
