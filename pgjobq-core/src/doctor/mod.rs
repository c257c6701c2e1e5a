//! Looks for faults of the database that hurt jobs, each with the statement that repairs it.

mod clock;
mod connections;
mod definitions;
pub(crate) mod examine;
pub(crate) mod finding;
mod limits;
mod statements;
