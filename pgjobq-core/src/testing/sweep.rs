//! Finds and drops the databases that earlier runs have left.

use sqlx::{AssertSqlSafe, PgPool};

use super::names::{Names, Owner};

/// The beginning of the comment of a database that is kept, because its test failed.
pub(super) const KEPT: &str = "kept by pgjobq: ";

/// Drops the databases of processes that were killed, and templates whose schema no process has any more.
pub(super) async fn sweep(pool: &PgPool, names: &Names) {
    let Ok(databases) = databases(pool).await else { return }; // A test reports an error that lasts.
    for database in databases {
        if is_left(pool, names, &database).await.unwrap_or(false) {
            // The server refuses if somebody looks at it. The next run tries again.
            let _ = drop_database(pool, &database).await;
        }
    }
}

/// Returns the databases of all test kits, but for those that are kept.
async fn databases(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let databases = "select datname from pg_database
         where datname ~ '^pgjobq_(kit|template|spare)_'
           and coalesce(shobj_description(oid, 'pg_database'), '') not like $1 || '%'";
    sqlx::query_scalar(databases).bind(KEPT).fetch_all(pool).await
}

/// Returns whether no living process owns this database. The connections are read for each, because a process may begin to use a
/// template meanwhile; and after the databases, because a process connects before it makes any.
async fn is_left(pool: &PgPool, names: &Names, database: &str) -> Result<bool, sqlx::Error> {
    let Some(owner) = Owner::of(database) else { return Ok(false) };
    let connections = "select distinct application_name from pg_stat_activity where application_name like 'pgjobq\\_kit\\_%'";
    let mut connections: Vec<String> = sqlx::query_scalar(connections).fetch_all(pool).await?;
    connections.push(names.connection());
    Ok(!owner.lives(&connections))
}

/// Returns the unused copies of this schema that processes have left.
pub(super) async fn spares(pool: &PgPool, names: &Names) -> Result<Vec<String>, sqlx::Error> {
    let spares = "select datname from pg_database where starts_with(datname, $1) order by oid";
    sqlx::query_scalar(spares).bind(names.spares()).fetch_all(pool).await
}

/// Drops the databases that are kept with this comment.
pub(super) async fn drop_kept(pool: &PgPool, comment: &str) -> Result<(), sqlx::Error> {
    let kept = "select datname from pg_database
         where starts_with(datname, 'pgjobq_kit_') and shobj_description(oid, 'pg_database') = $1";
    let kept: Vec<String> = sqlx::query_scalar(kept).bind(comment).fetch_all(pool).await?;
    for database in kept {
        drop_database(pool, &database).await?;
    }
    Ok(())
}

async fn drop_database(pool: &PgPool, database: &str) -> Result<(), sqlx::Error> {
    let statement = format!("drop database if exists \"{database}\"");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(pool).await.map(drop)
}
