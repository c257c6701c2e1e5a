//! Durable, typed background jobs as plain async functions, stored in PostgreSQL.
//!
//! A job function is an ordinary async function. The attribute [`job`] adds typed ways to enqueue it, also inside a transaction of yours,
//! with which the job commits or vanishes. A [`Worker`] in this or any other process runs it, and retries it if it fails. The
//! [`JobHandle`] returns the function's result, in any process.
//!
//! ```no_run
#![doc = include_str!("../examples/transactional_enqueue.rs")]
//! ```
//!
//! This is one of the [examples](https://github.com/pgjobq/pgjobq/tree/main/examples): `cargo run --example transactional_enqueue`
//! needs nothing set up. Read on in the [`guide`]: [getting started](guide::getting_started), [retries](guide::retries_and_failures),
//! [transactions](guide::transactions), [cancelling](guide::cancelling), [results](guide::waiting_for_results),
//! [workflows](guide::workflows), [schedules](guide::schedules), [attributes](guide::attributes), [filters](guide::filters),
//! [acting on many jobs](guide::acting_on_many_jobs), [limits](guide::limits), [rates](guide::rates), [batches](guide::batches),
//! [unique jobs](guide::unique_jobs), [bounded queues](guide::bounded_queues), [evolving jobs](guide::evolving_jobs),
//! [pausing](guide::pausing), [settings](guide::settings), [testing](guide::testing), [operating](guide::operating),
//! [observing](guide::observing), [alerts](guide::what_to_alert_on), and [why a job is not running](guide::why_is_it_not_running).
//!
//! # What is guaranteed
//!
//! - **An acknowledged job is never lost.** After the enqueue has returned, or its transaction has committed, the job is in the database until
//!   it has ended, whichever process dies.
//! - **It runs at least once.** If a worker dies, or is silent for 30 seconds, others take its jobs, and a job may run twice. Let
//!   the second run have the same effect, for instance with [`JobContext::id`] as an idempotency key. (With `max_crashes = 0` and
//!   `retries = 0` it runs at most once.)
//! - **A worker that lost a job changes nothing.** The database rejects its result.
//! - **It does not start before its time**, by the database's clock.
//! - **A job that kills its worker is buried**, by the crash after `max_crashes` (three). An innocent job beside it crashes at
//!   most twice.
//! - **A paused queue, kind or key starts no job**, in any process; a job that was claimed before may begin for another second.
//! - **A shutdown costs a job no retry.** A job that has not ended when the grace is over is released at once, with all its retries;
//!   unless `max_crashes = 0`: then it is dead, because it may have run.
//! - **Notifications are hints.** Without them everything runs, one poll later.
//!
//! The README links each to the tests that keep it, and says what is not promised.
//!
//! # How a job ends
//!
//! | the job function | the job | [`Outcome`] |
//! |---|---|---|
//! | returns `Ok(value)`, or nothing | is completed; kept with its value for a day, or as `retain` says | `Completed(value)` |
//! | returns any error | is retried after its backoff, at most `retries` times, and then dead | `Dead(failure)` |
//! | returns [`JobError::fatal`] | is dead now | `Dead(failure)` |
//! | returns [`JobError::retry_in`] | is retried after that time, at most `retries` times, and then dead | `Dead(failure)` |
//! | returns [`JobError::snooze`] | runs again after that time; this is no failure | |
//! | returns [`JobError::cancel`] | is cancelled | `Cancelled` |
//! | is cancelled ([`JobHandle::cancel`]) | is cancelled: at once while it waits; while it runs it is asked to stop, and completes if it does so all the same | `Cancelled` |
//! | has not started in time ([`NewJob::expires_in`]) | is expired, and never runs | `Expired` |
//! | panics | as after an error | `Dead(failure)` |
//! | exceeds its `timeout` | is dropped at its next `.await`; as after an error | `Dead(failure)` |
//! | cannot decode its stored arguments | tried at most three times: again after 2 and after 15 minutes, in which a rolling deploy may bring the function that takes them | `Dead(failure)` |
//! | dies with its process | after the lease (30 s), is retried at most `max_crashes` times (three), and then dead | `Dead(failure)` |
//! | has not ended when a shutdown's grace is over | is released: neither a failure nor a crash. With `max_crashes = 0` it is dead, because it may have run | |
//!
//! Dead jobs are kept for thirty days, with every failed attempt: see [`Failure`], or the view `pgjobq.job_states`.
//!
//! # Errors
//!
//! Each call has an error type that lists what can go wrong in it; all of them turn into [`Error`] with `?`, so that a `main` can
//! return `Result<(), pgjobq::Error>`. What to do for which error: [a table in the guide](guide::waiting_for_results).
//!
//! # Logs
//!
//! Everything is logged through [`tracing`](https://docs.rs/tracing), each attempt in a span `job`. **Without a subscriber you see
//! none of it**, and a worker without a database retries in silence. So install one, such as `tracing_subscriber::fmt::init()`.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `dev` | [`dev::database`]: a throwaway PostgreSQL, for examples and tests |
//! | `embedded` | the same without an installed PostgreSQL: its programs are downloaded, once |
//! | `testing` | [`testing`]: a database for each test, jobs that run when the test says so, and assertions |
//! | `metrics` | `Client::builder(pool).metrics()`: [metrics](measure) through the facade of the crate `metrics` |
//! | `tls-native-tls`, `tls-rustls` | TLS, which remote databases usually require; passed through to sqlx. Make sqlx's other choices on `sqlx` itself |
//!
//! None is on by default.
#![forbid(unsafe_code)]

