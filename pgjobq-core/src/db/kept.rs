//! The connection that a client keeps between two statements.
//!
//! sqlx's pool makes a round trip when it lends a connection, and another one when the connection returns. Enqueues and
//! notifications follow each other, so the client keeps the connection of the last one for a moment.
//!
//! No connection is kept for longer than a second after the pool has lent it, however often it is used: so the pool's
//! `max_lifetime`, its hooks and new credentials apply soon. It returns at once if the pool or the client is closed, and
//! within a moment if all other connections of the pool are in use.

use std::pin::pin;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::pump::{Pump, Running, Work};

/// The longest time from a loan of the pool to its return.
const LONGEST_LOAN: Duration = Duration::from_secs(1);
/// The interval at which the pool is checked for a connection that others can have.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The connection that a client keeps between two statements, if any.
#[derive(Clone, Debug)]
pub(crate) struct KeptConnection {
    pool: PgPool,
    stop: CancellationToken,
    tasks: TaskTracker,
    place: Pump<Place>,
}

/// A connection on loan from the pool. It returns when this is dropped.
#[derive(Debug)]
pub(crate) struct Loan {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

#[derive(Debug, Default)]
struct Place(Option<Loan>);

impl KeptConnection {
    pub(crate) fn new(pool: PgPool, stop: CancellationToken, tasks: TaskTracker) -> Self {
        Self { pool, stop, tasks, place: Pump::default() }
    }

    /// Takes the kept connection.
    pub(crate) fn take(&self) -> Option<Loan> {
        self.place.with(Place::take).filter(|loan| !self.must_return(loan))
    }

    /// Keeps a connection whose last statement was answered, or returns it.
    pub(crate) fn keep(&self, loan: Loan) {
        if self.must_return(&loan) || is_exhausted(&self.pool) {
            return;
        }
        let (kept, mut before) = (self.clone(), None);
        let put = |place: &mut Place| before = place.0.replace(loan);
        self.place.add(&self.tasks, put, |running| kept.return_in_time(running));
    }

    fn must_return(&self, loan: &Loan) -> bool {
        loan.since.elapsed() >= LONGEST_LOAN || self.pool.is_closed() || self.stop.is_cancelled()
    }

    async fn return_in_time(self, mut running: Running<Place>) {
        let end = Instant::now() + LONGEST_LOAN;
        let is_over = |place: &mut Place| place.0.as_ref().is_some_and(|loan| self.must_return(loan));
        let mut closed = pin!(self.pool.close_event());
        while Instant::now() < end && !self.place.with(is_over) && !is_exhausted(&self.pool) {
            tokio::select! {
                () = sleep(CHECK_INTERVAL) => {}
                () = self.stop.cancelled() => break,
                () = &mut closed => break,
            }
        }
        while let Some(loan) = running.next(Place::take) {
            drop(loan);
        }
    }
}

impl Loan {
    pub(crate) fn new(connection: PoolConnection<Postgres>) -> Self {
        Self { connection, since: Instant::now() }
    }

    /// Returns when the pool lent it.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    pub(crate) fn connection(&mut self) -> &mut PoolConnection<Postgres> {
        &mut self.connection
    }

    /// Closes the connection, which may be in the middle of an answer. Its place in the pool is free then.
    pub(crate) fn close(self) {
        drop(self.connection.detach());
    }
}

impl Place {
    fn take(&mut self) -> Option<Loan> {
        self.0.take()
    }
}

impl Work for Place {
    /// The runtime that drives the connection may have ended as well.
    fn abandon(&mut self) {
        if let Some(loan) = self.take() {
            loan.close();
        }
    }
}

/// Returns whether all connections of the pool are in use, so that the next caller would wait for one.
pub(crate) fn is_exhausted(pool: &PgPool) -> bool {
    pool.size() >= pool.options().get_max_connections() && pool.num_idle() == 0
}

#[cfg(all(test, feature = "dev"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Keeps a connection that the pool has lent this long ago.
    async fn keep(pool: &PgPool, age: Duration) {
        let kept = KeptConnection::new(pool.clone(), CancellationToken::new(), TaskTracker::new());
        let mut loan = Loan::new(pool.acquire().await.unwrap());
        loan.since -= age;
        kept.keep(loan);
    }

    #[tokio::test]
    async fn kept_connection_returns_a_second_after_it_was_lent() {
        let database = crate::dev::database().await.unwrap();
        let new = PgPool::connect(database.url()).await.unwrap();
        let old = PgPool::connect(database.url()).await.unwrap();
        keep(&new, Duration::ZERO).await;
        keep(&old, LONGEST_LOAN - 2 * CHECK_INTERVAL).await;
        while old.num_idle() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(new.num_idle(), 0, "it was lent later");
    }
}
