//! Tells whether a pooler in transaction mode stands between us and the database.
//!
//! Such a pooler hands a connection of its own to another client after each transaction. sqlx prepares a statement in one
//! round trip and executes it in the next, between which it may be another server's process that answers: then somebody
//! else's statement runs. Settings, and what is listened to, end up at strangers in the same way.

use std::time::{Duration, Instant};

use sqlx::{Executor, PgConnection, Row};
use tokio::time::timeout;

use crate::DatabaseError;
use crate::db::statements::Statements;

/// How long is asked, and how many answers are enough when they are slow. A few tell, unless other clients of the pooler
/// are in between all the time.
const ASK_FOR: Duration = Duration::from_millis(20);
const ENOUGH: usize = 8;
const MOST: usize = 24;
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Whether one of these connections was served by two processes of the server, or two of them by the same one.
///
/// Each connection asks twice before the next one does. A pooler that lends what was given back last answers two
/// connections from one process, and a pooler that lends in turn answers one connection from two. Not at the same time:
/// with connections enough a pooler could keep one for each of us.
pub(crate) async fn is_between(
    connections: &mut [&mut PgConnection],
    sql: &Statements,
) -> Result<bool, DatabaseError> {
    let begun = Instant::now();
    let mut seen = vec![None; connections.len()];
    let mut asked = 0;
    while asked < ENOUGH || (asked < MOST && begun.elapsed() < ASK_FOR) {
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
    let answer = timeout(ANSWER_WITHIN, connection.fetch_one(sqlx::raw_sql(sql.which_server.clone()))).await;
    let Ok(answer) = answer else { return Err(DatabaseError::Unanswered { after: ANSWER_WITHIN }) };
    let process = answer.and_then(|row| row.try_get(0));
    process.map_err(|error| DatabaseError::new(error, sql.schema.as_str()))
}
