//! The error of a database for a test.

use crate::dev::DevError;

/// The database does not exist.
pub(super) const NO_DATABASE: &str = "3D000";
/// A database has this name.
pub(super) const SAME_NAME: &str = "42P04";
/// Another session gives a database the same name just now.
pub(super) const SAME_NAME_AT_ONCE: &str = "23505";
/// The role has not the right.
const NO_RIGHT: &str = "42501";

/// The error of making the database of a test.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// There is no server.
    #[error(transparent)]
    Server(#[from] DevError),
    /// `DATABASE_URL` is no address.
    #[error("DATABASE_URL is not like postgres://user:password@host/name: {0}")]
    Address(String),
    /// The server of `DATABASE_URL` takes no connection.
    #[error(
        "the server of DATABASE_URL, {at}, takes no connection: {reason}; start it or correct DATABASE_URL, or unset that, and the tests \
         start a server of their own"
    )]
    Unreachable {
        /// The host and the port, or the socket.
        at: String,
        /// The error of the network or the server.
        reason: String,
    },
    /// The role may not make databases.
    #[error(
        "the role of DATABASE_URL may not make the databases of tests: `alter role … createdb` lets it; or unset DATABASE_URL, and \
         the tests start a server of their own: {0}"
    )]
    NoRight(sqlx::Error),
    /// The server refuses.
    #[error("the database of the test could not be made: {0}")]
    Database(sqlx::Error),
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

impl From<sqlx::Error> for KitError {
    fn from(error: sqlx::Error) -> Self {
        if has_code(&error, NO_RIGHT) { Self::NoRight(error) } else { Self::Database(error) }
    }
}

/// Returns whether the database has answered with this code.
pub(super) fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|found| found == code)
}
