//! An attempt that somebody observes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{Ended, Event, LeaseLost, ObservedJob, Outcome, StaleResult, Started};
use super::observer::Observers;
use crate::job::descriptor::JobDescriptor;
use crate::{FailureReason, JobId};

/// An attempt that somebody observes, from its start until its result is recorded. If it is dropped before, the result is lost, and
/// so is the lease.
#[derive(Debug)]
pub struct ObservedAttempt {
    observers: Observers,
    /// `None` once its end is in an event.
    job: Option<ObservedJob>,
    wait: Option<Duration>,
    started: Instant,
    run: Option<Duration>,
}

impl ObservedAttempt {
    /// Emits [`Event::Started`]. `due` is when the job was due, if that is known.
    #[must_use]
    pub fn start(
        observers: &Observers,
        handler: &'static JobDescriptor,
        id: JobId,
        queue: &Arc<str>,
        attempt: u32,
        due: Option<Instant>,
    ) -> Box<Self> {
        let job = ObservedJob { id, kind: handler.kind.into(), queue: Arc::clone(queue), attempt };
        let started = Instant::now();
        let wait = due.map(|due| started.saturating_duration_since(due));
        observers.emit_one(|| Event::Started(Started { job: job.clone(), wait }));
        Box::new(Self { observers: observers.clone(), job: Some(job), wait, started, run: None })
    }

    /// Notes that the job function has ended.
    pub fn stop(&mut self) {
        self.run.get_or_insert_with(|| self.started.elapsed());
    }

    /// Adds the event of an attempt whose result was recorded.
    pub fn ended(mut self, outcome: Outcome, reason: Option<FailureReason>, events: &mut Vec<Event>) {
        self.stop();
        let ended = |job| Event::Ended(Ended { job, outcome, reason, wait: self.wait, run: self.run });
        events.extend(self.job.take().map(ended));
    }

    /// Adds the events of an attempt whose result was refused.
    pub fn refused(mut self, outcome: Outcome, events: &mut Vec<Event>) {
        if let Some(job) = self.job.take() {
            events.push(Event::StaleResult(StaleResult { job: job.clone(), outcome }));
            events.push(Event::LeaseLost(LeaseLost { job }));
        }
    }
}

impl Drop for ObservedAttempt {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            self.observers.emit_one(|| Event::LeaseLost(LeaseLost { job }));
        }
    }
}
