//! Background jobs as plain async functions, stored in PostgreSQL.
//!
//! A job function is written as any other; [`job`] gives it the typed ways in. Whoever enqueues it may do so in a
//! transaction of the application, with which the job commits or vanishes. A [`Worker`] in this or any other process runs
//! it, again if need be, and whoever has the [`JobHandle`] gets what it returned.
//!
//! ```no_run
#![doc = include_str!("../examples/transactional_enqueue.rs")]
//! ```
//!
//! This is one of the examples of the repository: `cargo run --example transactional_enqueue` needs nothing set up.
//! `quickstart` has a job that fails twice, one that dies, and many at once; `axum` is a web server with its worker inside.
//!
//! # What is guaranteed
//!
//! - **An acknowledged job is never lost.** When an enqueue has returned, or the transaction that it was part of has
//!   committed, the job is in the database until it has ended, whatever process dies.
//! - **It runs at least once.** A worker that dies, or that nobody has heard of for half a minute, loses its jobs to
//!   others, and then a job may run twice: let what it does be the same the second time, for instance by
//!   [`JobContext::id`] as an idempotency key. (With `max_crashes = 0` it runs at most once.)
//! - **A worker that lost a job changes nothing.** Whatever it still reports is refused by the database.
//! - **It does not start before its time**, by the database's clock.
//! - **A job that takes its worker down is buried**, after one crash more than it may survive (three), and takes its
//!   neighbours down twice at most.
//! - **A shutdown costs a job nothing.** What has not ended when the grace is over is handed back at once, with all its
//!   retries.
//! - **Notifications are hints.** Without them everything runs, one poll later.
//!
//! The README links each to the tests that keep it, and says what is not promised.
//!
//! # How a job ends
//!
//! | the job function | what becomes of the job | [`Outcome`] |
//! |---|---|---|
//! | returns `Ok(value)`, or nothing | completed; kept with its value for a day, or as `retain` says | `Completed(value)` |
//! | returns any error | tried again after its backoff, as often as `retries` says, and then dead | `Dead(failure)` |
//! | returns [`JobError::fatal`] | dead now | `Dead(failure)` |
//! | returns [`JobError::retry_in`] | tried again after that time, as often as `retries` says, and then dead | `Dead(failure)` |
//! | returns [`JobError::snooze`] | run again after that time: no failure | |
//! | returns [`JobError::cancel`] | cancelled | `Cancelled` |
//! | is asked to be cancelled ([`JobHandle::cancel`]) | cancelled: at once while it waits; while it runs it is told, and completes if it does so all the same | `Cancelled` |
//! | has not started in time ([`NewJob::expires_in`]) | expired; it never runs | `Expired` |
//! | panics | as an error | `Dead(failure)` |
//! | runs for longer than `timeout` | dropped at its next `.await`; as an error | `Dead(failure)` |
//! | cannot be given its arguments, for they are of another shape | as an error, but tried three times at most | `Dead(failure)` |
//! | goes down with its process | after the lease (30 s), tried again as often as `max_crashes` says (three times), and then dead | `Dead(failure)` |
//! | has not ended when a shutdown's grace is over | handed back: neither a failure nor a crash | |
//!
//! Dead jobs are kept for thirty days, with every attempt that failed: see [`Failure`], or the view `pgjobq.job_states`.
//!
//! # Logs
//!
//! Everything is told through [`tracing`](https://docs.rs/tracing), each attempt in a span `job`. **Without a subscriber
//! nothing of it is seen**, and a worker whose database is gone tries again in silence; so install one, such as
//! `tracing_subscriber::fmt::init()`.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `dev` | [`dev::database`]: a throwaway PostgreSQL, for examples and tests |
//! | `embedded` | the same where PostgreSQL is not installed: its programs are fetched, once |
//! | `tls-native-tls`, `tls-rustls` | TLS, which databases elsewhere usually demand; passed through to sqlx, whose other choices can be made on `sqlx` itself |
//!
//! None is on by default.
#![forbid(unsafe_code)]

extern crate self as pgjobq; // so that #[job] works in our own doctests and unit tests

#[cfg(feature = "dev")]
pub use pgjobq_core::dev;
pub use pgjobq_core::{
    AnyJob, Backoff, CallError, Cancel, CancelOutcome, Cancellation, Client, ClientBuilder, ClientError,
    CompleteError, DatabaseError, EndedJob, EndedJobs, EnqueueAllError, EnqueueError, Enqueued,
    FailedAttempt, Failure, InvalidName, InvalidSchema, JobContext, JobError, JobHandle, JobId, JobReturn,
    JobState, MigrateError, NewJob, Outcome, Priority, Progress, Queue, QueueStats, RequeueError,
    RequeueOutcome, State, Status, Target, Tx, WaitError, Within, enqueue_all, schema_sql,
};
#[doc = include_str!("job.md")]
pub use pgjobq_macros::job;
pub use pgjobq_worker::{
    BuildError, Health, QueueLimits, RunningWorker, SetupProblem, Worker, WorkerBuilder, WorkerError,
    shutdown_signal,
};
/// The way to the database, in the version that pgjobq speaks it: pools and transactions come from here.
pub use sqlx;

/// What a job function returns: any error turns into [`JobError`] with `?`. [`job`] has examples.
pub type Result<T, E = JobError> = std::result::Result<T, E>;

/// Everything that a program with jobs usually names: `use pgjobq::prelude::*`.
pub mod prelude {
    pub use crate::{
        Backoff, Client, JobContext, JobError, JobHandle, JobId, NewJob, Outcome, Priority, Result, State,
        Tx, Worker, job, shutdown_signal,
    };
}

#[doc(hidden)] // Not public API: the output of #[job] names it.
pub mod __private {
    pub use pgjobq_core::__private::*;
}

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
