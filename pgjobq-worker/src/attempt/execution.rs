//! One attempt: run the job function, see how it ends, decide, and hand the decision on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt;
use pgjobq_core::__private::{
    Attempt, ClaimedJob, Decision, Held, JobDescriptor, Places, Progress, Recording,
};
use pgjobq_core::JobContext;
use tokio::time::timeout;
use tracing::{Instrument, Span};

use crate::attempt::args;
use crate::attempt::decide::{Circumstances, End, decide};
use crate::attempt::in_doubt::{Found, find_out, unless_committed};
use crate::claim::quarantine::QuarantinePlace;
use crate::leases::Lease;
use crate::record::batch::Unrecorded;
use crate::runtime::{QueueSlots, Runtime};

/// A claimed job, on its way through this worker. However it is dropped, its end is handed over first, so that its lease never
/// waits for it in vain.
pub(crate) struct Execution {
    runtime: Arc<Runtime>,
    job: ClaimedJob,
    lease: Arc<Lease>,
    slot: Slot,
    /// What the job function knows of the attempt, once it has begun.
    context: Option<JobContext>,
    handed_over: bool,
    /// The place of a transactional job, if it was claimed with one.
    place: Option<Places>,
    quarantined: Option<QuarantinePlace>,
}

/// The right to run one job, given back when it is dropped: also when the attempt's task is.
pub(crate) struct Slot {
    runtime: Arc<Runtime>,
    queue: Arc<QueueSlots>,
}

impl Slot {
    /// A slot that has been taken.
    pub(crate) fn new(runtime: &Arc<Runtime>, queue: &Arc<QueueSlots>) -> Self {
        Self { runtime: Arc::clone(runtime), queue: Arc::clone(queue) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.queue.free(1);
        self.runtime.events.claim.notify_one();
    }
}

impl Execution {
    pub(crate) fn new(
        runtime: &Arc<Runtime>,
        job: ClaimedJob,
        lease: Arc<Lease>,
        slot: Slot,
        place: Option<Places>,
        quarantined: Option<QuarantinePlace>,
    ) -> Self {
        let runtime = Arc::clone(runtime);
        Self { runtime, job, lease, slot, context: None, handed_over: false, place, quarantined }
    }

    /// Runs the attempt. The slot is free when the handler has ended, before the result is recorded.
    pub(crate) async fn run(mut self) {
        let Some(handler) = self.runtime.registry.get(&self.job.kind) else {
            return self.hand_over(Decision::Return); // A claim asks for known kinds only; a wrong answer is given back.
        };
        if self.job.args.is_none()
            && let Err(decision) = args::read(&self.runtime, &mut self.job, &self.lease).await
        {
            return self.hand_over(decision);
        }
        // It may not find a place at once, and its timeout does not run while it waits.
        if handler.policy.transactional && self.place.is_none() {
            tokio::select! {
                place = self.runtime.client.place() => self.place = place,
                () = self.lease.stop.cancelled() => return self.hand_over(Decision::Return),
            }
        }
        let span = tracing::info_span!("job", job.id = %self.job.id, job.kind = handler.kind,
            queue = &*self.slot.queue.name, attempt = self.job.attempts.unsigned_abs() + 1,
            traceparent = self.job.meta.traceparent, outcome = tracing::field::Empty);
        self.run_with(handler, span.clone()).instrument(span).await;
    }

    async fn run_with(&mut self, handler: &'static JobDescriptor, span: Span) {
        let context = self.context(handler);
        self.context = Some(context.clone());
        let _entry = self.runtime.in_flight.enter(context.clone());
        // What is dropped when an attempt is given up may panic as well.
        let ended = AssertUnwindSafe(self.attempt(handler, &context)).catch_unwind().await;
        let end = ended.unwrap_or_else(|panic| End::Panicked(panic_text(panic)));
        let recording = context.recording();
        if recording.has_committed() {
            self.hand_over(Decision::Settled);
            if recording.is_awaited() {
                self.runtime.notifier.ended(&[self.job.id.as_uuid()]);
            }
            return self.tell(None, &context, &span);
        }
        if recording.has_begun() {
            let decision = self.decision(handler, &context, unless_committed(end));
            let result = self.result(decision);
            match find_out(&self.runtime, result).await {
                Found::Committed => self.tell(None, &context, &span),
                Found::Recorded(decision) => self.tell(Some(&decision), &context, &span),
                Found::Unknown => _ = span.record("outcome", "unknown"),
            }
            self.handed_over = true;
            return;
        }
        let lost = matches!(end, End::Lost);
        let decision = self.decision(handler, &context, end);
        if lost {
            span.record("outcome", "lost"); // If others have the job, the fence makes the decision void.
        } else {
            self.tell(Some(&decision), &context, &span);
        }
        self.hand_over(decision);
    }

    fn hand_over(&mut self, decision: Decision) {
        self.handed_over = true;
        let result = self.result(decision);
        self.runtime.send(result);
    }

    fn result(&mut self, decision: Decision) -> Unrecorded {
        let result = Unrecorded::new(Arc::clone(&self.lease), self.job.id, self.job.ticket, decision);
        Unrecorded { quarantined: self.quarantined.take(), ..result }
    }

