//! Every two operations on the same rows, in every order of their steps.
//!
//! The functions of the schema name their steps in comments (`-- step: …`), which are replaced by pauses in the shipped text.
//! Two sessions carry out two operations, and stop at each pause until the runner lets one of them go on; a commit is a step
//! as well. A session that waits for the other's transaction is told by `pg_locks`, and goes on when that has ended. After
//! each run the answers and the tables must fit together, and everything must come to an end.
#![allow(clippy::unwrap_used)]

mod bench;
mod explore;
mod facts;
mod invariants;
mod operation;
mod pause;
mod schedule;
mod server;
mod session;
