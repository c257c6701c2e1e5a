//! The task of a slot: one attempt after the other, or one call for several jobs, as long as jobs wait in the worker.

use std::sync::Arc;

use tokio::task::coop::consume_budget;

use super::call;
use super::execution::Execution;
use crate::claim::prefetch::PrefetchedJob;
use crate::claim::quarantine::QuarantinePlace;
use crate::runtime::Runtime;
use crate::served_queue::Turn;
use crate::slots::Slots;

/// Begins what is to begin in a slot.
pub(crate) fn spawn(runtime: &Arc<Runtime>, slot: Slots, turn: Turn) {
    match turn {
        Turn::Job(job) => spawn_attempt(runtime, attempt(runtime, slot, job)),
        Turn::Call(jobs) => spawn_call(runtime, slot, jobs, None),
    }
}

/// Begins a call in its slot.
pub(crate) fn spawn_call(
    runtime: &Arc<Runtime>,
    slot: Slots,
    jobs: Vec<PrefetchedJob>,
    quarantined: Option<QuarantinePlace>,
) {
    runtime.attempts.spawn(run_call(Arc::clone(runtime), slot, jobs, quarantined));
}

/// Begins an attempt in its slot.
pub(crate) fn spawn_attempt(runtime: &Arc<Runtime>, attempt: Execution) {
    runtime.attempts.spawn(run_attempts(Arc::clone(runtime), attempt));
}

fn attempt(runtime: &Arc<Runtime>, slot: Slots, job: PrefetchedJob) -> Execution {
    Execution::new(runtime, job.job, job.lease, slot, None, None)
}

/// Runs an attempt, and then, in the same slot, what waits in the queue.
async fn run_attempts(runtime: Arc<Runtime>, mut running: Execution) {
    loop {
        running.run().await;
        match running.pass_on() {
            None => return,
            Some((slot, Turn::Job(job))) => running = attempt(&runtime, slot, job),
            Some((slot, call)) => return spawn(&runtime, slot, call),
        }
        consume_budget().await; // Jobs that never await would otherwise keep a thread of the runtime.
    }
}

/// Runs a call, and then, in the same slot, what waits in the queue.
async fn run_call(
    runtime: Arc<Runtime>,
    slot: Slots,
    jobs: Vec<PrefetchedJob>,
    quarantined: Option<QuarantinePlace>,
) {
    let slot = call::run(&runtime, slot, jobs, quarantined).await;
    if let Some((slot, turn)) = slot.pass_on() {
        spawn(&runtime, slot, turn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// Each running job holds this memory, and it is moved when the task is spawned. Rare and large parts are boxed.
    #[test]
    fn task_of_an_attempt_is_small() {
        let size = size_of_future(run_attempts);
        assert!(size <= 2100, "the task of an attempt takes {size} bytes");
    }
}
