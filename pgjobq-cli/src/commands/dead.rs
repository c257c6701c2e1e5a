//! `pgjobq dead`

use clap::Args;
use pgjobq::{EndedJob, JobId};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::json::{FailedJson, raw, time};
use crate::session::Session;
use crate::table::Table;
use crate::text::{first_line, moment};

/// List the dead jobs, the latest first, with their errors
#[derive(Args)]
#[command(
    after_help = "`pgjobq requeue \"state = 'dead' and …\"` puts them back in line, once the cause has been fixed."
)]
pub(crate) struct Dead {
    /// Only those of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only those of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Show each failed attempt with its whole message
    #[arg(long)]
    errors: bool,
    /// The most jobs to show
    #[arg(long, short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "JOBS")]
    limit: u32,
}

#[derive(Serialize)]
struct DeadJson {
    id: JobId,
    queue: String,
    kind: String,
    /// As PostgreSQL prints them, so that each number is exact.
    args: Box<RawValue>,
    attempts: u32,
    failures: u32,
    crashes: u32,
    created_at: String,
    finished_at: String,
    errors: Vec<FailedJson>,
}

impl Dead {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut dead = session.client.dead_jobs();
        if let Some(queue) = self.queue {
            dead = dead.queue(queue);
        }
        if let Some(kind) = self.kind {
            dead = dead.kind(kind);
        }
        let jobs = dead.list(self.limit).await?;
        let json = jobs.iter().map(as_json).collect::<Result<Vec<_>, _>>()?;
        session.out.print(&json, || if self.errors { with_errors(&jobs) } else { shown(&jobs).to_string() })
    }
}

fn as_json(job: &EndedJob) -> Result<DeadJson, Failure> {
    Ok(DeadJson {
        id: job.id,
        queue: job.queue.clone(),
        kind: job.kind.clone(),
        args: raw(&job.args)?,
        attempts: job.attempts,
        failures: job.failures,
        crashes: job.crashes,
        created_at: time(job.created_at),
        finished_at: time(job.finished_at),
        errors: job.errors.iter().map(FailedJson::from).collect(),
    })
}

fn shown(jobs: &[EndedJob]) -> Table {
    let mut table = Table::new(&["DIED", "ID", "KIND", "QUEUE", ">ATTEMPTS", "REASON", "ERROR"]);
    for job in jobs {
        let last = job.errors.last();
        table.row([
            moment(job.finished_at),
            job.id.to_string(),
            job.kind.clone(),
            job.queue.clone(),
            job.attempts.to_string(),
            last.map_or("-", |failed| failed.reason.as_str()).to_owned(),
            first_line(last.map_or("", |failed| &failed.message), 60),
        ]);
    }
    table
}

fn with_errors(jobs: &[EndedJob]) -> String {
    let of = |job: &EndedJob| {
        let EndedJob { id, kind, queue, args, .. } = job;
        let head = format!("{} {id} `{kind}` in `{queue}` {args}\n", moment(job.finished_at));
        let errors = job.errors.iter().map(|failed| {
            let message = failed.message.replace('\n', "\n      ");
            format!("  attempt {}: {}: {message}\n", failed.attempt, failed.reason.as_str())
        });
        head + &errors.collect::<String>()
    };
    jobs.iter().map(of).collect()
}
