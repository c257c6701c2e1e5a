//! A schedule to set, as a value.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::defined_job::DefinedJob;
use super::definition::Definition;
use super::error::ScheduleError;
use super::invalid::InvalidSchedule;
use super::missed::Missed;
use super::overlap::Overlap;
use super::timetable::Timetable;
use super::timing::Timing;
use crate::NewJob;
use crate::db::time::{micros, time};
use crate::enqueue::new_row::NewRow;
use crate::job::descriptor::policy_of;

/// A schedule to set, as a value: change its options, and give it a name with [`Schedules::upsert`](crate::Schedules::upsert). The
/// function `schedule` beside each job function makes one, with arguments that the compiler checks.
///
/// Its text is a cron pattern of five fields (minute, hour, day, month, weekday), or of six with the second before them; a nickname
/// such as `@daily`; or an interval such as `every 10m`. [The guide](https://docs.rs/pgjobq/latest/pgjobq/guide/schedules) has the
/// details.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// # mod report { pub fn schedule(_: &str, _: i64) -> pgjobq_core::NewSchedule { unimplemented!() } }
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::ScheduleError> {
/// use pgjobq::{Missed, Overlap};
///
/// let weekdays = report::schedule("0 9 * * MON-FRI", 42)
///     .timezone("Europe/Berlin")
///     .missed(Missed::RunOnce)
///     .overlap(Overlap::Skip);
/// client.schedules().upsert("report-42", weekdays).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a schedule does nothing until it is set with `upsert`"]
pub struct NewSchedule {
    job: NewRow,
    timetable: Timetable,
}

impl NewSchedule {
    /// Makes a schedule of a job with options of its own. For one without, `schedule(…)` beside the job function is shorter.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// # fn example(job: pgjobq::NewJob<()>) -> pgjobq::NewSchedule {
    /// use pgjobq::{NewSchedule, Priority};
    ///
    /// NewSchedule::new("@hourly", job.priority(Priority::High))
    /// # }
    /// ```
    pub fn new<T>(text: impl Into<String>, job: NewJob<T>) -> Self {
        Self { job: job.row, timetable: Timetable::new(text) }
    }

    /// Sets the time zone in which a cron pattern is read, by its name in the IANA database; `UTC` by default. An interval has none.
    pub fn timezone(mut self, zone: impl Into<String>) -> Self {
        self.timetable.timezone = zone.into();
        self
    }

    /// Sets what becomes of missed ticks; [`Missed::Skip`] by default.
    pub fn missed(mut self, missed: Missed) -> Self {
        self.timetable.missed = missed.to_string();
        self
    }

    /// Sets what becomes of a tick if the job of the last one has not ended; [`Overlap::Allow`] by default.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.timetable.overlap = overlap.as_str().to_owned();
        self
    }

    /// Delays the start of each job by up to this time, at least 1 ms and at most a day, so that many schedules do not start at once.
    /// The delay of a tick follows from its time and the name of the schedule.
    pub fn jitter(mut self, most: Duration) -> Self {
        self.timetable.jitter = Some(i64::try_from(most.as_micros()).unwrap_or(i64::MAX));
        self
    }

    /// Sets the time of the first possible tick. The ticks of an interval are counted from it.
    pub fn starts(mut self, time: SystemTime) -> Self {
        self.timetable.starts = Some(micros(time));
        self
    }

    /// Sets the time of the last possible tick.
    pub fn ends(mut self, time: SystemTime) -> Self {
        self.timetable.ends = Some(micros(time));
        self
    }

    /// Returns its next ticks after now, at most `n`, by the clock of this machine. It asks no database.
    ///
    /// # Errors
    ///
    /// A mistake in the definition.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// # fn example(report: pgjobq::NewSchedule) -> Result<(), pgjobq::InvalidSchedule> {
    /// for run in report.next_runs(3)? {
    ///     println!("{run:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_runs(&self, n: usize) -> Result<Vec<SystemTime>, InvalidSchedule> {
        let timing = Timing::to_set(&self.timetable)?;
        Ok(timing.after(micros(SystemTime::now())).take(n).map(time).collect())
    }

    /// Checks it, and returns the definition to store.
    pub(super) fn check(self, max_args: usize) -> Result<Definition, ScheduleError> {
        let Self { job, timetable } = self;
        if Missed::read(&timetable.missed).is_none() {
            return Err(InvalidSchedule::Missed(timetable.missed).into());
        }
        let policy = policy_of(job.kind);
        Ok(Definition::new(timetable, DefinedJob::new(job, policy, max_args)?)?)
    }
}

impl fmt::Debug for NewSchedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timetable { text, timezone, .. } = &self.timetable;
        write!(out, "NewSchedule({:?}, {text:?} in {timezone})", self.job)
    }
}
