//! The error of changing or looking at schedules.

use super::invalid::InvalidSchedule;
use crate::{DatabaseError, EnqueueError, InvalidName};

/// The error of changing or looking at schedules: from [`Schedules`](crate::Schedules). Nothing was changed, unless the
/// connection broke.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The definition has a mistake: from `upsert`.
    #[error(transparent)]
    Invalid(#[from] InvalidSchedule),
    /// The job could not be enqueued: from `upsert`.
    #[error("the job of the schedule: {0}")]
    Job(EnqueueError),
    /// The job has options that a schedule cannot repeat: from `upsert`.
    #[error(
        "the job `{kind}` of a schedule says when it starts, has an id, or waits for other jobs: leave out `delay`, `run_at`, `id` \
         and `after`, because each tick enqueues a new job"
    )]
    Once {
        /// The kind of the job.
        kind: &'static str,
    },
    /// The schedule has no tick from now to its end, by the clock of the database: from `upsert`.
    #[error(
        "the schedule `{0}` can never fire, because it has no tick from now to its end: write a later `ends`, or none"
    )]
    Ended(String),
    /// The code has a schedule of this name, for jobs of another kind: from `upsert`.
    #[error(
        "the schedule `{name}` is in the code, for jobs of another kind than `{kind}`: write another name, or take it out of \
         the code; if no program has that code any more, remove the schedule"
    )]
    OtherKind {
        /// The name of the schedule.
        name: String,
        /// The kind of the job that was passed.
        kind: &'static str,
    },
    /// The queue of the job does not exist: from `upsert`.
    #[error("the queue of the job does not exist; create it with `client.queue(…).save()`: {0}")]
    UnknownQueue(DatabaseError),
    /// No schedule has this name.
    #[error(
        "there is no schedule `{0}`: `client.schedules().list()` returns all of them; one in the code appears when a worker of its \
         program starts"
    )]
    Unknown(String),
    /// The schedule is in the code of running workers, and not set by `upsert`: from `remove`.
    #[error(
        "the schedule `{0}` is in the code of running workers, and cannot be removed: pause it, or remove it from the code and deploy"
    )]
    InCode(String),
    /// No job was enqueued: from `run_now`.
    #[error("the schedule `{name}` has enqueued no job now: {error}")]
    NotEnqueued {
        /// The name of the schedule.
        name: String,
        /// The reason.
        error: DatabaseError,
    },
    /// No schedule can have this name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(ScheduleError);
