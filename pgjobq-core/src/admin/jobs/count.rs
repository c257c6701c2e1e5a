//! The number of jobs that match a filter.

use std::fmt;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::selection::Selection;
use crate::DatabaseError;
use crate::client::Client;

/// The number of jobs that match a filter: from [`Jobs::count`](crate::Jobs::count). It prints like `1312`, or `about 52000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobCount {
    /// The number.
    pub jobs: u64,
    /// True if it is exact. Otherwise it was estimated from a part of the table, and jobs may match although it is 0.
    pub exact: bool,
}

impl fmt::Display for JobCount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.exact {
            out.write_str("about ")?;
        }
        write!(out, "{}", self.jobs)
    }
}

impl Client {
    pub(super) async fn count_jobs(&self, selection: &Selection) -> Result<JobCount, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.count_jobs, &[&selection]).await?;
        let read = |row: &PgRow| {
            Ok(JobCount { jobs: row.try_get::<i64, _>("jobs")?.unsigned_abs(), exact: row.try_get("exact")? })
        };
        let row = rows.first().ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))?;
        read(row).map_err(DatabaseError::Refused)
    }
}
