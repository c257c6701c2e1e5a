//! The worker runtime of pgjobq: wake, claim, run, decide, finish. Users depend on the `pgjobq` crate, which shows the
//! public part of this one.

// From set-up to shutdown.
mod accepted;
mod admissions;
mod builder;
mod config;
mod health;
mod lifecycle;
mod running_worker;
mod setup;
mod signal;
mod worker;

// The way of a job.
mod attempt;
mod claim;
mod queues;
mod record;

// Beside the jobs.
mod upkeep;

// Under the control of a test.
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod stepping;

// Shared by all of these.
mod leases;
mod parts;
mod pause;
mod runtime;
mod served_queue;
mod slots;
mod unsettled;
mod worker_name;

pub use builder::WorkerBuilder;
pub use config::QueueLimits;
pub use health::Health;
pub use lifecycle::WorkerError;
pub use running_worker::RunningWorker;
pub use setup::{BuildError, SetupProblem};
pub use signal::shutdown_signal;
pub use worker::Worker;
