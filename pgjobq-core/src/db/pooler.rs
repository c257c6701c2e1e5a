//! Detects a transaction-mode pooler between us and the database.
//!
//! Such a pooler gives the server's connection to another client after each transaction. sqlx prepares a statement in
//! one round trip and executes it in the next one. In between another process of the server may take over, which then
//! executes a statement of another client. Settings and subscriptions reach other clients in the same way.

use std::time::{Duration, Instant};

use sqlx::{Executor, PgConnection, Row};
use tokio::time::timeout;

use crate::DatabaseError;
use crate::db::statements::Statements;

/// The time of the check, and the number of answers that are enough if they are slow. A few answers suffice unless
/// other clients of the pooler are always in between.
const CHECK_TIME: Duration = Duration::from_millis(20);
const MIN_ANSWERS: usize = 8;
const MAX_ANSWERS: usize = 24;
/// The timeout of one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns whether one of these connections was served by two processes of the server, or two of them by the same
/// one.
///
/// Each connection asks twice before the next one does. A pooler that reuses the connection returned last answers two
/// connections from one process, and a pooler that takes turns answers one connection from two. They do not ask at
/// the same time: a pooler with enough connections could keep one for each.
pub(crate) async fn is_between(
    connections: &mut [&mut PgConnection],
    sql: &Statements,
) -> Result<bool, DatabaseError> {
    let begun = Instant::now();
    let mut seen = vec![None; connections.len()];
    let mut asked = 0;
    while asked < MIN_ANSWERS || (asked < MAX_ANSWERS && begun.elapsed() < CHECK_TIME) {
        for asking in 0..connections.len() {
            for _ in 0..2 {
                let server = Some(server_of(connections[asking], sql).await?);
                let another_before = seen[asking].is_some() && seen[asking] != server;
                seen[asking] = server;
                if another_before || seen.iter().filter(|other| **other == server).count() > 1 {
                    return Ok(true);
                }
            }
        }
        asked += 2 * connections.len().max(1); // It ends also where there are none.
    }
    Ok(false)
}

/// Returns the process of the server that answers this time.
async fn server_of(connection: &mut PgConnection, sql: &Statements) -> Result<i32, DatabaseError> {
    let answer = timeout(ANSWER_TIMEOUT, connection.fetch_one(sqlx::raw_sql(sql.which_server.clone()))).await;
    let Ok(answer) = answer else { return Err(DatabaseError::Unanswered { after: ANSWER_TIMEOUT }) };
    let process = answer.and_then(|row| row.try_get(0));
    process.map_err(|error| DatabaseError::new(error, sql.schema.as_str()))
}
