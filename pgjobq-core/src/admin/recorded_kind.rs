//! The kinds of jobs that programs have recorded.

use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::admin::jobs::list::priority_of;
use crate::client::Client;
use crate::db::time::time;
use crate::{DatabaseError, Priority};

/// A kind of jobs, as the worker that was built last has recorded it: from [`Client::recorded_kinds`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedKind {
    /// The kind.
    pub kind: String,
    /// The queue of its jobs, unless an enqueue says otherwise.
    pub queue: String,
    /// The priority of its jobs, unless an enqueue says otherwise.
    pub priority: Priority,
    /// The number of tries that follow the first failure.
    pub retries: u32,
    /// The number of crashes that its jobs survive.
    pub max_crashes: u32,
    /// Its other names, under which older jobs are stored.
    pub aliases: Vec<String>,
    /// The arguments that are not shown.
    pub redacted: Vec<String>,
    /// The time of the last change, by the database's clock.
    pub recorded_at: SystemTime,
    /// The number of live workers that know it, also under an alias.
    pub workers: u64,
}

impl Client {
    /// Returns the kinds that programs have recorded, by name. Workers record theirs when they are built.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn recorded_kinds(&self) -> Result<Vec<RecordedKind>, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.recorded_kinds, &[]).await?;
        rows.iter().map(RecordedKind::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

impl RecordedKind {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let count = |name| row.try_get::<i16, _>(name).map(|count| u32::from(count.unsigned_abs()));
        Ok(Self {
            kind: row.try_get("kind")?,
            queue: row.try_get("queue")?,
            priority: priority_of(row.try_get("priority")?),
            retries: count("retries")?,
            max_crashes: count("max_crashes")?,
            aliases: row.try_get("aliases")?,
            redacted: row.try_get("redact")?,
            recorded_at: time(row.try_get("recorded_at")?),
            workers: row.try_get::<i64, _>("workers")?.unsigned_abs(),
        })
    }
}
