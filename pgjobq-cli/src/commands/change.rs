//! `pgjobq change`

use std::time::SystemTime;

use clap::Args;
use pgjobq::filter::id;
use pgjobq::{Action, JobId, Jobs, Priority};

use crate::commands::job_missing;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::session::Session;
use crate::values::{PriorityName, Target, moment};

/// Change the priority, the queue or the time of jobs that wait
#[derive(Args)]
pub(crate) struct Change {
    /// The job's id, or a filter: "queue = 'mail' and tenant = 42"
    #[arg(value_name = "ID|FILTER")]
    jobs: String,
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    confirm: Confirm,
}

/// What they are changed to.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct To {
    /// Their priority. A job in line goes to the end of its new line
    #[arg(long)]
    priority: Option<PriorityName>,
    /// Their queue, which must exist. A job in line goes to the end of its new line
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// The time before which they do not start
    #[arg(long, value_parser = moment, value_name = "TIME")]
    run_at: Option<SystemTime>,
}

impl To {
    fn action<'c>(&self, jobs: &Jobs<'c>) -> Action<'c> {
        match (self.priority, &self.queue, self.run_at) {
            (Some(priority), ..) => jobs.set_priority(Priority::from(priority)),
            (None, Some(queue), _) => jobs.move_to(&**queue),
            (None, None, time) => jobs.run_at(time.unwrap_or_else(SystemTime::now)),
        }
    }
}

impl Change {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        match Target::parse(&self.jobs)? {
            Target::Matching(filter) => {
                let action = self.to.action(&session.client.jobs(filter));
                self.confirm.act(session, action).await
            }
            Target::One(job) => self.change(session, job).await,
        }
    }

    async fn change(self, session: &Session, job: JobId) -> Result<(), Failure> {
        let Some(before) = session.client.job(job).status().await? else { return Err(job_missing(job)) };
        if before.finished_at.is_some() {
            return Err(Failure::Refused(format!("job {job} has ended already: it is {}", before.state)));
        }
        let action = self.to.action(&session.client.jobs(id(job)));
        self.confirm.act_on_one(session, job, action).await
    }
}
