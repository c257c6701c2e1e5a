//! The schema of a measurement: made for it, and removed whatever happens.

use pgjobq::sqlx::pool::PoolConnection;
use pgjobq::sqlx::{self, PgPool, Postgres, Row as _};

use crate::connection::cause;
use crate::failure::Failure;

/// Its name.
pub(super) const SCHEMA: &str = "pgjobq_bench";
/// The beginning of the comment by which we know a schema of ours.
const COMMENT: &str = "made by `pgjobq bench`";

/// The schema of a measurement, and the connection that keeps others from it.
pub(super) struct BenchSchema {
    connection: PoolConnection<Postgres>,
    /// The version of the server.
    server: String,
}

impl BenchSchema {
    /// Makes the schema. One that a killed measurement has left is removed first, and one that is not ours is left alone.
    pub(super) async fn create(pool: &PgPool) -> Result<Self, Failure> {
        let refused =
            |error| Failure::Refused(format!("the schema `{SCHEMA}` cannot be made: {}", cause(&error)));
        let mut connection = pool.acquire().await.map_err(refused)?;
        let row = sqlx::query(include_str!("../../queries/bench_lock.sql")).fetch_one(&mut *connection).await;
        let row = row.map_err(refused)?;
        if !row.try_get::<bool, _>("is_locked").map_err(refused)? {
            return Err(Failure::Refused(
                "another `pgjobq bench` runs in this database: wait for its end".to_owned(),
            ));
        }
        let comment: Option<String> = row.try_get("comment").map_err(refused)?;
        let mut schema = Self { connection, server: row.try_get("version").map_err(refused)? };
        match comment {
            Some(comment) if comment.starts_with(COMMENT) => schema.drop_it().await?,
            Some(_) => {
                return Err(Failure::Refused(format!(
                    "there is a schema `{SCHEMA}` that `pgjobq bench` has not made: rename it, or use another database"
                )));
            }
            None => {}
        }
        schema.execute(include_str!("../../queries/bench_create.sql")).await.map_err(refused)?;
        Ok(schema)
    }

    /// Removes it with all that is in it, and returns the version of the server.
    pub(super) async fn remove(mut self) -> Result<String, Failure> {
        self.drop_it().await.map(|()| self.server)
    }

    async fn drop_it(&mut self) -> Result<(), Failure> {
        self.execute(include_str!("../../queries/bench_remove.sql")).await.map_err(|error| {
            let instead = format!("`drop schema {SCHEMA} cascade`, as its owner, removes it");
            Failure::Refused(format!("the schema `{SCHEMA}` cannot be removed: {}: {instead}", cause(&error)))
        })
    }

    async fn execute(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&mut *self.connection).await.map(drop)
    }
}
