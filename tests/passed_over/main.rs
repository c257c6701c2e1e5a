//! No job is passed over: regardless of the order of commits, the length of a transaction, and a worker's guess of where
//! the waiting jobs begin. Simulated workers drive the shipped SQL with guesses that the test makes hostile. Real workers
//! meet the same producers with their own guesses.
//!
//! `PGJOBQ_TEST_SEED` repeats the decisions of a run (a failed one printed it), `PGJOBQ_TEST_ROUNDS` sets the number of
//! runs, and `PGJOBQ_TEST_LONG_WRITER` the seconds for which the long writer stays open.
#![allow(clippy::unwrap_used)]

#[macro_use]
#[path = "../it/harness.rs"]
#[allow(dead_code)]
mod harness;

// The stage.
mod dice;
mod ledger;
mod producers;
mod workers;
mod world;

// The promises.
mod backwards; // The sequence of the tickets was set back.
mod hostile; // No guess of a worker hides a job.
mod late; // Jobs that commit below every worker's guess.
mod real; // The claim loop and its own guesses.
