//! The attempt that runs a job, as the job function sees it.

pub(crate) mod complete;
pub(crate) mod context;
pub(crate) mod progress;
pub(crate) mod tx;
pub(crate) mod tx_pool;
