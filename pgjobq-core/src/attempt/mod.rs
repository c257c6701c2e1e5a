//! The attempt that runs a job, as the job function sees it.

pub(crate) mod complete;
pub(crate) mod context;
pub(crate) mod current;
pub(crate) mod enqueue;
pub(crate) mod growth;
pub(crate) mod held;
pub(crate) mod places;
pub(crate) mod progress;
pub(crate) mod recording;
pub(crate) mod stop;
pub(crate) mod tx;
