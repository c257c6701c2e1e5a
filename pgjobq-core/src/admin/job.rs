//! One job by its id, of any kind.

use crate::admin::cancel::Cancel;
use crate::admin::requeue::{Changes, RequeueError, RequeueOutcome};
use crate::admin::set_args::{NewArgs, SetArgs};
use crate::client::Client;
use crate::job::descriptor::names_of;
use crate::job::other_kind::OtherKind;
use crate::wait::status::{Progress, Status};
use crate::{DatabaseError, HandleError, JobHandle, JobId, NewJob};

/// One job, of any kind, from [`Client::job`]: for dashboards, operators, and URLs with an id in them.
///
/// A [`JobHandle`](crate::JobHandle) knows the job's type besides: it can wait for the result, and refuses a job of another kind.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client, id: pgjobq::JobId) -> Result<(), pgjobq::HandleError> {
/// let job = client.job(id);
/// if let Some(status) = job.status().await? {
///     println!("{id} is a `{}` and {} after {} attempts", status.kind, status.state, status.attempts);
/// }
/// job.cancel().by("ada").because("the customer has left").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "look at it, cancel it, or requeue it"]
pub struct Job<'c> {
    pub(crate) client: &'c Client,
    pub(crate) id: JobId,
    /// The kind that it must have: that of its handle.
    pub(crate) kind: Option<&'static str>,
}

impl Client {
    /// Returns the job with this id, of any kind. Sends nothing yet.
    pub fn job(&self, id: impl Into<JobId>) -> Job<'_> {
        Job { client: self, id: id.into(), kind: None }
    }
}

impl<'c> Job<'c> {
    /// The job's id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Returns the job's status, or `None` if there is no such job, or none any more.
    ///
    /// # Errors
    ///
    /// [`HandleError::Database`], if the database cannot be reached or refuses.
    pub async fn status(&self) -> Result<Option<Status>, HandleError> {
        let shared = self.client.shared();
        let shard = self.id.shard(shared.about().await?.shards);
        let row = shared.read(&shared.sql.status, &[&shard, &self.id.as_uuid()]).await?.pop();
        let Some(row) = row else { return Ok(None) };
        let status = Status::read(self.id, &row).map_err(DatabaseError::Refused)?;
        if let Some(kind) = self.kind {
            OtherKind::check(self.id, &names_of(kind), &status.kind)?;
        }
        Ok(Some(status))
    }

    /// Returns the progress that the job last reported, or `None` if it does not run, or reports none.
    ///
    /// # Errors
    ///
    /// [`HandleError::Database`], if the database cannot be reached or refuses.
    pub async fn progress(&self) -> Result<Option<Progress>, HandleError> {
        Ok(self.status().await?.and_then(|status| status.progress))
    }

    /// Cancels the job. A waiting job is certain never to run; a running one is asked to stop. Await the returned request.
    ///
    /// The request is stored: if this process dies before it has acted, a worker acts in its place. In SQL, also inside a
    /// transaction, it is `select pgjobq.cancel('<id>', 'why')`.
    pub fn cancel(&self) -> Cancel<'c> {
        Cancel::new(self.client, self.id, self.kind)
    }

    /// Changes the arguments of a job that does not run. Await the returned change, after who asks and why.
    ///
    /// A job that died of arguments which do not decode is requeued after it. In SQL it is
    /// `select pgjobq.set_args('<id>', '{"user_id": 7}', by => 'ada')`.
    pub fn set_args(&self, args: impl NewArgs) -> SetArgs<'c> {
        SetArgs::new(self.client, self.id, self.kind, args)
    }

    /// Puts a dead, cancelled or expired job back in line, with all its retries.
    ///
    /// # Errors
    ///
    /// [`HandleError::Database`], if the database cannot be reached or refuses.
    pub async fn requeue(&self) -> Result<RequeueOutcome, HandleError> {
        if self.kind.is_some() {
            self.status().await?; // Refuses a job of another kind.
        }
        Ok(self.client.requeue_one(self.id, &Changes::default()).await?)
    }

    /// Puts a dead, cancelled or expired job back in line as another job: see [`JobHandle::requeue_as`]. It corrects a kind that
    /// was misspelt in SQL, or that no program has any more.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # mod welcome { pub fn job(_: &str) -> pgjobq_core::NewJob<()> { unimplemented!() } }
    /// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for lost in client.cancelled_jobs().kind("wellcome").list(100).await? {
    ///     let args: serde_json::Value = serde_json::from_str(&lost.args)?;
    ///     let user = args["user"].as_str().unwrap_or_default();
    ///     client.job(lost.id).requeue_as(welcome::job(user)).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequeueError`], if the new job is invalid, its queue does not exist, or the database cannot be reached or refuses.
    pub async fn requeue_as<T>(&self, job: NewJob<T>) -> Result<RequeueOutcome, RequeueError> {
        let changes = Changes::from_row(self.client, job.row).await?;
        Ok(self.client.requeue_one(self.id, &changes).await?)
    }
}

impl<T> JobHandle<T> {
    fn on<'c>(&self, client: &'c Client) -> Job<'c> {
        Job { client, id: self.id(), kind: Some(self.kind()) }
    }

    /// Returns the job's status, or `None` if there is no such job, or none any more: see [`Job::status`].
    ///
    /// # Errors
    ///
    /// [`HandleError`], if the database cannot be reached or refuses, or the job is of another kind.
    pub async fn status(&self, client: &Client) -> Result<Option<Status>, HandleError> {
        self.on(client).status().await
    }

    /// Returns the progress that the job last reported, or `None` if it does not run, or reports none.
    ///
    /// # Errors
    ///
    /// [`HandleError`], if the database cannot be reached or refuses, or the job is of another kind.
    pub async fn progress(&self, client: &Client) -> Result<Option<Progress>, HandleError> {
        self.on(client).progress().await
    }

    /// Cancels the job: see [`Job::cancel`]. A job of another kind is refused, and goes on.
    pub fn cancel<'c>(&self, client: &'c Client) -> Cancel<'c> {
        self.on(client).cancel()
    }

    /// Changes the arguments of the job, which must not run: see [`Job::set_args`]. A job of another kind is refused.
    pub fn set_args<'c>(&self, client: &'c Client, job: NewJob<T>) -> SetArgs<'c> {
        self.on(client).set_args(job)
    }

    /// Puts a dead, cancelled or expired job back in line, with all its retries.
    ///
    /// # Errors
    ///
    /// [`HandleError`], if the database cannot be reached or refuses, or the job is of another kind.
    pub async fn requeue(&self, client: &Client) -> Result<RequeueOutcome, HandleError> {
        self.on(client).requeue().await
    }
}
