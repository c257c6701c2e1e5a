//! The way to the schedules of a database.

use sqlx::{Row, SqlStr};
use uuid::Uuid;

use super::definition::json;
use super::error::ScheduleError;
use super::listed::Schedule;
use super::new_schedule::NewSchedule;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::db::statements::Statements;
use crate::job::name;
use crate::{DatabaseError, JobId};

/// The SQLSTATE of a schedule without a tick from now on.
const ENDED: &str = "PJ020";
/// The SQLSTATE of removing a schedule that is in the code.
const IN_CODE: &str = "PJ021";
/// The SQLSTATE of a name that the code has given to a schedule of another kind.
const OTHER_KIND: &str = "PJ023";
/// The SQLSTATE of an unknown queue.
const UNDEFINED: &str = "42704";

/// The schedules of a database: from [`Client::schedules`]. Each call is one short transaction.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod report { pub fn schedule(_: &str, _: i64) -> pgjobq_core::NewSchedule { unimplemented!() } }
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::ScheduleError> {
/// client.schedules().upsert("report-42", report::schedule("0 9 * * MON-FRI", 42)).await?;
///
/// for schedule in client.schedules().list().await? {
///     println!("{schedule}"); // report-42: `report` at `0 9 * * MON-FRI` (UTC), next at 2027-01-04T09:00:00Z
/// }
/// client.schedules().pause("report-42").await?;
/// client.schedules().run_now("report-42").await?; // A paused schedule, too.
/// client.schedules().resume("report-42").await?;
/// client.schedules().remove("report-42").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Schedules<'c> {
    client: &'c Client,
}

impl Client {
    /// Returns the way to the schedules of the database.
    #[must_use]
    pub fn schedules(&self) -> Schedules<'_> {
        Schedules { client: self }
    }
}

impl Schedules<'_> {
    /// Sets the schedule of this name: 1 to 100 ASCII letters, digits, and any of `_-.:/`. A new one fires from its next tick on. A
    /// changed one fires from now on by its new definition. Setting the same definition again changes nothing, so a program may do so
    /// at each start, also after its last tick. The definition wins over that of the code under the same name, whose jobs must be of the
    /// same kind, until it is [removed](Self::remove).
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Invalid`], [`Job`](ScheduleError::Job) and [`Once`](ScheduleError::Once) before anything is sent; then
    /// [`Ended`](ScheduleError::Ended), [`OtherKind`](ScheduleError::OtherKind), [`UnknownQueue`](ScheduleError::UnknownQueue) and errors
    /// of the database.
    pub async fn upsert(&self, name: &str, schedule: NewSchedule) -> Result<(), ScheduleError> {
        name::check("schedule", name)?;
        let definition = schedule.check(self.client.limits().max_args)?;
        let (kind, last, definition) = (definition.kind(), definition.last(), json(&definition));
        let shared = self.client.shared();
        let values: [&dyn Literal; 3] = [&name, &definition.as_str(), &last];
        match shared.write(&shared.sql.upsert_schedule, &values).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.code().as_deref() {
                Some(ENDED) => ScheduleError::Ended(name.to_owned()),
                Some(OTHER_KIND) => ScheduleError::OtherKind { name: name.to_owned(), kind },
                Some(UNDEFINED) => ScheduleError::UnknownQueue(error),
                _ => error.into(),
            }),
        }
    }

    /// Returns all schedules, by name. One in the code is among them from the first start of a worker whose program has it.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub async fn list(&self) -> Result<Vec<Schedule>, ScheduleError> {
        Ok(self.read(None, None, None).await?)
    }

    /// Returns the schedules whose names come after this one, at most `limit`, by name; after an empty text, the first ones.
    ///
    /// # Errors
    ///
    /// Errors of the database.
    pub async fn list_after(&self, name: &str, limit: u32) -> Result<Vec<Schedule>, ScheduleError> {
        Ok(self.read(None, Some(name), Some(i32::try_from(limit).unwrap_or(i32::MAX))).await?)
    }

    /// Returns the schedule of this name.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Name`], [`Unknown`](ScheduleError::Unknown), and errors of the database.
    pub async fn get(&self, name: &str) -> Result<Schedule, ScheduleError> {
        name::check("schedule", name)?;
        self.read(Some(name), None, None).await?.pop().ok_or_else(|| ScheduleError::Unknown(name.to_owned()))
    }

    /// Pauses a schedule, from the code or not: its ticks pass without jobs until it is resumed. Once this has returned, no tick is
    /// fired. Jobs that were enqueued before run.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Name`], [`Unknown`](ScheduleError::Unknown), and errors of the database.
    pub async fn pause(&self, name: &str) -> Result<(), ScheduleError> {
        self.change(name, |sql| &sql.pause_schedule).await
    }

    /// Resumes a schedule, with its next tick. The ticks since the pause are not missed: no policy enqueues jobs for them.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Name`], [`Unknown`](ScheduleError::Unknown), and errors of the database.
    pub async fn resume(&self, name: &str) -> Result<(), ScheduleError> {
        self.change(name, |sql| &sql.resume_schedule).await
    }

    /// Removes a schedule. If the code of a running worker has it as well, only what [`upsert`](Self::upsert) has set is removed, and it
    /// follows the code again; if that code alone has it, it cannot be removed. A schedule in code of which no worker runs is removed,
    /// and comes back with the next worker that has this code. Jobs that were enqueued before run.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Name`], [`Unknown`](ScheduleError::Unknown), [`InCode`](ScheduleError::InCode), and errors of the database.
    pub async fn remove(&self, name: &str) -> Result<(), ScheduleError> {
        self.change(name, |sql| &sql.remove_schedule).await
    }

    /// Enqueues a job of a schedule now, whether the schedule is paused or not. Its ticks do not move, and `overlap` is not asked. If the
    /// answer of the database is lost, the job may have been enqueued.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Name`], [`Unknown`](ScheduleError::Unknown), [`NotEnqueued`](ScheduleError::NotEnqueued), and errors of the database.
    pub async fn run_now(&self, name: &str) -> Result<JobId, ScheduleError> {
        name::check("schedule", name)?;
        let shared = self.client.shared();
        let row = shared.write(&shared.sql.run_schedule, &[&name]).await.map_err(|error| {
            let name = name.to_owned();
            if error.is_transient() { error.into() } else { ScheduleError::NotEnqueued { name, error } }
        })?;
        let job: Option<Uuid> = row.try_get("job").map_err(DatabaseError::Refused)?;
        job.map(JobId::from).ok_or_else(|| ScheduleError::Unknown(name.to_owned()))
    }

    async fn read(
        &self,
        name: Option<&str>,
        after: Option<&str>,
        most: Option<i32>,
    ) -> Result<Vec<Schedule>, DatabaseError> {
        let shared = self.client.shared();
        let values: [&dyn Literal; 3] = [&name, &after, &most];
        let rows = shared.read(&shared.sql.list_schedules, &values).await?;
        rows.iter().map(Schedule::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }

    async fn change(&self, name: &str, statement: fn(&Statements) -> &SqlStr) -> Result<(), ScheduleError> {
        name::check("schedule", name)?;
        let shared = self.client.shared();
        let changed = shared.write(statement(&shared.sql), &[&name]).await;
        let row = changed.map_err(|error| match error.code().as_deref() {
            Some(IN_CODE) => ScheduleError::InCode(name.to_owned()),
            _ => error.into(),
        })?;
        let done: bool = row.try_get("done").map_err(DatabaseError::Refused)?;
        if done { Ok(()) } else { Err(ScheduleError::Unknown(name.to_owned())) }
    }
}
