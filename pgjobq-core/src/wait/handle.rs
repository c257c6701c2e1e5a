//! A handle of an enqueued job: to await it, or to look at it.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::client::Client;
use crate::db::time::time;
use crate::job::policy::Policy;
use crate::wait::outcome::Outcome;
use crate::wait::status::{Cancellation, JobState, Progress, Status};
use crate::wait::waits::Origin;
use crate::{DatabaseError, JobId, WaitError};

/// A handle of an enqueued job that returns `T`. It can be rebuilt from the job's id, in any process: `my_job::handle(id)`.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client, handle: pgjobq::JobHandle<u64>) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::Outcome;
///
/// if let Some(job) = handle.status(&client).await? {
///     println!("{} is {} after {} attempts", job.kind, job.state, job.attempts);
/// }
/// match handle.wait(&client).await? {
///     Outcome::Completed(bytes) => println!("{bytes} bytes"), // What the job function returned, and of its type.
///     Outcome::Dead(failure) => println!("given up: {failure}"),
///     other => println!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct JobHandle<T> {
    id: JobId,
    is_new: bool,
    origin: Origin,
    /// Whether nothing is kept of a job of this kind that completes.
    unkept: bool,
    result: PhantomData<fn() -> T>,
}

impl<T> JobHandle<T> {
    pub(crate) fn enqueued(id: JobId, is_new: bool, committed: bool, unkept: bool) -> Self {
        let origin = if committed { Origin::Committed } else { Origin::InTransaction };
        Self { id, is_new, origin, unkept, result: PhantomData }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn from_id(id: JobId, policy: &Policy) -> Self {
        let unkept = policy.keeps_nothing();
        Self { id, is_new: false, origin: Origin::Rebuilt, unkept, result: PhantomData }
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Whether the enqueue that gave this handle made a new job. False for a duplicate, and for a rebuilt handle.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// How the job stands, or `None` when there is no such job (any more).
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or refuses.
    pub async fn status(&self, client: &Client) -> Result<Option<Status>, DatabaseError> {
        let shared = client.shared();
        let shard = self.id.shard(client.about().await?.shards);
        let row = shared.read(&shared.sql.status, &[&shard, &self.id.as_uuid()]).await?.pop();
        row.map(|row| read_status(self.id, &row).map_err(DatabaseError::Refused)).transpose()
    }
}

impl<T> JobHandle<T> {
    /// How far the job says it is: nothing when it does not run, or says nothing.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or refuses.
    pub async fn progress(&self, client: &Client) -> Result<Option<Progress>, DatabaseError> {
        Ok(self.status(client).await?.and_then(|status| status.progress))
    }
}

impl<T: DeserializeOwned> JobHandle<T> {
    /// Waits until the job has ended, for as long as it takes: over lost notifications, and over a database that restarts.
    ///
    /// It does not matter in which process the job was enqueued or runs, or whether it has ended already. Dropping the
    /// future only stops the waiting. There is no limit of ours in time; see [`JobHandle::wait_timeout`].
    ///
    /// A wait never takes a job for completed that is not. Of a job with `retain = "0s"` nothing is left when it has
    /// completed: if its row is gone, and this handle is from its enqueue or its wait has seen the row, it has completed,
    /// unless somebody has purged it. All waits of a client share a statement, which is answered with at most about 4 MiB of
    /// results at a time, and less on a slow network; a single result may be larger.
    ///
    /// # Errors
    ///
    /// [`WaitError::NotFound`] when there is no such job: it was purged after it died, for one, or is no longer kept. A
    /// handle from a transaction waits half a minute for its commit.
    pub async fn wait(&self, client: &Client) -> Result<Outcome<T>, WaitError> {
        client.waits().wait(self.id, self.origin, self.unkept).await?.outcome(self.id)
    }

    /// Waits until the job has ended, but not longer than this.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`] when the time is over, and those of [`JobHandle::wait`].
    pub async fn wait_timeout(&self, client: &Client, most: Duration) -> Result<Outcome<T>, WaitError> {
        match tokio::time::timeout(most, self.wait(client)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(WaitError::TimedOut(self.id)),
        }
    }
}

fn read_progress(row: &PgRow) -> Result<Option<Progress>, sqlx::Error> {
    let Some(percent) = row.try_get::<Option<i16>, _>("percent")? else { return Ok(None) };
    Ok(Some(Progress {
        percent: u8::try_from(percent).unwrap_or(100),
        message: row.try_get::<Option<String>, _>("message")?.unwrap_or_default(),
        at: time(row.try_get("said_at")?),
    }))
}

fn read_status(id: JobId, row: &PgRow) -> Result<Status, sqlx::Error> {
    let count = |name| row.try_get::<i32, _>(name).map(|count| u32::from(count.unsigned_abs()));
    let maybe = |name| row.try_get::<Option<i64>, _>(name).map(|micros| micros.map(time));
    let state: JobState = row
        .try_get::<&str, _>("state")?
        .parse()
        .map_err(|error: String| sqlx::Error::Decode(error.into()))?;
    Ok(Status {
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
        progress: read_progress(row)?,
        cancelled: Cancellation::read(row)?,
    })
}

// By hand, because a derive would ask the same of `T`, of which a handle holds nothing.
impl<T> Clone for JobHandle<T> {
    fn clone(&self) -> Self {
        Self { result: PhantomData, ..*self }
    }
}

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("JobHandle")
            .field("id", &self.id)
            .field("is_new", &self.is_new)
            .finish_non_exhaustive()
    }
}
