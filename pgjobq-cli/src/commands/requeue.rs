//! `pgjobq requeue`

use clap::Args;
use pgjobq::{JobId, JobState, RequeueOutcome};
use serde::Serialize;

use crate::commands::job_missing;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::session::Session;
use crate::values::Target;

/// Put dead, cancelled and expired jobs back in line, with all their retries
#[derive(Args)]
pub(crate) struct Requeue {
    /// The job's id, or a filter: "state = 'dead' and error contains 'timeout'"
    #[arg(value_name = "ID|FILTER")]
    jobs: String,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Serialize)]
struct RequeuedJson {
    job: JobId,
    outcome: &'static str,
}

impl Requeue {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match Target::parse(&self.jobs)? {
            Target::Matching(filter) => {
                self.confirm.act(session, session.client.jobs(filter).requeue()).await
            }
            Target::One(job) => requeue(session, job).await,
        }
    }
}

async fn requeue(session: &Session, id: JobId) -> Result<(), Failure> {
    let job = session.client.job(id);
    let refused = |why: &str| Err(Failure::Refused(format!("job {id} {why}")));
    match job.requeue().await? {
        RequeueOutcome::Requeued => {
            let json = RequeuedJson { job: id, outcome: "requeued" };
            session.out.print(&json, || format!("job {id} is in line again"))
        }
        RequeueOutcome::AlreadyLive => refused("has not ended"),
        RequeueOutcome::QueueFull => refused("was not requeued: its queue is full"),
        RequeueOutcome::NothingToRequeue => match job.status().await?.map(|status| status.state) {
            None => Err(job_missing(id)),
            Some(JobState::Completed) => refused("has completed: enqueue it anew instead"),
            Some(_) => refused(
                "was not requeued: it is a step, which `pgjobq workflows ID --retry-failed` runs again, or its queue was deleted",
            ),
        },
    }
}
