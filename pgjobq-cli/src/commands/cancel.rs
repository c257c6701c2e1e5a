//! `pgjobq cancel`

use clap::Args;
use pgjobq::{CancelOutcome, JobId};
use serde::Serialize;

use crate::commands::job_missing;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::session::Session;
use crate::values::Target;

/// Cancel jobs: waiting ones never run, running ones are asked to stop
#[derive(Args)]
pub(crate) struct Cancel {
    /// The job's id, or a filter: "queue = 'mail' and tenant = 42"
    #[arg(value_name = "ID|FILTER")]
    jobs: String,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Serialize)]
struct CancelledJson {
    job: JobId,
    outcome: &'static str,
}

impl Cancel {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match Target::parse(&self.jobs)? {
            Target::Matching(filter) => self.confirm.act(session, session.client.jobs(filter).cancel()).await,
            Target::One(job) => self.cancel(session, job).await,
        }
    }

    async fn cancel(self, session: &Session, id: JobId) -> Result<(), Failure> {
        self.confirm.reject_options_of_many()?;
        let job = session.client.job(id);
        let mut cancel = job.cancel();
        if let Some(by) = self.confirm.asked.by {
            cancel = cancel.by(by);
        }
        if let Some(because) = self.confirm.asked.because {
            cancel = cancel.because(because);
        }
        let (outcome, text) = match cancel.await? {
            CancelOutcome::Cancelled => ("cancelled", "is cancelled"),
            CancelOutcome::StopRequested => ("stop_requested", "runs, and was asked to stop"),
            CancelOutcome::NotLive => {
                let Some(status) = job.status().await? else { return Err(job_missing(id)) };
                let state = status.state;
                return Err(Failure::Refused(format!("job {id} has ended already: it is {state}")));
            }
        };
        session.out.print(&CancelledJson { job: id, outcome }, || format!("job {id} {text}"))
    }
}
