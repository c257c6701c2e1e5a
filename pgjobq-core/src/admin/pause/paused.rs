//! The pauses that are not over.

use std::fmt;
use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::scope::PauseScope;
use crate::DatabaseError;
use crate::client::Client;
use crate::db::time::{micros, time};
use crate::filter::instant;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A pause that is not over: from [`Client::pauses`]. Its `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pause {
    /// The jobs that it stops.
    pub scope: PauseScope,
    /// The name of the queue or the kind, or the key.
    pub name: String,
    /// The time at which it ends by itself; `None` if it lasts until it is resumed.
    pub until: Option<SystemTime>,
    /// The reason.
    pub reason: Option<String>,
    /// The person who paused it, in the words of the call.
    pub by: String,
    /// The database role that paused it.
    pub role: String,
    /// The start of the pause, or its last change.
    pub since: SystemTime,
}

impl Client {
    /// Returns the pauses that are not over, the oldest first.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn pauses(&self) -> Result<Vec<Pause>, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.pauses, &[]).await?;
        rows.iter().map(Pause::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

impl Pause {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let scope: String = row.try_get("scope")?;
        Ok(Self {
            scope: PauseScope::named(&scope),
            name: row.try_get("name")?,
            until: row.try_get::<Option<i64>, _>("until")?.map(time),
            reason: row.try_get("reason")?,
            by: row.try_get("paused_by")?,
            role: row.try_get("role")?,
            since: time(row.try_get("paused_at")?),
        })
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, name, by, .. } = self;
        write!(out, "the {scope} `{name}` is paused by {by}")?;
        if let Some(reason) = &self.reason {
            write!(out, ", because {reason}")?;
        }
        let Some(until) = self.until else { return write!(out, ", until somebody resumes it") };
        let seconds = micros(until) / MICROS_PER_SECOND;
        write!(out, ", until {}", instant::print(seconds * MICROS_PER_SECOND))
    }
}
