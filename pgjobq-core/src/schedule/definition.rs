//! A definition of a schedule, as it is stored: when it fires, and the job.

use serde::Serialize;

use super::defined_job::DefinedJob;
use super::invalid::InvalidSchedule;
use super::overlap::Overlap;
use super::timetable::Timetable;
use super::timing::Timing;

/// A definition of a schedule, checked.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Definition {
    #[serde(flatten)]
    pub(super) timetable: Timetable,
    job: DefinedJob,
    #[serde(skip)]
    last: Option<i64>,
}

impl Definition {
    /// Checks the timetable, and if it fits the job.
    pub(super) fn new(timetable: Timetable, job: DefinedJob) -> Result<Self, InvalidSchedule> {
        let last = Timing::to_set(&timetable)?.last_of_all();
        if timetable.overlap == Overlap::CancelRunning.as_str() && job.holds_its_key() {
            return Err(InvalidSchedule::HoldsItsKey);
        }
        Ok(Self { timetable, job, last })
    }

    /// Returns the kind of its job.
    pub(super) fn kind(&self) -> &'static str {
        self.job.kind()
    }

    /// Returns its last tick, in microseconds since 1970; `None` if it goes on.
    pub(super) fn last(&self) -> Option<i64> {
        self.last
    }
}

/// Returns the stored form.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("definitions have only texts, numbers and JSON in them")
}
