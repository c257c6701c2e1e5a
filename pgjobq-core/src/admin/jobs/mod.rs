//! All jobs that match a filter: count and list them, and act on them.

pub(crate) mod action;
pub(crate) mod change;
pub(crate) mod count;
pub(crate) mod error;
pub(crate) mod export;
pub(crate) mod left_out;
pub(crate) mod list;
pub(crate) mod matching;
pub(crate) mod preview;
pub(crate) mod report;
mod selection;
pub(crate) mod started;
