//! Errors between this process and the database.

use sqlx::postgres::{PgConnectOptions, PgDatabaseError};

use crate::chain::cause;
use crate::db::migrate::version::{PROGRAM, Version};

crate::debug_as_message!(DatabaseError);

/// An error between this process and the database, of any operation. The message contains that of the database. The error of
/// sqlx is in the variant, and is no `source`, so that no chain prints it twice.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The schema is missing, or older than this program.
    #[error(
        "the schema `{schema}` lacks what this version of pgjobq needs: run `client.migrate().await?` once at start-up"
    )]
    NotMigrated {
        /// The schema.
        schema: String,
        /// The error of the database.
        source: Option<sqlx::Error>,
    },
    /// The schema is newer than this program allows.
    #[error(
        "the schema `{schema}` was installed by pgjobq {found} and admits pgjobq {oldest} and newer; this program has {ours}: deploy a newer build"
    )]
    TooNew {
        /// The schema.
        schema: String,
        /// The version of pgjobq that installed it.
        found: String,
        /// The oldest version that it admits.
        oldest: String,
        /// The version in this program.
        ours: String,
    },
    /// PostgreSQL is too old.
    #[error("this is PostgreSQL {found}, and pgjobq needs 15 or newer")]
    ServerTooOld {
        /// Its version.
        found: String,
    },
    /// The database role lacks a privilege.
    #[error(
        "the database role may not do this ({message}): grant it what `pgjobq::schema_sql` prints for its part"
    )]
    NoPermission {
        /// The message of the database.
        message: String,
        /// The error.
        error: sqlx::Error,
    },
    /// Row-level security hides rows from this role.
    #[error(
        "row-level security applies to a table of pgjobq's ({}): exempt the role (`alter role … bypassrls`), or disable it there (`alter table … disable row level security`)",
        cause(.0)
    )]
    RowSecurity(sqlx::Error),
    /// The database is read-only. This may pass, when a standby takes over.
    #[error(
        "nothing can be written here: it is a standby, so connect to the primary, or `default_transaction_read_only` is on, so `alter role … set default_transaction_read_only = off`"
    )]
    ReadOnly(sqlx::Error),
    /// The address of the database cannot be read.
    #[error(
        "the address of a database is like postgres://user:password@host/name, and this one is not: {}",
        cause(.0)
    )]
    Address(sqlx::Error),
    /// The database could not be reached, or broke the connection.
    #[error("the database{} could not be reached: {}", place(at.as_deref()), cause(error))]
    Unavailable {
        /// The host and the port, or the socket, if a new connection failed.
        at: Option<String>,
        /// The error.
        error: sqlx::Error,
    },
    /// The database did not answer in time. A statement that was sent may have been committed.
    #[error("the database did not answer within {after:?}")]
    Unanswered {
        /// The time that the call waited.
        after: std::time::Duration,
    },
    /// All connections of the client's pool were in use until the limit of the call or of the pool. Nothing was sent.
    #[error(
        "no connection of the client's pool came free in {waited:?}, because all {connections} are in use. Does this task hold one itself? Then enqueue with `&mut *tx` on that one; otherwise enlarge the pool"
    )]
    NoConnection {
        /// The time that the call waited: the pool's `acquire_timeout`, or a shorter limit of the call.
        waited: std::time::Duration,
        /// The pool's `max_connections`.
        connections: u32,
    },
    /// The client's pool was closed.
    #[error("the client's pool is closed: keep it open for as long as its clients and workers are in use")]
    PoolClosed,
    /// Any other error of the database.
    #[error("the database refused {}: {}", refused(.0), cause(.0))]
    Refused(sqlx::Error),
}

/// Returns the host and the port, or the socket, to which these options lead.
pub(crate) fn address(options: &PgConnectOptions) -> String {
    let host = || format!("{}:{}", options.get_host(), options.get_port());
    options.get_socket().map_or_else(host, |socket| socket.display().to_string())
}

fn place(at: Option<&str>) -> String {
    at.map(|at| format!(" at {at}")).unwrap_or_default()
}

