//! A schedule that is due, as a worker reads it, and what it decides about the ticks.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::invalid::InvalidSchedule;
use super::missed::Missed;
use super::plan::TickPlan;
use super::timetable::Timetable;
use super::timing::Timing;

/// A schedule that is due.
#[derive(Debug, Deserialize)]
#[doc(hidden)]
pub struct DueSchedule {
    pub name: String,
    /// The time at which it has come due, in microseconds since 1970.
    pub(crate) next_at: i64,
    pub(crate) version: i64,
    /// The time up to which its ticks have passed, in microseconds since 1970.
    pub(crate) passed_to: i64,
    definition: Box<RawValue>,
}

impl DueSchedule {
    /// Decides about its ticks up to `now`. A worker has attended to all that was due since `attended`.
    ///
    /// # Errors
    ///
    /// If a later version of pgjobq has stored something that this one does not know.
    pub fn plan(&self, now: i64, attended: i64) -> Result<TickPlan, UnknownSchedule> {
        let table: Timetable = serde_json::from_str(self.definition.get())?;
        let missed = Missed::read(&table.missed).ok_or(InvalidSchedule::Missed(table.missed.clone()))?;
        Ok(TickPlan::new(&Timing::new(&table)?, missed, self.passed_to, now, attended))
    }
}

#[cfg(feature = "testing")]
impl DueSchedule {
    /// Returns its next tick, whether that is due or not.
    ///
    /// # Errors
    ///
    /// Those of [`plan`](Self::plan).
    pub fn next_tick(&self) -> Result<Option<i64>, UnknownSchedule> {
        Ok(self.plan(self.passed_to, self.passed_to)?.next)
    }
}

/// A definition that this program cannot read.
#[derive(Debug, thiserror::Error)]
#[doc(hidden)]
pub enum UnknownSchedule {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Invalid(#[from] InvalidSchedule),
}
