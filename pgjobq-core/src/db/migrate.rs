//! Brings the schema up to date: runs the numbered files that are missing, and installs the functions and views that differ.

mod definitions;
mod expected;
mod function_settings;
mod recorded;
mod roles;
mod script;
pub(crate) mod version;

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

pub(crate) use self::definitions::digest;
pub(crate) use self::expected::{
    ExpectedFunction, ExpectedIndex, expected_functions, expected_indexes, expected_views,
};
pub(crate) use self::function_settings::normal as normal_setting;
pub use self::roles::{SchemaRole, grants_sql};
pub use self::script::schema_sql;
#[cfg(feature = "testing")]
pub(crate) use self::script::without_roles;
pub(crate) use self::script::{reinstall, whole_digest};

use self::recorded::{Installed, recorded};
use self::script::{MIGRATIONS, Migration};
use self::version::PROGRAM;
use crate::DatabaseError;
use crate::client::Client;
use crate::db::installed;
use crate::db::shared::Shared;
use crate::job::registry::{DuplicateKind, Registry};

/// The error of migrating the schema: from [`Client::migrate`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// Two job functions have the same kind.
    #[error("{0}")]
    DuplicateKind(DuplicateKind),
    /// The schema has another number of shards than was asked for.
    #[error(
        "the schema has {found} shards, and the client was built for {wanted}: their number is fixed while jobs live"
    )]
    Shards {
        /// The number of shards it has.
        found: i16,
        /// The number of shards that were asked for.
        wanted: i16,
    },
    /// The schema was made by another draft of a migration, which only versions that were never released have.
    #[error(
        "the schema `{schema}` was made by another draft of migration {name} than this program has: if its jobs do not matter, `drop schema \"{schema}\" cascade`, and migrate again"
    )]
    OtherDraft {
        /// The schema.
        schema: String,
        /// The migration.
        name: &'static str,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(MigrateError);

impl Client {
    /// Brings the schema up to date, and records the queues and policies of the job functions linked into this program.
    /// Call it once at start-up; several processes may do so at the same time.
    ///
    /// It needs the privilege to create the schema, and no superuser.
    ///
    /// # Errors
    ///
    /// If PostgreSQL is older than 15, if the schema is too new for this program (nothing is changed then), or if the
    /// database refuses a statement.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        let (registry, duplicates) = Registry::linked();
        if let Some(duplicate) = duplicates.into_iter().next() {
            return Err(MigrateError::DuplicateKind(duplicate));
        }
        self.migrate_schema().await?;
        Ok(self.record(&registry).await?)
    }

    /// Brings the schema up to date like [`migrate`](Self::migrate), and records nothing of this program: for tools, whose own job
    /// functions are nothing to the database of an application.
    ///
    /// # Errors
    ///
    /// Those of [`migrate`](Self::migrate).
    pub async fn migrate_schema(&self) -> Result<(), MigrateError> {
        let shared = std::sync::Arc::clone(self.shared());
        // Runs in a task of its own, so that a caller that is dropped does not drop a transaction half-way.
        let migrated = tokio::spawn(async move { run(&shared).await }).await;
        migrated.map_err(|error| DatabaseError::Unavailable {
            at: None,
            error: sqlx::Error::Protocol(error.to_string()),
        })??;
        self.check_shards().await?;
        self.save_queue("default").await?;
        self.repair_tickets().await?;
        self.make_partitions_unless_locked(Duration::ZERO).await?.warn();
        Ok(())
    }

    /// Returns the SQL with which [`migrate`](Self::migrate) would bring the schema up to date now, as one transaction, for people
    /// who review it, or run it themselves; `None` if the schema is up to date.
    ///
    /// # Errors
    ///
    /// Those of [`migrate`](Self::migrate).
    pub async fn migration_sql(&self) -> Result<Option<String>, MigrateError> {
        let shared = self.shared();
        let read = async |connection: &mut PgConnection| Ok(script(connection, shared).await);
        let script = shared.with_connection(MIGRATE_TIMEOUT, read).await??;
        Ok(script.map(|script| format!("begin;\n{script}\ncommit;\n")))
    }

    /// Checks that the schema is installed, and that it and this program admit each other. It reads one row, once for a client: for
    /// the start of a program that does not migrate.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) {
    /// if let Err(pgjobq::DatabaseError::NotMigrated { schema, .. }) = client.check_schema().await {
    ///     eprintln!("migrate the schema `{schema}` first");
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DatabaseError::NotMigrated`] and [`DatabaseError::TooNew`]; and if the database cannot be reached or refuses.
    pub async fn check_schema(&self) -> Result<(), DatabaseError> {
        self.about().await.map(drop)
    }

    async fn check_shards(&self) -> Result<(), MigrateError> {
        let found = self.about().await?.shards;
        match self.limits().shards {
            Some(wanted) if wanted != found => Err(MigrateError::Shards { found, wanted }),
            _ => Ok(()),
        }
    }

    /// Advances the sequence of tickets if it was set back, as in a restored dump or on a logical replica that was promoted.
    #[doc(hidden)]
    pub async fn repair_tickets(&self) -> Result<(), DatabaseError> {
        let shared = self.shared();
        let row = shared.write(&shared.sql.repair_tickets, &[]).await?;
        warn_of_repair(&row)
    }
}

/// A migration is several messages. If the client falls silent between two of them, the server ends the transaction. Notices,
/// such as that the schema exists already, would be in the program's log.
const BEGIN: &str = "begin isolation level read committed; set local client_min_messages = warning;
set local statement_timeout = 0; set local lock_timeout = '30s'; set local idle_in_transaction_session_timeout = '5s'";

/// The timeout of all of it.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(120);

/// Installs what is missing or differs, in one transaction under a lock that ends with it. If nothing does, it only reads.
async fn run(shared: &Shared) -> Result<(), MigrateError> {
    let migrate = async |connection: &mut PgConnection| {
        match script(connection, shared).await {
            Ok(Some(_)) => {}
            current_or_refused => return Ok(current_or_refused.map(|_| ())),
        }
        let execute = async |sql, connection: &mut PgConnection| {
            sqlx::raw_sql(sql).execute(connection).await.map_err(|error| shared.error(error))
        };
        execute(BEGIN, connection).await?;
        let applied = apply(connection, shared).await;
        execute(if applied.is_ok() { "commit" } else { "rollback" }, connection).await?;
        Ok(applied)
    };
    shared.with_connection(MIGRATE_TIMEOUT, migrate).await?
}

async fn apply(connection: &mut PgConnection, shared: &Shared) -> Result<(), MigrateError> {
    let wrong = |error| shared.error(error);
    sqlx::query("select pg_advisory_xact_lock(hashtext($1))")
        .bind(format!("pgjobq.migrate.{}", shared.sql.schema))
        .execute(&mut *connection)
        .await
        .map_err(wrong)?;
    // Read again under the lock: another process may have migrated meanwhile.
    if let Some(script) = script(connection, shared).await? {
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *connection).await.map_err(wrong)?;
    }
    Ok(())
}

/// Reads what is installed, and returns what has to be run; `None` if nothing has.
async fn script(connection: &mut PgConnection, shared: &Shared) -> Result<Option<String>, MigrateError> {
    let schema = &shared.sql.schema;
    let wrong = |error| shared.error(error);
    let server = "select current_setting('server_version_num')::int, current_setting('server_version')";
    let server: (i32, String) = sqlx::query_as(server).fetch_one(&mut *connection).await.map_err(wrong)?;
    admit_server(server.0, server.1)?;
    let Some(found) = Installed::read(connection, schema).await.map_err(wrong)? else {
        return Ok(Some(script::fresh(schema, shared.limits.shards.unwrap_or(1))));
    };
    installed::admit(schema.as_str(), found.program, found.oldest_program)?;
    if found.digest == whole_digest() {
        return Ok(None);
    }
    check_drafts(schema.as_str(), &found)?;
    // A newer program has been here, and admits this one: its functions stay.
    if found.program > PROGRAM || found.migrations.len() > MIGRATIONS.len() {
        return Ok(None);
    }
    let recorded = recorded(connection, schema).await.map_err(wrong)?;
    Ok(Some(script::upgrade(schema, found.migrations.len(), &recorded)))
}

/// Refuses a schema whose tables were made by other drafts of our files: it would fail later, without a clear error.
fn check_drafts(schema: &str, installed: &Installed) -> Result<(), MigrateError> {
    for (Migration { name, sql }, found) in MIGRATIONS.iter().zip(&installed.migrations) {
        if digest(sql) != *found {
            return Err(MigrateError::OtherDraft { schema: schema.to_owned(), name });
        }
    }
    Ok(())
}

/// Refuses a PostgreSQL that is older than 15.
fn admit_server(number: i32, found: String) -> Result<(), DatabaseError> {
    if number < 150_000 { Err(DatabaseError::ServerTooOld { found }) } else { Ok(()) }
}

/// Logs that the sequence of tickets was advanced, if it was.
pub(crate) fn warn_of_repair(row: &PgRow) -> Result<(), DatabaseError> {
    let column = |name| row.try_get::<Option<i64>, _>(name).map_err(DatabaseError::Refused);
    if let (Some(set_back), Some(highest)) = (column("set_back")?, column("highest")?) {
        tracing::warn!(
            set_back,
            highest,
            "the sequence of tickets was behind the jobs, as in a restored dump or on a promoted replica; it is advanced beyond them"
        );
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_old_postgresql_is_refused() {
        let said = admit_server(140_019, "14.19 (Debian)".to_owned()).unwrap_err().to_string();
        assert_eq!(said, "this is PostgreSQL 14.19 (Debian), and pgjobq needs 15 or newer");
        assert!(admit_server(150_000, "15.0".to_owned()).is_ok());
    }
}
