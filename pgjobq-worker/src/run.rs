//! One attempt: run the job function, see how it ends, decide, and hand the decision on.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use pgjobq_core::JobContext;
use pgjobq_core::__private::{Attempt, ClaimedJob, Decision, JobDescriptor};
use tokio::time::timeout;
use tracing::Instrument;

use crate::decide::{Circumstances, End, decide};
use crate::finisher::Result as Unrecorded;
use crate::leases::Lease;
use crate::runtime::{QueueSlots, Runtime};

/// A claimed job, on its way through this worker.
pub(crate) struct Running {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) job: ClaimedJob,
    pub(crate) lease: Arc<Lease>,
    pub(crate) slot: Slot,
}

/// The right to run one job, given back when it is dropped: also when the attempt's task is.
pub(crate) struct Slot {
    runtime: Arc<Runtime>,
    queue: Arc<QueueSlots>,
    suspect: bool,
}

impl Slot {
    /// A slot that has been taken.
    pub(crate) fn new(runtime: &Arc<Runtime>, queue: &Arc<QueueSlots>, suspect: bool) -> Self {
        Self { runtime: Arc::clone(runtime), queue: Arc::clone(queue), suspect }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.queue.free(1);
        if self.suspect {
            self.runtime.suspect_runs.store(false, Ordering::Release);
        }
        self.runtime.events.claim.notify_one();
    }
}

impl Running {
    /// Runs the attempt. The slot is free when the handler has ended, before the result is recorded.
    pub(crate) async fn run(self) {
        let Self { runtime, job, lease, slot } = self;
        let decision = match runtime.registry.get(&job.kind) {
            Some(handler) => {
                let span = tracing::info_span!("job", job.id = %job.id, job.kind = handler.kind, queue = &*slot.queue.name,
                    attempt = job.attempts + 1);
                let end = attempt(&runtime, handler, &job, &lease, &slot.queue.name).instrument(span).await;
                end.map(|end| decided(&runtime, handler, &job, &lease, end))
            }
            // A claim asks for known kinds only; a wrong answer is given back.
            None => Some(Decision::Return),
        };
        if let Some(decision) = decision {
            runtime.send(Unrecorded { lease, id: job.id, ticket: job.ticket, decision });
        }
        drop(slot);
    }
}

/// How the attempt ended, or nothing when its lease was lost: then others have the job, and nothing is to be said of it.
async fn attempt(
    runtime: &Arc<Runtime>,
    handler: &'static JobDescriptor,
    job: &ClaimedJob,
    lease: &Lease,
    queue: &Arc<str>,
) -> Option<End> {
    let context = JobContext::new(Attempt {
        job: job.id,
        kind: handler.kind,
        queue: Arc::clone(queue),
        number: job.attempts.unsigned_abs() + 1,
        failures: u32::from(job.failures.unsigned_abs()),
        stop: lease.stop.clone(),
        lease_lost: lease.lost.clone(),
        states: Arc::clone(&runtime.states),
    });
    let run = AssertUnwindSafe(handler.handler.run(context, &job.args)).catch_unwind();
    tokio::select! {
        biased;
        ended = timeout(handler.policy.timeout, run) => Some(match ended {
            Ok(Ok(returned)) => End::Returned(returned),
            Ok(Err(panic)) => End::Panicked(panic_text(&*panic)),
            Err(_) => End::TimedOut,
        }),
        // A job that has lost its lease hears of it, and has a while to stop by itself.
        () = lost_for_a_while(lease) => None,
        () = runtime.stages.drop_attempts.cancelled() => Some(End::Stopped),
    }
}

/// How long an attempt may go on that has lost its lease. Nothing that it says counts any more.
const AFTER_LOSS: std::time::Duration = std::time::Duration::from_secs(5);

async fn lost_for_a_while(lease: &Lease) {
    lease.lost.cancelled().await;
    tokio::time::sleep(AFTER_LOSS).await;
}

fn decided(runtime: &Runtime, handler: &'static JobDescriptor, job: &ClaimedJob, lease: &Lease, end: End) -> Decision {
    let about = Circumstances {
        policy: &handler.policy,
        failures: u32::from(job.failures.unsigned_abs()),
        retries: u32::from(job.retries.unsigned_abs()),
        at_most_once: job.crash_budget == 0,
        keep_dead: runtime.config.keep_dead,
        stopping: lease.stop.is_cancelled(),
        chance: fastrand::f64(),
    };
    let decision = decide(end, about);
    match &decision {
        Decision::Bury { reason, message, .. } => {
            tracing::warn!(job.id = %job.id, job.kind = handler.kind, reason, message, "a job is dead");
        }
        Decision::Retry { reason, message, delay } => {
            tracing::info!(job.id = %job.id, job.kind = handler.kind, reason, message, ?delay, "an attempt failed");
        }
        _ => {}
    }
    decision
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("(with something that is no text)"))
}
