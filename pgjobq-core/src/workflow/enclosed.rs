//! A workflow on a caller's connection: all of it, or nothing.

use sqlx::{Connection, PgConnection};

use crate::db::statements::Statements;
use crate::enqueue::insert::Transaction as In;
use crate::workflow::insert::{Answer, insert, is_one_statement};
use crate::workflow::plan::Plan;
use crate::{DatabaseError, EnqueueError};

/// Inserts a workflow in a caller's transaction, or on a connection of theirs.
pub(crate) async fn in_callers(
    plan: &Plan,
    connection: &mut PgConnection,
    sql: &Statements,
    notify: bool,
) -> Result<Answer, EnqueueError> {
    let wrong = |error| DatabaseError::new(error, sql.schema.as_str());
    if is_one_statement(plan) {
        return insert(plan, connection, sql, In::Callers { notify }).await;
    }
    if begun_by_hand(connection).await.map_err(wrong)? {
        let inserted = insert(plan, connection, sql, In::Callers { notify }).await;
        let end = if inserted.is_ok() { "release savepoint pgjobq" } else { "rollback to savepoint pgjobq" };
        sqlx::raw_sql(end).execute(connection).await.map_err(wrong)?;
        return inserted;
    }
    // A savepoint, if there is a transaction. If this future is dropped, sqlx rolls it back.
    let mut transaction = connection.begin().await.map_err(wrong)?;
    let inserted = insert(plan, &mut transaction, sql, In::Callers { notify }).await;
    match &inserted {
        Ok(_) => transaction.commit().await.map_err(wrong)?,
        Err(_) => transaction.rollback().await.map_err(wrong)?,
    }
    inserted
}

/// Returns whether the caller has begun a transaction that sqlx does not know, with a statement of their own. Then there is a savepoint.
async fn begun_by_hand(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    const OUTSIDE: &str = "25P01"; // no_active_sql_transaction
    if connection.is_in_transaction() {
        return Ok(false);
    }
    let probe = sqlx::raw_sql("savepoint pgjobq").execute(connection).await;
    match probe {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(OUTSIDE) => Ok(false),
        Err(error) => Err(error),
    }
}
