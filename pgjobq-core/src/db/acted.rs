//! The answer to a statement that acts on requests to cancel.

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

/// Reads the ids of the jobs that were cancelled, and of those that run.
pub(crate) fn read_acted(row: &PgRow) -> Result<(Vec<Uuid>, Vec<Uuid>), sqlx::Error> {
    let jobs = |name| row.try_get::<Option<Vec<Uuid>>, _>(name).map(Option::unwrap_or_default);
    Ok((jobs("cancelled")?, jobs("running")?))
}
