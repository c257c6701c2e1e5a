//! One job: what it is, what has become of it, and why it is not running.

use askama::Template;
use pgjobq::{FailedAttempt, JobDetails, JobId, JobState};
use serde::Serialize;
use serde_json::value::RawValue;

use super::badge::Badge;
use super::neighbours::Neighbours;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::json::pretty;
use crate::show::link::{link, only, preview};
use crate::show::moment::Moment;
use crate::show::span::Span;
use crate::user::Permission;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "job.html")]
pub(crate) struct Job {
    #[serde(skip)]
    visit: Visit,
    id: String,
    state: Badge,
    kind: String,
    queue: String,
    priority: &'static str,
    key: Option<String>,
    unique_key: Option<String>,
    attributes: Vec<(String, String)>,
    attempts: u32,
    failures: u32,
    crashes: u32,
    retries: u32,
    max_crashes: u32,
    /// The time of its enqueue, or of the last requeue.
    created_at: Moment,
    /// The time of its first enqueue, if it was requeued since.
    first_enqueued_at: Option<Moment>,
    run_at: Option<Moment>,
    expires_at: Option<Moment>,
    running_since: Option<Moment>,
    finished_at: Option<Moment>,
    worker: Option<String>,
    /// The live workers that can run it.
    workers: u64,
    progress: Option<Progress>,
    cancelled: Option<Cancelled>,
    enqueued_by: Option<String>,
    trace_id: Option<String>,
    workflow: Option<String>,
    step: Option<u32>,
    /// The steps before and behind it. Those of a workflow that no page draws are left out.
    #[serde(flatten)]
    neighbours: Option<Neighbours>,
    /// The schedule that has enqueued it.
    schedule: Option<String>,
    /// The reasons why it is not running, or that it runs, or how it ended.
    why: Vec<Why>,
    /// The failed attempts, the latest first.
    failed_attempts: Vec<Failed>,
    /// The arguments as they are stored; null if the user may not see them.
    args: Option<Box<RawValue>>,
    output: Option<Box<RawValue>>,
    #[serde(skip)]
    shown_args: Option<Text>,
    #[serde(skip)]
    shown_output: Option<Text>,
    #[serde(skip)]
    is_live: bool,
}

/// JSON as the page shows it.
struct Text {
    text: String,
    is_cut: bool,
}

#[derive(Serialize)]
struct Progress {
    percent: u8,
    message: String,
    at: Moment,
}

#[derive(Serialize)]
struct Cancelled {
    by: String,
    role: String,
    reason: Option<String>,
    at: Moment,
}

#[derive(Serialize)]
struct Why {
    code: String,
    sentence: String,
}

/// A failed attempt.
#[derive(Serialize)]
struct Failed {
    attempt: u32,
    at: Option<Moment>,
    reason: &'static str,
    message: String,
    worker: Option<String>,
    /// The number of failed attempts before it that are not kept.
    left_out: u32,
}

impl Screen for Job {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let id: JobId = params.required("id")?;
        let client = &visit.board().client;
        let missing = || Problem::NotFound(format!("there is no job {id}, or none any more"));
        let details = client.job(id).details().await?.ok_or_else(missing)?;
        let why = client.explain(id).await?.reasons.into_iter();
        let why = why.map(|reason| Why { code: reason.code, sentence: reason.sentence }).collect();
        let neighbours = match details.step_of {
            Some((workflow, n)) => Neighbours::of(visit.board(), workflow, n).await?,
            None => None,
        };
        Ok(Self::new(visit, details, why, neighbours))
    }
}

