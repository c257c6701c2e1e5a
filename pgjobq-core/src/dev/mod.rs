//! A PostgreSQL for newcomers: examples and tests run without anything being set up.
//!
//! Not for production: a server that [`database`] starts is fast because it may lose committed transactions.

mod cluster;
mod database;
mod endpoint;
mod environment;
mod error;
#[cfg(feature = "embedded")]
mod fetched;
mod folders;
mod leftover;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "windows.rs")]
mod platform;
mod postmaster;
mod programs;
mod server;
mod settings;
mod shared;

pub use database::{Database, database};
pub use error::DevError;
#[doc(hidden)] // For the tests of the workspace.
pub use {server::Server, settings::ServerOptions};

#[cfg(all(test, unix))]
mod tests;
