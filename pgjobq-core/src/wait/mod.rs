//! Waiting for jobs: handles, statuses and outcomes.

pub(crate) mod call;
mod deadlock;
pub(crate) mod error;
pub(crate) mod failure;
pub(crate) mod handle;
pub(crate) mod lookup;
pub(crate) mod outcome;
pub(crate) mod pace;
pub(crate) mod status;
pub(crate) mod waits;
