//! Questions of our own over the application's pool.
//!
//! sqlx waits for an answer without a limit, and its pool does so too for a connection that is given back in the middle of
//! one. On a network that fell silent whoever asks would wait for ever, and the connection be missing from the pool.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use crate::StoreError;
use crate::client::Shared;
use crate::open;

/// A transaction of ours, whatever the role's default is.
pub(crate) const BEGIN: &str = "begin isolation level read committed read write";
/// The same, for what locks a lane: a claim may have it for some milliseconds, which the role's default may be too short for.
const BEGIN_PATIENTLY: &str = "begin isolation level read committed read write;
set local lock_timeout = '10s'; set local statement_timeout = '30s'";
/// How long the answer to a caller may take.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(35);

/// A connection on which an answer is awaited. Dropped before it came, it is closed, and its place in the pool is free.
struct Borrowed(Option<PoolConnection<Postgres>>);

impl Shared {
    /// The answer to a statement.
    pub(crate) async fn rows(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.rows_within(ANSWER_WITHIN, query).await
    }

    /// The one row of the answer.
    pub(crate) async fn row(&self, query: Query<'_, Postgres, PgArguments>) -> Result<PgRow, StoreError> {
        self.rows(query).await?.into_iter().next().ok_or(StoreError::Database(sqlx::Error::RowNotFound))
    }

    /// The answer to a statement, if it comes in this time.
    pub(crate) async fn rows_within(
        &self,
        limit: Duration,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let ask = async |connection: &mut PgConnection| query.fetch_all(connection).await;
        self.borrow(limit, async |connection| ask(connection).await.map_err(|error| self.error(error))).await
    }

    /// The row of a statement at READ COMMITTED, also where the role's default is another: it must see what others have
    /// committed a moment ago.
    pub(crate) async fn fresh_row(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<PgRow, StoreError> {
        self.borrow(ANSWER_WITHIN, async |connection| {
            let row = in_transaction(connection, query).await;
            row.map_err(|error| self.error(error))
        })
        .await
    }

    /// Something that is asked in at most this time. The connection is given back when the server has spoken, and closed
    /// otherwise: it may be in the middle of an answer.
    pub(crate) async fn borrow<T>(
        &self,
        limit: Duration,
        ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = acquire(&self.pool, self.sql.schema.as_str()).await?;
        let mut borrowed = Borrowed(Some(connection));
        let connection = borrowed.0.as_mut().expect("it is there until an answer came");
        let silent = |_| Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut));
        let answered = timeout(limit, ask(connection)).await.unwrap_or_else(silent);
        if answered.as_ref().map_or_else(|error| error.code().is_some(), |_| true) {
            drop(borrowed.0.take()); // Back to the pool.
        }
        answered
    }
}

impl Shared {
    /// Returns the error of a pool that has no connection to give, if the client's is one.
    pub(crate) fn exhausted(&self) -> Option<StoreError> {
        exhausted(&self.pool)
    }
}

/// Acquires a connection, in the pool's `acquire_timeout`.
pub(crate) async fn acquire(pool: &PgPool, schema: &str) -> Result<PoolConnection<Postgres>, StoreError> {
    let error = match pool.acquire().await {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    if let (sqlx::Error::PoolTimedOut, Some(exhausted)) = (&error, exhausted(pool)) {
        return Err(exhausted);
    }
    Err(StoreError::new(open::reason(pool, error).await, schema))
}

fn exhausted(pool: &PgPool) -> Option<StoreError> {
    let options = pool.options();
    let connections = options.get_max_connections();
    let exhausted = pool.size() >= connections && pool.num_idle() == 0;
    exhausted.then(|| StoreError::NoConnection { waited: options.get_acquire_timeout(), connections })
}

/// The row of a statement in a transaction that is over in any case.
async fn in_transaction(
    connection: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<PgRow, sqlx::Error> {
    sqlx::raw_sql(BEGIN_PATIENTLY).execute(&mut *connection).await?;
    let row = query.fetch_one(&mut *connection).await;
    let end = if row.is_ok() { "commit" } else { "rollback" };
    sqlx::raw_sql(end).execute(connection).await?;
    row
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}
