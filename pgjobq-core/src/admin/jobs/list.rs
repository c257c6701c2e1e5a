//! Jobs as a list shows them.

use std::fmt;
use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::selection::Selection;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::db::time::time;
use crate::{DatabaseError, JobId, JobState};

/// The place of the first job.
const START: &str = "(1,0,,)";
/// The largest number of jobs on one page.
const MAX_PAGE: u32 = 1000;

/// Some of the jobs that match a filter: from [`Jobs::list`](crate::Jobs::list).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<ListedJob>,
    /// The place after them, for [`Jobs::from`](crate::Jobs::from); `None` at the end.
    pub next: Option<Place>,
}

/// A place among the jobs that match a filter: from [`JobPage::next`]. It stays good while jobs come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(String);

/// A job of any kind and state: from [`Jobs::list`](crate::Jobs::list). [`Client::job`] acts on it by its id.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListedJob {
    /// The job.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: Option<String>,
    /// Its attributes by name; an empty object if it has none.
    pub attributes: serde_json::Value,
    /// The number of attempts that have ended.
    pub attempts: u32,
    /// The number of attempts that failed.
    pub failures: u32,
    /// The number of attempts that crashed.
    pub crashes: u32,
    /// When it was enqueued, by the database's clock.
    pub created_at: SystemTime,
    /// When it is scheduled to run.
    pub run_at: Option<SystemTime>,
    /// When it ended.
    pub finished_at: Option<SystemTime>,
    /// The message of its last failure, or the reason for which it was cancelled.
    pub error: Option<String>,
}

impl fmt::Display for ListedJob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} `{}` in `{}`", self.id, self.state, self.kind, self.queue)?;
        if self.attributes.as_object().is_some_and(|attributes| !attributes.is_empty()) {
            write!(out, " {}", self.attributes)?;
        }
        match self.error.as_deref().and_then(|error| error.lines().next()) {
            Some(line) => write!(out, ": {line}"),
            None => Ok(()),
        }
    }
}

impl Client {
    /// Returns the next jobs of a selection: fewer than `most` also before the end, if few match.
    pub(super) async fn list_jobs(
        &self,
        selection: &Selection,
        from: Option<&Place>,
        most: u32,
    ) -> Result<JobPage, DatabaseError> {
        let shared = self.shared();
        let (from, most) = (from.map_or(START, |place| &place.0), most.min(MAX_PAGE) as i32);
        let values: [&dyn Literal; 3] = [&selection, &from, &most];
        let rows = shared.read(&shared.sql.list_jobs, &values).await?;
        let next = rows.last().map(|row| row.try_get::<Option<String>, _>("next")).transpose();
        let next = next.map_err(DatabaseError::Refused)?.flatten().map(Place);
        let jobs = rows.split_last().map_or(&[][..], |(_, jobs)| jobs);
        let jobs = jobs.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)?;
        Ok(JobPage { jobs, next })
    }
}

fn read(row: &PgRow) -> Result<ListedJob, sqlx::Error> {
    let count = |name| row.try_get::<i32, _>(name).map(i32::unsigned_abs);
    let maybe = |name| row.try_get::<Option<i64>, _>(name).map(|micros| micros.map(time));
    let state: String = row.try_get("state")?;
    let attributes: Option<String> = row.try_get("attributes")?;
    Ok(ListedJob {
        id: JobId::from(row.try_get::<Uuid, _>("id")?),
        state: state.parse().map_err(|error: String| sqlx::Error::Decode(error.into()))?,
        queue: row.try_get::<Option<String>, _>("queue")?.unwrap_or_default(),
        kind: row.try_get("kind")?,
        key: row.try_get("key")?,
        attributes: attributes
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_else(empty),
        attempts: count("attempt")?,
        failures: count("failures")?,
        crashes: count("crashes")?,
        created_at: time(row.try_get("created_at")?),
        run_at: maybe("run_at")?,
        finished_at: maybe("finished_at")?,
        error: row.try_get("error")?,
    })
}

fn empty() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}
