//! The error of a database for a test.

use crate::dev::DevError;

/// The error of making the database of a test.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// There is no server.
    #[error(transparent)]
    Server(#[from] DevError),
    /// The server refuses.
    #[error("the database of the test could not be made: {0}")]
    Database(#[from] sqlx::Error),
    /// There is no thread for it.
    #[error("the thread that makes databases could not be started: {0}")]
    Thread(std::io::Error),
    /// The set-up failed.
    #[error("the set-up `{name}` failed: {problem}")]
    SetUp {
        /// The path of the function.
        name: &'static str,
        /// Its error.
        problem: String,
    },
}
