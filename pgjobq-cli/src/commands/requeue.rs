//! `pgjobq requeue`

use clap::Args;
use pgjobq::filter::id;
use pgjobq::{JobId, JobState, LeftOut};

use crate::commands::job_missing;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::json::ActionJson;
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

impl Requeue {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match Target::parse(&self.jobs)? {
            Target::Matching(filter) => {
                self.confirm.act(session, session.client.jobs(filter).requeue()).await
            }
            Target::One(job) => self.requeue(session, job).await,
        }
    }

    async fn requeue(self, session: &Session, job: JobId) -> Result<(), Failure> {
        let refused = |why: &str| Err(Failure::Refused(format!("job {job} {why}")));
        let Some(before) = session.client.job(job).status().await? else { return Err(job_missing(job)) };
        if before.finished_at.is_none() {
            return refused("has not ended");
        }
        if before.state == JobState::Completed {
            return refused("has completed: enqueue it anew instead");
        }
        let report = self.confirm.report_of_one(session.client.jobs(id(job)).requeue()).await?;
        if report.changed > 0 || report.ended_at.is_none() {
            return session.out.print(&ActionJson::from(&report), || &report);
        }
        match report.left.first() {
            Some((LeftOut::QueueFull, _)) => refused("was not requeued: its queue is full"),
            Some((LeftOut::QueueDeleted, _)) => refused("was not requeued: its queue was deleted"),
            Some((LeftOut::Step, _)) => refused(
                "was not requeued: it is a step, which `pgjobq workflows ID --retry-failed` runs again",
            ),
            _ => refused("was not requeued: it changed meanwhile"),
        }
    }
}
