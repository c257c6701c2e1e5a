//! A schedule among others.

use std::time::SystemTime;

use pgjobq::{MissedTick, Schedule, ScheduleSource, ScheduleState};
use serde::Serialize;

use super::badge::Badge;
use super::job_row::shortened;
use crate::show::link::link;
use crate::show::moment::Moment;

/// A schedule among others.
#[derive(Serialize)]
pub(crate) struct ScheduleRow {
    pub(crate) name: String,
    pub(crate) state: Badge,
    pub(crate) kind: String,
    pub(crate) queue: String,
    /// The cron pattern or the interval. One that was stored by hand may be of any length, and is shortened.
    pub(crate) text: String,
    pub(crate) timezone: String,
    /// The reason why it can never fire.
    pub(crate) problem: Option<String>,
    pub(crate) paused_at: Option<Moment>,
    /// The time since which the code lacks it.
    pub(crate) stopped_at: Option<Moment>,
    pub(crate) next_at: Option<Moment>,
    /// The tick that was fired last.
    pub(crate) last_tick: Option<Moment>,
    pub(crate) last_fired_at: Option<Moment>,
    pub(crate) last_job: Option<String>,
    pub(crate) last_missed: Option<Missed>,
    /// The policy of missed ticks.
    pub(crate) missed: String,
    /// The policy of a tick that comes before the job of the last one has ended.
    pub(crate) overlap: String,
    /// Who has set it; `None` if it is in the code.
    pub(crate) set: Option<Set>,
}

/// A tick without a job.
#[derive(Serialize)]
pub(crate) struct Missed {
    pub(crate) at: Moment,
    pub(crate) why: String,
}

/// Who has set a schedule.
#[derive(Serialize)]
pub(crate) struct Set {
    pub(crate) by: String,
    pub(crate) at: Moment,
}

impl ScheduleRow {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        let (paused_at, stopped_at) = match schedule.state {
            ScheduleState::Paused(since) => (Some(since), None),
            ScheduleState::Stopped(since) => (None, Some(since)),
            _ => (None, None),
        };
        let moment = |time: Option<SystemTime>| time.map(Moment);
        Self {
            name: schedule.name.clone(),
            state: badge(schedule),
            kind: schedule.kind.clone(),
            queue: schedule.queue.clone(),
            text: shortened(&schedule.text),
            timezone: shortened(&schedule.timezone),
            problem: schedule.problem.as_deref().map(shortened),
            paused_at: moment(paused_at),
            stopped_at: moment(stopped_at),
            next_at: moment(schedule.next_at),
            last_tick: moment(schedule.last_tick),
            last_fired_at: moment(schedule.last_fired_at),
            last_job: schedule.last_job.map(|job| job.to_string()),
            last_missed: schedule.last_missed.as_ref().map(Missed::new),
            missed: schedule.missed.to_string(),
            overlap: schedule.overlap.to_string(),
            set: Set::of(&schedule.source),
        }
    }

    pub(crate) fn link(&self) -> String {
        link("schedule", &[("name", &self.name)])
    }

    pub(crate) fn queue_link(&self) -> String {
        link("queue", &[("name", &self.queue)])
    }

    pub(crate) fn job_link(&self) -> Option<String> {
        self.last_job.as_ref().map(|job| link("job", &[("id", job)]))
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// Returns whether a pause changes it. One that has stopped fires nothing anyway.
    pub(crate) fn can_pause(&self) -> bool {
        self.paused_at.is_none() && self.stopped_at.is_none()
    }
}

impl Missed {
    fn new(missed: &MissedTick) -> Self {
        Self { at: Moment(missed.at), why: missed.why.clone() }
    }
}

impl Set {
    fn of(source: &ScheduleSource) -> Option<Self> {
        match source {
            ScheduleSource::Stored { by, at } => Some(Self { by: by.clone(), at: Moment(*at) }),
            _ => None,
        }
    }
}

fn badge(schedule: &Schedule) -> Badge {
    match schedule.state {
        _ if schedule.problem.is_some() => Badge::new("broken", "dead"),
        ScheduleState::Paused(_) => Badge::new("paused", "held"),
        ScheduleState::Stopped(_) => Badge::new("stopped", "over"),
        _ if schedule.next_at.is_none() => Badge::new("ended", "over"),
        _ => Badge::new("active", "completed"),
    }
}
