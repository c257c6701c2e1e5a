//! Notifies observers which results were recorded, and which were refused.

use pgjobq_core::observe::{Event, Outcome};
use pgjobq_core::worker_api::{Finished, ObservedAttempt};
use uuid::Uuid;

use super::unrecorded::Unrecorded;
use crate::runtime::Runtime;

/// Emits the events of a batch that the database has answered.
pub(super) fn observe(runtime: &Runtime, results: &mut [Unrecorded], finished: &Finished) {
    runtime.client.observers().emit(|events| {
        events.push(Event::finished(results.len()));
        for result in results {
            if let Some(observed) = result.observed.take() {
                settle(*observed, result, finished, events);
            }
        }
    });
}

/// Notifies observers of jobs that have ended although no attempt ends with them: one that was returned is cancelled, or one whose attempt
/// could not be stopped is dead.
pub(super) fn observe_without_attempts(runtime: &Runtime, results: &[Unrecorded], finished: &Finished) {
    if !runtime.client.observers().listen() {
        return;
    }
    let has_ended = |result: &&Unrecorded| {
        let job = result.job();
        let is_recorded = result.ended.decision.is_terminal() && !finished.stale.contains(&job);
        result.observed.is_none() && (is_recorded || finished.cancelled.contains(&job))
    };
    let ended: Vec<Uuid> = results.iter().filter(has_ended).map(|result| result.job().as_uuid()).collect();
    runtime.observe_ended(&ended);
}

fn settle(observed: ObservedAttempt, result: &Unrecorded, finished: &Finished, events: &mut Vec<Event>) {
    let decision = &result.ended.decision;
    let Some(outcome) = decision.outcome() else { return };
    let job = result.job();
    if finished.stale.contains(&job) {
        // The row of a job in doubt is gone if its transaction has committed, or if another worker has the job: nobody knows which.
        if result.in_doubt {
            drop(observed); // It counts as lost.
        } else {
            observed.refused(outcome, events);
        }
    } else if finished.cancelled.contains(&job) {
        observed.ended(Outcome::Cancelled, None, events);
    } else {
        observed.ended(outcome, decision.failure(), events);
    }
}
