//! The lookup of jobs whose end is awaited.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::db::shared::Shared;
use crate::db::time::time;
use crate::job::json;
use crate::wait::failure::{FailedAttempt, Failure};
use crate::wait::outcome::Outcome;
use crate::{DatabaseError, JobId, JobState, WaitError, WorkflowOutcome};

/// The timeout of a lookup.
pub(crate) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The kind in the place of a job's, if a workflow was found.
pub(crate) const WORKFLOW_KIND: &str = "";

/// The state of a job or a workflow that was found.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Live,
    /// It has ended, and its outcome did not fit into the answer.
    LeftOut,
    Completed {
        output: Option<String>,
    },
    Dead(Failure),
    Cancelled,
    Expired,
    /// A workflow in which a step did not complete.
    Failed,
}

/// A job that was found, and its kind.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) kind: String,
    pub(crate) found: Found,
}

impl Seen {
    fn read(row: &PgRow) -> Result<(JobId, Self), sqlx::Error> {
        let id = JobId::from(row.try_get::<Uuid, _>("id")?);
        Ok((id, Self { kind: row.try_get("kind")?, found: Found::read(row)? }))
    }
}

impl Found {
    /// Returns the state of a completed job of which nothing was kept.
    pub(crate) fn completed_unkept() -> Self {
        Self::Completed { output: None }
    }

    /// Returns the outcome, for a handle of this type.
    pub(crate) fn outcome<T: DeserializeOwned>(self, id: JobId) -> Result<Outcome<T>, WaitError> {
        match self {
            Self::Completed { output } => match json::decode(output.as_deref().unwrap_or("null")) {
                Ok(value) => Ok(Outcome::Completed(value)),
                // It is gone without a trace, and yet a result is expected: it is no longer kept.
                Err(_) if output.is_none() => Err(WaitError::NotFound { id, schema: None }),
                Err(error) => Err(WaitError::Result { id, error }),
            },
            Self::Dead(failure) => Ok(Outcome::Dead(failure)),
            Self::Cancelled => Ok(Outcome::Cancelled),
            Self::Expired => Ok(Outcome::Expired),
            Self::Live | Self::LeftOut | Self::Failed => unreachable!("a wait is only answered with an end"),
        }
    }

    /// Returns the outcome of a workflow.
    pub(crate) fn workflow_outcome(&self) -> Option<WorkflowOutcome> {
        match self {
            Self::Completed { .. } => Some(WorkflowOutcome::Completed),
            Self::Failed => Some(WorkflowOutcome::Failed),
            Self::Cancelled => Some(WorkflowOutcome::Cancelled),
            Self::Live | Self::LeftOut | Self::Dead(_) | Self::Expired => None,
        }
    }

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        if row.try_get("live")? {
            return Ok(Self::Live);
        }
        if row.try_get("left_out")? {
            return Ok(Self::LeftOut);
        }
        Ok(match row.try_get("outcome")? {
            "completed" => Self::Completed { output: row.try_get("output")? },
            "cancelled" => Self::Cancelled,
            "expired" => Self::Expired,
            "failed" => Self::Failed,
            _ => Self::Dead(Failure {
                state: JobState::Dead,
                reason: None,
                attempts: row.try_get::<i32, _>("attempt")?.unsigned_abs(),
                at: time(row.try_get("finished_at")?),
                errors: errors(row.try_get("errors")?),
            }),
        })
    }
}

/// Reads the failed attempts. Returns nothing if a person has edited them into nonsense.
pub(crate) fn errors(json: Option<&str>) -> Vec<FailedAttempt> {
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

impl Shared {
    /// Looks up these jobs in one snapshot, and returns about this many bytes of results and errors.
    pub(crate) async fn lookup(
        &self,
        jobs: &[JobId],
        bytes: i64,
        limit: Duration,
    ) -> Result<HashMap<JobId, Seen>, DatabaseError> {
        let rows = self.look(jobs, Some(bytes), limit).await?;
        rows.iter().map(Seen::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }

    /// Returns whether this job was cancelled.
    pub(crate) async fn was_cancelled(&self, job: JobId) -> Result<bool, DatabaseError> {
        let seen = self.lookup(&[job], 1, LOOKUP_TIMEOUT).await?.remove(&job);
        Ok(seen.is_some_and(|seen| matches!(seen.found, Found::Cancelled)))
    }

    /// Returns the jobs that are live, or have ended since then, each with whether it was certainly enqueued before. A job that
    /// ended before was another one with the same id.
    pub(crate) async fn known(
        &self,
        jobs: &[JobId],
        since: Instant,
    ) -> Result<HashMap<JobId, bool>, DatabaseError> {
        let rows = self.look(jobs, None, LOOKUP_TIMEOUT).await?;
        // Measured last: the database said how long ago it was before now.
        let within = i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX);
        let known = |row: &PgRow| -> Result<_, sqlx::Error> {
            let (ended_ago, enqueued_ago): (Option<i64>, i64) =
                (row.try_get("ended_ago")?, row.try_get("enqueued_ago")?);
            let id = JobId::from(row.try_get::<Uuid, _>("id")?);
            Ok(ended_ago.is_none_or(|ago| ago <= within).then_some((id, enqueued_ago > within)))
        };
        rows.iter()
            .filter_map(|row| known(row).transpose())
            .collect::<Result<_, _>>()
            .map_err(DatabaseError::Refused)
    }

    /// Returns whether this unique job has met another one, so that it may still be enqueued. False if that cannot be read.
    pub(crate) async fn is_requested(&self, job: JobId) -> bool {
        let is_requested = async {
            let shard = job.shard(self.about().await?.shards);
            let query = sqlx::query(self.sql.is_requested.clone()).bind(shard).bind(job.as_uuid());
            let rows = self.rows_within(LOOKUP_TIMEOUT, query).await?;
            rows.first().map_or(Ok(false), |row| row.try_get("requested")).map_err(DatabaseError::Refused)
        };
        is_requested.await.unwrap_or(false)
    }

    async fn look(
        &self,
        jobs: &[JobId],
        bytes: Option<i64>,
        limit: Duration,
    ) -> Result<Vec<PgRow>, DatabaseError> {
        let shards = self.about().await?.shards;
        let query = sqlx::query(self.sql.lookup.clone())
            .bind(jobs.iter().map(|job| job.shard(shards)).collect::<Vec<_>>())
            .bind(jobs.iter().map(|job| job.as_uuid()).collect::<Vec<_>>())
            .bind(bytes);
        self.rows_within(limit, query).await
    }
}
