//! Pauses of queues, kinds and keys: no worker starts a job of them.

pub(crate) mod error;
pub(crate) mod paused;
pub(crate) mod pausing;
pub(crate) mod scope;
pub(crate) mod subject;
