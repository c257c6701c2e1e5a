//! Finds a job that is in another schema than the client's: for the error of a wait.

use std::time::Duration;

use sqlx::Row;
use tokio::time::timeout;

use crate::db::installed::About;
use crate::db::schema::Schema;
use crate::db::shared::Shared;
use crate::db::statements::Statements;
use crate::{DatabaseError, JobId};

/// The time that the search may take.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns another schema of this database that has the job, if it can be found in time.
pub(crate) async fn schema_of(shared: &Shared, job: JobId) -> Option<String> {
    timeout(SEARCH_TIMEOUT, find(shared, job)).await.ok()?
}

async fn find(shared: &Shared, job: JobId) -> Option<String> {
    let others = sqlx::query(shared.sql.other_schemas.clone()).bind(shared.sql.schema.as_str());
    for row in shared.rows(others).await.ok()? {
        let Ok(schema) = Schema::new(row.try_get::<String, _>("name").ok()?) else { continue };
        if has(shared, &schema, job).await.unwrap_or(false) {
            return Some(schema.as_str().to_owned());
        }
    }
    None
}

async fn has(shared: &Shared, schema: &Schema, job: JobId) -> Result<bool, DatabaseError> {
    let sql = Statements::new(schema);
    let about = shared.rows(sqlx::query(sql.about.clone())).await?;
    let shards = About::of(about.into_iter().next(), &sql)?.shards;
    let lookup = sqlx::query(sql.lookup.clone()).bind(vec![job.shard(shards)]).bind(vec![job.as_uuid()]);
    Ok(!shared.rows(lookup.bind(None::<i64>)).await?.is_empty())
}
