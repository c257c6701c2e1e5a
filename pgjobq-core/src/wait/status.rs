//! The status of one job at one moment.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::JobId;
use crate::db::time::time;

/// The status of a job at one moment: from [`JobHandle::status`](crate::JobHandle::status). Times are by the
/// database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The job.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// The number of attempts that have ended.
    pub attempts: u32,
    /// The number of attempts that failed.
    pub failures: u32,
    /// The number of attempts that crashed.
    pub crashes: u32,
    /// When it was enqueued, or the last time that it was requeued.
    pub created_at: SystemTime,
    /// When it is scheduled to run.
    pub run_at: Option<SystemTime>,
    /// When it ended.
    pub finished_at: Option<SystemTime>,
    /// The running workers that serve its queue and can run its kind. If it is 0, no worker runs the job.
    pub workers: u64,
    /// The progress that it reported, while it runs.
    pub progress: Option<Progress>,
    /// The cancellation, if it was cancelled.
    pub cancelled: Option<Cancellation>,
    /// Its unique key, if it is unique.
    pub unique_key: Option<String>,
}

impl Status {
    pub(crate) fn read(id: JobId, row: &PgRow) -> Result<Self, sqlx::Error> {
        let count = |name| row.try_get::<i32, _>(name).map(i32::unsigned_abs);
        let maybe = |name| row.try_get::<Option<i64>, _>(name).map(|micros| micros.map(time));
        let state: JobState = row
            .try_get::<&str, _>("state")?
            .parse()
            .map_err(|error: String| sqlx::Error::Decode(error.into()))?;
        Ok(Self {
            id,
            state,
            queue: row.try_get::<Option<String>, _>("queue")?.unwrap_or_default(),
            kind: row.try_get("kind")?,
            attempts: row.try_get::<i32, _>("attempt")?.unsigned_abs(),
            failures: count("failures")?,
            crashes: count("crashes")?,
            created_at: time(row.try_get("created_at")?),
            run_at: maybe("run_at")?,
            finished_at: maybe("finished_at")?,
            workers: row.try_get::<i64, _>("workers")?.unsigned_abs(),
            progress: Progress::read(row)?,
            cancelled: Cancellation::read(row)?,
            unique_key: row.try_get("unique_key")?,
        })
    }
}

/// The cancellation of a job: from [`Status::cancelled`](crate::Status::cancelled).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancellation {
    /// The person who asked, from [`Cancel::by`](crate::Cancel::by), or else the database role.
    pub by: String,
    /// The database role of the session that asked. The caller cannot choose it.
    pub role: String,
    /// The reason.
    pub reason: Option<String>,
    /// When that was asked, by the database's clock.
    pub asked_at: SystemTime,
}

impl Cancellation {
    /// Reads the cancellation from a row, if there is one.
    pub(crate) fn read(row: &PgRow) -> Result<Option<Self>, sqlx::Error> {
        let Some(by) = row.try_get("cancelled_by")? else { return Ok(None) };
        let asked_at = time(row.try_get("cancelled_at")?);
        let role = row.try_get::<Option<String>, _>("cancelled_as")?.unwrap_or_default();
        Ok(Some(Self { by, role, reason: row.try_get("cancelled_for")?, asked_at }))
    }
}

/// The progress that a running job reported with [`JobContext::progress`](crate::JobContext::progress): from
/// [`Status::progress`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    /// The message.
    pub message: String,
    /// The time of the report, by the database's clock.
    pub at: SystemTime,
}

impl Progress {
    fn read(row: &PgRow) -> Result<Option<Self>, sqlx::Error> {
        let Some(percent) = row.try_get::<Option<i16>, _>("percent")? else { return Ok(None) };
        Ok(Some(Self {
            percent: u8::try_from(percent).unwrap_or(100),
            message: row.try_get::<Option<String>, _>("message")?.unwrap_or_default(),
            at: time(row.try_get("said_at")?),
        }))
    }
}

/// The state of a job: from [`Status::state`]. In SQL it is the column `state` of the view `pgjobq.job_states`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobState {
    /// It waits for its parents.
    Blocked,
    /// It waits for its time.
    Scheduled,
    /// It waits for a person, because a parent failed.
    Held,
    /// It waits for a permit: as many jobs as its kind, its key or its queue may have are in line or run.
    Limited,
    /// It waits for a worker.
    Ready,
    /// A worker has it.
    Running,
    /// It ended well.
    Completed,
    /// It failed too often, or fatally, or crashed too often.
    Dead,
    /// It was cancelled.
    Cancelled,
    /// It did not start before its `expires_at`.
    Expired,
}

impl JobState {
    /// The word for it, in SQL and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::Limited => "limited",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        use JobState::*;
        [Blocked, Scheduled, Held, Limited, Ready, Running, Completed, Dead, Cancelled, Expired]
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| format!("`{word}` is no state of a job"))
    }
}
