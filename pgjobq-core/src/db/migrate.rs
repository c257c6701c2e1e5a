//! The schema's migrations: run by [`Client::migrate`], or printed for people who run their own.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::DatabaseError;
use crate::client::{Client, Shared};
use crate::db::installed;
use crate::db::literal::Literal;
use crate::db::schema::{InvalidSchema, Schema};
use crate::job::registry::{DuplicateKind, Registry};

struct Migration {
    name: &'static str,
    sql: &'static str,
    /// The oldest version of this program, counted in migrations, that can run on the migrated schema.
    oldest_binary: i32,
}

impl Migration {
    /// What sets it apart from another draft of it: FNV-1a of its text, whatever the line ends of the checkout.
    fn digest(&self) -> i64 {
        let bytes = self.sql.bytes().filter(|byte| *byte != b'\r');
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash as i64
    }
}

macro_rules! migrations {
    ($($name:literal from $oldest:literal),* $(,)?) => {
        &[$(Migration {
            name: $name,
            sql: include_str!(concat!("../../migrations/", $name, ".sql")),
            oldest_binary: $oldest,
        }),*]
    };
}

const MIGRATIONS: &[Migration] = migrations![
    "0001_tables" from 11,
    "0002_queues" from 11,
    "0003_enqueue" from 11,
    "0004_claim" from 11,
    "0005_finish" from 11,
    "0006_upkeep" from 11,
    "0007_cancel" from 11,
    "0008_running" from 11,
    "0009_dead" from 11,
    "0010_manage" from 11,
    "0011_views" from 11,
    "0012_tidy" from 12,
    "0013_quarantine" from 13,
];

/// The version of this program: how many migrations it knows.
pub(crate) const OURS: i32 = MIGRATIONS.len() as i32;

/// The table of migrations that have been run. It is ours alone: sqlx's own would collide with the application's.
const TABLE: &str = "create schema if not exists pgjobq;
create table if not exists pgjobq.migrations (
    version int primary key,
    name text not null,
    oldest_binary int not null,
    digest bigint not null,
    applied_at timestamptz not null default now()
);
";

const GRANTS: &str = include_str!("../../queries/grants/grants.sql");

/// Why the schema was not migrated: from [`Client::migrate`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// Two job functions answer to one kind.
    #[error("{0}")]
    DuplicateKind(DuplicateKind),
    /// The schema has another number of shards than was asked for.
    #[error(
        "the schema has {found} shards, and the client was built for {wanted}: their number is fixed while jobs live"
    )]
    Shards {
        /// How many it has.
        found: i16,
        /// How many were asked for.
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

impl Client {
    /// Brings the schema up to date, and records the queues and policies of the job functions linked into this program.
    /// Call it once at start-up; several processes may do so at the same time.
    ///
    /// It needs the right to create the schema, and no superuser.
    ///
    /// # Errors
    ///
    /// When PostgreSQL is older than 15, when the schema is newer than this program can be run on (nothing is changed
    /// then), or when the database refuses.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        let (registry, duplicates) = Registry::linked();
        if let Some(duplicate) = duplicates.into_iter().next() {
            return Err(MigrateError::DuplicateKind(duplicate));
        }
        let shared = std::sync::Arc::clone(self.shared());
        // In a task of its own: a transaction must not be dropped half-way by a caller that goes away.
        let migrated = tokio::spawn(async move { run(&shared).await }).await;
        migrated.map_err(|error| DatabaseError::Unavailable(sqlx::Error::Protocol(error.to_string())))??;
        self.check_shards().await?;
        self.save_queue("default").await?;
        self.repair_tickets().await?;
        self.record(&registry).await?;
        self.make_partitions_unless_locked(Duration::ZERO).await?;
        Ok(())
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
        let row = shared.alone(&shared.sql.repair_tickets, &[]).await?;
        warn_of_repair(&row)
    }

    /// Records the policy of every kind, so that an enqueue from SQL follows it, and creates their queues.
    #[doc(hidden)]
    pub async fn record(&self, registry: &Registry) -> Result<(), DatabaseError> {
        let shared = self.shared();
        for job in registry.jobs() {
            let count = |count| i16::try_from(count).unwrap_or(i16::MAX);
            let (retries, crashes) = (count(job.policy.retries), count(job.policy.max_crashes));
            let values: [&dyn Literal; 6] = [
                &job.kind,
                &job.policy.queue,
                &(job.policy.priority as i16),
                &retries,
                &crashes,
                &job.redact,
            ];
            shared.alone(&shared.sql.record_kind, &values).await?;
        }
        Ok(())
    }
}

/// A migration is several messages. Should the client fall silent between two of them, the server ends the transaction.
const BEGIN: &str = "begin isolation level read committed;
set local statement_timeout = 0; set local lock_timeout = '30s'; set local idle_in_transaction_session_timeout = '5s'";

/// How long all of it may take.
const MIGRATED_WITHIN: Duration = Duration::from_secs(120);

