//! Jobs that have ended badly: a person looks at them, puts them back in line, or forgets them.

use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::cancel::{Cancellation, read_cancellation};
use crate::client::Client;
use crate::lookup::{errors, time};
use crate::outcome::{FailedAttempt, JobState};
use crate::requeue::Changes;
use crate::{JobId, StoreError};

/// How many jobs one transaction puts back in line, or forgets.
const BATCH: i64 = 500;

/// Jobs that ended badly, from [`Client::dead`], [`Client::cancelled`] and [`Client::expired`].
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::StoreError> {
/// for job in client.dead().queue("mail").list(20).await? {
///     println!("{} {} {}", job.id, job.kind, job.args);
///     for failed in &job.errors {
///         println!("  attempt {}: {}", failed.attempt, failed.message);
///     }
/// }
/// let again = client.dead().kind("welcome").requeue().await?; // When what was wrong has been mended.
/// println!("{again} jobs are back in line");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "list, requeue or purge them"]
pub struct EndedJobs<'c> {
    client: &'c Client,
    outcome: JobState,
    queue: Option<String>,
    kind: Option<String>,
    before: Option<(SystemTime, JobId)>,
}

/// A job that ended badly: from [`EndedJobs::list`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EndedJob {
    /// The job.
    pub id: JobId,
    /// How it ended.
    pub state: JobState,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// Its arguments, as they are stored. They may be secret: a kind's `redact` says which are shown as `"[redacted]"`.
    pub args: serde_json::Value,
    /// How many attempts there were.
    pub attempts: u32,
    /// How many of them failed.
    pub failures: u32,
    /// How many of them crashed.
    pub crashes: u32,
    /// When it was enqueued, by the database's clock.
    pub created_at: SystemTime,
    /// When it ended, by the database's clock.
    pub finished_at: SystemTime,
    /// The attempts that failed or crashed, oldest first: the first ten and the last hundred.
    pub errors: Vec<FailedAttempt>,
    /// Who cancelled it, and why.
    pub cancelled: Option<Cancellation>,
}

impl Client {
    /// The jobs that are dead: failed too often, or fatally, or crashed too often.
    pub fn dead(&self) -> EndedJobs<'_> {
        EndedJobs::new(self, JobState::Dead)
    }

    /// The jobs that were cancelled.
    pub fn cancelled(&self) -> EndedJobs<'_> {
        EndedJobs::new(self, JobState::Cancelled)
    }

    /// The jobs that were not started in time.
    pub fn expired(&self) -> EndedJobs<'_> {
        EndedJobs::new(self, JobState::Expired)
    }
}

impl<'c> EndedJobs<'c> {
    fn new(client: &'c Client, outcome: JobState) -> Self {
        Self { client, outcome, queue: None, kind: None, before: None }
    }

    /// Only those of this queue.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(name.into());
        self
    }

    /// Only those of this kind.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Only those that ended before this one: the next page of a list.
    pub fn before(mut self, job: &EndedJob) -> Self {
        self.before = Some((job.finished_at, job.id));
        self
    }

    /// The latest of them, at most so many.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or refuses.
    pub async fn list(&self, most: u32) -> Result<Vec<EndedJob>, StoreError> {
        let mut jobs = Vec::new();
        for shard in self.client.about().await?.all_shards() {
            jobs.extend(self.page(shard, i64::from(most), self.before).await?);
        }
        jobs.sort_by_key(|job| std::cmp::Reverse((job.finished_at, job.id)));
        jobs.truncate(most as usize);
        Ok(jobs)
    }

    /// Puts them back in line, with new budgets, and says how many. Their attempts go on counting, and what failed before
    /// is still told should they die again. What is live again under the same id, or whose queue was deleted, is left.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or refuses. It goes batch by batch: those before stay in line.
    pub async fn requeue(&self) -> Result<u64, StoreError> {
        self.each_batch(async |shard, jobs| {
            let (requeued, _) = self.client.requeue(shard, jobs, &Changes::default()).await?;
            Ok(requeued.len() as u64)
        })
        .await
    }

    /// Forgets them for good, and says how many.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or refuses. It goes batch by batch: those before are forgotten.
    pub async fn purge(&self) -> Result<u64, StoreError> {
        let shared = self.client.shared();
        self.each_batch(async |shard, jobs| {
            let purged = shared.alone(&shared.sql.purge_ended, &[&shard, &jobs]).await?;
            let purged: i32 = purged.try_get("purged").map_err(StoreError::Database)?;
            Ok(u64::from(purged.unsigned_abs()))
        })
        .await
    }

    /// Does something with all of them, from the latest to the oldest, and adds up what it says.
    async fn each_batch(
        &self,
        act: impl AsyncFn(i16, &[Uuid]) -> Result<u64, StoreError>,
    ) -> Result<u64, StoreError> {
        let mut count = 0;
        for shard in self.client.about().await?.all_shards() {
            let mut before = self.before;
            loop {
                let page = self.page(shard, BATCH, before).await?;
                let Some(last) = page.last() else { break };
                before = Some((last.finished_at, last.id));
                let ids: Vec<Uuid> = page.iter().map(|job| job.id.as_uuid()).collect();
                count += act(shard, &ids).await?;
            }
        }
        Ok(count)
    }

    async fn page(
        &self,
        shard: i16,
        most: i64,
        before: Option<(SystemTime, JobId)>,
    ) -> Result<Vec<EndedJob>, StoreError> {
        let shared = self.client.shared();
        let micros =
            |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros() as i64;
        let rows = sqlx::query(shared.sql.ended_badly.clone())
            .bind(shard)
            .bind(self.outcome.as_str())
            .bind(&self.queue)
            .bind(&self.kind)
            .bind(before.map(|(at, _)| micros(at)))
            .bind(before.map_or(Uuid::max(), |(_, id)| id.as_uuid()))
            .bind(most as i32);
        let rows = shared.rows(rows).await?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(StoreError::Database)
    }
}

impl Client {
    /// How these jobs of one shard ended.
    #[doc(hidden)]
    pub async fn ended(&self, shard: i16, jobs: &[Uuid]) -> Result<Vec<EndedJob>, StoreError> {
        let shared = self.shared();
        let rows = sqlx::query(shared.sql.ended_by_id.clone()).bind(shard).bind(jobs);
        let rows = shared.rows(rows).await?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(StoreError::Database)
    }
}

/// Arguments that PostgreSQL can store and a JSON value cannot (a number out of range, or too deep) are shown as their text.
fn shown(args: &str) -> serde_json::Value {
    serde_json::from_str(args).unwrap_or_else(|_| serde_json::Value::String(args.to_owned()))
}

fn read(row: &PgRow) -> Result<EndedJob, sqlx::Error> {
    let count = |name| row.try_get::<i16, _>(name).map(|count| u32::from(count.unsigned_abs()));
    let state: String = row.try_get("outcome")?;
    Ok(EndedJob {
        id: JobId::from(row.try_get::<Uuid, _>("id")?),
        state: state.parse().map_err(|error: String| sqlx::Error::Decode(error.into()))?,
        queue: row.try_get::<Option<String>, _>("queue")?.unwrap_or_default(),
        kind: row.try_get("kind")?,
        args: shown(row.try_get("args")?),
        attempts: row.try_get::<i32, _>("attempt")?.unsigned_abs(),
        failures: count("failures")?,
        crashes: count("crashes")?,
        created_at: time(row.try_get("created_at")?),
        finished_at: time(row.try_get("finished_at")?),
        errors: errors(row.try_get("errors")?),
        cancelled: read_cancellation(row)?,
    })
}
