//! The installed schema: what a client must know before it uses it.

use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

use crate::DatabaseError;
use crate::db::ids::Shard;
use crate::db::migrate::version::PROGRAM;
use crate::db::migrate::whole_digest;
use crate::db::statements::Statements;

/// The installed schema, as a client must know it.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// Fixed while jobs live.
    pub(crate) shards: i16,
    /// The channel of its notifications.
    pub(crate) channel: String,
}

impl About {
    /// Reads the schema, and rejects one that is too old or too new for this program.
    pub(crate) async fn read(pool: &PgPool, sql: &Statements) -> Result<Self, DatabaseError> {
        let row = sqlx::query(sql.about.clone()).fetch_optional(pool).await;
        Self::of(row.map_err(|error| DatabaseError::new(error, sql.schema.as_str()))?, sql)
    }

    pub(crate) fn of(row: Option<PgRow>, sql: &Statements) -> Result<Self, DatabaseError> {
        let schema = sql.schema.as_str();
        let missing = || DatabaseError::NotMigrated { schema: schema.to_owned(), source: None };
        let row = row.ok_or_else(missing)?;
        let version = |name| row.try_get::<i32, _>(name).map_err(DatabaseError::Refused);
        let (program, oldest) = (version("program")?, version("oldest_program")?);
        admit(schema, program, oldest)?;
        let digest: i64 = row.try_get("digest").map_err(DatabaseError::Refused)?;
        if program < PROGRAM && digest != whole_digest() {
            return Err(missing());
        }
        let shards = row.try_get("shards").map_err(DatabaseError::Refused)?;
        Ok(Self { shards, channel: row.try_get("channel").map_err(DatabaseError::Refused)? })
    }

    /// Returns all shards.
    pub(crate) fn all_shards(&self) -> Vec<Shard> {
        (0..self.shards).map(Shard).collect()
    }
}

/// Rejects a schema that no longer admits this version of the program.
pub(crate) fn admit(schema: &str, found: i32, oldest: i32) -> Result<(), DatabaseError> {
    if oldest > PROGRAM {
        return Err(DatabaseError::too_new(schema, found, oldest));
    }
    Ok(())
}
