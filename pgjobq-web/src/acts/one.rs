//! An action on one job.

use std::str::FromStr;

use pgjobq::filter::id;
use pgjobq::{Action, ActionReport, CancelOutcome, JobId, LeftOut};
use tokio::time::timeout;

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
        let job = visit.board().client.jobs(id(self.job));
        match self.word {
            Word::Cancel => self.cancel(visit).await,
            Word::Requeue => self.act(visit, job.requeue(), requeued).await,
            Word::RetryNow => self.act(visit, job.retry_now(), retried).await,
        }
    }
}

impl One {
    async fn cancel(&self, visit: &Visit) -> Result<Done, Problem> {
        let mut cancel = visit.board().client.job(self.job).cancel().by(visit.name());
        if let Some(reason) = &self.reason {
            cancel = cancel.because(&**reason);
        }
        Ok(self.done(match cancel.await? {
            CancelOutcome::Cancelled => "The job is cancelled.",
            CancelOutcome::StopRequested => "The job runs, and was asked to stop.",
            CancelOutcome::NotLive => {
                self.must_exist(visit).await?;
                "The job has ended already, and was not changed."
            }
        }))
    }

    /// Tells a job that was left as it is from one that is not there. It is asked afterwards: a look could wait for what an action need
    /// not wait for.
    async fn must_exist(&self, visit: &Visit) -> Result<(), Problem> {
        match visit.board().client.job(self.job).status().await? {
            Some(_) => Ok(()),
            None => Err(Problem::NotFound(format!("there is no job {}, or none any more", self.job))),
        }
    }

    /// Starts an action on the job alone, whose record keeps the user and the reason, and waits for it. If it takes long, for instance
    /// because another transaction holds the queue, the workers go on with it.
    async fn act(&self, visit: &Visit, action: Action<'_>, sentence: Sentence) -> Result<Done, Problem> {
        let mut action = action.by(visit.name());
        if let Some(reason) = &self.reason {
            action = action.because(&**reason);
        }
        let started = action.start().await?;
        let report = timeout(visit.board().statement_timeout, started.wait()).await;
        match report.map(|report| report.map_err(Problem::from)) {
            Ok(Ok(report)) => {
                if report.changed == 0 {
                    self.must_exist(visit).await?;
                }
                Ok(self.done(sentence(&report)))
            }
            Ok(Err(Problem::TooSlow)) | Err(_) => {
                Ok(Done::goes_on(started.id(), "goes on: another transaction may hold the queue."))
            }
            Ok(Err(problem)) => Err(problem),
        }
    }

    fn done(&self, outcome: &str) -> Done {
        Done::new(outcome, link("job", &[("id", &self.job.to_string())]))
    }
}

/// Returns the outcome of an action on one job, as a sentence.
type Sentence = fn(&ActionReport) -> &'static str;

fn requeued(report: &ActionReport) -> &'static str {
    match (report.changed, report.left.first()) {
        (1.., _) => "The job is in line again.",
        (0, Some((LeftOut::Live, _))) => "The job is live already, and was not changed.",
        (0, Some((LeftOut::QueueFull, _))) => {
            "The queue is full, and the job was not changed: try again later."
        }
        (0, Some((LeftOut::Step, _))) => {
            "The job is a step of a workflow, and was not changed: retry the failed steps there."
        }
        (0, _) => {
            "There is nothing to requeue: the job is live, completed or gone, or its queue was deleted."
        }
    }
}

fn retried(report: &ActionReport) -> &'static str {
    match report.changed {
        0 => "The job does not wait for its time, and was not changed.",
        _ => "The job runs as soon as a worker is free.",
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
