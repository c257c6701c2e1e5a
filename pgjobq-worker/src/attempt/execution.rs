//! One attempt: runs the job function, decides what its end means for the job, and sends the decision to be recorded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Either;
use pgjobq_core::JobContext;
use pgjobq_core::worker_api::{
    Attempt, ClaimedJob, Completion, Current, Decision, Held, Hold, JobDescriptor, ObservedAttempt, Places,
    Plan, Progress, QueueSlots, Recording, Stop, as_current,
};
use tracing::{Instrument, Span};

use super::args;
use super::blocking::watched;
use super::decide::{Circumstances, End, decide};
use super::growth;
use super::in_doubt::{Resolved, resolve, unless_committed};
use super::outcome::Outcome;
use super::panic::panic_text;
use super::part::Part;
use super::span;
use crate::claim::quarantine::QuarantinePlace;
use crate::leases::Lease;
use crate::record::unrecorded::Unrecorded;
use crate::runtime::Runtime;
use crate::served_queue::Turn;
use crate::slots::Slots;

/// The number of attempts above which the database refuses to put a job back in line.
const MOST_ATTEMPTS: i32 = 2_000_000_000;

/// The time that an attempt has to stop by itself after it lost its lease, or after its job was cancelled.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// The error of an attempt that ended in a panic which was not caught. The log has the panic.
const PANICKED_OUTSIDE: &str = "it panicked outside of the job function";

/// A claimed job on its way through this worker. However this is dropped, it sends a decision first, so that the lease can be
/// closed.
pub(crate) struct Execution {
    runtime: Arc<Runtime>,
    job: ClaimedJob,
    lease: Arc<Lease>,
    /// The one slot of the job, free when the attempt has ended, before its result is recorded. None if the slot is that of a call.
    slot: Slots,
    /// Its part in a call for several jobs, if it has not begun yet.
    part: Option<Box<Part>>,
    /// The context of the job function, once the attempt has begun.
    context: Option<JobContext>,
    /// True once the decision was sent, or recorded.
    sent: bool,
    /// The place for the transaction of a transactional job, if it was claimed with one.
    place: Option<Places>,
    quarantined: Option<QuarantinePlace>,
    /// The steps that the attempt adds to its workflow.
    growth: Option<Box<Plan>>,
    /// The attempt, once it has begun, if somebody observes it.
    observed: Option<Box<ObservedAttempt>>,
}

impl Execution {
    pub(crate) fn new(
        runtime: &Arc<Runtime>,
        job: ClaimedJob,
        lease: Arc<Lease>,
        slot: Slots,
        place: Option<Places>,
        quarantined: Option<QuarantinePlace>,
    ) -> Self {
        let runtime = Arc::clone(runtime);
        Self {
            runtime,
            job,
            lease,
            slot,
            part: None,
            context: None,
            sent: false,
            place,
            quarantined,
            growth: None,
            observed: None,
        }
    }

    /// Lets the attempt wait for its part in a call, in place of the job function.
    pub(super) fn in_call(self, part: Part) -> Self {
        let mut attempt = self;
        attempt.part = Some(Box::new(part));
        attempt
    }

    /// Hands the slot of the ended attempt to what waits in the queue. Returns what begins in it now.
    pub(super) fn pass_on(&mut self) -> Option<(Slots, Turn)> {
        self.slot.split_one()?.pass_on()
    }

    /// Runs the attempt.
    pub(super) async fn run(&mut self) {
        if self.lease.stop.is_cancelled() {
            return self.send(Decision::Return); // Lost, or the grace is over, while the job waited for its slot.
        }
        let Some(handler) = self.runtime.registry.get(&self.job.kind) else {
            return self.send(Decision::Return); // A claim asks for known kinds only, so this is not reached.
        };
        if self.job.args.is_none()
            && let Err(decision) = Box::pin(args::read(&self.runtime, &mut self.job, &self.lease)).await
        {
            return self.send(decision);
        }
        // The timeout of the attempt does not run while it waits for a place.
        if handler.policy.transactional && self.place.is_none() {
            tokio::select! {
                place = self.runtime.client.place() => self.place = place,
                () = self.lease.stop.cancelled() => return self.send(Decision::Return),
            }
        }
        let span = span::of(&mut self.job, handler, &self.slot.queue().name);
        self.observe(handler);
        self.run_with(handler, span.clone()).instrument(span).await;
    }

