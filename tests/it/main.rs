//! What pgjobq promises, each promise a test on a real PostgreSQL. One binary, so that it links once.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod harness;

mod life; // From an enqueue to the end, and what a handle sees of it.
mod migrate; // The schema, and what becomes of one that is not ours.

mod probe;
mod says; // What errors say. // How a test sees into its job functions.

// How a worker behaves.
mod crashes; // Workers that are gone, and what becomes of the jobs they had.
mod due; // Scheduled jobs and retries come due at their time.
mod fleet; // Several workers share a queue.
mod invariants;
mod shutdown; // A worker stops gracefully. // What always holds.

// What can be asked of a client.
mod bad_input; // What nobody should enqueue, and what is said of it.
mod bulk; // Many jobs at once.
mod from_sql; // Jobs enqueued with SQL.
mod handles; // Whoever has a job's handle gets its end.
mod schema; // Made by anybody, under any name, for any role.
