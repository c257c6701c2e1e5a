//! The part of the test kit that needs no worker: databases for tests, and what the kit reads and writes beside the library. Not
//! public API: the `pgjobq` crate builds `pgjobq::testing` on it.
//!
//! The statements are in `queries/testing`, apart from those of the library, which never sends them.

mod database;
mod error;
mod inline;
mod keeper;
mod names;
mod reach;
mod rows;
mod server;
mod set_up;
mod sweep;

pub use database::{Kept, TestDatabase};
pub use error::KitError;
pub use inline::Inline;
pub use rows::{
    LiveJob, STATEMENTS, advance, attempt_errors, due_elsewhere, ended_jobs, insert_schedules, live_jobs,
    next_due, pass_jitter, queue_names, schedule,
};

pub use crate::attempt::current::current_job;

#[cfg(all(test, unix))]
mod tests;
