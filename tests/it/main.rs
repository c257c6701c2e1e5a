//! What pgjobq promises, each promise a test on a real PostgreSQL. One binary, so that it links once.
#![allow(clippy::unwrap_used)]

// The stage.
mod gate;
#[macro_use]
mod harness;
mod proxy;

mod bystanders; // A job that runs costs the database nothing.
mod callers; // Their transactions and ours.
mod endings; // Everything that was started ends, whatever the database does.
mod held; // Nothing is held by nobody.
mod life; // From an enqueue to the end, and what a handle sees of it.
mod slots; // A worker claims what it has slots for.
mod truth; // The row, not memory, is the truth.
mod unnotified; // Notifications are hints.
