//! One error for a whole program.

use crate::filter::FilterError;
use crate::{
    ActionError, AttributeIndexError, BuildError, CallError, ClientError, CompleteError, DatabaseError,
    EnqueueAllError, EnqueueByKindError, EnqueueEachError, EnqueueError, GrowthError, HandleError,
    InvalidJobId, InvalidJobPlace, InvalidName, InvalidRate, InvalidSchedule, InvalidSchema, LimitError,
    MigrateError, NotCompleted, OtherKind, PauseError, QueueError, RequeueError, ResumeError, RetryError,
    ScheduleError, SetArgsError, UnreadableArgs, WaitError, WorkerError, WorkflowError, WorkflowNotCompleted,
};

/// Any error of pgjobq: for a `main`, and for functions that only pass errors on.
///
/// Each call fails with an error type of its own, which lists what can go wrong in that call. All of them turn into this one
/// with `?`. `Debug` prints the message and its causes, because a `main` that returns an error prints its `Debug`. The guide has
/// a table of [what to do for which error](crate::guide::waiting_for_results).
///
/// ```no_run
/// use pgjobq::prelude::*;
///
/// #[tokio::main]
/// async fn main() -> Result<(), pgjobq::Error> {
///     let client = Client::connect("postgres://localhost/app").await?;
///     client.migrate().await?;
///     Worker::builder(&client).build().await?.run_until(shutdown_signal()).await?;
///     Ok(())
/// }
/// ```
#[derive(thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum Error {
    /// Jobs that match a filter were not counted, listed or changed: from [`Jobs`](crate::Jobs) and [`Action`](crate::Action).
    Action(#[from] ActionError),
    /// An index by an attribute was not built or dropped: from [`Client::index_attribute`](crate::Client::index_attribute).
    AttributeIndex(#[from] AttributeIndexError),
    /// A worker could not be built: from [`WorkerBuilder::build`](crate::WorkerBuilder::build).
    Build(#[from] BuildError),
    /// A call has no result: from [`NewJob::call`](crate::NewJob::call).
    Call(#[from] CallError),
    /// The options of a client are invalid: from [`ClientBuilder::build`](crate::ClientBuilder::build).
    Client(#[from] ClientError),
    /// A job was not completed: from [`JobContext::complete_in`](crate::JobContext::complete_in).
    Complete(#[from] CompleteError),
    /// The database could not be reached, or refused: from every call that has no other error.
    Database(#[from] DatabaseError),
    /// No database for development was found or started: from [`dev::database`](crate::dev::database).
    #[cfg(feature = "dev")]
    Dev(#[from] crate::dev::DevError),
    /// A test could not run its jobs: from [`TestQueue::drain`](crate::testing::TestQueue::drain).
    #[cfg(feature = "testing")]
    Drain(#[from] crate::testing::DrainError),
    /// A test could not let time pass: from [`TestQueue::advance`](crate::testing::TestQueue::advance).
    #[cfg(feature = "testing")]
    Advance(#[from] crate::testing::AdvanceError),
    /// A test could not fire a schedule: from [`TestQueue::fire_schedule`](crate::testing::TestQueue::fire_schedule).
    #[cfg(feature = "testing")]
    Fire(#[from] crate::testing::FireError),
    /// Jobs store their arguments in another shape: from [`check_shapes`](crate::testing::check_shapes).
    #[cfg(feature = "testing")]
    Shapes(#[from] crate::testing::ShapesError),
    /// A job was not enqueued: from [`NewJob::enqueue`](crate::NewJob::enqueue).
    Enqueue(#[from] EnqueueError),
    /// Some of many jobs were not enqueued: from [`enqueue_all`](crate::enqueue_all).
    EnqueueAll(#[from] EnqueueAllError),
    /// A job was not enqueued by the name of its kind: from [`JobKind::enqueue`](crate::JobKind::enqueue).
    EnqueueByKind(#[from] EnqueueByKindError),
    /// A text is no filter: from parsing a [`Filter`](crate::filter::Filter).
    Filter(#[from] FilterError),
    /// A job cannot add steps to a workflow: from [`JobContext::workflow`](crate::JobContext::workflow).
    Growth(#[from] GrowthError),
    /// A call on a [`Job`](crate::Job) or a [`JobHandle`](crate::JobHandle) failed.
    Handle(#[from] HandleError),
    /// A text is no job's id: from parsing a [`JobId`](crate::JobId).
    InvalidJobId(#[from] InvalidJobId),
    /// A text is no place in a list: from parsing a [`JobPlace`](crate::JobPlace).
    InvalidJobPlace(#[from] InvalidJobPlace),
    /// A kind or a queue cannot have this name.
    InvalidName(#[from] InvalidName),
    /// A text is no rate: from parsing a [`Rate`](crate::Rate).
    InvalidRate(#[from] InvalidRate),
    /// The definition of a schedule has a mistake: from [`NewSchedule::next_runs`](crate::NewSchedule::next_runs).
    InvalidSchedule(#[from] InvalidSchedule),
    /// A schema cannot have this name.
    InvalidSchema(#[from] InvalidSchema),
    /// The limits of a kind or a queue were not changed: from [`JobKind::change_limits`](crate::JobKind::change_limits), and of a queue.
    Limit(#[from] LimitError),
    /// The schema was not migrated: from [`Client::migrate`](crate::Client::migrate).
    Migrate(#[from] MigrateError),
    /// A job ended without a result: from [`Outcome::into_result`](crate::Outcome::into_result).
    NotCompleted(#[from] NotCompleted),
    /// A job is of another kind than its handle.
    OtherKind(#[from] OtherKind),
    /// Nothing was paused or resumed: from [`Queue::pause`](crate::Queue::pause), and of a kind or a key.
    Pause(#[from] PauseError),
    /// A queue was not saved or changed: from [`Queue::save`](crate::Queue::save) and [`Queue::change`](crate::Queue::change).
    Queue(#[from] QueueError),
    /// A job was not put back in line: from [`JobHandle::requeue_as`](crate::JobHandle::requeue_as).
    Requeue(#[from] RequeueError),
    /// A held step was not resumed: from [`WorkflowHandle::resume`](crate::WorkflowHandle::resume).
    Resume(#[from] ResumeError),
    /// A workflow was not retried: from [`WorkflowHandle::retry_failed`](crate::WorkflowHandle::retry_failed).
    Retry(#[from] RetryError),
    /// A schedule was not set or changed: from [`Schedules`](crate::Schedules).
    Schedule(#[from] ScheduleError),
    /// The arguments of a job were not changed: from [`Job::set_args`](crate::Job::set_args).
    SetArgs(#[from] SetArgsError),
    /// A statement or a transaction of the program itself failed.
    Sqlx(#[from] sqlx::Error),
    /// Waiting jobs would not survive this program: from [`WaitingReport::into_result`](crate::WaitingReport::into_result).
    UnreadableArgs(#[from] UnreadableArgs),
    /// A wait failed: from [`JobHandle::wait`](crate::JobHandle::wait).
    Wait(#[from] WaitError),
    /// A worker left something undone: from [`Worker::run_until`](crate::Worker::run_until).
    Worker(#[from] WorkerError),
    /// A workflow was not enqueued: from [`Workflow::enqueue`](crate::Workflow::enqueue).
    Workflow(#[from] WorkflowError),
    /// A step of a workflow did not complete: from [`WorkflowOutcome::into_result`](crate::WorkflowOutcome::into_result).
    WorkflowNotCompleted(#[from] WorkflowNotCompleted),
}

pgjobq_core::debug_as_message!(Error);

impl<T> From<EnqueueEachError<T>> for Error {
    fn from(error: EnqueueEachError<T>) -> Self {
        Self::EnqueueAll(error.error)
    }
}