    async fn run_with(&mut self, handler: &'static JobDescriptor, span: Span) {
        let context = self.context(handler);
        self.context = Some(context.clone());
        let (timeout, has_slot) = (handler.policy.timeout, self.part.is_none());
        let _entry = self.runtime.in_flight.enter(context.clone(), timeout, has_slot);
        // Dropping an attempt that is given up may panic as well.
        let ended = AssertUnwindSafe(self.attempt(handler, &context)).catch_unwind().await;
        let end = ended.unwrap_or_else(|panic| End::Panicked(panic_text(panic)));
        self.observed.iter_mut().for_each(|observed| observed.stop());
        let outcome = match context.completion() {
            Completion::NotBegun => {
                let lost = matches!(end, End::Lost);
                let mut decision = self.decide(handler, &context, end);
                if let (Decision::Complete { .. }, Some(grown)) = (&decision, context.take_growth()) {
                    match Box::pin(growth::plan(
                        &self.runtime,
                        &context,
                        &self.lease,
                        self.job.max_crashes == 0,
                        grown,
                    ))
                    .await
                    {
                        Ok(plan) => self.growth = Some(plan),
                        Err(instead) => decision = instead,
                    }
                }
                if lost { Outcome::Lost(decision) } else { Outcome::Decided(decision) }
            }
            Completion::InDoubt => self.resolve(handler, &context, end).await,
            Completion::Committed { .. } => Outcome::Completed,
        };
        // The finish that resolved an in-doubt commit does not know the children of a job that was gone.
        let resolved_step = matches!(outcome, Outcome::Completed) && self.job.meta.workflow.is_some();
        outcome.log(self.slot.queue(), context.stop().is_cancelled(), &span);
        if !self.sent {
            self.send(outcome.into_decision());
        }
        if let Completion::Committed { awaited: true, .. } = context.completion() {
            self.runtime.notifier.ended(&[self.job.id.as_uuid()]);
        }
        if matches!(context.completion(), Completion::Committed { has_children: true, .. }) || resolved_step {
            self.runtime.unsettled.note(self.lease.key.lane.shard);
        }
    }

    /// Resolves an in-doubt commit, and records the decision if the transaction has not committed.
    async fn resolve(&mut self, handler: &'static JobDescriptor, context: &JobContext, end: End) -> Outcome {
        let decision = self.decide(handler, context, unless_committed(end));
        let result = self.result(decision);
        let resolved = Box::pin(resolve(&self.runtime, result)).await;
        self.sent = true;
        match resolved {
            Resolved::Completed => Outcome::Completed,
            Resolved::Recorded(decision) => Outcome::Decided(decision),
            Resolved::Unknown => Outcome::Unknown,
        }
    }

    /// Begins to observe the attempt, if somebody does.
    fn observe(&mut self, handler: &'static JobDescriptor) {
        let observers = self.runtime.client.observers();
        if observers.listen() {
            let (queue, number) = (&self.slot.queue().name, self.job.attempts.unsigned_abs() + 1);
            let start = ObservedAttempt::start(observers, handler, self.job.id, queue, number, self.job.due);
            self.observed = Some(start);
        }
    }

    /// Sends the decision to be recorded.
    fn send(&mut self, decision: Decision) {
        self.sent = true;
        // An attempt may end before its job function begins, because of its arguments.
        if self.context.is_none()
            && !matches!(decision, Decision::Return)
            && let Some(handler) = self.runtime.registry.get(&self.job.kind)
        {
            self.observe(handler);
        }
        let result = self.result(decision);
        self.runtime.recorders.send(result);
    }

    fn result(&mut self, decision: Decision) -> Unrecorded {
        let result = Unrecorded::new(self.hold(), Arc::clone(&self.lease), decision);
        let growth = self.growth.take();
        let bytes = result.bytes + growth.as_ref().map_or(0, |growth| growth.bytes());
        Unrecorded {
            quarantined: self.quarantined.take(),
            growth,
            bytes,
            observed: self.observed.take(),
            ..result
        }
    }

    /// The right by which this attempt writes about its job.
    fn hold(&self) -> Hold {
        self.lease.hold(&self.job)
    }

