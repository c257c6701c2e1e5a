//! Begins the attempts of claimed jobs, each in its slot.

use std::sync::Arc;

use pgjobq_core::worker_api::{ClaimId, ClaimedJob, Decision, LeaseKey, PRIORITIES, Places};

use super::quarantine::QuarantinePlace;
use crate::attempt::execution::Execution;
use crate::leases::{HeldJob, Lease};
use crate::record::unrecorded::Unrecorded;
use crate::runtime::Runtime;
use crate::served_queue::Slots;

/// The limited resources that claimed jobs occupy while they run.
pub(super) struct Reserved {
    pub(super) slots: Slots,
    /// For the transactions of transactional jobs.
    pub(super) places: Option<Places>,
    /// One for each job, if the jobs are quarantined.
    pub(super) quarantined: Vec<QuarantinePlace>,
}

/// Begins the attempts of claimed jobs, or returns the jobs if the worker drains.
pub(super) fn begin(runtime: &Arc<Runtime>, claim: ClaimId, jobs: Vec<ClaimedJob>, mut reserved: Reserved) {
    let is_draining = runtime.stages.drain.is_cancelled();
    for (job, lease) in hold(runtime, claim, jobs) {
        let slot = reserved.slots.split_one().expect("a claim returns at most one job for each slot");
        let quarantined = reserved.quarantined.pop();
        if is_draining {
            let result = Unrecorded::new(lease.hold(&job), lease, Decision::Return);
            runtime.recorders.send(Unrecorded { quarantined, ..result });
            continue;
        }
        let is_transactional = runtime.kinds.transactional.contains(&job.kind.as_str());
        let place = reserved.places.as_mut().filter(|_| is_transactional).and_then(Places::split_one);
        runtime.attempts.spawn(Execution::new(runtime, job, lease, slot, place, quarantined).run());
    }
}

/// Registers the leases that a claim has made, one for each priority of its jobs. Returns the jobs, each with its lease.
fn hold(runtime: &Runtime, claim: ClaimId, mut jobs: Vec<ClaimedJob>) -> Vec<(ClaimedJob, Arc<Lease>)> {
    let (mut held, mut leases) = (Vec::with_capacity(jobs.len()), Vec::new());
    for priority in (0..PRIORITIES as i16).rev() {
        let jobs: Vec<_> = jobs.extract_if(.., |job| job.priority == priority).collect();
        let Some(max_ticket) = jobs.iter().map(|job| job.ticket).max() else { continue };
        let key = LeaseKey { lane: claim.lane, priority, max_ticket, id: claim.lease };
        let stop = runtime.stages.stop_attempts.child_token();
        let lease = Arc::new(Lease::new(key, claim.worker, jobs.iter().map(HeldJob::from).collect(), stop));
        held.extend(jobs.into_iter().map(|job| (job, Arc::clone(&lease))));
        leases.push(lease);
    }
    runtime.leases.end_claim(claim.lease, &leases);
    held
}
