//! No job is passed over: whatever the order of commits, however long a transaction, whatever a worker believes of where
//! the waiting jobs begin. Simulated workers drive the shipped SQL with guesses that the test makes hostile; real workers
//! meet the same producers with the guesses of their own.
//!
//! `PGJOBQ_TEST_SEED` repeats the decisions of a run (a failed one printed it), `PGJOBQ_TEST_ROUNDS` runs more of them, and
//! `PGJOBQ_TEST_LONG_WRITER` is for how many seconds the long writer stays open.
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
mod hostile; // Nothing that a worker guesses hides a job.
mod late; // What commits below everybody's guess.
mod real; // The claim loop and its own guesses.
