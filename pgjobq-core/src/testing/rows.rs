//! The statements of the test kit, which look at all jobs of a database and move its times.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Row, SqlStr};
use uuid::Uuid;

use crate::client::Client;
use crate::db::time::{duration, time};
use crate::job::lineage::Meta;
use crate::job::registry::Registry;
use crate::schedule::code::CodeSchedules;
use crate::schedule::due::DueSchedule;
use crate::{DatabaseError, JobId};

macro_rules! statements {
    ($($name:ident),* $(,)?) => {
        /// Every statement of the kit with its name.
        pub const STATEMENTS: &[(&str, &str)] =
            &[$((stringify!($name), include_str!(concat!("../../queries/testing/", stringify!($name), ".sql"))),)*];

        mod sql {
            $(pub(super) const fn $name() -> &'static str {
                include_str!(concat!("../../queries/testing/", stringify!($name), ".sql"))
            })*
        }
    };
}

statements! {
    advance, live_jobs, ended_jobs, queue_names, attempt_errors, due_elsewhere, next_due, insert_schedules, schedule, pass_jitter,
}

/// A job that has not ended.
#[derive(Clone, Debug)]
pub struct LiveJob {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub state: String,
    pub priority: i16,
    /// The arguments.
    pub args: Box<serde_json::value::RawValue>,
    /// The version of the arguments.
    pub version: u16,
    /// True for a blocked step that takes outputs of others: its arguments lack them.
    pub is_incomplete: bool,
    /// The arguments, without those that are redacted.
    pub shown: serde_json::Value,
    pub attributes: serde_json::Value,
    pub key: Option<String>,
    pub created_at: SystemTime,
    /// When it comes due, if it is scheduled.
    pub run_at: Option<SystemTime>,
}

/// Lets a time pass: moves the times in all rows back by it.
pub async fn advance(client: &Client, by: Duration) -> Result<(), DatabaseError> {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    let query = sqlx::query(rendered(client, sql::advance())).bind(micros);
    client.shared().rows(query).await.map(drop)
}

/// Returns the live jobs, in the order of their enqueue.
pub async fn live_jobs(client: &Client) -> Result<Vec<LiveJob>, DatabaseError> {
    let rows = client.shared().rows(sqlx::query(rendered(client, sql::live_jobs()))).await?;
    rows.iter().map(read_live).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
}

/// Returns how many jobs of these kinds have ended, for each outcome.
pub async fn ended_jobs(client: &Client, kinds: &[&str]) -> Result<Vec<(String, i64)>, DatabaseError> {
    let query = sqlx::query(rendered(client, sql::ended_jobs())).bind(kinds);
    let rows = client.shared().rows(query).await?;
    let read =
        |row: &PgRow| -> Result<_, sqlx::Error> { Ok((row.try_get("outcome")?, row.try_get("jobs")?)) };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
}

/// Returns the names of all queues.
pub async fn queue_names(client: &Client) -> Result<Vec<String>, DatabaseError> {
    let rows = client.shared().rows(sqlx::query(rendered(client, sql::queue_names()))).await?;
    texts(&rows, "name")
}

/// Returns the errors of the failed attempts of these jobs, by job and number of the attempt.
pub async fn attempt_errors(
    client: &Client,
    jobs: &[JobId],
) -> Result<HashMap<(JobId, u32), String>, DatabaseError> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.as_uuid()).collect();
    let query = sqlx::query(rendered(client, sql::attempt_errors())).bind(ids);
    let rows = client.shared().rows(query).await?;
    let read = |row: &PgRow| -> Result<_, sqlx::Error> {
        let (id, attempt): (Uuid, i32) = (row.try_get("id")?, row.try_get("attempt")?);
        Ok(((id.into(), attempt.unsigned_abs()), row.try_get("message")?))
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
}

/// Returns the kinds of jobs in line that a worker with these kinds cannot run.
pub async fn due_elsewhere(client: &Client, kinds: &[String]) -> Result<Vec<String>, DatabaseError> {
    let query = sqlx::query(rendered(client, sql::due_elsewhere())).bind(kinds);
    let rows = client.shared().rows(query).await?;
    texts(&rows, "kind")
}

/// Returns the time until the next scheduled job comes due; zero if it is due, and `None` if none is scheduled.
pub async fn next_due(client: &Client) -> Result<Option<Duration>, DatabaseError> {
    let rows = client.shared().rows(sqlx::query(rendered(client, sql::next_due()))).await?;
    let read = |row: &PgRow| row.try_get::<Option<i64>, _>("next_due");
    let next = rows.first().map(read).transpose().map_err(DatabaseError::Refused)?;
    Ok(next.flatten().map(duration))
}

/// Records the schedules in the code of this program, and inserts them. A worker reports mistakes in them when it starts.
pub async fn insert_schedules(client: &Client) -> Result<(), DatabaseError> {
    let (schedules, _) = CodeSchedules::of(&Registry::linked().0);
    if schedules.digests().is_empty() {
        return Ok(());
    }
    client.record_schedules(&schedules).await?;
    client.shared().rows(sqlx::query(rendered(client, sql::insert_schedules()))).await.map(drop)
}

/// Returns the schedule of this name, and whether any tick of it will come.
pub async fn schedule(client: &Client, name: &str) -> Result<Option<(DueSchedule, bool)>, DatabaseError> {
    let rows = client.shared().rows(sqlx::query(rendered(client, sql::schedule())).bind(name)).await?;
    let read = |row: &PgRow| {
        let schedule = serde_json::from_str(row.try_get("schedule")?);
        Ok((schedule.map_err(|error| sqlx::Error::Decode(Box::new(error)))?, row.try_get("fires")?))
    };
    rows.first().map(read).transpose().map_err(DatabaseError::Refused)
}

/// Lets the job of a tick, in microseconds since 1970, be due now, whatever the jitter of its schedule is.
pub async fn pass_jitter(client: &Client, schedule: &str, tick: i64) -> Result<(), DatabaseError> {
    let query = sqlx::query(rendered(client, sql::pass_jitter())).bind(schedule).bind(tick);
    client.shared().rows(query).await.map(drop)
}

fn rendered(client: &Client, sql: &'static str) -> SqlStr {
    client.sql().schema.render(sql)
}

fn texts(rows: &[PgRow], column: &str) -> Result<Vec<String>, DatabaseError> {
    rows.iter().map(|row| row.try_get(column)).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
}

fn read_live(row: &PgRow) -> Result<LiveJob, sqlx::Error> {
    let Json(args) = row.try_get("args")?;
    Ok(LiveJob {
        id: row.try_get::<Uuid, _>("id")?.into(),
        kind: row.try_get("kind")?,
        queue: row.try_get("queue")?,
        state: row.try_get("state")?,
        priority: row.try_get("priority")?,
        args,
        version: Meta::from_json(row.try_get("meta")?).version(),
        is_incomplete: row.try_get("is_incomplete")?,
        shown: row.try_get("shown")?,
        attributes: row.try_get("attributes")?,
        key: row.try_get("key")?,
        created_at: time(row.try_get("created_at")?),
        run_at: row.try_get::<Option<i64>, _>("run_at")?.map(time),
    })
}
