//! Finish: records what ended attempts mean for their jobs, many at a time.

use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row, SqlStr};
use uuid::Uuid;

use crate::db::columns::some_of;
use crate::db::ids::{QueueId, Shard, WorkerId};
use crate::observe::Outcome;
use crate::store::access::Store;
use crate::store::model::{Hold, LeaseKey};
use crate::store::settle::Settled;
use crate::workflow::insert::bind_growth;
use crate::workflow::plan::Plan;
use crate::{DatabaseError, FailureReason, JobId};

/// The consequence of an ended attempt for its job.
#[derive(Debug)]
pub enum Decision {
    /// The job is done. It is kept for this time, or not at all. The output is there if it is kept, or if a child may read it.
    Complete { keep: Option<Duration>, output: Option<Box<RawValue>> },
    /// The attempt failed; again after a while.
    Retry { delay: Duration, reason: FailureReason, message: String },
    /// The job asked to be run again after a while. No failure.
    Snooze { delay: Duration },
    /// The job is dead.
    Bury { reason: FailureReason, message: String },
    /// The job has cancelled itself.
    Cancel { reason: Option<String> },
    /// The attempt was asked to stop: the job runs again at once, and this is no failure.
    Release,
    /// The attempt has not begun. The job waits again as if it had never been claimed.
    Return,
    /// The job's own transaction has recorded the end. Nothing is sent.
    Settled,
}

/// An ended attempt.
#[derive(Debug)]
pub struct Ended {
    pub hold: Hold,
    pub decision: Decision,
}

/// A lease whose attempts are in a batch.
#[derive(Clone, Copy, Debug)]
pub struct LeaseUse {
    pub key: LeaseKey,
    /// True if its last jobs are in the batch, so that the lease ends with it.
    pub close: bool,
}

/// The result of recording a batch.
#[derive(Debug, Default)]
pub struct Finished {
    /// The jobs whose results were stale and changed nothing.
    pub stale: Vec<JobId>,
    /// The jobs that would have run again, but were requested to be cancelled.
    pub cancelled: Vec<JobId>,
    /// True if a process waits for jobs to end.
    pub waited: bool,
    /// The queues that have room again, and for which a process waits.
    pub room: Vec<QueueId>,
    /// The changes for the children of the ended jobs.
    pub settled: Settled,
}

impl Store {
    /// Records ended attempts of one shard and one worker. `leases` are those of the attempts, in order.
    ///
    /// # Panics
    ///
    /// If the lease of an attempt is missing from `leases`.
    pub async fn finish<'e>(
        &self,
        worker: WorkerId,
        worker_name: &str,
        leases: &[LeaseUse],
        ended: impl IntoIterator<Item = &'e Ended>,
    ) -> Result<Finished, DatabaseError> {
        let query = finish_query(self.sql.finish.clone(), worker, worker_name, leases, ended);
        let row = self.row(query).await?;
        read_finished(&row).map_err(DatabaseError::Refused)
    }

    /// Records an attempt that completes a step, and adds these steps to its workflow, or does neither.
    pub async fn finish_growing(
        &self,
        worker: WorkerId,
        worker_name: &str,
        leases: &[LeaseUse],
        ended: &Ended,
        growth: &Plan,
    ) -> Result<Finished, DatabaseError> {
        let query = finish_query(self.sql.finish_growing.clone(), worker, worker_name, leases, [ended]);
        let row = self.row(bind_growth(query, growth)).await?;
        read_finished(&row).map_err(DatabaseError::Refused)
    }

    /// Reserves numbers for `count` steps that are added to a running workflow, and returns the first. Returns `None` if the workflow
    /// has ended.
    pub async fn reserve_steps(
        &self,
        shard: Shard,
        workflow: Uuid,
        count: i32,
    ) -> Result<Option<i32>, DatabaseError> {
        let query = sqlx::query(self.sql.reserve_steps.clone()).bind(shard).bind(workflow).bind(count);
        self.row(query).await?.try_get("first").map_err(DatabaseError::Refused)
    }
}