impl Job {
    fn new(visit: Visit, job: JobDetails, why: Vec<Why>, neighbours: Option<Neighbours>) -> Self {
        let status = job.status;
        let may_see = visit.may(Permission::SeeArguments);
        let (args, output) = (Some(job.args).filter(|_| may_see), job.output.filter(|_| may_see));
        let attributes = job.attributes.into_iter();
        let (workflow, step) = job.step_of.unzip();
        Self {
            id: status.id.to_string(),
            state: Badge::of(status.state),
            is_live: status.finished_at.is_none(),
            kind: status.kind,
            queue: status.queue,
            priority: job.priority.as_str(),
            key: job.key,
            unique_key: status.unique_key,
            attributes: attributes.map(|(name, value)| (name, shown(&value))).collect(),
            attempts: status.attempts,
            failures: status.failures,
            crashes: status.crashes,
            retries: job.retries,
            max_crashes: job.max_crashes,
            created_at: Moment(status.created_at),
            first_enqueued_at: job.first_enqueued_at.map(Moment),
            run_at: status.run_at.map(Moment),
            expires_at: job.expires_at.map(Moment),
            running_since: job.running_since.map(Moment),
            finished_at: status.finished_at.map(Moment),
            worker: job.worker,
            workers: status.workers,
            progress: status.progress.map(Progress::new),
            cancelled: status.cancelled.map(Cancelled::new),
            enqueued_by: job.enqueued_by.map(|id| id.to_string()),
            trace_id: job.traceparent.as_deref().and_then(trace_id),
            workflow: workflow.map(|id| id.to_string()),
            step,
            neighbours,
            schedule: job.schedule,
            why,
            failed_attempts: job.errors.into_iter().rev().map(Failed::new).collect(),
            shown_args: args.as_deref().map(Text::new),
            shown_output: output.as_deref().map(Text::new),
            args: args.and_then(|args| RawValue::from_string(args).ok()),
            output: output.and_then(|output| RawValue::from_string(output).ok()),
            visit,
        }
    }

    fn may_see(&self) -> bool {
        self.visit.may(Permission::SeeArguments)
    }

    /// True if a requeue changes it.
    fn ended_badly(&self) -> bool {
        let badly = [JobState::Dead, JobState::Cancelled, JobState::Expired];
        badly.iter().any(|state| state.as_str() == self.state.word)
    }

    fn is_scheduled(&self) -> bool {
        self.state.word == JobState::Scheduled.as_str()
    }

    fn is_running(&self) -> bool {
        self.state.word == JobState::Running.as_str()
    }

    /// The time from its enqueue, or its last requeue, to its end.
    fn took(&self) -> Option<Span> {
        let ended = self.finished_at.as_ref()?;
        ended.0.duration_since(self.created_at.0).ok().map(Span)
    }

    /// The word for its return into line.
    fn returned(&self) -> &'static str {
        if self.workflow.is_some() { "retried" } else { "requeued" }
    }

    /// The failed attempts since its enqueue or its last requeue, the latest first, and those before.
    fn attempts_by_requeue(&self) -> (&[Failed], &[Failed]) {
        let is_before = |failed: &Failed| failed.at.is_some_and(|at| at < self.created_at);
        let before = self.first_enqueued_at.and_then(|_| self.failed_attempts.iter().position(is_before));
        self.failed_attempts.split_at(before.unwrap_or(self.failed_attempts.len()))
    }

    fn queue_link(&self) -> String {
        link("queue", &[("name", &self.queue)])
    }

    fn kind_link(&self) -> String {
        let filter = pgjobq::filter::kind(&*self.kind).to_string();
        link("jobs", &[("filter", &filter)])
    }

    fn key_link(&self, key: &str) -> String {
        link("jobs", &[("filter", &pgjobq::filter::key(key).to_string())])
    }

    fn job_link(&self, id: &str) -> String {
        link("job", &[("id", id)])
    }

    fn workflow_link(&self, id: &str) -> String {
        link("workflow", &[("id", id)])
    }

    fn schedule_link(&self, name: &str) -> String {
        link("schedule", &[("name", name)])
    }

    fn json_link(&self) -> String {
        link("api/job", &[("id", &self.id)])
    }

    fn preview(&self, action: &str) -> String {
        let id: Option<JobId> = self.id.parse().ok();
        preview(action, &id.map(only).unwrap_or_default())
    }
}

impl Text {
    fn new(json: &str) -> Self {
        let (text, is_cut) = pretty(json);
        Self { text, is_cut }
    }
}

impl Progress {
    fn new(progress: pgjobq::Progress) -> Self {
        Self { percent: progress.percent, message: progress.message, at: Moment(progress.at) }
    }
}

impl Cancelled {
    fn new(of: pgjobq::Cancellation) -> Self {
        Self { by: of.by, role: of.role, reason: of.reason, at: Moment(of.asked_at) }
    }
}

impl Failed {
    fn new(failed: FailedAttempt) -> Self {
        Self {
            attempt: failed.attempt,
            at: failed.at.map(Moment),
            reason: failed.reason.as_str(),
            message: failed.message,
            worker: failed.worker,
            left_out: failed.left_out,
        }
    }
}

fn shown(value: &pgjobq::AttributeValue) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The trace id of a W3C trace context: `00-<trace id>-<span id>-<flags>`.
fn trace_id(traceparent: &str) -> Option<String> {
    let id = traceparent.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}
