//! The schedules in the code of this program, checked and ready to be recorded.

use serde::Serialize;
use sqlx::Row;

use super::declared::DeclaredSchedule;
use super::defined_job::DefinedJob;
use super::definition::{Definition, json};
use super::invalid::InvalidSchedule;
use crate::DatabaseError;
use crate::client::Client;
use crate::job::descriptor::JobDescriptor;
use crate::job::name;
use crate::job::registry::Registry;
use crate::job::sha256::{hex, sha256};

/// The number of characters of a digest. Two definitions of one name will not meet in them.
const DIGEST_LENGTH: usize = 32;

/// The schedules in the code of a program.
#[derive(Clone, Debug, Default)]
#[doc(hidden)]
pub struct CodeSchedules {
    all: Vec<CodeSchedule>,
}

#[derive(Clone, Debug, Serialize)]
struct CodeSchedule {
    name: &'static str,
    /// The same in all programs whose code has the same definition.
    digest: String,
    definition: Definition,
    /// Its last tick, in microseconds since 1970; `None` if it goes on.
    last: Option<i64>,
}

/// A mistake in a schedule of a job function.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct ScheduleMistake {
    pub job: &'static JobDescriptor,
    pub schedule: &'static str,
    pub mistake: InvalidSchedule,
}

impl CodeSchedules {
    /// Returns the schedules of these job functions, and every mistake in them.
    #[must_use]
    pub fn of(registry: &Registry) -> (Self, Vec<ScheduleMistake>) {
        let (mut all, mut mistakes) = (Vec::new(), Vec::new());
        for job in registry.jobs() {
            for declared in job.policy.schedules {
                match CodeSchedule::new(job.kind, declared) {
                    Ok(schedule) => all.push(schedule),
                    Err(mistake) => mistakes.push(ScheduleMistake { job, schedule: declared.name, mistake }),
                }
            }
        }
        (Self { all }, mistakes)
    }

    /// Returns the digests, with which a worker declares them.
    #[must_use]
    pub fn digests(&self) -> Vec<String> {
        self.all.iter().map(|schedule| schedule.digest.clone()).collect()
    }
}

impl CodeSchedule {
    fn new(kind: &'static str, declared: &DeclaredSchedule) -> Result<Self, InvalidSchedule> {
        name::check("schedule", declared.name)?;
        let definition = Definition::new(declared.timetable()?, DefinedJob::of_kind(kind))?;
        let text = format!("{} {}", declared.name, json(&definition));
        let mut digest = hex(sha256(text.as_bytes()));
        digest.truncate(DIGEST_LENGTH);
        Ok(Self { name: declared.name, digest, last: definition.last(), definition })
    }
}

impl Client {
    /// Records the schedules of a program, so that workers can declare them. Returns the names of those that have no tick from now on.
    /// It sends nothing if there are none.
    #[doc(hidden)]
    pub async fn record_schedules(&self, schedules: &CodeSchedules) -> Result<Vec<String>, DatabaseError> {
        if schedules.all.is_empty() {
            return Ok(Vec::new());
        }
        let shared = self.shared();
        let schedules = json(&schedules.all);
        let row = shared.write(&shared.sql.record_schedules, &[&schedules.as_str()]).await?;
        row.try_get("ended").map_err(DatabaseError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_with_a_bad_name_is_no_schedule() {
        let long = "x".repeat(101);
        for name in ["täglich", "tidy/täglich", "", "two words", long.leak()] {
            let schedule = CodeSchedule::new("tidy", &DeclaredSchedule::new(name, "@daily"));
            assert!(matches!(schedule, Err(InvalidSchedule::Name(_))), "{name}: {schedule:?}");
        }
        assert!(CodeSchedule::new("tidy", &DeclaredSchedule::new("tidy/daily", "@daily")).is_ok());
    }
}
