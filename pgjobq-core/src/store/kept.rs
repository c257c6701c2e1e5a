//! A connection that is kept between statements.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

/// A connection that is kept between statements of one sort, because giving one back to the pool costs a round trip. Whoever
/// finds it taken uses another one.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<Mutex<Option<PoolConnection<Postgres>>>>);

impl Kept {
    /// The kept connection, or one of the pool. After a statement that succeeded, keep it; otherwise drop it, and the pool
    /// finds out what state it is in.
    pub(super) async fn take(&self, pool: &PgPool) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let kept = self.lock().take();
        match kept {
            Some(connection) => Ok(connection),
            None => pool.acquire().await,
        }
    }

    pub(super) fn keep(&self, connection: PoolConnection<Postgres>) {
        *self.lock() = Some(connection);
    }

    /// Gives it back to the pool.
    pub(super) fn give_back(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<PoolConnection<Postgres>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
