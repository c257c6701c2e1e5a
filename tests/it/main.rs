//! What pgjobq promises, each promise a test on a real PostgreSQL. One binary, so that it links once.
#![allow(clippy::unwrap_used)]

// The stage.
mod gate;
#[macro_use]
mod harness;
mod proxy;

mod held; // Nothing is held by nobody.
mod life; // From an enqueue to the end, and what a handle sees of it.
