//! The subcommands, each in a file of its name.

pub(crate) mod actions;
pub(crate) mod audit;
pub(crate) mod cancel;
pub(crate) mod change;
pub(crate) mod completions;
pub(crate) mod dead;
pub(crate) mod delete;
pub(crate) mod doctor;
pub(crate) mod enqueue;
pub(crate) mod explain;
pub(crate) mod grants;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod pause;
pub(crate) mod requeue;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod schedules;
pub(crate) mod sql;
pub(crate) mod stats;
pub(crate) mod workflows;

use pgjobq::JobId;

use crate::failure::Failure;

/// Returns the error for a job that does not exist.
fn job_missing(id: JobId) -> Failure {
    Failure::NotFound(format!(
        "there is no job {id}: it was never committed, or it has ended and is no longer kept"
    ))
}
