//! A schedule as text for people, and as JSON for programs.

use std::time::SystemTime;

use pgjobq::{JobId, Overlap, Schedule, ScheduleSource, ScheduleState};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::json::{time, times};
use crate::text::moment;

#[derive(Serialize)]
pub(crate) struct ScheduleJson {
    name: String,
    kind: String,
    queue: String,
    at: String,
    timezone: String,
    state: &'static str,
    /// Since when it is paused, or not in the code.
    since: Option<String>,
    /// Why it can never fire.
    problem: Option<String>,
    /// True if the code of a running worker has it.
    is_declared: bool,
    missed: String,
    overlap: &'static str,
    /// As PostgreSQL prints them, so that each number is exact.
    args: Option<Box<RawValue>>,
    /// Who has set it; null if it is in the code alone.
    set_by: Option<String>,
    set_at: Option<String>,
    next_runs: Vec<String>,
    last_tick: Option<String>,
    last_fired_at: Option<String>,
    last_job: Option<JobId>,
    last_missed: Option<MissedJson>,
}

#[derive(Serialize)]
struct MissedJson {
    at: String,
    why: String,
}

impl ScheduleJson {
    /// Returns the JSON of a schedule with this many of its next runs.
    pub(crate) fn of(schedule: &Schedule, runs: usize) -> Result<Self, Failure> {
        let args = Some(schedule.args.clone()).filter(|args| !args.is_empty());
        let args = args.map(RawValue::from_string).transpose();
        let (set_by, set_at) = match &schedule.source {
            ScheduleSource::Stored { by, at } => (Some(by.clone()), Some(time(*at))),
            _ => (None, None),
        };
        let missed = schedule.last_missed.as_ref();
        Ok(Self {
            name: schedule.name.clone(),
            kind: schedule.kind.clone(),
            queue: schedule.queue.clone(),
            at: schedule.text.clone(),
            timezone: schedule.timezone.clone(),
            state: state_of(schedule),
            since: times(since(schedule)),
            problem: schedule.problem.clone(),
            is_declared: schedule.is_declared,
            missed: schedule.missed.to_string(),
            overlap: overlap_name(schedule.overlap),
            args: args.map_err(|error| Failure::Refused(error.to_string()))?,
            set_by,
            set_at,
            next_runs: schedule.next_runs(runs).into_iter().map(time).collect(),
            last_tick: times(schedule.last_tick),
            last_fired_at: times(schedule.last_fired_at),
            last_job: schedule.last_job,
            last_missed: missed.map(|missed| MissedJson { at: time(missed.at), why: missed.why.clone() }),
        })
    }
}

/// Returns all that is known of a schedule, with this many of its next runs.
pub(crate) fn shown(schedule: &Schedule, runs: usize) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text += &format!("{name:<11} {value}\n");
    line("name", schedule.name.clone());
    line("kind", schedule.kind.clone());
    line("queue", schedule.queue.clone());
    line("at", format!("{} ({})", schedule.text, schedule.timezone));
    let state = state_of(schedule);
    line("state", since(schedule).map_or(state.to_owned(), |at| format!("{state} since {}", moment(at))));
    if let Some(problem) = &schedule.problem {
        line("problem", problem.clone());
    }
    line(
        "set",
        match &schedule.source {
            ScheduleSource::Stored { by, at } => format!("by {by} at {}", moment(*at)),
            _ if schedule.is_declared => "in the code".to_owned(),
            _ => "in the code of no running worker".to_owned(),
        },
    );
    line("missed", schedule.missed.to_string());
    line("overlap", overlap_name(schedule.overlap).to_owned());
    if !schedule.args.is_empty() {
        line("arguments", schedule.args.clone());
    }
    if let Some(tick) = schedule.last_tick {
        let job = schedule.last_job.map(|job| format!(", job {job}"));
        line("last run", moment(tick) + &job.unwrap_or_default());
    }
    if let Some(missed) = &schedule.last_missed {
        line("last missed", format!("{}: {}", moment(missed.at), missed.why));
    }
    for run in schedule.next_runs(runs) {
        line("next run", moment(run));
    }
    text
}

/// Returns the name of the state of a schedule.
pub(crate) fn state_of(schedule: &Schedule) -> &'static str {
    match schedule.state {
        _ if schedule.problem.is_some() => "broken",
        ScheduleState::Active if schedule.next_at.is_none() => "ended",
        ScheduleState::Active => "active",
        ScheduleState::Paused(_) => "paused",
        ScheduleState::Stopped(_) => "stopped",
        _ => "unknown",
    }
}

/// Returns since when a schedule is paused, or not in the code.
fn since(schedule: &Schedule) -> Option<SystemTime> {
    match schedule.state {
        ScheduleState::Paused(since) | ScheduleState::Stopped(since) => Some(since),
        _ => None,
    }
}

/// Returns the name of a policy of overlaps, as `#[job]` has it.
fn overlap_name(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Allow => "allow",
        Overlap::Skip => "skip",
        Overlap::CancelRunning => "cancel_running",
        _ => "unknown",
    }
}
