//! `pgjobq retry`

use clap::Args;
use pgjobq::filter::id;

use crate::commands::job_missing;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::json::ActionJson;
use crate::session::Session;
use crate::values::Target;

/// Let jobs run at once that wait for their time, or for a retry
#[derive(Args)]
pub(crate) struct Retry {
    /// The job's id, or a filter: "kind = 'sync' and attempts > 0"
    #[arg(value_name = "ID|FILTER")]
    jobs: String,
    #[command(flatten)]
    confirm: Confirm,
}

impl Retry {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let job = match Target::parse(&self.jobs)? {
            Target::Matching(filter) => {
                return self.confirm.act(session, session.client.jobs(filter).retry_now()).await;
            }
            Target::One(job) => job,
        };
        let Some(before) = session.client.job(job).status().await? else { return Err(job_missing(job)) };
        let report = self.confirm.report_of_one(session.client.jobs(id(job)).retry_now()).await?;
        let printed = session.out.print(&ActionJson::from(&report), || &report);
        if report.changed > 0 || report.ended_at.is_none() {
            return printed;
        }
        let instead = match before.finished_at {
            Some(_) => "requeue it instead",
            None => "it waits for no time; `pgjobq explain` says what it waits for",
        };
        let refused = Failure::Refused(format!("job {job} is {}: {instead}", before.state));
        Failure::verdict(printed, Err(refused))
    }
}
