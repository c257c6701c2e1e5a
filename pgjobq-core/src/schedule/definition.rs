//! A definition of a schedule, as it is stored: when it fires, and the job.

use serde::Serialize;

use super::defined_job::DefinedJob;
use super::invalid::InvalidSchedule;
use super::timetable::Timetable;
use super::timing::Timing;

/// A definition of a schedule, checked.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Definition {
    #[serde(flatten)]
    pub(super) timetable: Timetable,
    job: DefinedJob,
}

impl Definition {
    /// Checks the timetable.
    pub(super) fn new(timetable: Timetable, job: DefinedJob) -> Result<Self, InvalidSchedule> {
        Timing::new(&timetable)?;
        Ok(Self { timetable, job })
    }
}

/// Returns the stored form.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("definitions have only texts, numbers and JSON in them")
}
