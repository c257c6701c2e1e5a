//! The schedules in the code of this program, checked and ready to be recorded.

use serde::Serialize;
use sqlx::Row;

use super::declared::DeclaredSchedule;
use super::defined_job::DefinedJob;
use super::definition::{Definition, json};
use super::error::ScheduleError;
use super::invalid::InvalidSchedule;
use crate::DatabaseError;
use crate::client::Client;
use crate::enqueue::new_row::NewRow;
use crate::enqueue::row::MAX_ARGS;
use crate::job::descriptor::JobDescriptor;
use crate::job::name;
use crate::job::policy::Policy;
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
#[derive(Debug)]
#[doc(hidden)]
pub struct ScheduleMistake {
    pub job: &'static JobDescriptor,
    pub schedule: &'static str,
    pub mistake: ScheduleError,
}

impl CodeSchedules {
    /// Returns the schedules of these job functions, and every mistake in them.
    #[must_use]
    pub fn of(registry: &Registry) -> (Self, Vec<ScheduleMistake>) {
        let (mut all, mut mistakes) = (Vec::<CodeSchedule>::new(), Vec::new());
        for job in registry.jobs() {
            let Some(new_job) = job.scheduled else { continue };
            for declared in job.policy.schedules {
                let schedule = match all.iter().find(|other| other.name == declared.name) {
                    Some(other) => Err(InvalidSchedule::Duplicate { kind: other.definition.kind() }.into()),
                    None => CodeSchedule::new(declared, new_job(), &job.policy),
                };
                match schedule {
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
    fn new(declared: &DeclaredSchedule, job: NewRow, policy: &Policy) -> Result<Self, ScheduleError> {
        name::check("schedule", declared.name)?;
        let definition = Definition::new(declared.timetable()?, DefinedJob::new(job, policy, MAX_ARGS)?)?;
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::job::handler::Handler;
    use crate::job::shape::ArgumentShape;
    use crate::job::stored_args::StoredArgs;
    use crate::{JobError, NewJob};

    struct Idle;

    impl Handler for Idle {
        fn check(&self, _: &StoredArgs<'_>) -> Result<(), JobError> {
            Ok(())
        }

        fn shape(&self) -> Vec<ArgumentShape> {
            Vec::new()
        }
    }

    /// A job function with a schedule of this name.
    const fn job(kind: &'static str, schedules: &'static [DeclaredSchedule]) -> JobDescriptor {
        JobDescriptor {
            kind,
            aliases: &[],
            policy: Policy::DEFAULT.schedules(schedules),
            scheduled: Some(|| NewJob::<()>::new("any", &Policy::DEFAULT, &()).into_row()),
            handler: &Idle,
            batch: None,
            states: &[],
            module: "app",
            file: "src/jobs.rs",
            line: 1,
        }
    }

    #[test]
    fn two_schedules_cannot_have_one_name() {
        static TIDY: JobDescriptor = job("tidy", &[DeclaredSchedule::new("tidy/often", "every 10m")]);
        static OFTEN: JobDescriptor = job("tidy/often", &[DeclaredSchedule::new("tidy/often", "@daily")]);
        let (schedules, mistakes) = CodeSchedules::of(&Registry::of([&TIDY, &OFTEN]).0);
        assert_eq!((schedules.digests().len(), mistakes.len()), (1, 1));
        let ScheduleMistake { job, schedule, mistake } = &mistakes[0];
        assert_eq!((job.kind, *schedule), ("tidy/often", "tidy/often"));
        let said = "the job `any` has a schedule of this name, too: give one of the two another name";
        assert_eq!(mistake.to_string(), said);
    }

    #[test]
    fn interval_with_a_time_zone_is_a_mistake() {
        let zoned = DeclaredSchedule::new("tidy", "every 1d").timezone("Europe/Berlin");
        let job = NewRow::new("tidy", &Policy::DEFAULT, Ok("{}".to_owned()));
        let mistake = CodeSchedule::new(&zoned, job, &Policy::DEFAULT).unwrap_err().to_string();
        let said = "the interval `every 1d` has no time zone: leave out `Europe/Berlin`, or write a cron pattern, such as `*/10 * * * *`";
        assert_eq!(mistake, said);
    }

    #[test]
    fn schedule_with_a_bad_name_is_no_schedule() {
        let daily = |name| {
            let job = NewRow::new("tidy", &Policy::DEFAULT, Ok("{}".to_owned()));
            CodeSchedule::new(&DeclaredSchedule::new(name, "@daily"), job, &Policy::DEFAULT)
        };
        let long = "x".repeat(101);
        for name in ["täglich", "tidy/täglich", "", "two words", long.leak()] {
            let schedule = daily(name);
            assert!(matches!(schedule, Err(ScheduleError::Name(_))), "{name}: {schedule:?}");
        }
        assert!(daily("tidy/daily").is_ok());
    }
}
