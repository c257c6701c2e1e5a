//! Jobs that have ended badly: list, requeue or delete them.

use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::admin::details::LEFT_OUT;
use crate::admin::requeue::Changes;
use crate::client::Client;
use crate::db::ids::Shard;
use crate::db::literal::Literal;
use crate::db::time::time;
use crate::wait::failure::FailedAttempt;
use crate::wait::lookup::errors;
use crate::wait::status::{Cancellation, JobState};
use crate::{DatabaseError, JobId};

/// The largest number of jobs that one transaction requeues or deletes.
const BATCH_SIZE: i64 = 500;

/// Jobs that ended badly, from [`Client::dead_jobs`], [`Client::cancelled_jobs`] and [`Client::expired_jobs`].
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::DatabaseError> {
/// for job in client.dead_jobs().queue("mail").list(20).await? {
///     println!("{} {} {}", job.id, job.kind, job.args); // `client.job(job.id).requeue()` puts this one back in line.
///     for failed in &job.errors {
///         println!("  attempt {}: {}", failed.attempt, failed.message);
///     }
/// }
/// let again = client.dead_jobs().kind("welcome").requeue().await?; // When the cause has been fixed.
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
    /// Its state: dead, cancelled or expired.
    pub state: JobState,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// Its arguments, as JSON text, in which PostgreSQL keeps every digit of a number. They may be secret: arguments that the job
    /// function's `redact` names are `"[redacted]"`. A string replaces arguments of more than 8 MiB.
    pub args: String,
    /// The number of attempts.
    pub attempts: u32,
    /// The number of attempts that failed.
    pub failures: u32,
    /// The number of attempts that crashed.
    pub crashes: u32,
    /// When it was enqueued, by the database's clock.
    pub created_at: SystemTime,
    /// When it ended, by the database's clock.
    pub finished_at: SystemTime,
    /// The attempts that failed or crashed, oldest first: the first ten and the last hundred.
    pub errors: Vec<FailedAttempt>,
    /// The cancellation, if it was cancelled.
    pub cancelled: Option<Cancellation>,
}

impl Client {
    /// Returns the dead jobs, which failed too often, or fatally, or crashed too often.
    pub fn dead_jobs(&self) -> EndedJobs<'_> {
        EndedJobs::new(self, JobState::Dead)
    }

    /// Returns the cancelled jobs.
    pub fn cancelled_jobs(&self) -> EndedJobs<'_> {
        EndedJobs::new(self, JobState::Cancelled)
    }

    /// Returns the expired jobs, which were not started in time.
    pub fn expired_jobs(&self) -> EndedJobs<'_> {
        EndedJobs::new(self, JobState::Expired)
    }
}

/// An operation on many jobs.
#[derive(Clone, Copy)]
enum Act {
    Requeue,
    Purge,
}

impl<'c> EndedJobs<'c> {
    fn new(client: &'c Client, outcome: JobState) -> Self {
        Self { client, outcome, queue: None, kind: None, before: None }
    }

