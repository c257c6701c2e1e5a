//! Enqueues a job of a kind that this program need not know, by the names of its kind and its arguments.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use sqlx::Row;
use sqlx::postgres::PgDatabaseError;
use uuid::Uuid;

use crate::admin::pause::subject::JobKind;
use crate::db::literal::Literal;
use crate::db::time::micros;
use crate::job::policy::LONGEST_DELAY;
use crate::{DatabaseError, EnqueueOutcome, JobId, Priority};

/// The SQLSTATE of a queue that does not exist.
const UNDEFINED: &str = "42704";
/// The SQLSTATE of a full queue.
const FULL: &str = "PJ003";

/// A job to enqueue by the name of its kind: from [`JobKind::enqueue`]. Add options, and await it.
///
/// Options that are left out follow what programs have recorded of the kind, as in SQL with `pgjobq.enqueue`.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::EnqueueByKindError> {
/// use std::time::Duration;
///
/// let welcome = client.kind("welcome").enqueue(r#"{"user": "ada"}"#);
/// let enqueued = welcome.queue("mail").delay(Duration::from_secs(300)).await?;
/// println!("{:?} {:?}", enqueued.job, enqueued.outcome);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "await it"]
pub struct EnqueueByKind<'c> {
    kind: JobKind<'c>,
    args: String,
    queue: Option<String>,
    priority: Option<Priority>,
    retries: Option<u16>,
    run_at: Option<SystemTime>,
    delay: Option<Duration>,
    expires_in: Option<Duration>,
    id: Option<JobId>,
    attributes: Option<String>,
    key: Option<String>,
    unique_key: Option<String>,
}

/// A job that was enqueued by the name of its kind: the answer of an [`EnqueueByKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnqueuedByKind {
    /// The job, or the one that is live with its id or has its unique key. `None` if the job was dropped.
    pub job: Option<JobId>,
    /// The outcome.
    pub outcome: EnqueueOutcome,
}

/// The error of enqueueing a job by the name of its kind: from [`EnqueueByKind`]. Nothing was enqueued, unless the connection broke.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueByKindError {
    /// The queue does not exist.
    #[error("{0}; create it with `client.queue(…).save()`, or correct its name")]
    UnknownQueue(String),
    /// The queue is full.
    #[error("{0}; try again when jobs of it have ended")]
    QueueFull(String),
    /// The kind, the arguments or an option is invalid. The message is that of the database, with its hint.
    #[error("{0}")]
    Invalid(String),
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(EnqueueByKindError);

impl<'c> JobKind<'c> {
    /// Returns a job of this kind with these arguments, to be enqueued: for gateways and tools that do not link the job function.
    /// The arguments are the text of a JSON object, by the names of the function's arguments.
    ///
    /// Nothing checks them before the job runs. Where the function is linked, `welcome::job(…)` is checked by the compiler.
    pub fn enqueue(&self, args: impl Into<String>) -> EnqueueByKind<'c> {
        EnqueueByKind {
            kind: JobKind { client: self.client, name: self.name.clone() },
            args: args.into(),
            queue: None,
            priority: None,
            retries: None,
            run_at: None,
            delay: None,
            expires_in: None,
            id: None,
            attributes: None,
            key: None,
            unique_key: None,
        }
    }
}

impl EnqueueByKind<'_> {
    /// Sets the queue, which must exist; that of the kind by default, or `default`.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(name.into());
        self
    }

    /// Sets the priority.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sets the number of tries that follow the first failure.
    pub fn retries(mut self, retries: u16) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Sets the time before which the job does not start.
    pub fn run_at(mut self, time: SystemTime) -> Self {
        self.run_at = Some(time);
        self
    }

    /// Sets the time for which the job waits before it can start. It wins over [`run_at`](Self::run_at).
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Ends the job as expired if it has not started within this time.
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
    }

    /// Sets the id, so that the same call can be made again: while a job with this id is live, there is no second one.
    pub fn id(mut self, id: impl Into<JobId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the attributes: the text of a JSON object of names and plain values.
    pub fn attributes(mut self, json: impl Into<String>) -> Self {
        self.attributes = Some(json.into());
        self
    }

    /// Sets the key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the text that makes the job unique among those of its kind.
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    async fn send(self) -> Result<EnqueuedByKind, EnqueueByKindError> {
        let client = self.kind.client;
        client.about().await?;
        let shared = client.shared();
        let of_micros = |time: Duration| time.min(LONGEST_DELAY * 2).as_micros() as i64; // SQL rejects what is too long.
        let (delay, expires) = (self.delay.map(of_micros), self.expires_in.map(of_micros));
        let (run_at, id) = (self.run_at.map(micros), self.id.map(JobId::as_uuid));
        let (priority, retries) =
            (self.priority.map(|priority| priority as i32), self.retries.map(i32::from));
        let values: [&dyn Literal; 12] = [
            &self.kind.name.as_str(),
            &self.args.as_str(),
            &self.queue.as_deref(),
            &priority,
            &retries,
            &run_at,
            &delay,
            &expires,
            &id,
            &self.attributes.as_deref(),
            &self.key.as_deref(),
            &self.unique_key.as_deref(),
        ];
        let row = shared.write(&shared.sql.enqueue_by_kind, &values).await.map_err(refused)?;
        let job: Option<Uuid> = row.try_get("job").map_err(DatabaseError::Refused)?;
        let job = job.map(JobId::from);
        let outcome = match (row.try_get("outcome").map_err(DatabaseError::Refused)?, job) {
            ("new", _) => EnqueueOutcome::New,
            (_, Some(holder)) => EnqueueOutcome::Duplicate(holder),
            (_, None) => EnqueueOutcome::Dropped,
        };
        Ok(EnqueuedByKind { job, outcome })
    }
}

/// Returns the error of an answer that a caller can correct.
fn refused(error: DatabaseError) -> EnqueueByKindError {
    let DatabaseError::Refused(sqlx::Error::Database(refusal)) = &error else { return error.into() };
    let code = refusal.code().unwrap_or_default();
    let message = refusal.message().to_owned();
    let hint = refusal.try_downcast_ref::<PgDatabaseError>().and_then(|refusal| refusal.hint());
    match &*code {
        UNDEFINED => EnqueueByKindError::UnknownQueue(message),
        FULL => EnqueueByKindError::QueueFull(message),
        code if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => {
            let hint = hint.map(|hint| format!(". {}", hint.trim_end_matches('.')));
            EnqueueByKindError::Invalid(message + &hint.unwrap_or_default())
        }
        _ => error.into(),
    }
}

impl<'c> IntoFuture for EnqueueByKind<'c> {
    type Output = Result<EnqueuedByKind, EnqueueByKindError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
