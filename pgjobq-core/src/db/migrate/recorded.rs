//! The parts of the schema that a database has, read before anything is changed.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, PgConnection};

use crate::db::schema::Schema;

/// The parts of the schema that a database has.
#[derive(Debug)]
pub(crate) struct Installed {
    /// The version of the program that installed it.
    pub(crate) program: i32,
    /// The oldest version that can use it.
    pub(crate) oldest_program: i32,
    /// The digest of all of it.
    pub(crate) digest: i64,
    /// The digests of the numbered migrations that were run.
    pub(crate) migrations: Vec<i64>,
}

/// The digests of signature and text of each definition, by its name.
pub(crate) type Recorded = HashMap<String, (i64, i64)>;

impl Installed {
    /// Reads it; `None` if there is none.
    pub(crate) async fn read(
        connection: &mut PgConnection,
        schema: &Schema,
    ) -> Result<Option<Self>, sqlx::Error> {
        // Not by `to_regclass`: after another session has migrated it may still answer from its cache.
        let exists = "select exists (select from pg_tables where schemaname = $1 and tablename = 'settings')";
        let exists: bool =
            sqlx::query_scalar(exists).bind(schema.as_str()).fetch_one(&mut *connection).await?;
        if !exists {
            return Ok(None);
        }
        let read = schema.render_text(
            "select program, oldest_program, digest,
                    array(select digest from pgjobq.migrations order by version) as migrations
               from pgjobq.settings",
        );
        let row: Option<(i32, i32, i64, Vec<i64>)> =
            sqlx::query_as(AssertSqlSafe(read)).fetch_optional(connection).await?;
        Ok(row.map(|(program, oldest_program, digest, migrations)| Self {
            program,
            oldest_program,
            digest,
            migrations,
        }))
    }
}

/// Reads which definitions were installed.
pub(crate) async fn recorded(
    connection: &mut PgConnection,
    schema: &Schema,
) -> Result<Recorded, sqlx::Error> {
    let read = schema.render_text("select name, signature, digest from pgjobq.definitions");
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(AssertSqlSafe(read)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(name, signature, digest)| (name, (signature, digest))).collect())
}
