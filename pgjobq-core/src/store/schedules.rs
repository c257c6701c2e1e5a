//! The schedules that are due, and their ticks.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::DatabaseError;
use crate::db::time::duration;
use crate::schedule::due::DueSchedule;
use crate::schedule::plan::TickPlan;
use crate::store::access::Store;

/// The result of a look at the schedules.
#[derive(Debug)]
pub struct SchedulesSeen {
    /// The time of the look, by the clock of the database: microseconds since 1970.
    pub now: i64,
    /// The schedules that are due.
    pub due: Vec<DueSchedule>,
    /// The time until the next one is due; `None` if none of the others has a next tick.
    pub next_due: Option<Duration>,
    /// False if there is no schedule at all.
    pub is_any: bool,
}

/// The result of firing the ticks of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The number of jobs; `None` if others were faster, or the schedule has changed.
    pub jobs: Option<i32>,
    /// The reason why the last tick without a job has none.
    pub missed: Option<String>,
}

impl Store {
    /// Returns the schedules that are due, at most `most`, from the oldest on, or behind the last one of the look before.
    pub async fn look_at_schedules(
        &self,
        most: usize,
        after: Option<&DueSchedule>,
    ) -> Result<SchedulesSeen, DatabaseError> {
        let query = sqlx::query(self.sql.look_at_schedules.clone())
            .bind(i32::try_from(most).unwrap_or(i32::MAX))
            .bind(after.map(|schedule| schedule.next_at))
            .bind(after.map(|schedule| &*schedule.name));
        let row = self.row(query).await?;
        read_seen(&row).map_err(DatabaseError::Refused)
    }

    /// Fires ticks of a schedule, unless others have done so since the look.
    pub async fn fire_schedule(
        &self,
        schedule: &DueSchedule,
        plan: &TickPlan,
        now: i64,
    ) -> Result<Fired, DatabaseError> {
        let query = sqlx::query(self.sql.fire_schedule.clone())
            .bind(&*schedule.name)
            .bind(schedule.version)
            .bind(schedule.passed_to)
            .bind(&*plan.ticks)
            .bind(plan.missed.as_ref().map(|(tick, _)| *tick))
            .bind(plan.missed.as_ref().map(|(_, why)| why.as_str()))
            .bind(now)
            .bind(plan.next);
        let row = self.row(query).await?;
        let read = || Ok(Fired { jobs: row.try_get("fired")?, missed: row.try_get("missed")? });
        read().map_err(DatabaseError::Refused)
    }
}

fn read_seen(row: &PgRow) -> Result<SchedulesSeen, sqlx::Error> {
    let due: Option<String> = row.try_get("due")?;
    let due = due.map(|due| serde_json::from_str(&due)).transpose();
    Ok(SchedulesSeen {
        now: row.try_get("now")?,
        due: due.map_err(|error| sqlx::Error::Decode(Box::new(error)))?.unwrap_or_default(),
        next_due: row.try_get::<Option<i64>, _>("next_due")?.map(duration),
        is_any: row.try_get("is_any")?,
    })
}
