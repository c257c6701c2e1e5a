//! The handle of an enqueued job.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::enqueue::edge::Parent;
use crate::enqueue::outcome::EnqueueOutcome;
use crate::enqueue::row::Row;
use crate::job::descriptor::names_of;
use crate::job::policy::Policy;
use crate::wait::elsewhere;
use crate::wait::outcome::Outcome;
use crate::wait::waits::Origin;
use crate::{JobId, WaitError};

/// A handle of an enqueued job that returns `T`. Any process can rebuild it from the job's id: `my_job::handle(id)`.
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
    kind: &'static str,
    outcome: EnqueueOutcome,
    origin: Origin,
    /// True if nothing is kept of a job of this kind that completes.
    unkept: bool,
    result: PhantomData<fn() -> T>,
}

impl<T> JobHandle<T> {
    pub(crate) fn enqueued(row: &Row, outcome: EnqueueOutcome, committed: bool) -> Self {
        let sent = if committed { Origin::Committed } else { Origin::InTransaction };
        let (id, origin) = match outcome {
            EnqueueOutcome::New => (row.id, sent),
            EnqueueOutcome::Duplicate(holder) | EnqueueOutcome::Replaced(holder) => (holder, sent),
            EnqueueOutcome::Dropped => (row.id, Origin::Dropped),
        };
        Self { id, kind: row.kind, outcome, origin, unkept: row.unkept, result: PhantomData }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn from_id(id: JobId, kind: &'static str, policy: &Policy) -> Self {
        let unkept = policy.keeps_nothing();
        Self::existing(id, kind, unkept, Origin::Rebuilt)
    }

    pub(crate) fn of_step(id: JobId, kind: &'static str, unkept: bool, origin: Origin) -> Self {
        Self::existing(id, kind, unkept, origin)
    }

    fn existing(id: JobId, kind: &'static str, unkept: bool, origin: Origin) -> Self {
        Self { id, kind, outcome: EnqueueOutcome::Duplicate(id), origin, unkept, result: PhantomData }
    }

    /// The job's id. If the enqueue has met another job with the unique key, it is that job's, for which the handle then waits.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Returns whether the enqueue that returned this handle made a new job. False for a duplicate, and for a rebuilt
    /// handle.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.outcome == EnqueueOutcome::New
    }

    /// Returns what the enqueue that returned this handle has done with the job: it is new, or a duplicate. A rebuilt handle is a
    /// duplicate of its own job.
    ///
    /// In a caller's transaction this is what the enqueue has found. The other job, if it is to be replaced, changes after the commit. If
    /// it has started or ended by then, this job may be enqueued after all.
    #[must_use]
    pub fn outcome(&self) -> EnqueueOutcome {
        self.outcome
    }

    /// The job, as one that another waits for. If it was enqueued by this program and nothing is kept of it, a missing row means
    /// that it has completed. The kind of a rebuilt handle is compared with the job's.
    pub(crate) fn as_parent(&self) -> Parent {
        let (was_enqueued, kinds) = match self.origin {
            Origin::Committed | Origin::InTransaction => (true, Vec::new()),
            Origin::Dropped => (false, Vec::new()),
            Origin::Rebuilt => (false, names_of(self.kind)),
        };
        Parent { id: self.id, unkept: self.unkept && was_enqueued, kinds }
    }

    /// The kind of the job function.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }
}

impl<T: DeserializeOwned> JobHandle<T> {
    /// Waits until the job has ended, without a limit, also over lost notifications and restarts of the database.
    ///
    /// The job may have been enqueued in any process, run in any process, and have ended already. Dropping the future
    /// only stops the waiting. See [`JobHandle::wait_timeout`] for a limit.
    ///
    /// A wait never takes a job for completed that is not. Nothing is left of a completed job with `retain = "0s"`:
    /// if its row is gone, and this handle is from its enqueue or its wait has seen the row, the job has completed,
    /// unless it was purged. All waits of a client share a statement, which returns at most about 4 MiB of results at
    /// a time, and less on a slow network; a single result may be larger.
    ///
    /// A wait that has lasted for two seconds is checked, once. It logs a warning if its job is not there yet (wait after the
    /// commit, not before it), if no running worker takes it, in the words of [`Client::explain`], or if the job needs the slot of the
    /// job that waits for it.
    ///
    /// A job that waits for another one keeps its slot meanwhile. If both are in one queue, and every slot of the queue is taken by
    /// jobs that wait, none of them ends before its timeout: put the awaited jobs into another queue.
    ///
    /// # Errors
    ///
    /// [`WaitError::Dropped`] if the enqueue has dropped the job, because its queue is full. [`WaitError::NotFound`] if there is no
    /// such job: it was purged after it died, for one, or is no longer kept. A handle from
    /// a transaction waits half a minute for its commit. [`WaitError::OtherKind`] if the job is of another kind.
    pub async fn wait(&self, client: &Client) -> Result<Outcome<T>, WaitError> {
        let mut origin = self.origin;
        // Statements are in boxes, because their futures are deep, and callers' futures around them meet the compiler's limit.
        loop {
            let end = client.waits().wait(self.id, names_of(self.kind), origin, self.unkept).await;
            match end.and_then(|found| found.outcome(self.id)) {
                // It has met another job with its unique key, and may still be enqueued.
                Err(WaitError::NotFound { .. }) if Box::pin(client.shared().is_requested(self.id)).await => {
                    origin = Origin::InTransaction;
                }
                Err(WaitError::NotFound { id, .. }) => {
                    let schema = Box::pin(elsewhere::schema_of(client.shared(), id)).await;
                    return Err(WaitError::NotFound { id, schema });
                }
                end => return end,
            }
        }
    }

    /// Waits until the job has ended, but at most this long.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`] if the time is over, and those of [`JobHandle::wait`].
    pub async fn wait_timeout(&self, client: &Client, most: Duration) -> Result<Outcome<T>, WaitError> {
        let began = Instant::now();
        tokio::time::timeout(most, self.wait(client)).await.unwrap_or_else(|_| {
            Err(WaitError::TimedOut { id: self.id, trouble: client.waits().trouble_since(began) })
        })
    }
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
            .field("kind", &self.kind)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
