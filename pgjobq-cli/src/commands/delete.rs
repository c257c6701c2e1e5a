//! `pgjobq delete`

use clap::Args;
use pgjobq::JobId;
use pgjobq::filter::id;

use crate::commands::job_missing;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::session::Session;
use crate::values::Target;

/// Delete jobs that have ended, for good
#[derive(Args)]
pub(crate) struct Delete {
    /// The job's id, or a filter: "state = 'completed' and kind = 'sync'"
    #[arg(value_name = "ID|FILTER")]
    jobs: String,
    #[command(flatten)]
    confirm: Confirm,
}

impl Delete {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match Target::parse(&self.jobs)? {
            Target::Matching(filter) => self.confirm.act(session, session.client.jobs(filter).delete()).await,
            Target::One(job) => self.delete(session, job).await,
        }
    }

    async fn delete(self, session: &Session, job: JobId) -> Result<(), Failure> {
        let Some(before) = session.client.job(job).status().await? else { return Err(job_missing(job)) };
        if before.finished_at.is_none() {
            let instead = "`pgjobq cancel` ends it";
            return Err(Failure::Refused(format!("job {job} has not ended: {instead}")));
        }
        self.confirm.act_on_one(session, job, session.client.jobs(id(job)).delete()).await
    }
}
