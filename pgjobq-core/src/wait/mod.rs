//! Waiting for jobs: handles, statuses and outcomes.

pub(crate) mod call;
mod elsewhere;
pub(crate) mod error;
pub(crate) mod failure;
pub(crate) mod handle;
pub(crate) mod lookup;
pub(crate) mod outcome;
pub(crate) mod pace;
mod slow;
pub(crate) mod status;
pub(crate) mod waits;
