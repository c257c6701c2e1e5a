//! Our statements on the application's pool, with a time limit.
//!
//! sqlx waits for an answer without a limit, and so does its pool for a connection that is returned in the middle of
//! an answer. On a network that fell silent the caller would wait forever, and the pool would lack a connection.

use std::pin::Pin;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Execute, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use crate::DatabaseError;
use crate::db::answers::Source;
use crate::db::kept::{Loan, is_exhausted};
use crate::db::open;
use crate::db::shared::Shared;
use crate::db::statement_timeout::{STATEMENT_TIMEOUT, somebody_waits};
use crate::db::tries::Tries;
use crate::db::watch::Sender;

/// A connection on which an answer is awaited. If it is dropped before the answer, it is closed, and its place in the
/// pool is free.
struct Borrowed(Option<Loan>);

impl Shared {
    /// Returns the rows of a statement.
    pub(crate) async fn rows(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, DatabaseError> {
        self.rows_within(STATEMENT_TIMEOUT, query).await
    }

    /// Returns the rows of a statement, if they come in this time. Use it for statements that read, or that write a row for
    /// which no other session waits; see [`Shared::write`] for statements that lock.
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
            let ask = async |connection: &mut PgConnection| {
                let rows = self.sql.rows(connection, query, Sender::ALONE).await;
                rows.map_err(|error| self.error(error))
            };
            match self.with_connection(tries.left(), ask).await {
                Err(error) if tries.again(&error).await => {}
                answer => return answer.map_err(|error| tries.named(error)),
            }
        }
    }

    /// Runs `ask` on a connection of the pool in at most this time, including the wait for a connection. The
    /// connection is returned if the server has answered. Otherwise it is closed, because it may be in the middle of
    /// an answer.
    pub(crate) async fn with_connection<T>(
        &self,
        limit: Duration,
        ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let until = Instant::now() + limit;
        let loan = self.borrow(limit, somebody_waits()).await?;
        let (loan, answered) = self.answer(loan, until, limit, ask).await;
        drop(loan);
        answered
    }

    /// Does the same on the connection that is kept between two statements, if there is one, and keeps it. That connection may
    /// have broken since its last use: use this for statements that may be sent again.
    pub(crate) async fn with_kept_connection<T>(
        &self,
        limit: Duration,
        ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let until = Instant::now() + limit;
        let loan = match self.kept.take() {
            Some(loan) => loan,
            None => self.borrow(limit, false).await?,
        };
        let (loan, answered) = self.answer(loan, until, limit, ask).await;
        if let Some(loan) = loan.filter(|_| answered.is_ok()) {
            self.kept.keep(loan);
        }
        answered
    }

    /// Takes a connection of the pool. `soon` if somebody waits: then a database that is away is an error at once.
    async fn borrow(&self, limit: Duration, soon: bool) -> Result<Loan, DatabaseError> {
        let attempt = Source::Attempt { began: Instant::now() };
        let acquired = match soon {
            false => timeout(limit, acquire(&self.pool, self.sql.schema.as_str())).await,
            true => timeout(limit, self.acquire_soon()).await,
        };
        let late = |_| Err(self.exhausted(limit).unwrap_or(DatabaseError::Unanswered { after: limit }));
        let acquired = acquired.unwrap_or_else(late);
        acquired.inspect_err(|error| self.answers.note_error(error, attempt)).map(Loan::new)
    }

    /// Acquires a connection for somebody who waits for the answer: fails soon if the database cannot be reached. It returns a box, so
    /// that the future of every statement stays as small as it is.
    fn acquire_soon(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<PoolConnection<Postgres>, DatabaseError>> + Send + '_>> {
        Box::pin(async {
            tokio::select! {
                biased;
                acquired = acquire(&self.pool, self.sql.schema.as_str()) => acquired,
                error = open::unreachable(&self.pool, &self.asking) => Err(self.error(error).at(&self.pool.connect_options())),
            }
        })
    }

    /// Awaits the answer of `ask`. Also returns the loan, if the server has answered.
    async fn answer<T>(
        &self,
        loan: Loan,
        until: Instant,
        limit: Duration,
        ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, DatabaseError>,
    ) -> (Option<Loan>, Result<T, DatabaseError>) {
        let left = until.saturating_duration_since(Instant::now());
        let worked = loan.since();
        let mut borrowed = Borrowed(Some(loan));
        let connection = borrowed.0.as_mut().expect("it is there until an answer came").connection();
        let silent = |_| Err(DatabaseError::Unanswered { after: limit });
        let answered = timeout(left, ask(connection)).await.unwrap_or_else(silent);
        match &answered {
            Ok(_) => self.answers.note(worked),
            Err(error) => self.answers.note_error(error, Source::Connection { worked }),
        }
        let has_answer = answered.as_ref().map_or_else(|error| error.code().is_some(), |_| true);
        (has_answer.then(|| borrowed.0.take()).flatten(), answered)
    }
}

impl Shared {
    /// Returns the error of a pool that had no free connection for this long, if all of the client's are in use.
    pub(crate) fn exhausted(&self, waited: Duration) -> Option<DatabaseError> {
        exhausted(&self.pool, waited)
    }

    /// Returns whether the pool has let the call wait for all of its `acquire_timeout`, and not only for a limit of
    /// ours.
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
    Err(DatabaseError::new(open::reason(pool, error).await, schema).at(&pool.connect_options()))
}

fn exhausted(pool: &PgPool, waited: Duration) -> Option<DatabaseError> {
    let connections = pool.options().get_max_connections();
    is_exhausted(pool).then_some(DatabaseError::NoConnection { waited, connections })
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(loan) = self.0.take() {
            loan.close();
        }
    }
}
