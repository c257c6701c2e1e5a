//! A worker that a test drives step by step: it claims a job only in a step, and does nothing between two steps.
//!
//! Each step is the one of a running worker, with the same statements. What is missing are the loops that decide when to do it. Not
//! public API: the `pgjobq` crate builds its test kit on it.

mod firing;
mod process;
mod upkeep;

pub use firing::Firing;
pub use process::Process;
