//! Enqueuing jobs: from a value to its row, alone, together with others, and many at a time.

pub(crate) mod attributes;
pub(crate) mod bulk;
pub(crate) mod coalesce;
pub(crate) mod deliver;
pub(crate) mod each;
pub(crate) mod edge;
pub(crate) mod error;
pub(crate) mod full;
pub(crate) mod group;
mod held;
mod in_line;
pub(crate) mod insert;
pub(crate) mod inserted;
pub(crate) mod new;
pub(crate) mod new_job;
pub(crate) mod new_row;
pub(crate) mod one;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod own_limit;
pub(crate) mod parents;
pub(crate) mod room;
pub(crate) mod row;
pub(crate) mod sending;
pub(crate) mod target;
pub(crate) mod unique;
