//! An action on one job.

use std::str::FromStr;

use pgjobq::filter::id;
use pgjobq::{CancelOutcome, JobId, RequeueOutcome};

use super::act::{Act, Done, Record};
use crate::params::Params;
use crate::problem::Problem;
use crate::show::link::link;
use crate::user::Permission;
use crate::visit::Visit;

/// An action on one job.
pub(crate) struct One {
    job: JobId,
    word: Word,
    reason: Option<String>,
}

#[derive(Clone, Copy)]
enum Word {
    Cancel,
    Requeue,
    RetryNow,
}

impl Act for One {
    fn read(params: &Params) -> Result<Self, Problem> {
        let (job, word) = (params.required("id")?, params.required("action")?);
        Ok(Self { job, word, reason: params.maybe("reason").map(str::to_owned) })
    }

    fn permission(&self) -> Permission {
        match self.word {
            Word::Cancel => Permission::Cancel,
            Word::Requeue | Word::RetryNow => Permission::Retry,
        }
    }

    fn record(&self) -> Record {
        let (action, subject) = (self.word.as_str().to_owned(), format!("job {}", self.job));
        Record { action, subject, reason: self.reason.clone() }
    }

    async fn run(self, visit: &Visit) -> Result<Done, Problem> {
        let outcome = match self.word {
            Word::Cancel => self.cancel(visit).await?,
            Word::Requeue => self.requeue(visit).await?,
            Word::RetryNow => self.retry_now(visit).await?,
        };
        Ok(Done::new(outcome, link("job", &[("id", &self.job.to_string())])))
    }
}

impl One {
    async fn cancel(&self, visit: &Visit) -> Result<&'static str, Problem> {
        let mut cancel = visit.board().client.job(self.job).cancel().by(visit.name());
        if let Some(reason) = &self.reason {
            cancel = cancel.because(&**reason);
        }
        Ok(match cancel.await? {
            CancelOutcome::Cancelled => "The job is cancelled.",
            CancelOutcome::StopRequested => "The job runs, and was asked to stop.",
            CancelOutcome::NotLive => "The job has ended already, and was not changed.",
        })
    }

    async fn requeue(&self, visit: &Visit) -> Result<&'static str, Problem> {
        Ok(match visit.board().client.job(self.job).requeue().await? {
            RequeueOutcome::Requeued => "The job is in line again.",
            RequeueOutcome::AlreadyLive => "The job is live already, and was not changed.",
            RequeueOutcome::QueueFull => "The queue is full, and the job was not changed: try again later.",
            RequeueOutcome::NothingToRequeue => {
                "There is nothing to requeue: the job completed, is gone, or its queue was deleted."
            }
        })
    }

    async fn retry_now(&self, visit: &Visit) -> Result<&'static str, Problem> {
        let jobs = visit.board().client.jobs(id(self.job));
        let mut action = jobs.retry_now().by(visit.name());
        if let Some(reason) = &self.reason {
            action = action.because(&**reason);
        }
        Ok(match action.await?.changed {
            0 => "The job does not wait for its time, and was not changed.",
            _ => "The job runs as soon as a worker is free.",
        })
    }
}

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Requeue => "requeue",
            Self::RetryNow => "retry_now",
        }
    }
}

impl FromStr for Word {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let words = [Self::Cancel, Self::Requeue, Self::RetryNow];
        let known = words.into_iter().find(|known| known.as_str() == word);
        known.ok_or_else(|| format!("`{word}` is no action on one job: write cancel, requeue or retry_now"))
    }
}
