//! One attempt: running the job function, and deciding what its end means for the job.

mod args;
mod blocking;
mod call;
pub(crate) mod decide;
pub(crate) mod execution;
mod growth;
mod in_doubt;
pub(crate) mod in_flight;
mod outcome;
mod panic;
mod part;
mod span;
pub(crate) mod turn;