    fn context(&mut self, handler: &'static JobDescriptor) -> JobContext {
        let place = Mutex::new(self.place.take());
        let job = &self.job;
        JobContext::new(Attempt {
            job: job.id,
            kind: handler.kind,
            queue: Arc::clone(&self.slot.queue().name),
            number: job.attempts.unsigned_abs() + 1,
            failures: u32::from(job.failures.unsigned_abs()),
            stop: Stop::new(self.lease.stop.child_token(), self.lease.lost.clone()),
            states: Arc::clone(&self.runtime.states),
            meta: job.meta.clone(),
            redacts: !handler.policy.redact.is_empty(),
            timeout: handler.policy.timeout,
            held: Some(Held {
                client: self.runtime.client.clone(),
                hold: self.hold(),
                keep: self.slot.queue().retention(&handler.policy),
                max_result: self.runtime.config.max_result,
            }),
            test_client: None,
            place,
            recording: Recording::default(),
            progress: Progress::default(),
            growth: growth::may_grow(job, handler).then(Mutex::default),
        })
    }

    /// Runs the job function, or waits for the call that runs it, and returns how it ended.
    async fn attempt(&mut self, handler: &'static JobDescriptor, context: &JobContext) -> End {
        let args = self.job.args.take().expect("they came with the claim, or `run` has read them");
        let run = match self.part.take() {
            Some(part) => Either::Left(Box::pin(part.end(context.clone(), args))),
            None => {
                let run = as_current(self.current(handler), handler.handler.run(context.clone(), &args));
                Either::Right(AssertUnwindSafe(run).catch_unwind())
            }
        };
        tokio::select! {
            biased;
            ended = watched(handler.policy.timeout, run) => match ended {
                Ok(Ok(returned)) => End::Returned(returned),
                Ok(Err(panic)) => End::Panicked(panic_text(panic)),
                Err(_) => {
                    context.stop().time_out();
                    End::TimedOut
                }
            },
            () = stop_timeout_after(self.lease.lost.cancelled()) => End::Lost,
            () = stop_timeout_after(context.stop().cancelled()) => End::Stopped,
            () = self.runtime.stages.drop_attempts.cancelled() => End::Stopped,
        }
    }

    /// The attempt as its waits see it.
    fn current(&self, handler: &'static JobDescriptor) -> Current {
        let queue = self.slot.queue();
        Current {
            job: self.job.id,
            kind: handler.kind,
            queue: Arc::clone(&queue.name),
            slots: Arc::clone(queue) as Arc<dyn QueueSlots>,
        }
    }

    /// Decides what the end means for the job. An error that panics when it is printed or dropped is a panic of the attempt.
    fn decide(&self, handler: &'static JobDescriptor, context: &JobContext, end: End) -> Decision {
        let about = self.circumstances(handler, context);
        catch_unwind(AssertUnwindSafe(|| decide(end, about)))
            .unwrap_or_else(|panic| decide(End::Panicked(panic_text(panic)), about))
    }

    fn circumstances(&self, handler: &'static JobDescriptor, context: &JobContext) -> Circumstances<'static> {
        let job = &self.job;
        Circumstances {
            policy: &handler.policy,
            failures: u32::from(job.failures.unsigned_abs()),
            // The attempt number cannot grow beyond this.
            retries: if job.attempts >= MOST_ATTEMPTS { 0 } else { u32::from(job.retries.unsigned_abs()) },
            at_most_once: job.max_crashes == 0,
            retention: self.slot.queue().retention(&handler.policy),
            is_step: job.meta.workflow.is_some(),
            cancelled: context.stop().is_cancelled(),
            stopping: context.should_stop(),
            max_result: self.runtime.config.max_result,
            chance: fastrand::f64(),
        }
    }
}

async fn stop_timeout_after(asked: impl Future<Output = ()>) {
    asked.await;
    tokio::time::sleep(STOP_TIMEOUT).await;
}

impl Drop for Execution {
    fn drop(&mut self) {
        if self.sent {
            return;
        }
        let begun = self.context.is_some() || std::thread::panicking();
        let context = self.context.take();
        let decision = match self.runtime.registry.get(&self.job.kind) {
            Some(handler) if begun => {
                let context = context.unwrap_or_else(|| self.context(handler));
                match context.completion() {
                    Completion::Committed { .. } => Decision::Settled,
                    Completion::NotBegun | Completion::InDoubt => {
                        self.decide(handler, &context, End::Panicked(PANICKED_OUTSIDE.to_owned()))
                    }
                }
            }
            _ => Decision::Return, // The task was dropped, with its tokio runtime, before it ran.
        };
        self.send(decision);
    }
}