    fn context(&mut self, handler: &'static JobDescriptor) -> JobContext {
        let place = Mutex::new(self.place.take());
        let job = &self.job;
        JobContext::new(Attempt {
            job: job.id,
            kind: handler.kind,
            queue: Arc::clone(&self.slot.queue.name),
            number: job.attempts.unsigned_abs() + 1,
            failures: u32::from(job.failures.unsigned_abs()),
            stop: self.lease.stop.child_token(),
            lease_lost: self.lease.lost.clone(),
            cancelled: AtomicBool::new(false),
            states: Arc::clone(&self.runtime.states),
            meta: job.meta.clone(),
            redacts: !handler.redact.is_empty(),
            timeout: handler.policy.timeout,
            held: Some(Held {
                client: self.runtime.client.clone(),
                worker: self.lease.worker,
                lease: self.lease.key,
                ticket: job.ticket,
                keep: self.slot.queue.keep(&handler.policy),
                max_result: self.runtime.config.max_result,
            }),
            place,
            recording: Recording::default(),
            progress: Progress::default(),
        })
    }

    /// Runs the attempt, and returns how it ended.
    async fn attempt(&self, handler: &'static JobDescriptor, context: &JobContext) -> End {
        let args = self.job.args.as_deref().expect("they came with the claim, or `run` has read them");
        let run = AssertUnwindSafe(handler.handler.run(context.clone(), args)).catch_unwind();
        tokio::select! {
            biased;
            ended = timeout(handler.policy.timeout, run) => match ended {
                Ok(Ok(returned)) => End::Returned(returned),
                Ok(Err(panic)) => End::Panicked(panic_text(panic)),
                Err(_) => End::TimedOut,
            },
            // Who is told to stop has a while to do it by itself.
            () = after_a_while(self.lease.lost.cancelled()) => End::Lost,
            () = after_a_while(context.cancelled()) => End::Stopped,
            () = self.runtime.stages.drop_attempts.cancelled() => End::Stopped,
        }
    }

    /// What the end means for the job. An error that panics when it is shown or dropped is a panic of the attempt.
    fn decision(&self, handler: &'static JobDescriptor, context: &JobContext, end: End) -> Decision {
        let about = self.circumstances(handler, context);
        catch_unwind(AssertUnwindSafe(|| decide(end, about)))
            .unwrap_or_else(|panic| decide(End::Panicked(panic_text(panic)), about))
    }

    fn circumstances(&self, handler: &'static JobDescriptor, context: &JobContext) -> Circumstances<'static> {
        let job = &self.job;
        Circumstances {
            policy: &handler.policy,
            failures: u32::from(job.failures.unsigned_abs()),
            // An attempt that is the last to be counted is the last.
            retries: if job.attempts == i32::MAX { 0 } else { u32::from(job.retries.unsigned_abs()) },
            at_most_once: job.crash_budget == 0,
            keep: self.slot.queue.keep(&handler.policy),
            cancelled: context.is_cancelled(),
            stopping: context.cancellation().is_cancelled(),
            most_bytes: self.runtime.config.max_result,
            chance: fastrand::f64(),
        }
    }

    /// Logs how the attempt ended. Without a decision that counts, the job has completed by itself. A subscriber that panics
    /// changes nothing of that.
    fn tell(&self, decision: Option<&Decision>, context: &JobContext, span: &Span) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.log(decision, context, span))) {
            panic_text(panic);
        }
    }

    fn log(&self, decision: Option<&Decision>, context: &JobContext, span: &Span) {
        let outcome = match decision {
            None => "complete",
            Some(Decision::Release) if context.is_cancelled() => "cancel", // The database ends it.
            Some(decision) => decision.word(),
        };
        span.record("outcome", outcome);
        let failed = matches!(decision, Some(Decision::Bury { .. } | Decision::Retry { .. }));
        if failed || matches!(decision, None | Some(Decision::Complete { .. })) {
            self.slot.queue.count(failed);
        }
        match decision {
            Some(Decision::Bury { reason, message }) => {
                tracing::warn!(reason, error = message, "a job is dead");
            }
            Some(Decision::Retry { reason, message, delay }) => {
                tracing::info!(reason, error = message, ?delay, "an attempt failed");
            }
            _ => {}
        }
    }
}

/// How long an attempt may go on that has lost its lease, or whose job was cancelled.
const STOP_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

async fn after_a_while(told: impl Future<Output = ()>) {
    told.await;
    tokio::time::sleep(STOP_WITHIN).await;
}

/// What is recorded when no panic was caught, and yet the attempt came to no end: see the log.
const PANICKED_OUTSIDE: &str = "it panicked outside of the job function";

impl Drop for Execution {
    fn drop(&mut self) {
        if self.handed_over {
            return;
        }
        let begun = self.context.is_some() || std::thread::panicking();
        let context = self.context.take();
        let decision = match self.runtime.registry.get(&self.job.kind) {
            Some(handler) if begun => {
                let context = context.unwrap_or_else(|| self.context(handler));
                match context.recording().has_committed() {
                    true => Decision::Settled,
                    false => self.decision(handler, &context, End::Panicked(PANICKED_OUTSIDE.to_owned())),
                }
            }
            _ => Decision::Return, // Its task was dropped, with its tokio runtime, before it ran.
        };
        self.hand_over(decision);
    }
}

/// The text of a panic, which is dropped here: that may panic as well.
fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = format!("it panicked: {}", text.unwrap_or("(with something that is no text)"));
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(second);
    }
    text
}