/// Binds the parameters of a finish.
fn finish_query<'q, 'e>(
    sql: SqlStr,
    worker: WorkerId,
    worker_name: &'q str,
    leases: &[LeaseUse],
    ended: impl IntoIterator<Item = &'e Ended>,
) -> Query<'q, Postgres, PgArguments> {
    let sent = |end: &&Ended| !matches!(end.decision, Decision::Settled);
    let ended: Vec<&Ended> = ended.into_iter().filter(sent).collect();
    let place_of = |end: &&Ended| {
        let place = leases.binary_search_by_key(&end.hold.lease, |lease| lease.key);
        place.expect("the lease of each attempt is listed, in order") as i32 + 1
    };
    sqlx::query(sql)
        .bind(leases.first().map(|lease| lease.key.lane.shard))
        .bind(worker)
        .bind(worker_name)
        .bind(leases.iter().map(|l| l.key.lane.queue).collect::<Vec<_>>())
        .bind(leases.iter().map(|l| l.key.priority).collect::<Vec<_>>())
        .bind(leases.iter().map(|l| l.key.max_ticket).collect::<Vec<_>>())
        .bind(leases.iter().map(|l| l.key.id).collect::<Vec<_>>())
        .bind(leases.iter().map(|l| l.close).collect::<Vec<_>>())
        .bind(ended.iter().map(place_of).collect::<Vec<_>>())
        .bind(ended.iter().map(|e| e.hold.job.as_uuid()).collect::<Vec<_>>())
        .bind(ended.iter().map(|e| e.hold.ticket).collect::<Vec<_>>())
        .bind(ended.iter().map(|e| e.decision.sql_word()).collect::<Vec<_>>())
        .bind(some_of(&ended, |end| end.decision.delay()))
        .bind(some_of(&ended, |end| end.decision.keep()))
        .bind(some_of(&ended, |end| end.decision.output()))
        .bind(some_of(&ended, |end| end.decision.reason()))
        .bind(some_of(&ended, |end| end.decision.message()))
        .bind(ended.iter().map(|e| e.hold.address).collect::<Vec<_>>())
}

fn read_finished(row: &PgRow) -> Result<Finished, sqlx::Error> {
    let stale: Option<Vec<Uuid>> = row.try_get("stale")?;
    let cancelled: Option<Vec<Uuid>> = row.try_get("cancelled")?;
    Ok(Finished {
        stale: stale.into_iter().flatten().map(JobId::from).collect(),
        cancelled: cancelled.into_iter().flatten().map(JobId::from).collect(),
        waited: row.try_get("waited")?,
        room: row.try_get::<Option<_>, _>("room")?.unwrap_or_default(),
        settled: Settled::read(row)?,
    })
}

impl Decision {
    /// Returns whether the job's row ends with it.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Complete { .. } | Self::Bury { .. } | Self::Cancel { .. })
    }

    /// Returns the outcome for observers; `None` if the attempt has not begun.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Complete { .. } | Self::Settled => Some(Outcome::Completed),
            Self::Retry { .. } => Some(Outcome::Retried),
            Self::Snooze { .. } => Some(Outcome::Snoozed),
            Self::Bury { .. } => Some(Outcome::Dead),
            Self::Cancel { .. } => Some(Outcome::Cancelled),
            Self::Release => Some(Outcome::Released),
            Self::Return => None,
        }
    }

    /// Returns the reason of a failure.
    #[must_use]
    pub fn failure(&self) -> Option<FailureReason> {
        match self {
            Self::Retry { reason, .. } | Self::Bury { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// Returns the word for it in traces.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Complete { .. } => "complete",
            Self::Retry { .. } => "retry",
            Self::Snooze { .. } => "snooze",
            Self::Bury { .. } => "bury",
            Self::Cancel { .. } => "cancel",
            Self::Release => "release",
            Self::Return => "return",
            Self::Settled => "settled",
        }
    }

    /// Returns the word for it in SQL, where a completed job that is not kept has a decision of its own.
    fn sql_word(&self) -> &'static str {
        match self {
            Self::Complete { keep: None, .. } => "delete",
            _ => self.word(),
        }
    }

    /// Returns about the size on the wire, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        64 + self.output().map_or(0, str::len) + self.message().map_or(0, str::len)
    }

    /// Returns the texts of errors or people, which may have a character that the database's encoding lacks.
    pub fn text_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Retry { message, .. } | Self::Bury { message, .. } => Some(message),
            Self::Cancel { reason } => reason.as_mut(),
            _ => None,
        }
    }

    fn delay(&self) -> Option<i64> {
        match self {
            Self::Retry { delay, .. } | Self::Snooze { delay } => Some(micros(*delay)),
            _ => None,
        }
    }

    fn keep(&self) -> Option<i64> {
        match self {
            Self::Complete { keep, .. } => keep.map(micros),
            _ => None,
        }
    }

    /// Returns the result, if it will be stored.
    fn output(&self) -> Option<&str> {
        match self {
            Self::Complete { output, .. } => output.as_deref().map(RawValue::get),
            _ => None,
        }
    }

    fn reason(&self) -> Option<&'static str> {
        self.failure().map(FailureReason::as_str)
    }

    fn message(&self) -> Option<&str> {
        match self {
            Self::Retry { message, .. } | Self::Bury { message, .. } => Some(message),
            Self::Cancel { reason } => reason.as_deref(),
            _ => None,
        }
    }
}

pub(super) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
