//! Statements in one message: a transaction that ends without another message of the client.
//!
//! A client may fall silent after any message that it sends. A lock must not depend on the next one.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr as _, SqlStr};

use crate::DatabaseError;
use crate::db::literal::{Literal, with_values};
use crate::db::shared::Shared;
use crate::db::statement_timeout::{in_client, on_server};
use crate::db::statements::Statements;
use crate::db::tries::Tries;

/// READ COMMITTED, because it must see what others have just committed. `default_transaction_read_only` is obeyed,
/// because it may be a fence.
const WRITE: &str = "begin isolation level read committed";
/// Also runs on a standby.
const READ: &str = "begin isolation level read committed read only";
/// Overrides the role's limits, which may be too short for a lane that a claim has locked for some milliseconds, or
/// unlimited. `search_path` excludes objects that someone created under the names of PostgreSQL's own functions and
/// operators.
const SETTINGS: &str = "set local lock_timeout = '10s'; set local idle_in_transaction_session_timeout = '5s';
set local search_path = pg_catalog, pg_temp";

impl Shared {
    /// Runs a statement that writes, and returns its one row. Retries deadlocks, lock timeouts and serialization
    /// failures.
    pub(crate) async fn write(
        &self,
        statement: &SqlStr,
        values: &[&dyn Literal],
    ) -> Result<PgRow, DatabaseError> {
        let mut rows = self.one_message(WRITE, statement, values).await?;
        rows.pop().ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))
    }

    /// Returns the rows of a statement that writes nothing and that people run now and then.
    pub(crate) async fn read(
        &self,
        statement: &SqlStr,
        values: &[&dyn Literal],
    ) -> Result<Vec<PgRow>, DatabaseError> {
        self.one_message(READ, statement, values).await
    }

    async fn one_message(
        &self,
        begin: &str,
        statement: &SqlStr,
        values: &[&dyn Literal],
    ) -> Result<Vec<PgRow>, DatabaseError> {
        let name = self.sql.name_of(statement.as_str());
        let statement = with_values(statement.as_str(), values);
        let (statement, limit) = (statement.as_str(), on_server().as_millis());
        let message =
            format!("{begin};\n{SETTINGS}; set local statement_timeout = {limit};\n{statement};\ncommit");
        let mut tries = Tries::within(in_client());
        loop {
            let run = async |connection: &mut PgConnection| {
                in_one_message(&self.sql, connection, name, &message).await.map_err(|error| self.error(error))
            };
            match self.with_connection(tries.left(), run).await {
                Err(error) if tries.again(&error).await => {}
                answer => return answer.map_err(|error| tries.named(error)),
            }
        }
    }
}

/// Runs a transaction that is written as one message. If it failed, the server has released its locks already.
async fn in_one_message(
    sql: &Statements,
    connection: &mut PgConnection,
    name: &'static str,
    message: &str,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let message = AssertSqlSafe(message.to_owned()).into_sql_str();
    let rows = sql.rows_of_message(connection, name, message).await;
    if rows.is_err() {
        sqlx::raw_sql("rollback").execute(connection).await?;
    }
    rows
}
