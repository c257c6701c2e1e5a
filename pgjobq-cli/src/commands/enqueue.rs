//! `pgjobq enqueue`

use std::io::Read as _;
use std::time::{Duration, SystemTime};

use clap::Args;
use pgjobq::{EnqueueOutcome, JobId, Priority, RecordedKind};
use serde::Serialize;

use crate::failure::Failure;
use crate::session::Session;
use crate::values::{PriorityName, duration, moment};

/// Enqueue a job by the name of its kind
#[derive(Args)]
#[command(
    long_about = "Enqueues a job by the name of its kind.\n\nOptions that are left out follow what programs have recorded of \
                  the kind. Nothing checks the arguments before the job runs."
)]
pub(crate) struct Enqueue {
    /// The kind: the name of the job function, unless `#[job(kind = …)]` says another
    kind: String,
    /// The arguments: a JSON object, by the names of the function's arguments; `-` reads them from standard input
    #[arg(default_value = "{}")]
    args: String,
    /// The queue, which must exist
    #[arg(long)]
    queue: Option<String>,
    /// The priority
    #[arg(long)]
    priority: Option<PriorityName>,
    /// How many tries follow the first failure
    #[arg(long, value_parser = clap::value_parser!(u16).range(..=32_767))]
    retries: Option<u16>,
    /// Start not before this time has passed
    #[arg(long, value_parser = duration, value_name = "TIME")]
    delay: Option<Duration>,
    /// Start not before this time
    #[arg(long, value_parser = moment, value_name = "TIME", conflicts_with = "delay")]
    run_at: Option<SystemTime>,
    /// End it as expired if it has not started within this time
    #[arg(long, value_parser = duration, value_name = "TIME")]
    expires_in: Option<Duration>,
    /// Its id. The command can be repeated, and enqueues nothing while a job with this id is live
    #[arg(long)]
    id: Option<JobId>,
    /// Its attributes: a JSON object of names and plain values
    #[arg(long, value_name = "JSON")]
    attributes: Option<String>,
    /// Its key
    #[arg(long)]
    key: Option<String>,
    /// The text that makes it unique among the jobs of its kind
    #[arg(long)]
    unique_key: Option<String>,
}

/// The error of a job that does not run.
const DROPPED: &str = "the job was dropped: its queue is full, or its key is at its limit";

#[derive(Serialize)]
struct EnqueuedJson {
    job: JobId,
    outcome: &'static str,
    /// Null if it could not be looked up.
    queue: Option<String>,
    /// The reason for which it may never run.
    warning: Option<String>,
}

impl Enqueue {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let args = arguments(&self.args)?;
        let mut job = session.client.kind(&self.kind).enqueue(args);
        macro_rules! set {
            ($($option:ident),*) => {$(
                if let Some(value) = self.$option {
                    job = job.$option(value);
                }
            )*};
        }
        set!(queue, retries, delay, run_at, expires_in, id, attributes, key, unique_key);
        if let Some(priority) = self.priority {
            job = job.priority(Priority::from(priority));
        }
        let enqueued = job.await?;
        let Some(job) = enqueued.job.filter(|_| enqueued.outcome != EnqueueOutcome::Dropped) else {
            return Err(Failure::Refused(DROPPED.to_owned()));
        };
        let is_new = enqueued.outcome == EnqueueOutcome::New;
        let outcome = if is_new { "new" } else { "duplicate" };
        let Placed { queue, warning } = Placed::of(session, &self.kind, job).await;
        let json = EnqueuedJson { job, outcome, queue, warning: warning.clone() };
        session.out.print(&json, || job)?;
        if !is_new {
            session.out.note(&format!("job {job} is live already: nothing was enqueued"));
        }
        if let Some(warning) = warning {
            session.out.note(&format!("warning: {warning}"));
        }
        Ok(())
    }
}

fn arguments(text: &str) -> Result<String, Failure> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut read = String::new();
    let wrong = |error| Failure::Usage(format!("the arguments cannot be read from standard input: {error}"));
    std::io::stdin().read_to_string(&mut read).map_err(wrong)?;
    Ok(read)
}

/// The queue of a job, and a warning if nobody takes it.
struct Placed {
    queue: Option<String>,
    warning: Option<String>,
}

impl Placed {
    /// Looks the job up. If that fails, nothing is known and nothing is said, because the job is enqueued.
    async fn of(session: &Session, kind: &str, job: JobId) -> Self {
        let Ok(Some(status)) = session.client.job(job).status().await else {
            return Self { queue: None, warning: None };
        };
        let queue = status.queue;
        let warning = match status.workers == 0 && status.finished_at.is_none() {
            true => Some(warning(session, kind, &queue, job).await),
            false => None,
        };
        Self { queue: Some(queue), warning }
    }
}

/// Returns why the job may never run: mostly its kind is misspelt.
async fn warning(session: &Session, kind: &str, queue: &str, job: JobId) -> String {
    let is_of_kind =
        |known: &RecordedKind| known.kind == kind || known.aliases.iter().any(|name| name == kind);
    let kinds = session.client.recorded_kinds().await;
    if kinds.is_ok_and(|kinds| !kinds.iter().any(is_of_kind)) {
        return format!(
            "no program has recorded the kind `{kind}`: the job waits in the queue `{queue}` for a worker with a job function of \
             that kind; if the name is wrong, `pgjobq cancel {job}`"
        );
    }
    format!(
        "no live worker takes jobs of the kind `{kind}` in the queue `{queue}`: `pgjobq explain {job}` says why"
    )
}
