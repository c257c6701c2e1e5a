//! The tasks that run beside the jobs until the worker ends: heartbeats, and the work that each worker does for all.

pub(crate) mod cancels;
pub(crate) mod drift;
mod due;
pub(crate) mod expire;
pub(crate) mod heartbeat;
pub(crate) mod housekeeping;
mod judge;
pub(crate) mod own_liveness;
pub(crate) mod promote;
mod suspension;