    /// Selects only those of this queue.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(name.into());
        self
    }

    /// Selects only those of this kind.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Selects only those that ended before this one: the next page of a list.
    pub fn before(mut self, job: &EndedJob) -> Self {
        self.before = Some((job.finished_at, job.id));
        self
    }

    /// Returns the latest of them, at most `limit`.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn list(&self, most: u32) -> Result<Vec<EndedJob>, DatabaseError> {
        let mut named = Vec::new();
        for shard in self.client.about().await?.all_shards() {
            let before = self.before.map(|(at, id)| Ended { id: id.as_uuid(), at: micros(at) });
            let page = self.page(shard, i64::from(most), before).await?;
            named.extend(page.into_iter().map(|ended| (ended, shard)));
        }
        named.sort_by_key(|(ended, _)| std::cmp::Reverse((ended.at, ended.id)));
        named.truncate(most as usize);
        let mut jobs = Vec::new();
        for shard in self.client.about().await?.all_shards() {
            let ended: Vec<_> =
                named.iter().filter(|(_, of)| *of == shard).map(|(ended, _)| *ended).collect();
            let (ids, at): (Vec<_>, Vec<_>) = ended.iter().map(|ended| (ended.id, ended.at)).unzip();
            jobs.extend(self.client.show_ended(shard, &ids, Some(&at)).await?);
        }
        jobs.sort_by_key(|job| std::cmp::Reverse((job.finished_at, job.id)));
        Ok(jobs)
    }

    /// Requeues them with new budgets, and returns their number. Their attempts go on counting, and earlier failures
    /// are still listed if they die again. Skips jobs whose id is live again, and jobs whose queue was deleted.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement. The work is done batch by batch: the jobs of
    /// earlier batches stay requeued.
    pub async fn requeue(&self) -> Result<u64, DatabaseError> {
        self.each_batch(Act::Requeue).await
    }

    /// Deletes them for good, and returns their number.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement. The work is done batch by batch: the jobs of
    /// earlier batches stay deleted.
    pub async fn purge(&self) -> Result<u64, DatabaseError> {
        self.each_batch(Act::Purge).await
    }

    /// Runs an operation on all of them, from the latest to the oldest, and adds up the numbers of jobs that it
    /// changed.
    // Not an async closure, because its future is not `Send` enough for `tokio::spawn`.
    async fn each_batch(&self, act: Act) -> Result<u64, DatabaseError> {
        let mut count = 0;
        for shard in self.client.about().await?.all_shards() {
            let mut before = self.before.map(|(at, id)| Ended { id: id.as_uuid(), at: micros(at) });
            loop {
                let page = self.page(shard, BATCH_SIZE, before).await?;
                let Some(last) = page.last() else { break };
                before = Some(*last);
                let ids: Vec<Uuid> = page.iter().map(|ended| ended.id).collect();
                count += match act {
                    Act::Requeue => {
                        self.client.requeue_batch(shard, &ids, &Changes::default()).await?[0].len() as u64
                    }
                    Act::Purge => self.purge_batch(shard, &ids).await?,
                };
            }
        }
        Ok(count)
    }

    async fn purge_batch(&self, shard: Shard, jobs: &[Uuid]) -> Result<u64, DatabaseError> {
        let shared = self.client.shared();
        let purged = shared.write(&shared.sql.purge_ended, &[&shard, &jobs]).await?;
        let purged: i32 = purged.try_get("purged").map_err(DatabaseError::Refused)?;
        Ok(u64::from(purged.unsigned_abs()))
    }

    /// Returns the next ones, the latest first, without the columns that may be long.
    async fn page(
        &self,
        shard: Shard,
        most: i64,
        before: Option<Ended>,
    ) -> Result<Vec<Ended>, DatabaseError> {
        let shared = self.client.shared();
        let (outcome, queue, kind) = (self.outcome.as_str(), self.queue.as_deref(), self.kind.as_deref());
        let (at, id) = (before.map(|ended| ended.at), before.map_or(Uuid::max(), |ended| ended.id));
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let values: [&dyn Literal; 7] = [&shard, &outcome, &queue, &kind, &at, &id, &most];
        let rows = shared.read(&shared.sql.ended_badly, &values).await?;
        let read = |row: &PgRow| Ok(Ended { id: row.try_get("id")?, at: row.try_get("finished_at")? });
        rows.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

/// The key of an ended job, because an id may have ended more than once.
#[derive(Clone, Copy)]
struct Ended {
    id: Uuid,
    /// The time of its end, in microseconds since 1970.
    at: i64,
}

fn micros(at: SystemTime) -> i64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros() as i64
}

impl Client {
    /// Reads how these jobs of one shard ended, each the last time.
    #[doc(hidden)]
    pub async fn ended(&self, shard: Shard, jobs: &[Uuid]) -> Result<Vec<EndedJob>, DatabaseError> {
        self.show_ended(shard, jobs, None).await
    }

    /// Reads how these jobs of one shard ended, at these times. Asks for a few MiB at a time.
    async fn show_ended(
        &self,
        shard: Shard,
        mut jobs: &[Uuid],
        mut at: Option<&[i64]>,
    ) -> Result<Vec<EndedJob>, DatabaseError> {
        let (shared, mut shown) = (self.shared(), Vec::new());
        while !jobs.is_empty() {
            let rows = shared.read(&shared.sql.show_ended, &[&shard, &jobs, &at]).await?;
            let Some(last) = rows.last() else { break };
            let place: i32 = last.try_get("place").map_err(DatabaseError::Refused)?;
            let place = (place.unsigned_abs() as usize).min(jobs.len());
            (jobs, at) = (&jobs[place..], at.map(|at| &at[place..]));
            let read: Result<Vec<_>, _> = rows.iter().map(read).collect();
            shown.extend(read.map_err(DatabaseError::Refused)?);
        }
        Ok(shown)
    }
}

fn read(row: &PgRow) -> Result<EndedJob, sqlx::Error> {
    let count = |name| row.try_get::<i32, _>(name).map(i32::unsigned_abs);
    let state: String = row.try_get("outcome")?;
    Ok(EndedJob {
        id: JobId::from(row.try_get::<Uuid, _>("id")?),
        state: state.parse().map_err(|error: String| sqlx::Error::Decode(error.into()))?,
        queue: row.try_get::<Option<String>, _>("queue")?.unwrap_or_default(),
        kind: row.try_get("kind")?,
        args: row.try_get::<Option<_>, _>("args")?.unwrap_or_else(|| LEFT_OUT.to_owned()),
        attempts: row.try_get::<i32, _>("attempt")?.unsigned_abs(),
        failures: count("failures")?,
        crashes: count("crashes")?,
        created_at: time(row.try_get("created_at")?),
        finished_at: time(row.try_get("finished_at")?),
        errors: errors(row.try_get("errors")?),
        cancelled: Cancellation::read(row)?,
    })
}