/// Runs what is missing, in one transaction under a lock that ends with it.
async fn run(shared: &Shared) -> Result<(), MigrateError> {
    let migrate = async |connection: &mut PgConnection| {
        let execute = async |sql, connection: &mut PgConnection| {
            sqlx::raw_sql(sql).execute(connection).await.map_err(|error| shared.error(error))
        };
        execute(BEGIN, connection).await?;
        let applied = apply(connection, shared).await;
        execute(if applied.is_ok() { "commit" } else { "rollback" }, connection).await?;
        Ok(applied)
    };
    shared.borrow(MIGRATED_WITHIN, migrate).await?
}

async fn apply(connection: &mut PgConnection, shared: &Shared) -> Result<(), MigrateError> {
    let schema = &shared.sql.schema;
    let wrong = |error| shared.error(error);
    let server: (i32, String) = sqlx::query_as(
        "select current_setting('server_version_num')::int, current_setting('server_version')",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(wrong)?;
    admit_server(server.0, server.1)?;
    sqlx::query("select pg_advisory_xact_lock(hashtext($1))")
        .bind(format!("pgjobq.migrate.{schema}"))
        .execute(&mut *connection)
        .await
        .map_err(wrong)?;
    let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(format!("{}.migrations", schema.quoted()))
        .fetch_one(&mut *connection)
        .await
        .map_err(wrong)?;
    let mut found = 0;
    if exists {
        let table = format!(
            "select coalesce(max(version), 0), coalesce(max(oldest_binary), 0) from {}.migrations",
            schema.quoted()
        );
        let (version, oldest) =
            sqlx::query_as(AssertSqlSafe(table)).fetch_one(&mut *connection).await.map_err(wrong)?;
        installed::admit(schema.as_str(), version, oldest)?;
        check_drafts(connection, shared).await?;
        found = version;
    }
    let script = script(schema, found as usize, shared.limits.shards.unwrap_or(1));
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *connection).await.map_err(wrong)?;
    Ok(())
}

/// Refuses a schema that was made by other drafts of our migrations: it would fail later, in ways that tell nobody why.
async fn check_drafts(connection: &mut PgConnection, shared: &Shared) -> Result<(), MigrateError> {
    let schema = &shared.sql.schema;
    let table = format!("select version, digest from {}.migrations order by version", schema.quoted());
    let made: Vec<(i32, i64)> = sqlx::query_as(AssertSqlSafe(table))
        .fetch_all(connection)
        .await
        .map_err(|error| shared.error(error))?;
    for (version, digest) in made {
        let ours = usize::try_from(version - 1).ok().and_then(|place| MIGRATIONS.get(place));
        if let Some(Migration { name, .. }) = ours.filter(|migration| migration.digest() != digest) {
            return Err(MigrateError::OtherDraft { schema: schema.to_string(), name });
        }
    }
    Ok(())
}

/// Refuses a PostgreSQL that is older than 15.
fn admit_server(number: i32, found: String) -> Result<(), DatabaseError> {
    if number < 150_000 { Err(DatabaseError::ServerTooOld { found }) } else { Ok(()) }
}

/// The migrations after the first `done`, as one text.
fn script(schema: &Schema, done: usize, shards: i16) -> String {
    if done >= MIGRATIONS.len() {
        return String::from("select 1");
    }
    let mut script = String::from(TABLE);
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let Migration { name, sql, oldest_binary } = migration;
        let (version, digest) = (number + 1, migration.digest());
        script += &format!(
            "\n-- {name}\n{sql}\ninsert into pgjobq.migrations (version, name, oldest_binary, digest) values ({version}, '{name}', {oldest_binary}, {digest});\n"
        );
    }
    if done == 0 {
        // A row in another shard, written by hand, would be where no worker looks.
        script += &format!(
            "\ninsert into pgjobq.settings (shards) values ({shards});\n\
             alter table pgjobq.jobs add constraint shard_exists check (shard >= 0 and shard < {shards});\n"
        );
    }
    schema.render_text(&script)
}

/// Everything that [`Client::migrate`] would run on an empty database, as SQL, for people who run their own migrations; and,
/// after it, the grants that a role which only enqueues and waits needs, and one whose worker runs jobs.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// let script = pgjobq::schema_sql("background")?;
/// assert!(script.contains("create table \"background\".jobs"));
/// # Ok::<_, pgjobq::InvalidSchema>(())
/// ```
///
/// # Errors
///
/// When the name of the schema cannot be one.
pub fn schema_sql(schema: &str) -> Result<String, InvalidSchema> {
    let schema = Schema::new(schema)?;
    let start = "select pgjobq.create_queue('default');\nselect pgjobq.make_partitions(0);\n";
    Ok(script(&schema, 0, 1) + &schema.render_text(start) + "\n" + &schema.render_text(GRANTS))
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

    #[test]
    fn every_file_of_migrations_is_a_migration_and_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let names: Vec<_> = MIGRATIONS.iter().map(|migration| format!("{}.sql", migration.name)).collect();
        assert_eq!(files, names);
    }
}
