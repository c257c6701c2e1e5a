//! Collects how jobs end, from the events that any observer gets.

use std::sync::{Arc, Mutex, PoisonError};

use pgjobq_core::testing::attempt_errors;

use super::report::{Drained, End, Ran};
use crate::observe::{Event, ObservedJob, Observer, Outcome};
use crate::{Client, DatabaseError, JobId};

/// The ends that nobody has asked for yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends(Arc<Mutex<Vec<Ran>>>);

impl Ends {
    /// Returns the observer that collects them.
    pub(super) fn observer(&self) -> impl Observer {
        let ends = self.clone();
        move |event: &Event| {
            if let Some(ran) = ran(event) {
                ends.lock().push(ran);
            }
        }
    }

    /// Returns those that were collected since the last call, with their errors.
    pub(super) async fn take(&self, client: &Client) -> Result<Drained, DatabaseError> {
        let mut attempts = std::mem::take(&mut *self.lock());
        let failed = attempts.iter().filter(|ran| matches!(ran.end, End::Retried | End::Dead));
        let failed: Vec<JobId> = failed.map(|ran| ran.id).collect();
        if !failed.is_empty() {
            let mut errors = attempt_errors(client, &failed).await?;
            for ran in &mut attempts {
                if matches!(ran.end, End::Retried | End::Dead) {
                    ran.error = errors.remove(&(ran.id, ran.attempt));
                }
            }
        }
        Ok(Drained::new(attempts))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Ran>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ran(event: &Event) -> Option<Ran> {
    let of = |job: &ObservedJob, end, is_attempt| Ran {
        id: job.id,
        kind: job.kind.clone().into_owned(),
        attempt: job.attempt,
        end,
        error: None,
        is_attempt,
    };
    match event {
        Event::Ended(ended) => Some(of(&ended.job, end(ended.outcome), ended.run.is_some())),
        Event::LeaseLost(lost) => Some(of(&lost.job, End::Lost, true)),
        _ => None,
    }
}

fn end(outcome: Outcome) -> End {
    match outcome {
        Outcome::Completed => End::Completed,
        Outcome::Retried => End::Retried,
        Outcome::Snoozed => End::Snoozed,
        Outcome::Dead => End::Dead,
        Outcome::Cancelled => End::Cancelled,
        Outcome::Expired => End::Expired,
        _ => End::Released,
    }
}
