//! Changing the fate of jobs and queues: cancelling, requeueing, purging, and the settings of a queue.

mod ageing;
mod asked;
pub(crate) mod attribute_index;
pub(crate) mod bound;
pub(crate) mod bounding;
pub(crate) mod cancel;
pub(crate) mod change_limits;
pub(crate) mod check_waiting;
pub(crate) mod ended;
mod existing;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod limit_scope;
pub(crate) mod limits;
pub(crate) mod pause;
pub(crate) mod queue;
pub(crate) mod queue_error;
mod queue_limit;
pub(crate) mod requeue;
pub(crate) mod set_args;
pub(crate) mod settings;
mod stated;
pub(crate) mod stats;
pub(crate) mod waiting_report;
