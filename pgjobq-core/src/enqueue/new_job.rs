//! A job that has not been enqueued, as a value.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::enqueue::attributes::Attributes;
use crate::enqueue::edge::NewEdge;
use crate::job::json;
use crate::job::lineage::Meta;
use crate::job::policy::Policy;
use crate::{AttributeValue, JobId, Priority};

/// A job that has not been enqueued, as a value: change its options, then enqueue it, alone or with others.
///
/// Options that are set here hold for this job; all others follow its kind's policy. `T` is what the job function returns; for a
/// list of jobs with different types there is [`.any()`](Self::any).
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod thumbnail { pub fn job(_: i64, _: u32) -> pgjobq_core::NewJob<()> { unimplemented!() } }
/// # async fn example(client: pgjobq::Client, request_id: sqlx::types::Uuid) -> Result<(), pgjobq::EnqueueError> {
/// use std::time::Duration;
/// use pgjobq::Priority;
///
/// let handle = thumbnail::job(7, 320)
///     .delay(Duration::from_secs(60))
///     .priority(Priority::High)
///     .id(request_id) // Should the request come twice, there is one job.
///     .enqueue(&client)
///     .await?;
/// println!("{} is {}", handle.id(), if handle.is_new() { "new" } else { "there already" });
/// # Ok(())
/// # }
/// ```
#[must_use = "a job does nothing until it is enqueued"]
pub struct NewJob<T> {
    pub(crate) row: NewRow,
    result: PhantomData<fn() -> T>,
}

/// A new job, not checked yet.
pub(crate) struct NewRow {
    pub(crate) id: JobId,
    pub(crate) kind: &'static str,
    pub(crate) queue: String,
    pub(crate) priority: Priority,
    pub(crate) retries: u16,
    pub(crate) max_crashes: u16,
    pub(crate) due: Due,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) meta: Meta,
    pub(crate) attributes: Attributes,
    pub(crate) key: Option<String>,
    /// The jobs that it waits for.
    pub(crate) edges: Vec<NewEdge>,
    /// True if nothing is kept of the job when it completes.
    pub(crate) unkept: bool,
    /// The arguments as JSON, or the error, which the enqueue then returns.
    pub(crate) args: Result<String, serde_json::Error>,
}

/// The time at which a job may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    In(Duration),
    At(SystemTime),
}

impl NewRow {
    pub(crate) fn new(kind: &'static str, policy: &Policy, args: Result<String, serde_json::Error>) -> Self {
        Self {
            id: JobId::new(),
            kind,
            queue: policy.queue.to_owned(),
            priority: policy.priority,
            retries: policy.retries,
            max_crashes: policy.max_crashes,
            due: Due::Now,
            expires_in: None,
            meta: Meta::default(),
            attributes: Attributes::default(),
            key: None,
            edges: Vec::new(),
            unkept: policy.keeps_nothing(),
            args,
        }
    }
}

impl<T> NewJob<T> {
    #[doc(hidden)]
    pub fn new(kind: &'static str, policy: &Policy, args: &impl Serialize) -> Self {
        Self { row: NewRow::new(kind, policy, json::encode(args)), result: PhantomData }
    }

    /// Returns the id that the job will have.
    #[must_use]
    pub fn job_id(&self) -> JobId {
        self.row.id
    }

    /// Returns the arguments as they will be stored, if they can be.
    #[doc(hidden)]
    #[must_use]
    pub fn stored_args(&self) -> Option<&str> {
        self.row.args.as_deref().ok()
    }

    /// Sets the id. Enqueuing an id again while its job lives is a duplicate, never a second job; after that it may run
    /// again.
    pub fn id(mut self, id: impl Into<JobId>) -> Self {
        self.row.id = id.into();
        self
    }

    /// Sets the queue. It must exist: see [`Queue::save`](crate::Queue::save).
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.row.queue = queue.into();
        self
    }

    /// Sets the priority among the jobs that wait in its queue.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.row.priority = priority;
        self
    }

    /// Sets the number of tries that follow the first failure, 0 to 32767.
    pub fn retries(mut self, retries: u16) -> Self {
        self.row.retries = retries;
        self
    }

    /// Sets the number of crashes (attempts whose worker died) that the job survives, 0 to 32767. With 0, a
    /// crash is its end, and so is a shutdown that cuts it off, because it may have run.
    pub fn max_crashes(mut self, max: u16) -> Self {
        self.row.max_crashes = max;
        self
    }

    /// Delays the start of the job by this time, counted from the enqueue and to the microsecond, by the database's
    /// clock. If the job waits for [others](Self::after), the delay begins when the last of them has ended. Of `delay` and `run_at`, the
    /// last call counts.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.row.due = Due::In(delay);
        self
    }

    /// Sets the time at which the job may start, by the database's clock; a time in the past means now.
    pub fn run_at(mut self, at: SystemTime) -> Self {
        self.row.due = Due::At(at);
        self
    }

    /// Expires the job if it has not started within this time, counted from the enqueue by the database's clock. Once
    /// a worker has claimed it, it has all the time it needs, including retries.
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.row.expires_in = Some(time);
        self
    }

    /// Sets an attribute: a value by which workers and people find the job. It stays with the job through retries, its end, and
    /// a requeue. Of several calls with one name, the last counts.
    ///
    /// A name has 1 to 100 characters. All attributes of a job have at most 8 KiB.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// # fn example(sync: pgjobq::NewJob<()>) -> pgjobq::NewJob<()> {
    /// sync.attribute("tenant", 42).attribute("region", "eu-west").attribute("trial", false)
    /// # }
    /// ```
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.row.attributes.set(name.into(), Some(value.into()));
        self
    }

    /// Sets the key: what the job has in common with others that are handled together, such as `tenant:42`. It has 1 to 200
    /// characters, and stays with the job through retries, its end, and a requeue.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.row.key = Some(key.into());
        self
    }

    /// Sets the W3C trace context that the job carries, as text: `00-4bf92f35…-00f067aa…-01`. A job that is enqueued from
    /// a job inherits that one's.
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.row.meta.traceparent = Some(traceparent.into());
        self
    }
}

/// Shows no arguments: they may be secret, and debug output goes to logs.
impl fmt::Debug for NewRow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, kind, queue, priority, due, .. } = self;
        write!(out, "{kind} {id} in {queue}, {priority:?}, {due:?}")
    }
}

impl<T> fmt::Debug for NewJob<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "NewJob({:?})", self.row)
    }
}
