//! The error of a queue's settings.

use std::time::Duration;

use crate::admin::change_limits::LimitError;
use crate::admin::existing::listed;
use crate::{DatabaseError, InvalidName, JobState};

/// The error of a queue's settings: from [`Queue::save`](crate::Queue::save), [`SaveQueue::save`](crate::SaveQueue::save),
/// [`Queue::change`](crate::Queue::change) and [`Queue::room`](crate::Queue::room).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// A queue cannot have this name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A retention is out of range.
    #[error(
        "queue `{queue}`: {state} jobs cannot be kept for {time:?}; write a time from one minute to ten years (3660 days)"
    )]
    Retention {
        /// The queue's name.
        queue: String,
        /// The state of the jobs.
        state: JobState,
        /// The time.
        time: Duration,
    },
    /// A time of ageing is out of range.
    #[error(
        "queue `{queue}`: a job cannot move up every {time:?}; write a time from one second to 366 days, or `Duration::ZERO` to turn ageing off"
    )]
    Ageing {
        /// The queue's name.
        queue: String,
        /// The time.
        time: Duration,
    },
    /// A limit is out of range.
    #[error(
        "queue `{queue}`: a limit of {limit} is not possible; write 1 to 1,000,000, or pause the queue with `.pause()`"
    )]
    Limit {
        /// The queue's name.
        queue: String,
        /// The limit.
        limit: usize,
    },
    /// A limit over the whole fleet is wrong, or the queue cannot have one.
    #[error("queue `{queue}`: {error}")]
    Fleet {
        /// The queue's name.
        queue: String,
        /// The mistake.
        error: Box<LimitError>,
    },
    /// A bound is out of range.
    #[error(
        "queue `{queue}`: a bound of {bound} is not possible; write 1 to 1,000,000, remove it with `.unbounded()`, or pause the queue with `.pause()`"
    )]
    Bound {
        /// The queue's name.
        queue: String,
        /// The bound.
        bound: usize,
    },
    /// More jobs occupy places in the queue than the new bound allows.
    #[error(
        "queue `{queue}`: {jobs} jobs are in it, or about to be enqueued, more than a bound of {bound}; write at least as many, or try again when jobs have ended"
    )]
    BoundTooSmall {
        /// The queue's name.
        queue: String,
        /// The bound.
        bound: usize,
        /// The number of those jobs.
        jobs: u64,
    },
    /// The database has several shards.
    #[error("queue `{0}`: it cannot have a bound, because the database has several shards")]
    BoundOnShards(String),
    /// The change has no setting: from [`Queue::change`](crate::Queue::change).
    #[error("queue `{0}`: nothing is changed; add a setting, such as `.limit(20)` or `.reset_limit()`")]
    NoChange(String),
    /// There is no such queue: from [`Queue::change`](crate::Queue::change) and [`Queue::room`](crate::Queue::room).
    #[error(
        "queue `{queue}` does not exist; create it with `client.queue(\"{queue}\").save()`{list}",
        list = listed(.existing)
    )]
    Unknown {
        /// The queue's name.
        queue: String,
        /// The first twenty names of those that exist.
        existing: Vec<String>,
    },
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(QueueError);
