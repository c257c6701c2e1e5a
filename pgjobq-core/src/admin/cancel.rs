//! Cancelling a job.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use sqlx::Row;
use uuid::Uuid;

use crate::admin::asked::Asked;
use crate::client::Client;
use crate::db::acted::read_acted;
use crate::db::ids::Shard;
use crate::job::descriptor::names_of;
use crate::job::other_kind::OtherKind;
use crate::wait::lookup::LOOKUP_TIMEOUT;
use crate::{DatabaseError, HandleError, JobId};

/// A request to cancel a job, from [`JobHandle::cancel`](crate::JobHandle::cancel) and [`Job::cancel`](crate::Job::cancel):
/// add who asks and why, and await it. It fails with [`HandleError`].
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client, handle: pgjobq::JobHandle<()>) -> Result<(), pgjobq::HandleError> {
/// use pgjobq::CancelOutcome;
///
/// match handle.cancel(&client).by("ada").because("the wrong recipient").await? {
///     CancelOutcome::Cancelled => println!("it will never run"),
///     CancelOutcome::StopRequested => println!("it runs, and was asked to stop"),
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
    /// The kind that the job must have.
    kind: Option<&'static str>,
    asked: Asked,
}

/// The result of a request to cancel a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It was waiting, and is cancelled now. It will never run.
    Cancelled,
    /// It is running. Its worker asks it to stop, and it does not run again: it ends as cancelled, unless it
    /// completes or dies first.
    StopRequested,
    /// There is no such job, or it has ended.
    NotLive,
}

impl<'c> Cancel<'c> {
    pub(crate) fn new(client: &'c Client, job: JobId, kind: Option<&'static str>) -> Self {
        Self { client, job, kind, asked: Asked::default() }
    }
}

impl Cancel<'_> {
    /// Sets who asks. Of a long text the first 1000 characters are kept.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.asked.set_by(who.into());
        self
    }

    /// Sets the reason. Of a long text the first 1000 characters are kept.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.asked.set_reason(reason.into());
        self
    }

    async fn send(mut self) -> Result<CancelOutcome, HandleError> {
        let shared = self.client.shared();
        let shard = self.job.shard(shared.about().await?.shards);
        let jobs = [self.job.as_uuid()];
        let asked = match self.ask(shard).await {
            Err(error) if error.is_untranslatable() && self.asked.escape() => self.ask(shard).await?,
            asked => asked?,
        };
        if !asked {
            self.check_kind().await?;
            return Ok(CancelOutcome::NotLive);
        }
        let acted = shared.write(&shared.sql.act_on_request, &[&shard, &&jobs[..]]).await?;
        let (cancelled, running) = read_acted(&acted).map_err(|error| shared.error(error))?;
        if !cancelled.is_empty() {
            self.client.notifications().cancelled(&cancelled);
            shared.observe_ended(&cancelled);
            return Ok(CancelOutcome::Cancelled);
        }
        self.client.notifications().cancel();
        if !running.is_empty() {
            return Ok(CancelOutcome::StopRequested);
        }
        // A worker may have cancelled it meanwhile.
        Ok(match shared.was_cancelled(self.job).await? {
            true => CancelOutcome::Cancelled,
            false => CancelOutcome::NotLive,
        })
    }
}

impl Cancel<'_> {
    /// Fails if the job is of another kind, which is why it was not asked.
    async fn check_kind(&self) -> Result<(), HandleError> {
        let Some(kind) = self.kind else { return Ok(()) };
        let found = self.client.shared().lookup(&[self.job], 0, LOOKUP_TIMEOUT).await?.remove(&self.job);
        found.map_or(Ok(()), |seen| Ok(OtherKind::check(self.job, &names_of(kind), &seen.kind)?))
    }

    /// Records the request. False if the job is not live, or of another kind.
    async fn ask(&self, shard: Shard) -> Result<bool, DatabaseError> {
        let shared = self.client.shared();
        let (by, reason) = (self.asked.by(), self.asked.reason());
        let jobs = [self.job.as_uuid()];
        let kinds = self.kind.map(names_of);
        let asked = shared
            .write(&shared.sql.ask_to_cancel, &[&shard, &&jobs[..], &by, &reason, &kinds.as_deref()])
            .await?;
        let asked: Option<Vec<Uuid>> = asked.try_get("asked").map_err(DatabaseError::Refused)?;
        Ok(asked.is_some())
    }
}

impl<'c> IntoFuture for Cancel<'c> {
    type Output = Result<CancelOutcome, HandleError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
