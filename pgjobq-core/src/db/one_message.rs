//! A statement of ours in one message: a transaction that is over before the client has the turn again.
//!
//! A client may fall silent after any message that it sends. A lock must not depend on the next one.

use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, SqlStr};

use crate::DatabaseError;
use crate::client::Shared;
use crate::db::literal::{Literal, with_values};
use crate::db::query::ANSWER_WITHIN;

/// READ COMMITTED, because it must see what others have committed a moment ago. `default_transaction_read_only` is obeyed: it
/// may be a fence.
const WRITE: &str = "begin isolation level read committed";
/// For a standby too.
const READ: &str = "begin isolation level read committed read only";
/// The limits do not depend on the role's, which may be too short for a lane that a claim has for some milliseconds, or none at
/// all. `search_path` keeps away what somebody created under the names of PostgreSQL's own functions and operators.
const SETTINGS: &str = "set local lock_timeout = '10s'; set local statement_timeout = '30s';
set local idle_in_transaction_session_timeout = '5s'; set local search_path = pg_catalog, pg_temp";

impl Shared {
    /// The one row of a statement that writes, committed with it. Retries deadlocks, lock timeouts and serialization failures.
    pub(crate) async fn alone(
        &self,
        statement: &SqlStr,
        values: &[&dyn Literal],
    ) -> Result<PgRow, DatabaseError> {
        let mut rows = self.one_message(WRITE, statement, values).await?;
        rows.pop().ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))
    }

    /// The rows of a statement that people ask now and then, and that writes nothing.
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
        let statement = with_values(statement.as_str(), values);
        let message = format!("{begin};\n{SETTINGS};\n{};\ncommit", statement.as_str());
        let mut tries = Tries::within(ANSWER_WITHIN);
        loop {
            let run = async |connection: &mut PgConnection| {
                in_one_message(connection, &message).await.map_err(|error| self.error(error))
            };
            match self.borrow(tries.left(), run).await {
                Err(error) if tries.again(&error).await => {}
                answer => return answer,
            }
        }
    }
}

/// Runs a transaction that is written as one message. If it failed, the server has released its locks already.
async fn in_one_message(connection: &mut PgConnection, message: &str) -> Result<Vec<PgRow>, sqlx::Error> {
    let message = sqlx::raw_sql(AssertSqlSafe(message.to_owned()));
    let rows = message.fetch_all(&mut *connection).await;
    if rows.is_err() {
        sqlx::raw_sql("rollback").execute(connection).await?;
    }
    rows
}

/// How often a statement is tried that meets others' transactions.
const TRIES: u32 = 6;
/// The first pause between two tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The tries of one statement: at most [`TRIES`], within one time limit for all of them.
pub(crate) struct Tries {
    until: Instant,
    made: u32,
}

impl Tries {
    pub(crate) fn within(limit: Duration) -> Self {
        Self { until: Instant::now() + limit, made: 0 }
    }

    /// How much time is left.
    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Pauses, and returns true, if another try may succeed: two transactions met, and nothing was written.
    pub(crate) async fn again(&mut self, error: &DatabaseError) -> bool {
        self.made += 1;
        let pause = (FIRST_PAUSE * (1 << self.made)).mul_f64(0.5 + fastrand::f64());
        if !met_another(error) || self.made >= TRIES || pause >= self.left() {
            return false;
        }
        tracing::debug!(%error, tries = self.made, "trying again what met another transaction");
        tokio::time::sleep(pause).await;
        true
    }
}

/// Whether two transactions met: a serialization failure, a deadlock, a lock timeout. Nothing was written.
fn met_another(error: &DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("40001" | "40P01" | "55P03"))
}
