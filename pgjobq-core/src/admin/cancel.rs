//! Cancelling a job.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use sqlx::Row;
use uuid::Uuid;

use crate::client::Client;
use crate::db::acted::read_acted;
use crate::db::text::to_ascii;
use crate::{DatabaseError, JobHandle, JobId};

/// A request to cancel a job, from [`JobHandle::cancel`]: say who asks and why, and await it.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client, handle: pgjobq::JobHandle<()>) -> Result<(), pgjobq::DatabaseError> {
/// use pgjobq::CancelOutcome;
///
/// match handle.cancel(&client).by("ada").because("the wrong recipient").await? {
///     CancelOutcome::Cancelled => println!("it will never run"),
///     CancelOutcome::StopRequested => println!("it runs, and was told to stop"),
///     CancelOutcome::NotLive => println!("it has ended already"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "await it"]
pub struct Cancel<'c> {
    client: &'c Client,
    job: JobId,
    by: Option<String>,
    reason: Option<String>,
}

/// What became of a request to cancel a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It waited, and is cancelled now: certainly, it will not run (any more).
    Cancelled,
    /// It runs. Its worker tells it to stop, and it does not run again: it ends as cancelled, unless it completes or dies
    /// first.
    StopRequested,
    /// There is no such job, or it has ended.
    NotLive,
}

impl<T> JobHandle<T> {
    /// Cancels the job. One that waits is certain not to run; one that runs is told to stop.
    ///
    /// What is asked is kept: should this process die half-way, a worker does the rest. From SQL, also inside a
    /// transaction: `select pgjobq.cancel('<id>', 'why')`.
    pub fn cancel<'c>(&self, client: &'c Client) -> Cancel<'c> {
        Cancel { client, job: self.id(), by: None, reason: None }
    }
}

impl Cancel<'_> {
    /// Who asks.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = Some(who.into().replace('\0', ""));
        self
    }

    /// Why.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into().replace('\0', ""));
        self
    }

    async fn send(mut self) -> Result<CancelOutcome, DatabaseError> {
        let shared = self.client.shared();
        let shard = self.job.shard(shared.about().await?.shards);
        let jobs = [self.job.as_uuid()];
        let asked = match self.ask(shard).await {
            Err(error) if error.is_untranslatable() => {
                for text in [&mut self.by, &mut self.reason].into_iter().flatten() {
                    *text = to_ascii(text).unwrap_or_else(|| std::mem::take(text));
                }
                self.ask(shard).await?
            }
            asked => asked?,
        };
        if !asked {
            return Ok(CancelOutcome::NotLive);
        }
        let acted = shared.alone(&shared.sql.act_on_request, &[&shard, &&jobs[..]]).await?;
        let (cancelled, running) = read_acted(&acted).map_err(|error| shared.error(error))?;
        if !cancelled.is_empty() {
            self.client.notifications().ended(&cancelled);
            return Ok(CancelOutcome::Cancelled);
        }
        self.client.notifications().cancel();
        if !running.is_empty() {
            return Ok(CancelOutcome::StopRequested);
        }
        // A worker may have done it meanwhile.
        Ok(match shared.was_cancelled(self.job).await? {
            true => CancelOutcome::Cancelled,
            false => CancelOutcome::NotLive,
        })
    }
}

impl Cancel<'_> {
    /// Records the request. False if the job is not live.
    async fn ask(&self, shard: i16) -> Result<bool, DatabaseError> {
        let shared = self.client.shared();
        let (by, reason) = (self.by.as_deref(), self.reason.as_deref());
        let jobs = [self.job.as_uuid()];
        let asked = shared.alone(&shared.sql.ask_to_cancel, &[&shard, &&jobs[..], &by, &reason]).await?;
        let asked: Option<Vec<Uuid>> = asked.try_get("asked").map_err(DatabaseError::Refused)?;
        Ok(asked.is_some())
    }
}

impl<'c> IntoFuture for Cancel<'c> {
    type Output = Result<CancelOutcome, DatabaseError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
