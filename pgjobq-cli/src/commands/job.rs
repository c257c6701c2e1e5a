//! `pgjobq job`

use std::collections::BTreeMap;
use std::time::SystemTime;

use clap::Args;
use pgjobq::{AttributeValue, Cancellation, Explanation, JobDetails, JobId, JobState};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::explanation::{ExplanationJson, StepJson};
use crate::failure::Failure;
use crate::json::{FailedJson, raw, time, times};
use crate::session::Session;
use crate::text::{counted, moment};

/// Show one job: its state, arguments, result and failures, and why it does not run
#[derive(Args)]
pub(crate) struct Job {
    /// The job's id
    id: JobId,
}

#[derive(Serialize)]
struct DetailsJson<'j> {
    id: JobId,
    kind: &'j str,
    queue: &'j str,
    state: JobState,
    priority: &'static str,
    key: Option<&'j str>,
    unique_key: Option<&'j str>,
    attributes: &'j BTreeMap<String, AttributeValue>,
    /// As PostgreSQL prints them, so that each number is exact.
    args: Box<RawValue>,
    output: Option<Box<RawValue>>,
    attempts: u32,
    failures: u32,
    crashes: u32,
    retries: u32,
    max_crashes: u32,
    /// The time of its enqueue, or of its last return into line.
    created_at: String,
    /// Null if it has never returned into line.
    first_enqueued_at: Option<String>,
    run_at: Option<String>,
    expires_at: Option<String>,
    running_since: Option<String>,
    finished_at: Option<String>,
    /// The worker that runs it.
    worker: Option<&'j str>,
    /// Null if it is no step of a workflow.
    step_of: Option<StepJson>,
    /// The job whose function has enqueued it.
    enqueued_by: Option<JobId>,
    schedule: Option<&'j str>,
    progress: Option<ProgressJson<'j>>,
    cancelled: Option<CancelledJson<'j>>,
    errors: Vec<FailedJson>,
    /// The number of live workers that take it.
    workers: u64,
    explanation: ExplanationJson<'j>,
}

#[derive(Serialize)]
struct ProgressJson<'j> {
    percent: u8,
    message: &'j str,
    at: String,
}

#[derive(Serialize)]
struct CancelledJson<'j> {
    by: &'j str,
    role: &'j str,
    reason: Option<&'j str>,
    asked_at: String,
}

impl Job {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let job = session.client.job(self.id);
        let explanation = job.explain().await?;
        let Some(details) = job.details().await? else {
            return Err(Failure::NotFound(explanation.to_string()));
        };
        let json = as_json(&details, &explanation)?;
        session.out.print(&json, || shown(&details, &explanation))
    }
}

fn as_json<'j>(job: &'j JobDetails, explanation: &'j Explanation) -> Result<DetailsJson<'j>, Failure> {
    let status = &job.status;
    Ok(DetailsJson {
        id: status.id,
        kind: &status.kind,
        queue: &status.queue,
        state: status.state,
        priority: job.priority.as_str(),
        key: job.key.as_deref(),
        unique_key: status.unique_key.as_deref(),
        attributes: &job.attributes,
        args: raw(&job.args)?,
        output: job.output.as_deref().map(raw).transpose()?,
        attempts: status.attempts,
        failures: status.failures,
        crashes: status.crashes,
        retries: job.retries,
        max_crashes: job.max_crashes,
        created_at: time(status.created_at),
        first_enqueued_at: times(job.first_enqueued_at),
        run_at: times(status.run_at),
        expires_at: times(job.expires_at),
        running_since: times(job.running_since),
        finished_at: times(status.finished_at),
        worker: job.worker.as_deref(),
        step_of: StepJson::of(job),
        enqueued_by: job.enqueued_by,
        schedule: job.schedule.as_deref(),
        progress: status.progress.as_ref().map(|progress| ProgressJson {
            percent: progress.percent,
            message: &progress.message,
            at: time(progress.at),
        }),
        cancelled: status.cancelled.as_ref().map(|cancelled| CancelledJson {
            by: &cancelled.by,
            role: &cancelled.role,
            reason: cancelled.reason.as_deref(),
            asked_at: time(cancelled.asked_at),
        }),
        errors: job.errors.iter().map(FailedJson::from).collect(),
        workers: status.workers,
        explanation: ExplanationJson::new(explanation, StepJson::of(job)),
    })
}

fn cancelled(by: &Cancellation) -> String {
    let reason = by.reason.as_ref().map(|reason| format!(": {reason}"));
    format!("by {} at {}{}", by.by, moment(by.asked_at), reason.unwrap_or_default())
}

fn shown(job: &JobDetails, explanation: &Explanation) -> String {
    let status = &job.status;
    let mut text = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text += &format!("{name:<11} {value}\n");
        }
    };
    let at = |at: Option<SystemTime>| at.map(moment);
    line("id", Some(status.id.to_string()));
    line("kind", Some(status.kind.clone()));
    line("queue", Some(status.queue.clone()));
    line("state", Some(status.state.to_string()));
    line("priority", Some(job.priority.as_str().to_owned()));
    line("key", job.key.clone());
    line("unique key", status.unique_key.clone());
    line(
        "attributes",
        (!job.attributes.is_empty()).then(|| serde_json::to_string(&job.attributes).ok()).flatten(),
    );
    line("step", StepJson::of(job).map(StepJson::shown));
    line("schedule", job.schedule.clone());
    line("enqueued", at(Some(job.first_enqueued_at.unwrap_or(status.created_at))));
    line("enqueued by", job.enqueued_by.map(|parent| format!("job {parent}")));
    let returned = if job.step_of.is_some() { "retried" } else { "requeued" };
    line(returned, at(job.first_enqueued_at.map(|_| status.created_at)));
    line("run at", at(status.run_at));
    line("expires at", at(job.expires_at));
    line("running", job.worker.as_ref().map(|worker| format!("in {worker}")));
    line("since", at(job.running_since));
    line("ended", at(status.finished_at));
    line("cancelled", status.cancelled.as_ref().map(cancelled));
    let (attempts, failures, crashes) = (status.attempts, status.failures, status.crashes);
    line("attempts", Some(format!("{attempts} ({failures} failed, {crashes} crashed)")));
    line("progress", status.progress.as_ref().map(|now| format!("{} % {}", now.percent, now.message)));
    line("arguments", Some(job.args.clone()));
    line("result", job.output.clone());
    for failed in &job.errors {
        if failed.left_out > 0 {
            text += &format!("\n({} left out)", counted(failed.left_out.into(), "failure"));
        }
        let (attempt, reason) = (failed.attempt, failed.reason.as_str());
        let when = failed.at.map_or("-".to_owned(), moment);
        text += &format!("\nattempt {attempt} at {when}: {reason}: {}", failed.message);
    }
    format!("{text}\n\n{explanation}").replace("\n\n\n", "\n\n")
}