extern crate self as pgjobq; // so that #[job] works in our own doctests and unit tests

mod error;

pub use error::Error;
#[doc(hidden)] // A bound of what a job function may return; programs never name it.
pub use pgjobq_core::JobReturn;
#[cfg(feature = "dev")]
pub use pgjobq_core::dev;
pub use pgjobq_core::{
    Action, ActionError, ActionId, ActionReport, ActionState, AnyJob, AttributeIndex, AttributeIndexError,
    AttributeIndexState, AttributeValue, Audit, AuditId, AuditRecord, Backoff, Batch, BatchItem, BatchResult,
    CallError, Cancel, CancelOutcome, CancelWorkflow, Cancellation, Cause, Check, Client, ClientBuilder,
    ClientError, CompleteError, DatabaseError, DeadGroup, EndedJob, EndedJobs, EndedState, EnqueueAllError,
    EnqueueByKind, EnqueueByKindError, EnqueueEachError, EnqueueError, EnqueueOutcome, Enqueued,
    EnqueuedByKind, Examination, Explanation, FailedAttempt, Failure, FailureReason, Finding, Gather,
    Gathered, Graph, Growth, GrowthError, HandleError, Input, InvalidAttribute, InvalidJobId,
    InvalidJobPlace, InvalidName, InvalidRate, InvalidSchema, ItemOutcome, Job, JobContext, JobCount,
    JobDetails, JobError, JobHandle, JobId, JobPage, JobPlace, JobState, Jobs, JobsPreview, LeftOut,
    LimitState, ListedJob, ListedWorkflow, MigrateError, NewJob, NewStep, NotCompleted, NotedAudit,
    OtherKind, Outcome, Output, ParentStanding, Parents, Part, Priority, Progress, Queue, QueueError,
    QueueOverview, QueueStats, Reason, RecordedKind, RegisteredWorker, Repair, RequeueError, RequeueOutcome,
    ResumeError, RetryError, ScheduledBy, SchemaRole, Severity, StartedAction, State, Status, Step,
    StepResult, StopReason, Target, Throughput, Tx, WaitError, Workflow, WorkflowError, WorkflowHandle,
    WorkflowId, WorkflowNotCompleted, WorkflowOutcome, WorkflowPart, WorkflowStatus, enqueue_all,
    enqueue_each, filter, gather, grants_sql, measure, observe, schema_sql, trace, with_statement_timeout,
};
pub use pgjobq_core::{
    ChangeLimits, ChangeSettings, JobKey, JobKind, LimitError, LimitScope, LimitSettings, OnConflict,
    OnDuplicate, OnRetry, Override, Pause, PauseError, PauseScope, Pausing, QueueSettings, Rate, SaveQueue,
    Setting, UniqueWhile, WhenFull,
};
pub use pgjobq_core::{
    CheckedKind, CheckedSchedule, Export, InvalidSchedule, Missed, MissedTick, NewArgs, NewSchedule, Overlap,
    Readability, Schedule, ScheduleError, ScheduleSource, ScheduleState, Schedules, SetArgs, SetArgsError,
    SetArgsOutcome, Tick, UnreadableArgs, UnreadableJob, WaitingReport, check_waiting,
};
#[doc = include_str!("job.md")]
pub use pgjobq_macros::job;
#[cfg(feature = "testing")]
#[doc = include_str!("testing/test.md")]
pub use pgjobq_macros::test;
pub use pgjobq_worker::{
    BuildError, Health, QueueLimits, RunningWorker, SetupProblem, Worker, WorkerBuilder, WorkerError,
    shutdown_signal,
};
/// The way to the database, in the version that pgjobq speaks it: pools and transactions come from here.
pub use sqlx;

/// The return type of a job function: any error turns into [`JobError`] with `?`. [`job`] has examples.
pub type Result<T, E = JobError> = std::result::Result<T, E>;

/// Everything that a program with jobs usually names: `use pgjobq::prelude::*`.
pub mod prelude {
    pub use crate::filter::{Filter, attribute};
    pub use crate::{
        Backoff, Batch, BatchItem, BatchResult, Client, EnqueueOutcome, Failure, JobContext, JobError,
        JobHandle, JobId, JobState, NewJob, OnConflict, OnDuplicate, OnRetry, Outcome, Priority, Result,
        State, Step, Tx, UniqueWhile, WhenFull, Worker, Workflow, WorkflowHandle, WorkflowId,
        WorkflowOutcome, gather, job, shutdown_signal,
    };
}

#[cfg(feature = "testing")]
pub mod testing;

#[doc(hidden)] // Not public API: the output of #[job] names it.
pub mod __private {
    pub use pgjobq_core::__private::*;
}

#[cfg(doc)] // Pages of the documentation, and nothing that a program could name.
pub mod guide;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
