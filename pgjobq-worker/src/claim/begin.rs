//! Begins the attempts of claimed jobs, each in its slot. Jobs without a slot wait for one, if they may.

use std::sync::Arc;
use std::time::Instant;

use pgjobq_core::observe::Event;
use pgjobq_core::worker_api::{ClaimId, ClaimedJob, LeaseKey, PRIORITIES, Places};

use super::prefetch::PrefetchedJob;
use super::quarantine::QuarantinePlace;
use crate::attempt::execution::Execution;
use crate::attempt::turn;
use crate::leases::Lease;
use crate::record::unrecorded::Unrecorded;
use crate::runtime::Runtime;
use crate::slots::Slots;

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
    observe(runtime, &jobs, &reserved.slots.queue().name);
    let (now, is_draining) = (Instant::now(), runtime.stages.drain.is_cancelled());
    let is_quarantined = !reserved.quarantined.is_empty();
    let mut prefetched = Vec::with_capacity(jobs.len());
    let mut has_unprefetchable = false;
    for (job, lease) in hold(runtime, claim, jobs) {
        let batch = runtime.batch_of(&job);
        let job = PrefetchedJob::new(job, lease, batch, now);
        if is_draining {
            let quarantined = reserved.quarantined.pop();
            runtime.recorders.send(Unrecorded { quarantined, ..job.returned() });
        } else if is_quarantined || job.job.args.is_none() {
            begin_at_once(runtime, job, &mut reserved);
        } else if may_wait(runtime, &job) {
            prefetched.push(job);
        } else {
            has_unprefetchable = true;
            begin_at_once(runtime, job, &mut reserved);
        }
    }
    if has_unprefetchable {
        reserved.slots.queue().occupancy().met_unprefetchable(now);
    }
    begin_prefetched(runtime, reserved.slots, prefetched);
}

/// Notifies observers which jobs were claimed.
fn observe(runtime: &Runtime, jobs: &[ClaimedJob], queue: &Arc<str>) {
    if jobs.is_empty() {
        return;
    }
    runtime.client.observers().emit(|events| {
        events.push(Event::claim(jobs.len()));
        events.extend(jobs.iter().filter_map(|job| {
            let kind = runtime.registry.get(&job.kind)?.kind;
            Some(Event::claimed(job.id, kind, queue, job.attempts.unsigned_abs() + 1))
        }));
    });
}

/// Begins these jobs and those that wait already, in their order, as long as a slot is free. The others wait for one.
pub(super) fn begin_prefetched(runtime: &Arc<Runtime>, slots: Slots, jobs: Vec<PrefetchedJob>) {
    for (slot, next) in slots.begin(jobs) {
        turn::spawn(runtime, slot, next);
    }
}

/// Returns whether a job may wait, for a slot or for others: a crash of this worker must not bury it meanwhile, it occupies nothing else,
/// and its start was not counted. A job with `batch` waits all the same after its start was counted, because a call without others
/// would not be worth its slot.
fn may_wait(runtime: &Runtime, PrefetchedJob { job, batch, .. }: &PrefetchedJob) -> bool {
    let may_be_late = !job.is_rated || batch.is_some();
    job.max_crashes > 0 && may_be_late && !runtime.kinds.transactional.contains(&job.kind.as_str())
}

/// Begins a job that must not wait for a slot. Returns it if none is left.
fn begin_at_once(runtime: &Arc<Runtime>, job: PrefetchedJob, reserved: &mut Reserved) {
    let quarantined = reserved.quarantined.pop();
    let Some(slot) = reserved.slots.split_one() else {
        return runtime.recorders.send(Unrecorded { quarantined, ..job.returned() });
    };
    if job.batch.is_some() {
        return turn::spawn_call(runtime, slot, vec![job], quarantined);
    }
    let PrefetchedJob { job, lease, .. } = job;
    let is_transactional = runtime.kinds.transactional.contains(&job.kind.as_str());
    let place = reserved.places.as_mut().filter(|_| is_transactional).and_then(Places::split_one);
    turn::spawn_attempt(runtime, Execution::new(runtime, job, lease, slot, place, quarantined));
}

/// Registers the leases that a claim has made, one for each priority of its jobs. Returns the jobs, each with its lease.
fn hold(runtime: &Runtime, claim: ClaimId, mut jobs: Vec<ClaimedJob>) -> Vec<(ClaimedJob, Arc<Lease>)> {
    let (mut held, mut leases) = (Vec::with_capacity(jobs.len()), Vec::new());
    for priority in (0..PRIORITIES as i16).rev() {
        let mut jobs: Vec<_> = jobs.extract_if(.., |job| job.priority == priority).collect();
        let Some(max_ticket) = jobs.iter().map(|job| job.ticket).max() else { continue };
        let key = LeaseKey { lane: claim.lane, priority, max_ticket, id: claim.lease };
        let stop = runtime.stages.stop_attempts.child_token();
        let lease = Arc::new(Lease::new(key, claim.worker, &mut jobs, stop));
        held.extend(jobs.into_iter().map(|job| (job, Arc::clone(&lease))));
        leases.push(lease);
    }
    runtime.leases.end_claim(claim.lease, &leases);
    held
}
