//! The outcome of an enqueue.

use std::sync::OnceLock;

use crate::JobId;

/// The outcome of an enqueue: from [`JobHandle::outcome`](crate::JobHandle::outcome).
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod reindex { pub fn job(_: i64) -> pgjobq_core::NewJob<()> { unimplemented!() } }
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::EnqueueError> {
/// use pgjobq::EnqueueOutcome;
///
/// let handle = reindex::job(7).enqueue(&client).await?;
/// match handle.outcome() {
///     EnqueueOutcome::New => println!("{} is new", handle.id()),
///     EnqueueOutcome::Duplicate(holder) => println!("{holder} does it already"),
///     EnqueueOutcome::Replaced(holder) => println!("{holder} does it, with the new arguments"),
///     other => println!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnqueueOutcome {
    /// The job is new.
    New,
    /// The job was not enqueued. This one is live with its id, or has its unique key.
    Duplicate(JobId),
    /// The job was not enqueued. This one, which waits, has its unique key, and got its arguments or its time.
    Replaced(JobId),
    /// The job does not run. Either its queue is full and drops new jobs: then nothing is stored. Or its key is at its limit, which lets
    /// no job wait: then the job is cancelled. A caller's transaction cannot know of the limit before its commit, and says `New`.
    Dropped,
}

/// The outcome of one row, which the answer of the database sets. The row is shared by its caller and those who send it, and so the
/// outcome reaches the caller on any of their ways.
#[derive(Debug, Default)]
pub(crate) struct OutcomeCell(OnceLock<EnqueueOutcome>);

impl OutcomeCell {
    /// Sets the outcome, unless it is set: a statement that was sent again may be answered twice.
    pub(crate) fn set(&self, outcome: EnqueueOutcome) {
        let _ = self.0.set(outcome);
    }

    /// Returns the outcome. A row that was sent, and about which nothing was said, is new.
    pub(crate) fn get(&self) -> EnqueueOutcome {
        self.0.get().copied().unwrap_or(EnqueueOutcome::New)
    }
}
