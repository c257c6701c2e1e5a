//! One call of a job function with `batch`: an attempt for each of its jobs, and the function for all of them.
//!
//! Each attempt has what any other has: its lease, its context, its timeout, its span, and its end, which is recorded by itself. In place
//! of the job function it waits for the end that the call gives its job. The call is dropped when no attempt waits any more because all
//! have timed out, or were stopped; and at the end of a shutdown.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use pgjobq_core::worker_api::{
    Current, ItemEnd, JobDescriptor, QueueSlots, RawItem, Settler, Unsettled, as_current,
};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::blocking::watched;
use super::execution::Execution;
use super::panic::panic_message;
use super::part::Part;
use super::span;
use crate::claim::prefetch::PrefetchedJob;
use crate::claim::quarantine::QuarantinePlace;
use crate::runtime::Runtime;
use crate::slots::Slots;

/// Runs a call, and returns its slot. The attempts of its jobs may end before or after it. A quarantined job has a call of its own.
pub(super) async fn run(
    runtime: &Arc<Runtime>,
    slot: Slots,
    jobs: Vec<PrefetchedJob>,
    quarantined: Option<QuarantinePlace>,
) -> Slots {
    let Some(kind) = jobs.first().and_then(|job| job.batch) else { return slot }; // All were cancelled.
    let _running = slot.queue().begin_call();
    let unsettled = Arc::default();
    let items = begin(runtime, &slot, jobs, quarantined, &unsettled).await;
    let settlers: Vec<Settler> = items.iter().map(|item| item.settler.clone()).collect();
    let ended = AssertUnwindSafe(call(runtime, kind, &slot, items, &unsettled)).catch_unwind().await;
    match ended {
        Ok(Some(())) => {}
        Ok(None) => settlers.iter().for_each(|settler| settler.settle(ItemEnd::TimedOut)),
        Err(panic) => {
            let message = panic_message(panic);
            settlers.iter().for_each(|settler| settler.settle(ItemEnd::Panicked(Box::new(message.clone()))));
        }
    }
    slot
}

/// Begins the attempts, and returns the items of those that have begun, in the order in which the jobs waited.
async fn begin(
    runtime: &Arc<Runtime>,
    slot: &Slots,
    jobs: Vec<PrefetchedJob>,
    mut quarantined: Option<QuarantinePlace>,
    unsettled: &Arc<Unsettled>,
) -> Vec<RawItem> {
    let (sender, mut begun) = mpsc::unbounded_channel();
    // All of them before the first attempt, with whose end the call would else be abandoned.
    let parts: Vec<Part> = (0..jobs.len()).map(|place| Part::new(place, unsettled, &sender)).collect();
    drop(sender);
    for (part, PrefetchedJob { job, lease, .. }) in parts.into_iter().zip(jobs) {
        let slot = Slots::none(slot.queue());
        let mut attempt = Execution::new(runtime, job, lease, slot, None, quarantined.take()).in_call(part);
        runtime.attempts.spawn(async move { attempt.run().await });
    }
    let mut items = Vec::new();
    while let Some(item) = begun.recv().await {
        items.push(item);
    }
    items.sort_unstable_by_key(|item: &RawItem| item.place);
    items
}

/// Calls the job function. Returns `None` if it has timed out.
async fn call(
    runtime: &Runtime,
    kind: &'static JobDescriptor,
    slot: &Slots,
    items: Vec<RawItem>,
    unsettled: &Unsettled,
) -> Option<()> {
    let (first, handler) = (items.first()?, kind.batch?);
    let queue = slot.queue();
    let current = Current {
        job: first.context.id(),
        kind: kind.kind,
        queue: Arc::clone(&queue.name),
        slots: Arc::clone(queue) as Arc<dyn QueueSlots>,
    };
    let span = span::of_call(kind, &queue.name, items.len());
    let function = as_current(current, handler.run(items)).instrument(span);
    tokio::select! {
        biased;
        ended = watched(kind.policy.timeout, function) => ended.ok(),
        () = unsettled.all_abandoned() => Some(()),
        () = runtime.stages.drop_attempts.cancelled() => Some(()), // All items have ended, and the function goes on.
    }
}