/// Names what the database refused: the classes 28 and 3D are about the role and the database of a connection.
fn refused(error: &sqlx::Error) -> &'static str {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    if code.starts_with("28") || code.starts_with("3D") { "the connection" } else { "a statement" }
}

impl DatabaseError {
    pub(crate) fn new(error: sqlx::Error, schema: &str) -> Self {
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        match code.as_str() {
            // A table, a schema or a function that is missing; but only if it is one of ours.
            "42P01" | "3F000" | "42883" if error.to_string().contains(schema) => {
                Self::NotMigrated { schema: schema.to_owned(), source: Some(error) }
            }
            "42501" => {
                let message = error.as_database_error().map(|e| e.message().to_owned()).unwrap_or_default();
                if message.contains("row-level security") {
                    return Self::RowSecurity(error);
                }
                Self::NoPermission { message, error }
            }
            "PJ002" => Self::read_too_new(&error, schema).unwrap_or(Self::Refused(error)),
            "25006" => Self::ReadOnly(error),
            code if is_passing(code) => Self::Unavailable { at: None, error },
            "" => match &error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::WorkerCrashed => Self::Unavailable { at: None, error },
                sqlx::Error::PoolClosed => Self::PoolClosed,
                sqlx::Error::Configuration(_) => Self::Address(error),
                _ => Self::Refused(error),
            },
            _ => Self::Refused(error),
        }
    }

    /// The same error of a new connection with these options.
    pub(crate) fn at(self, options: &PgConnectOptions) -> Self {
        match self {
            Self::Unavailable { error, .. } => Self::Unavailable { at: Some(address(options)), error },
            error => error,
        }
    }

    /// The error of a schema that was installed by the version `found` and admits programs from `oldest` on.
    pub(crate) fn too_new(schema: &str, found: i32, oldest: i32) -> Self {
        let [found, oldest, ours] = [found, oldest, PROGRAM].map(|version| Version(version).to_string());
        Self::TooNew { schema: schema.to_owned(), found, oldest, ours }
    }

    /// Reads the versions that `enqueue_many` names when the schema no longer admits this program.
    fn read_too_new(error: &sqlx::Error, schema: &str) -> Option<Self> {
        let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
        let (found, oldest) = error.detail()?.split_once(' ')?;
        Some(Self::too_new(schema, found.parse().ok()?, oldest.parse().ok()?))
    }

    /// Returns the same error for another caller, if it is about the pool or the schema and not about a statement.
    pub(crate) fn for_another(&self) -> Option<Self> {
        match *self {
            Self::PoolClosed => Some(Self::PoolClosed),
            Self::NoConnection { waited, connections } => Some(Self::NoConnection { waited, connections }),
            Self::TooNew { ref schema, ref found, ref oldest, ref ours } => {
                let [schema, found, oldest, ours] = [schema, found, oldest, ours].map(Clone::clone);
                Some(Self::TooNew { schema, found, oldest, ours })
            }
            _ => None,
        }
    }

    /// Returns whether the database could not be reached, or did not answer.
    pub(crate) fn is_about_connection(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unanswered { .. })
    }

    /// Returns whether the same call may succeed later without a change of anything: the database restarts, a
    /// connection broke, or two transactions met.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::Unanswered { .. }
            | Self::ReadOnly(_)
            | Self::NoConnection { .. } => true,
            Self::Refused(error) => {
                let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
                // Serialization failure, deadlock, lock and statement timeouts, resources.
                matches!(&*code, "40001" | "40P01" | "55P03" | "57014") || code.starts_with("53")
            }
            _ => false,
        }
    }

    /// Returns whether the statement's content caused the error: sent again unchanged, it fails again. Every other
    /// error has an external cause (the network, the server, a privilege, a trigger), and ends when that does.
    #[doc(hidden)]
    #[must_use]
    pub fn is_about_content(&self) -> bool {
        let Self::Refused(error) = self else { return false };
        let Some(error) = error.as_database_error() else { return false };
        let code = error.code().unwrap_or_default();
        // A missing partition has the code of a violated check, but names no constraint.
        let partition_is_missing = code == "23514" && error.constraint().is_none();
        ["22", "23", "54"].iter().any(|class| code.starts_with(class)) && !partition_is_missing
    }

    /// Returns whether data that the statement read caused the error: data that cannot be printed, that is damaged (a
    /// page, an index, a piece of a large value), or that this program cannot read.
    #[doc(hidden)]
    #[must_use]
    pub fn is_about_stored_data(&self) -> bool {
        let Self::Refused(error) = self else { return false };
        match error.as_database_error().and_then(|error| error.code()) {
            Some(code) => self.is_about_content() || matches!(&*code, "XX000" | "XX001" | "XX002"),
            None => true,
        }
    }

    /// Returns whether the statement has waited too long for a lock of another transaction. It has changed nothing.
    pub(crate) fn is_lock_timeout(&self) -> bool {
        self.code().as_deref() == Some("55P03")
    }

    /// Returns whether the server cancelled the statement, mostly for its `statement_timeout`: sent again unchanged, it takes as
    /// long again.
    pub(crate) fn is_statement_timeout(&self) -> bool {
        self.code().as_deref() == Some("57014")
    }

    /// Returns whether no answer came in time.
    #[doc(hidden)]
    #[must_use]
    pub fn is_slow_answer(&self) -> bool {
        matches!(self, Self::Unanswered { .. })
    }

    /// Returns whether a statement that was sent may have been committed: its answer was lost, or did not come in time.
    pub(crate) fn leaves_in_doubt(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unanswered { .. })
    }

    /// Returns whether the server has answered with an error.
    #[doc(hidden)]
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.code().is_some()
    }

    /// Returns whether the database's encoding, which is not UTF-8, lacks a character of the statement.
    #[doc(hidden)]
    #[must_use]
    pub fn is_untranslatable(&self) -> bool {
        self.code().as_deref() == Some("22P05")
    }

    /// Returns the SQLSTATE, if the error has one.
    #[doc(hidden)]
    #[must_use]
    pub fn code(&self) -> Option<String> {
        match self {
            Self::Unavailable { error, .. }
            | Self::ReadOnly(error)
            | Self::RowSecurity(error)
            | Self::Refused(error)
            | Self::NoPermission { error, .. }
            | Self::NotMigrated { source: Some(error), .. } => {
                error.as_database_error().and_then(|error| error.code()).map(std::borrow::Cow::into_owned)
            }
            Self::TooNew { .. } => Some("PJ002".to_owned()),
            _ => None,
        }
    }
}

