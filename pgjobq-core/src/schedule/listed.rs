//! A schedule as the database has it.

use std::fmt;
use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::invalid::InvalidSchedule;
use super::missed::Missed;
use super::overlap::Overlap;
use super::timetable::Timetable;
use super::timing::Timing;
use crate::JobId;
use crate::db::time::time;
use crate::filter::instant;

/// A schedule as the database has it: from [`Schedules::list`](crate::Schedules::list) and [`get`](crate::Schedules::get). Its
/// `Display` is one line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// The kind of its jobs.
    pub kind: String,
    /// The queue of its jobs.
    pub queue: String,
    /// The cron pattern, the nickname, or the interval.
    pub text: String,
    /// The time zone of a cron pattern.
    pub timezone: String,
    /// The policy of missed ticks.
    pub missed: Missed,
    /// The policy of a tick that comes before the job of the last one has ended.
    pub overlap: Overlap,
    /// The arguments of its jobs, as JSON; without those that the kind redacts. Empty if they are longer than 8 MiB.
    pub args: String,
    /// Its origin.
    pub source: ScheduleSource,
    /// True if the code of a running worker has it. If it is false, and the source is the code, then its program is away, or its job
    /// function is deleted.
    pub is_declared: bool,
    /// Its state: it fires, pauses, or has stopped.
    pub state: ScheduleState,
    /// The next tick to come; `None` if it is not active, or no more will come.
    pub next_at: Option<SystemTime>,
    /// The last tick that was fired.
    pub last_tick: Option<SystemTime>,
    /// The time at which it was fired.
    pub last_fired_at: Option<SystemTime>,
    /// The job of that tick.
    pub last_job: Option<JobId>,
    /// The last tick for which no job was enqueued.
    pub last_missed: Option<MissedTick>,
    /// The reason why it can never fire: a mistake in its definition. `upsert` and the macro store none, but a hand may, and a later
    /// version of pgjobq may store what this one does not know.
    pub problem: Option<String>,
    table: Timetable,
    passed_to: i64,
}

/// The origin of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScheduleSource {
    /// The attribute of a job function.
    Code,
    /// A call of [`Schedules::upsert`](crate::Schedules::upsert), whose definition wins over that of the code.
    Stored {
        /// The database role of the program that has set it.
        by: String,
        /// The time of the call.
        at: SystemTime,
    },
}

/// The state of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScheduleState {
    /// It fires.
    Active,
    /// It was paused at this time.
    Paused(SystemTime),
    /// It was removed from the code: since this time workers know its kind, and none declares it.
    Stopped(SystemTime),
}

/// A tick for which no job was enqueued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissedTick {
    /// The time of the tick.
    pub at: SystemTime,
    /// The reason.
    pub why: String,
}

impl Schedule {
    /// Returns its next ticks after the time of the look, at most `n`; none unless it is active.
    #[must_use]
    pub fn next_runs(&self, n: usize) -> Vec<SystemTime> {
        let is_active = self.state == ScheduleState::Active && self.problem.is_none();
        let timing = if is_active { Timing::new(&self.table).ok() } else { None };
        timing.map_or(Vec::new(), |timing| timing.after(self.passed_to).take(n).map(time).collect())
    }

    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let at = |column| row.try_get::<Option<i64>, _>(column).map(|at| at.map(time));
        let (table, problem) = read_table(row.try_get("definition")?);
        let set_at = at("set_at")?.zip(row.try_get("set_by")?);
        let source = set_at.map_or(ScheduleSource::Code, |(at, by)| ScheduleSource::Stored { by, at });
        let (paused, stopped) = (at("paused_at")?, at("stopped_at")?);
        let state = stopped.map(ScheduleState::Stopped).or_else(|| paused.map(ScheduleState::Paused));
        let (passed_to, now): (i64, i64) = (row.try_get("passed_to")?, row.try_get("now")?);
        let mut schedule = Self {
            name: row.try_get("name")?,
            kind: row.try_get("kind")?,
            queue: row.try_get("queue")?,
            text: table.text.clone(),
            timezone: table.timezone.clone(),
            missed: Missed::read(&table.missed).unwrap_or_default(),
            overlap: Overlap::named(&table.overlap),
            args: row.try_get::<Option<_>, _>("args")?.unwrap_or_default(),
            source,
            is_declared: row.try_get("is_declared")?,
            state: state.unwrap_or(ScheduleState::Active),
            next_at: None,
            last_tick: at("last_tick")?,
            last_fired_at: at("last_fired_at")?,
            last_job: row.try_get::<Option<Uuid>, _>("last_job")?.map(JobId::from),
            last_missed: at("last_missed")?
                .zip(row.try_get("last_missed_why")?)
                .map(|(at, why)| MissedTick { at, why }),
            problem,
            table,
            passed_to: passed_to.max(now),
        };
        schedule.next_at = schedule.next_runs(1).pop();
        Ok(schedule)
    }
}

/// Reads a timetable, and what is wrong with it. One bad row must not hide all other schedules.
fn read_table(definition: &str) -> (Timetable, Option<String>) {
    match serde_json::from_str::<Timetable>(definition) {
        Ok(table) => {
            let problem = match Missed::read(&table.missed) {
                Some(_) => Timing::new(&table).err(),
                None => Some(InvalidSchedule::Missed(table.missed.clone())),
            };
            let problem = problem.map(|mistake| mistake.to_string());
            (table, problem)
        }
        Err(error) => {
            let found: serde_json::Value = serde_json::from_str(definition).unwrap_or_default();
            let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
            let table = Timetable { timezone: text("timezone"), ..Timetable::new(text("text")) };
            (table, Some(format!("its definition cannot be read: {error}")))
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, text, timezone, .. } = self;
        let shown = |time: SystemTime| instant::print(crate::db::time::micros(time));
        write!(out, "{name}: `{kind}` at `{text}` ({timezone})")?;
        match (self.state, self.next_at) {
            (ScheduleState::Paused(since), _) => write!(out, ", paused since {}", shown(since)),
            (ScheduleState::Stopped(since), _) => write!(out, ", not in the code since {}", shown(since)),
            (ScheduleState::Active, Some(next)) => write!(out, ", next at {}", shown(next)),
            (ScheduleState::Active, None) => match &self.problem {
                Some(problem) => write!(out, ", cannot fire: {problem}"),
                None => out.write_str(", has ended"),
            },
        }?;
        match &self.last_missed {
            Some(MissedTick { at, why }) => write!(out, "; missed {}: {why}", shown(*at)),
            None => Ok(()),
        }
    }
}
