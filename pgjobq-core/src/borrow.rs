//! Questions of our own over the application's pool.
//!
//! sqlx waits for an answer without a limit, and its pool does so too for a connection that is given back in the middle of
//! one. On a network that fell silent whoever asks would wait for ever, and the connection be missing from the pool.

use std::time::Duration;

use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use tokio::time::timeout;

use crate::StoreError;
use crate::client::Shared;

/// A connection on which an answer is awaited. Dropped before it came, it is closed, and its place in the pool is free.
struct Borrowed(Option<PoolConnection<Postgres>>);

impl Shared {
    /// The answer to a statement, if it comes in time.
    pub(crate) async fn rows_within(
        &self,
        limit: Duration,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        let connection = self.pool.acquire().await.map_err(|error| self.error(error))?;
        let mut borrowed = Borrowed(Some(connection));
        let connection = borrowed.0.as_mut().expect("it is there until an answer came");
        let answered = timeout(limit, query.fetch_all(&mut **connection)).await;
        if answered.is_ok() {
            drop(borrowed.0.take()); // Back to the pool.
        }
        answered.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(|error| self.error(error))
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}
