//! Requeues jobs that have ended badly. Only a person moves a job that has ended.

use sqlx::Row;
use uuid::Uuid;

use crate::client::Client;
use crate::db::ids::{QueueId, Shard};
use crate::db::literal::Literal;
use crate::enqueue::new_row::NewRow;
use crate::enqueue::row::{check_key, checked_args};
use crate::job::other_kind::OtherKind;
use crate::{DatabaseError, EnqueueError, HandleError, JobHandle, JobId, NewJob};

/// The result of putting a job back in line: from [`Job::requeue`](crate::Job::requeue), [`JobHandle::requeue`] and
/// [`JobHandle::requeue_as`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequeueOutcome {
    /// The job is in line again.
    Requeued,
    /// The job is live, and was not changed.
    AlreadyLive,
    /// The queue is full, and the job was not changed: try again when others have ended.
    QueueFull,
    /// No dead, cancelled or expired job has this id, or its queue was deleted. Enqueue a completed job anew instead.
    NothingToRequeue,
}

/// The error of requeueing a job: from [`JobHandle::requeue_as`] and
/// [`Job::requeue_as`](crate::Job::requeue_as).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RequeueError {
    /// The job is of another kind than the handle. Nothing was changed.
    #[error(transparent)]
    OtherKind(#[from] OtherKind),
    /// The new job is invalid.
    #[error(transparent)]
    Job(#[from] EnqueueError),
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(RequeueError);

impl From<HandleError> for RequeueError {
    fn from(error: HandleError) -> Self {
        match error {
            HandleError::OtherKind(error) => Self::OtherKind(error),
            HandleError::Database(error) => Self::Database(error),
        }
    }
}

impl<T> JobHandle<T> {
    /// Puts a dead, cancelled or expired job back in line, with the kind, the arguments, the attributes, the key, the queue,
    /// the priority and the retries of another job: if the job itself was wrong. It keeps its id and its parent, and may start at once. The other options of
    /// the new job have no effect. The new job may be of another kind than this handle.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # mod welcome { pub fn job(_: &str) -> pgjobq_core::NewJob<()> { unimplemented!() }
    /// #     pub fn handle(_: pgjobq_core::JobId) -> pgjobq_core::JobHandle<()> { unimplemented!() } }
    /// # async fn example(client: pgjobq::Client, id: pgjobq::JobId) -> Result<(), Box<dyn std::error::Error>> {
    /// welcome::handle(id).requeue_as(&client, welcome::job("ada@example.org")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequeueError`], if the job is of another kind than this handle, the new job is invalid, its queue does not exist, or the
    /// database cannot be reached or refuses.
    pub async fn requeue_as(&self, client: &Client, job: NewJob<T>) -> Result<RequeueOutcome, RequeueError> {
        self.status(client).await?; // Refuses a job of another kind.
        client.job(self.id()).requeue_as(job).await
    }
}

/// The changes to a job that is requeued.
#[derive(Default)]
pub(crate) struct Changes {
    kind: Option<&'static str>,
    args: Option<String>,
    /// The version of these, unless it is the first one.
    version: Option<i16>,
    attributes: Option<String>,
    key: Option<String>,
    unique_key: Option<String>,
    queue: Option<QueueId>,
    priority: Option<i16>,
    retries: Option<i16>,
}

impl Changes {
    pub(crate) async fn from_row(client: &Client, row: NewRow) -> Result<Self, RequeueError> {
        let (kind, priority, retries) = (row.kind, row.priority as i16, row.retries);
        let (queue, unique_key) = (row.queue.clone(), row.identity().unique_key);
        let version = row.meta.version.and_then(|version| i16::try_from(version).ok());
        let args = checked_args(kind, row.args, client.limits().max_args)?;
        let attributes = row.attributes.to_json().map_err(|error| EnqueueError::Attribute { kind, error })?;
        check_key(kind, row.key.as_deref())?;
        let id = client.queue_id(&queue).await?.ok_or(EnqueueError::UnknownQueue { queue })?;
        let retries =
            i16::try_from(retries).map_err(|_| EnqueueError::TooManyTries { kind, count: retries })?;
        let (args, queue) = (Some(args), Some(id));
        let (kind, priority, retries) = (Some(kind), Some(priority), Some(retries));
        Ok(Self { kind, args, version, attributes, key: row.key, unique_key, queue, priority, retries })
    }
}

impl Client {
    pub(crate) async fn requeue_one(
        &self,
        job: JobId,
        changes: &Changes,
    ) -> Result<RequeueOutcome, DatabaseError> {
        let shard = job.shard(self.about().await?.shards);
        let [requeued, live, full] = self.requeue_batch(shard, &[job.as_uuid()], changes).await?;
        Ok(match (requeued.is_empty(), live.is_empty(), full.is_empty()) {
            (false, ..) => RequeueOutcome::Requeued,
            (_, false, _) => RequeueOutcome::AlreadyLive,
            (.., false) => RequeueOutcome::QueueFull,
            _ => RequeueOutcome::NothingToRequeue,
        })
    }

    /// Returns the jobs that were requeued, those that are live already, and those whose queue is full.
    pub(crate) async fn requeue_batch(
        &self,
        shard: Shard,
        jobs: &[Uuid],
        changes: &Changes,
    ) -> Result<[Vec<Uuid>; 3], DatabaseError> {
        let shared = self.shared();
        let Changes { kind, args, version, attributes, key, unique_key, queue, priority, retries } = changes;
        let (args, attributes) = (args.as_deref(), attributes.as_deref());
        let (key, unique_key) = (key.as_deref(), unique_key.as_deref());
        let values: [&dyn Literal; 11] =
            [&shard, &jobs, kind, &args, queue, priority, retries, &attributes, &key, &unique_key, version];
        let row = shared.write(&shared.sql.requeue_jobs, &values).await?;
        let ids = |name| row.try_get::<Option<Vec<Uuid>>, _>(name).map(Option::unwrap_or_default);
        let queues: Option<Vec<QueueId>> = row.try_get("queues").map_err(DatabaseError::Refused)?;
        self.notifications().wake(&queues.unwrap_or_default());
        let read = || Ok([ids("requeued")?, ids("live")?, ids("full")?]);
        read().map_err(DatabaseError::Refused)
    }
}
