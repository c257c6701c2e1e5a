//! The things of pgjobq as JSON. Times are RFC 3339 in UTC. Durations are seconds, and their names end with `_seconds`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use pgjobq::{
    ActionReport, ActionState, AttributeValue, FailedAttempt, JobId, JobState, JobsPreview, ListedJob, Pause,
    QueueOverview,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Failure;

/// Returns a time as RFC 3339, to the microsecond.
pub(crate) fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_micros(at).to_string()
}

pub(crate) fn times(at: Option<SystemTime>) -> Option<String> {
    at.map(time)
}

/// Returns JSON text as it is, so that each number is exact.
pub(crate) fn raw(json: &str) -> Result<Box<RawValue>, Failure> {
    RawValue::from_string(json.to_owned()).map_err(|error| Failure::Refused(error.to_string()))
}

#[derive(Serialize)]
pub(crate) struct JobJson {
    id: JobId,
    state: JobState,
    queue: Option<String>,
    kind: String,
    priority: &'static str,
    key: Option<String>,
    unique_key: Option<String>,
    attributes: BTreeMap<String, AttributeValue>,
    attempts: u32,
    failures: u32,
    crashes: u32,
    created_at: String,
    run_at: Option<String>,
    finished_at: Option<String>,
    error: Option<String>,
    cancelled_for: Option<String>,
}

impl From<&ListedJob> for JobJson {
    fn from(job: &ListedJob) -> Self {
        Self {
            id: job.id,
            state: job.state,
            queue: job.queue.clone(),
            kind: job.kind.clone(),
            priority: job.priority.as_str(),
            key: job.key.clone(),
            unique_key: job.unique_key.clone(),
            attributes: job.attributes.clone(),
            attempts: job.attempts,
            failures: job.failures,
            crashes: job.crashes,
            created_at: time(job.created_at),
            run_at: times(job.run_at),
            finished_at: times(job.finished_at),
            error: job.error.clone(),
            cancelled_for: job.cancelled_for.clone(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct FailedJson {
    attempt: u32,
    at: Option<String>,
    reason: &'static str,
    message: String,
    worker: Option<String>,
    left_out_before: u32,
}

impl From<&FailedAttempt> for FailedJson {
    fn from(failed: &FailedAttempt) -> Self {
        Self {
            attempt: failed.attempt,
            at: times(failed.at),
            reason: failed.reason.as_str(),
            message: failed.message.clone(),
            worker: failed.worker.clone(),
            left_out_before: failed.left_out,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct QueueJson {
    queue: String,
    ready: u64,
    running: u64,
    scheduled: u64,
    blocked: u64,
    limited: u64,
    quarantined: u64,
    dead: u64,
    exact: bool,
    oldest_ready: Option<String>,
    oldest_waits_seconds: Option<f64>,
    completed_per_minute: f64,
    failed_per_minute: f64,
    workers: u64,
    unaccepted: u64,
    requested: u64,
    paused: bool,
    bound: Option<u64>,
    room: Option<u64>,
}

impl From<&QueueOverview> for QueueJson {
    fn from(queue: &QueueOverview) -> Self {
        Self {
            queue: queue.queue.clone(),
            ready: queue.ready,
            running: queue.running,
            scheduled: queue.scheduled,
            blocked: queue.blocked,
            limited: queue.limited,
            quarantined: queue.quarantined,
            dead: queue.dead,
            exact: queue.exact,
            oldest_ready: times(queue.oldest_ready),
            oldest_waits_seconds: queue.oldest_waits_for.map(|age| age.as_secs_f64()),
            completed_per_minute: queue.completed_per_minute,
            failed_per_minute: queue.failed_per_minute,
            workers: queue.workers,
            unaccepted: queue.unaccepted,
            requested: queue.requested,
            paused: queue.paused,
            bound: queue.bound,
            room: queue.room,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct PauseJson {
    scope: String,
    name: String,
    until: Option<String>,
    reason: Option<String>,
    by: String,
    role: String,
    since: String,
}

impl From<&Pause> for PauseJson {
    fn from(pause: &Pause) -> Self {
        Self {
            scope: pause.scope.to_string(),
            name: pause.name.clone(),
            until: times(pause.until),
            reason: pause.reason.clone(),
            by: pause.by.clone(),
            role: pause.role.clone(),
            since: time(pause.since),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct PreviewJson {
    action: Option<String>,
    filter: String,
    jobs: u64,
    exact: bool,
    samples: Vec<JobJson>,
}

impl From<&JobsPreview> for PreviewJson {
    fn from(preview: &JobsPreview) -> Self {
        Self {
            action: preview.action.clone(),
            filter: preview.filter.clone(),
            jobs: preview.count.jobs,
            exact: preview.count.exact,
            samples: preview.samples.iter().map(JobJson::from).collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ActionJson {
    id: i64,
    action: String,
    filter: String,
    state: &'static str,
    matched: u64,
    changed: u64,
    left: BTreeMap<String, u64>,
    problem: Option<String>,
    rate: Option<String>,
    asked_by: String,
    role: String,
    reason: Option<String>,
    created_at: String,
    ended_at: Option<String>,
}

impl From<&ActionReport> for ActionJson {
    fn from(report: &ActionReport) -> Self {
        Self {
            id: report.id.0,
            action: report.action.clone(),
            filter: report.filter.clone(),
            state: state_name(report.state),
            matched: report.matched,
            changed: report.changed,
            left: report.left.iter().map(|(reason, count)| (reason.to_string(), *count)).collect(),
            problem: report.problem.clone(),
            rate: report.rate.clone(),
            asked_by: report.asked_by.clone(),
            role: report.role.clone(),
            reason: report.reason.clone(),
            created_at: time(report.created_at),
            ended_at: times(report.ended_at),
        }
    }
}

/// Returns the name of the state of an action.
pub(crate) fn state_name(state: ActionState) -> &'static str {
    match state {
        ActionState::Running => "running",
        ActionState::Done => "done",
        ActionState::Stopped => "stopped",
        _ => "unknown",
    }
}
