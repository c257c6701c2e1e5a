//! Questions of our own over the application's pool.
//!
//! sqlx waits for an answer without a limit, and its pool does so too for a connection that is given back in the middle of
//! one. On a network that fell silent whoever asks would wait for ever, and the connection be missing from the pool.

use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Execute, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use crate::DatabaseError;
use crate::db::open;
use crate::db::shared::Shared;
use crate::db::tries::Tries;

/// How long the answer to a caller may take.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(35);

/// A connection on which an answer is awaited. Dropped before it came, it is closed, and its place in the pool is free.
struct Borrowed(Option<PoolConnection<Postgres>>);

impl Shared {
    /// The answer to a statement.
    pub(crate) async fn rows(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, DatabaseError> {
        self.rows_within(ANSWER_WITHIN, query).await
    }

    /// The answer to a statement, if it comes in this time. It is for statements that read, or write a row that nobody else
    /// waits for: see [`Shared::alone`] for those that lock.
    pub(crate) async fn rows_within(
        &self,
        limit: Duration,
        mut query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, DatabaseError> {
        let encoded =
            query.take_arguments().map_err(|error| DatabaseError::Refused(sqlx::Error::Encode(error)))?;
        let (arguments, statement) = (encoded.unwrap_or_default(), query.sql());
        let mut tries = Tries::within(limit);
        loop {
            let query = sqlx::query_with(statement.clone(), arguments.clone());
            let ask = async |connection: &mut PgConnection| query.fetch_all(connection).await;
            let ask = async |connection: &mut PgConnection| {
                ask(connection).await.map_err(|error| self.error(error))
            };
            match self.borrow(tries.left(), ask).await {
                Err(error) if tries.again(&error).await => {}
                answer => return answer,
            }
        }
    }

    /// Something that is asked in at most this time, waiting for a connection included. The connection is given back when the
    /// server has spoken, and closed otherwise: it may be in the middle of an answer.
    pub(crate) async fn borrow<T>(
        &self,
        limit: Duration,
        ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let until = Instant::now() + limit;
        let acquired = timeout(limit, acquire(&self.pool, self.sql.schema.as_str())).await;
        let late = |_| Err(self.exhausted(limit).unwrap_or(DatabaseError::Unanswered { after: limit }));
        let connection = acquired.unwrap_or_else(late)?;
        let left = until.saturating_duration_since(Instant::now());
        let mut borrowed = Borrowed(Some(connection));
        let connection = borrowed.0.as_mut().expect("it is there until an answer came");
        let silent = |_| Err(DatabaseError::Unanswered { after: limit });
        let answered = timeout(left, ask(connection)).await.unwrap_or_else(silent);
        if answered.as_ref().map_or_else(|error| error.code().is_some(), |_| true) {
            drop(borrowed.0.take()); // Back to the pool.
        }
        if answered.is_ok() {
            self.answers.note();
        }
        answered
    }
}

impl Shared {
    /// Returns the error of a pool that has given no connection for this long, if all of the client's are in use.
    pub(crate) fn exhausted(&self, waited: Duration) -> Option<DatabaseError> {
        exhausted(&self.pool, waited)
    }

    /// Reports whether this is the error of a pool that has let somebody wait for all of its `acquire_timeout`, and not only
    /// for a limit of ours.
    pub(crate) fn has_waited(&self, error: &DatabaseError) -> bool {
        let patience = self.pool.options().get_acquire_timeout();
        matches!(error, DatabaseError::NoConnection { waited, .. } if *waited >= patience)
    }
}

/// Acquires a connection, in the pool's `acquire_timeout`.
pub(crate) async fn acquire(pool: &PgPool, schema: &str) -> Result<PoolConnection<Postgres>, DatabaseError> {
    let error = match pool.acquire().await {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    let waited = pool.options().get_acquire_timeout();
    if let (sqlx::Error::PoolTimedOut, Some(exhausted)) = (&error, exhausted(pool, waited)) {
        return Err(exhausted);
    }
    Err(DatabaseError::new(open::reason(pool, error).await, schema))
}

fn exhausted(pool: &PgPool, waited: Duration) -> Option<DatabaseError> {
    let connections = pool.options().get_max_connections();
    let exhausted = pool.size() >= connections && pool.num_idle() == 0;
    exhausted.then_some(DatabaseError::NoConnection { waited, connections })
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}
