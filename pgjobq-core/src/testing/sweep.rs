//! Finds and drops the databases that earlier runs have left.

use sqlx::{AssertSqlSafe, PgPool};

use super::names::{Names, Owner};

/// The beginning of the comment of a database that is kept, because its test failed.
pub(super) const KEPT: &str = "kept by pgjobq: ";

/// Drops the databases of processes that were killed, and templates whose schema no process has any more.
pub(super) async fn sweep(pool: &PgPool, names: &Names) {
    let Ok(left) = left(pool, names).await else { return }; // A test reports an error that lasts.
    for database in left {
        // The server refuses if somebody looks at it. The next run tries again.
        let _ = drop_database(pool, &database).await;
    }
}

async fn left(pool: &PgPool, names: &Names) -> Result<Vec<String>, sqlx::Error> {
    let databases = "select datname from pg_database
         where datname ~ '^pgjobq_(kit|template|spare)_'
           and coalesce(shobj_description(oid, 'pg_database'), '') not like $1 || '%'";
    let databases: Vec<String> = sqlx::query_scalar(databases).bind(KEPT).fetch_all(pool).await?;
    // Read after the databases: a process connects before it makes any.
    let connections = "select distinct application_name from pg_stat_activity where application_name like 'pgjobq\\_kit\\_%'";
    let mut connections: Vec<String> = sqlx::query_scalar(connections).fetch_all(pool).await?;
    connections.push(names.connection());
    let is_left = |name: &String| Owner::of(name).is_some_and(|owner| !owner.lives(&connections));
    Ok(databases.into_iter().filter(is_left).collect())
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
