//! Messages of errors, together with their causes.

use std::error::Error;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// Returns the message of an error and of its causes, outermost first.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = message(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = message(error);
        // Some errors, such as those of sqlx, contain the message of their cause.
        if !text.ends_with(&next) {
            text += &format!(": {next}");
        }
        cause = error.source();
    }
    text
}

/// Returns the message of one error. sqlx appends a line of PostgreSQL's source code to the messages of the server, which looks like
/// a line of a statement.
fn message(error: &(dyn Error + 'static)) -> String {
    if let Some(sqlx::Error::Database(error)) = error.downcast_ref() {
        return format!("error returned from database: {}", error.message());
    }
    if let Some(error) = error.downcast_ref::<Box<dyn DatabaseError>>() {
        return error.message().to_owned();
    }
    error
        .downcast_ref::<PgDatabaseError>()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// Returns the cause of a failed call, as the database or the network reports it, with the server's hint.
pub(crate) fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let hint = error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::hint);
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            let code = error.code().map(|code| format!(" (SQLSTATE {code})")).unwrap_or_default();
            format!("{}{code}{hint}", error.message())
        }
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Configuration(error) => error.to_string(),
        error => chain(error),
    }
}

/// Implements `Debug` as the message and its causes, because `fn main() -> Result<(), Box<dyn Error>>` prints the
/// `Debug` of an error.
#[macro_export]
#[doc(hidden)]
macro_rules! debug_as_message {
    ($($error:ty),* $(,)?) => {$(
        impl std::fmt::Debug for $error {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(&$crate::worker_api::chain(self))
            }
        }
    )*};
}