/// Returns whether this SQLSTATE is a connection exception, or of a server that starts, stops or recovers.
fn is_passing(code: &str) -> bool {
    code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "53300")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_is_repeated_by_a_cause() {
        let error = || sqlx::Error::Protocol("the cause".to_owned());
        let schema = || "pgjobq".to_owned();
        for error in [
            DatabaseError::NotMigrated { schema: schema(), source: Some(error()) },
            DatabaseError::too_new("pgjobq", 2, 2),
            DatabaseError::ServerTooOld { found: "14".to_owned() },
            DatabaseError::NoPermission { message: "the cause".to_owned(), error: error() },
            DatabaseError::RowSecurity(error()),
            DatabaseError::ReadOnly(error()),
            DatabaseError::Address(error()),
            DatabaseError::Unavailable { at: Some("localhost:5432".to_owned()), error: error() },
            DatabaseError::Unanswered { after: std::time::Duration::from_secs(1) },
            DatabaseError::NoConnection { waited: std::time::Duration::from_secs(1), connections: 1 },
            DatabaseError::PoolClosed,
            DatabaseError::Refused(error()),
        ] {
            let mut chain = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                chain += &format!(": {error}");
                cause = error.source();
            }
            assert!(chain.matches("the cause").count() <= 1, "{chain}");
        }
    }

    #[test]
    fn too_new_schema_has_its_code() {
        assert_eq!(DatabaseError::too_new("pgjobq", 2, 2).code().as_deref(), Some("PJ002"));
    }
}
