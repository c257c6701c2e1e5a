//! A job that has not been enqueued, as a value.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::enqueue::new_row::{Due, NewRow};
use crate::job::computed::UniqueValue;
use crate::job::json;
use crate::job::policy::Policy;
use crate::trace::context::TraceContext;
use crate::{AttributeValue, JobId, OnConflict, OnDuplicate, Priority, UniqueWhile};

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

impl<T> NewJob<T> {
    #[doc(hidden)]
    pub fn new(kind: &'static str, policy: &Policy, args: &impl Serialize) -> Self {
        Self { row: NewRow::new(kind, policy, json::encode(args)), result: PhantomData }
    }

    /// Sets the key that the job computes from its arguments.
    #[doc(hidden)]
    pub fn computed_key(mut self, key: Option<String>) -> Self {
        self.row.key = key;
        self
    }

    /// Sets the value that makes the job unique, which it computes from its arguments.
    #[doc(hidden)]
    pub fn computed_unique(mut self, value: UniqueValue) -> Self {
        self.row.unique.set(value);
        self
    }

    /// Returns the id that the job will have. Jobs that share a limit or a unique key are on one shard, so the last bits of an id
    /// that the caller has not set follow from the [`key`](Self::key) and [`unique`](Self::unique): set those first.
    #[must_use]
    pub fn job_id(&self) -> JobId {
        self.row.id()
    }

    /// Returns the job without its type, for a schedule.
    #[doc(hidden)]
    #[must_use]
    pub fn into_row(self) -> NewRow {
        self.row
    }

    /// Returns the arguments as they will be stored, if they can be.
    #[doc(hidden)]
    #[must_use]
    pub fn stored_args(&self) -> Option<&str> {
        self.row.args.as_deref().ok()
    }

    /// Sets the id. Enqueuing an id again while its job lives is a duplicate, never a second job; after that it may run
    /// again. In a database with several shards, a job under a limit and a unique job cannot have an id of yours.
    pub fn id(mut self, id: impl Into<JobId>) -> Self {
        self.row.give_id(id.into());
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
    /// characters, and stays with the job through retries, its end, and a requeue. A limit of the kind holds for each key on its own.
    /// It overrides the key that `#[job(key = …)]` computes.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.row.set_key(key.into());
        self
    }

    /// Sets the answer to a key that is at its limit: see [`OnConflict`]. It has no effect on a kind without `concurrency`.
    pub fn on_conflict(mut self, answer: OnConflict) -> Self {
        self.row.limit.on_conflict = Some(answer);
        self
    }

    /// Sets the weight: the number of starts that this one counts for, under the rates of its kind and its queue. It is at least 1.
    pub fn weight(mut self, weight: u32) -> Self {
        self.row.set_weight(weight);
        self
    }

    /// Makes the job unique among those of its kind: while another one with this unique key lives, it is not enqueued a second time.
    /// A job of a kind with a limit is unique among those with its [`key`](Self::key).
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// use std::time::Duration;
    /// use pgjobq::OnDuplicate;
    /// # fn example(reindex: pgjobq::NewJob<()>) -> pgjobq::NewJob<()> {
    /// reindex.unique("document:7").on_duplicate(OnDuplicate::Debounce(Duration::from_secs(5)))
    /// # }
    /// ```
    pub fn unique(mut self, unique_key: impl Into<String>) -> Self {
        self.row.unique.give(unique_key.into());
        self
    }

    /// Sets how long a unique job is the only one.
    pub fn unique_while(mut self, time: UniqueWhile) -> Self {
        self.row.unique.lasts = time;
        self.row.unique.says_more = true;
        self
    }

    /// Sets what becomes of this job if another one has its unique key.
    pub fn on_duplicate(mut self, answer: OnDuplicate) -> Self {
        self.row.unique.on_duplicate = answer;
        self.row.unique.says_more = true;
        self
    }

    /// Sets the W3C trace context that the job carries, as text: `00-4bf92f35…-00f067aa…-01`. A job that is enqueued from
    /// a job inherits that one's.
    ///
    /// It is for a context that comes from outside, such as the header of a request. A malformed one is dropped with a warning, as the
    /// standard demands: a stranger's header is no reason to refuse a job. With a [propagation](crate::trace::set_propagation) the span of
    /// the enqueue becomes the child of this context, and the job carries the span's; a job among many carries this one.
    pub fn traceparent(self, traceparent: impl Into<String>) -> Self {
        let traceparent = traceparent.into();
        match TraceContext::new(&*traceparent) {
            Some(context) => self.trace(context),
            None => {
                let kind = self.row.kind;
                tracing::warn!(
                    kind,
                    traceparent,
                    "a new job has a malformed trace context, which is dropped"
                );
                self
            }
        }
    }

    /// Sets the W3C trace context that the job carries, with its `tracestate`: see [`traceparent`](Self::traceparent).
    pub fn trace(mut self, context: TraceContext) -> Self {
        self.row.meta.set_trace(context);
        self
    }
}

impl<T> fmt::Debug for NewJob<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "NewJob({:?})", self.row)
    }
}
