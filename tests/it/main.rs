//! What pgjobq promises, each promise a test on a real PostgreSQL. One binary, so that it links once.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod harness;

mod errors; // What a stranger reads where something was set up wrongly.
mod life; // From an enqueue to the end, and what a handle sees of it.
mod migrate; // The schema, and what becomes of one that is not ours.
